/* What the loops of one daemon share. */
#ifndef EVALD_SERVER_FRONT_H
#define EVALD_SERVER_FRONT_H

#include "core/budget.h"
#include "server/cache.h"
#include "server/clients.h"
#include "server/connections.h"
#include "server/metrics.h"
#include "server/origin.h"
#include "server/pool.h"
#include "server/postgresql.h"
#include "server/settings.h"
#include "server/store.h"
#include "server/tls.h"
#include "server/tokens.h"

/* Only ever goes on. */
enum front_phase {
    FRONT_SERVING,
    FRONT_DRAINING, /* no new clients; those there are get their answers */
    FRONT_ENDING,   /* what is not done by now is told so */
    FRONT_OVER,     /* connections are cut */
};

struct front {
    const struct settings *settings;
    struct pool *pool;
    struct budget budget; /* of memory: all loops' and requests' */
    struct clients *clients;
    struct store *store;              /* NULL = none is kept */
    struct postgresql_place database; /* where that is, unless in a file */
    struct cache *cache;              /* of what is in it */
    struct metrics *metrics;
    struct tls *tls; /* NULL = plain HTTP */
    uv_rwlock_t tokens_lock;
    atomic_uint tokens_age; /* how often they were read again */
    struct tokens *tokens;  /* NULL = nobody is asked for one; by the lock */
    struct origins origins;
    bool shares_address; /* with other daemons, by sockets of their own */
    bool checks_host; /* it is for this machine, and trusts whoever connects */
    _Atomic(enum front_phase) phase;
    atomic_size_t connections; /* but for the administrators' */
    atomic_size_t in_phase[PHASES];
    atomic_size_t streams;  /* of them, those that go on */
    atomic_size_t requests; /* being read, answered or sent */
};

/*
 * Reads what the settings name: tokens, certificate.  -1 with a line in why;
 * on success why may be a warning.  loopback: only this machine reaches it.
 */
int front_init(struct front *f, const struct settings *s, bool loopback,
               char *why, size_t n) __attribute__((warn_unused_result));

/* Starts the threads that compute; -1 with errno set. */
int front_start(struct front *f) __attribute__((warn_unused_result));

/* Reads tokens and certificate again; false if one stays as it was. */
bool front_reload(struct front *f);

/* How many jobs may wait in a lane. */
size_t front_queue_max(const struct front *f, enum pool_lane lane);

/* For api_env; NULL without a store. */
const struct api_store *front_store(const struct front *f);
const struct api_cache *front_cache(const struct front *f);

/* For api_env.write_metrics. */
void front_write_metrics(void *front, bool openmetrics, struct json_out *out);

void front_free(struct front *f);

static inline enum front_phase front_phase(struct front *f)
{
    return atomic_load_explicit(&f->phase, memory_order_relaxed);
}

#endif
