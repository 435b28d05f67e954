/*
 * What each client does at present and lately: its connections, its requests,
 * the tokens of no use that it has tried.  One table for all loops, of a fixed
 * size, behind one mutex that is held for a tenth of a microsecond.
 *
 * A client is an address, of IPv6 the first 64 bits, as a single machine has
 * all the others; or a token, by its name.  Addresses have connections and
 * failures, requests are counted for the token if there is one.
 *
 * An entry whose client does nothing and has done nothing lately tells nothing:
 * it is given to the next new client, the longest idle first.  When none such
 * is found, new clients are let in without being tracked, and counted.  To
 * refuse them would let whoever has many addresses lock out everybody else;
 * and the limits that all clients share, of connections, queues and memory,
 * hold for the untracked too.
 */
#ifndef EVALD_SERVER_CLIENTS_H
#define EVALD_SERVER_CLIENTS_H

#include "server/finished.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;
struct clients;
struct client; /* an entry of the table */

/* Of each client; 0 is no limit. */
struct clients_limits {
    size_t connections; /* of an address at a time */
    size_t rate;        /* requests per second, 10^9 at most ... */
    size_t burst;       /* ... and at once after a pause; 0 is as rate */
    size_t concurrency; /* requests at a time */
};

enum { CLIENT_NAME_BYTES = 64 };

struct client_key {
    unsigned char size;
    unsigned char bytes[CLIENT_NAME_BYTES + 1];
};

/* An IPv4 address in IPv6's clothes is the IPv4 address.  All that is neither
 * is one client. */
struct client_key client_key_address(const struct sockaddr *address);

/* Names that are equal in their first CLIENT_NAME_BYTES are one client. */
struct client_key client_key_token(const char *name);

/*
 * A table for so many clients, which should be some times more than there can
 * be connections.  The seed is random and secret, so that nobody can choose
 * addresses that are slow to find.  NULL when there is no memory.
 */
struct clients *clients_new(const struct clients_limits *limits,
                            size_t clients_max, const uint64_t seed[2])
    __attribute__((warn_unused_result));
void clients_free(struct clients *c);

/* Replaces the limits, on reload.  They hold for what comes after. */
void clients_limit(struct clients *c, const struct clients_limits *limits);

/*
 * Times are nanoseconds of a clock that does not go back.  Those that several
 * threads bring may be a little out of order.
 */

/*
 * A connection from an address.  False if that has its share, and nothing is
 * to be closed; else *held is for clients_close, NULL if it is not tracked.
 */
bool clients_open(struct clients *c, const struct client_key *address,
                  uint64_t now_ns, struct client **held)
    __attribute__((warn_unused_result));
void clients_close(struct clients *c, struct client *held);

/*
 * A request that is about to begin.  REASON_NONE, and *held is for
 * clients_end; or REASON_RATE, the client is too fast, or REASON_CONCURRENCY,
 * it has too many under way: *retry_after_s then says when it may come again,
 * at least 1; asking costs it nothing.
 */
enum reason clients_begin(struct clients *c, const struct client_key *key,
                          uint64_t now_ns, struct client **held,
                          unsigned *retry_after_s)
    __attribute__((warn_unused_result));
void clients_end(struct clients *c, struct client *held);

/*
 * A request whose token is unknown.  Returns 0 to answer that, 401; or after
 * how many seconds the address should come again, 429: for its eleventh failure
 * in a minute twelve, and six more for each further one, up to ten minutes.
 * One failure is forgiven every six seconds.
 *
 * To be called only after the token was looked up, for valid ones are always
 * let in: many clients may sit behind one address, and one of them must not
 * lock out the others.  It costs no safety, for a token has more bits than
 * anybody can try, and one hash per attempt.  What this spares is the log, the
 * wire, and whoever has a wrong token in a loop.
 */
unsigned clients_failed(struct clients *c, const struct client_key *address,
                        uint64_t now_ns) __attribute__((warn_unused_result));

/* Since the start. */
struct clients_counts {
    size_t tracked;               /* entries that were ever needed at a time */
    uint64_t untracked;           /* let in, as the table was full */
    uint64_t refused_connections; /* over an address's share */
    uint64_t refused_rate, refused_concurrency, refused_failures;
};
struct clients_counts clients_count(struct clients *c);

#endif
