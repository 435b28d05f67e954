#include "server/clients.h"

#include "server/siphash.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t SECOND_NS = 1000000000;
enum {
    FAILURES = 10,     /* in a row that are only answered */
    FORGIVEN_S = 6,    /* in which one of them is forgotten */
    WAIT_S_MAX = 600,  /* for the next failure, however many there were */
    LOOKED_AT_MAX = 8, /* entries that are tried for a new client */
    KEY_V4 = 4,        /* kinds of keys, the first of their bytes */
    KEY_V6 = 6,
    KEY_TOKEN = 't',
    KEY_OTHER = 'o',
    PREFIX_BYTES = 8, /* of an IPv6 address */
};

/*
 * Times of the two buckets are when they will be full again, and past when
 * they are.  Entries without connections and requests are in the list of the
 * idle, which they join at the newest end.
 */
struct client {
    struct client_key key;
    uint32_t connections, requests;
    uint64_t rate_full_ns, failures_full_ns;
    struct client *chain;         /* the next with the same end of the hash */
    struct client *older, *newer; /* in the list of the idle */
};

struct clients {
    pthread_mutex_t mutex; /* guards all that follows, but the seed */
    struct clients_limits limits;
    uint64_t seed[2];
    struct clients_counts counts;
    struct client *oldest, *newest;
    size_t buckets; /* a power of two */
    struct client **bucket;
    size_t clients_max;
    struct client client[];
};

static struct client_key key_of(unsigned char kind, const void *bytes, size_t n)
{
    struct client_key key = {.size = (unsigned char)(n + 1), .bytes = {kind}};
    memcpy(key.bytes + 1, bytes, n);
    return key;
}

struct client_key client_key_address(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    if (address->sa_family == AF_INET)
        return key_of(KEY_V4, &v4->sin_addr, sizeof(v4->sin_addr));
    if (address->sa_family != AF_INET6)
        return key_of(KEY_OTHER, "", 0);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return key_of(KEY_V4, &v6->sin6_addr.s6_addr[12], 4);
    return key_of(KEY_V6, &v6->sin6_addr, PREFIX_BYTES);
}

struct client_key client_key_token(const char *name)
{
    return key_of(KEY_TOKEN, name, strnlen(name, CLIENT_NAME_BYTES));
}

struct clients *clients_new(const struct clients_limits *limits,
                            size_t clients_max, const uint64_t seed[2])
{
    size_t bytes, buckets = 1;
    if (__builtin_mul_overflow(clients_max, sizeof(struct client), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct clients), &bytes))
        return NULL;
    while (buckets < clients_max)
        buckets *= 2;
    struct clients *c = calloc(1, bytes);
    struct client **bucket = calloc(buckets, sizeof(struct client *));
    if (!c || !bucket || pthread_mutex_init(&c->mutex, NULL)) {
        free(bucket);
        free(c);
        return NULL;
    }
    c->limits = *limits;
    c->buckets = buckets;
    c->bucket = bucket;
    c->clients_max = clients_max;
    memcpy(c->seed, seed, sizeof(c->seed));
    return c;
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->mutex);
    free(c->bucket);
    free(c);
}

void clients_limit(struct clients *c, const struct clients_limits *limits)
{
    pthread_mutex_lock(&c->mutex);
    c->limits = *limits;
    pthread_mutex_unlock(&c->mutex);
}

/* From here to the next remark all is called with the mutex held. */

static bool is_idle(const struct client *client)
{
    return client->connections == 0 && client->requests == 0;
}

static void take_from_idle(struct clients *c, struct client *client)
{
    *(client->older ? &client->older->newer : &c->oldest) = client->newer;
    *(client->newer ? &client->newer->older : &c->newest) = client->older;
    client->older = client->newer = NULL;
}

static void add_to_idle(struct clients *c, struct client *client)
{
    client->older = c->newest;
    client->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = client;
    c->newest = client;
}

static struct client **chain_of(const struct clients *c,
                                const struct client_key *key)
{
    uint64_t hash = siphash(c->seed, key->bytes, key->size);
    return &c->bucket[hash & (c->buckets - 1)];
}

static bool same_key(const struct client_key *a, const struct client_key *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void forget(struct clients *c, struct client *client)
{
    struct client **link = chain_of(c, &client->key);
    while (*link != client)
        link = &(*link)->chain;
    *link = client->chain;
    take_from_idle(c, client);
}

/*
 * An entry that tells nothing, taken out of everything, or NULL.  Those that
 * were looked at in vain go to the list's other end, so that a few that stay
 * for long do not hide the others.
 */
static struct client *spare(struct clients *c, uint64_t now_ns)
{
    if (c->counts.tracked < c->clients_max)
        return &c->client[c->counts.tracked++];
    for (size_t i = 0; i < LOOKED_AT_MAX && c->oldest; i++) {
        struct client *client = c->oldest;
        if (client->rate_full_ns <= now_ns &&
            client->failures_full_ns <= now_ns) {
            forget(c, client);
            return client;
        }
        take_from_idle(c, client);
        add_to_idle(c, client);
    }
    c->counts.untracked++;
    return NULL;
}

/* The client's entry, NULL if there is no room. */
static struct client *entry(struct clients *c, const struct client_key *key,
                            uint64_t now_ns)
{
    struct client **chain = chain_of(c, key);
    for (struct client *client = *chain; client; client = client->chain)
        if (same_key(&client->key, key))
            return client;
    struct client *client = spare(c, now_ns);
    if (!client)
        return NULL;
    /* the chain may be another by now, but begins where it did */
    *client = (struct client){.key = *key, .chain = *chain};
    *chain = client;
    add_to_idle(c, client);
    return client;
}

/* Counts one more thing that the client does; its entry stays. */
static void hold(struct clients *c, struct client *client, uint32_t *things)
{
    if (is_idle(client))
        take_from_idle(c, client);
    ++*things;
}

static void release(struct clients *c, struct client *client, uint32_t *things)
{
    --*things;
    if (is_idle(client))
        add_to_idle(c, client);
}

static unsigned seconds(uint64_t ns)
{
    uint64_t s = ns / SECOND_NS + (ns % SECOND_NS != 0);
    return s < UINT16_MAX ? (unsigned)s : UINT16_MAX;
}

/*
 * Takes one from a bucket of `burst` that gains one every interval; or returns
 * in how many nanoseconds there is one.
 */
static uint64_t take_one(uint64_t *full_ns, uint64_t now_ns,
                         uint64_t interval_ns, uint64_t burst)
{
    uint64_t whole_ns, full = *full_ns > now_ns ? *full_ns : now_ns;
    if (__builtin_mul_overflow(burst, interval_ns, &whole_ns))
        whole_ns = UINT64_MAX;
    if (full - now_ns + interval_ns > whole_ns)
        return full - now_ns + interval_ns - whole_ns;
    *full_ns = full + interval_ns;
    return 0;
}

static uint64_t take_request(const struct clients_limits *l,
                             struct client *client, uint64_t now_ns)
{
    if (l->rate == 0)
        return 0;
    uint64_t interval_ns = SECOND_NS / l->rate;
    return take_one(&client->rate_full_ns, now_ns, interval_ns + !interval_ns,
                    l->burst ? l->burst : l->rate);
}

/* Whether the client may begin a request; if not, when. */
static enum reason judge(struct clients *c, struct client *client,
                         uint64_t now_ns, unsigned *retry_after_s)
{
    const struct clients_limits *l = &c->limits;
    if (l->concurrency && client->requests >= l->concurrency) {
        c->counts.refused_concurrency++;
        *retry_after_s = 1;
        return REASON_CONCURRENCY;
    }
    uint64_t wait_ns = take_request(l, client, now_ns);
    if (wait_ns) {
        c->counts.refused_rate++;
        *retry_after_s = seconds(wait_ns);
        return REASON_RATE;
    }
    return REASON_NONE;
}

/* In contrast to requests, failures that are refused count as well. */
static uint64_t take_failure(struct client *client, uint64_t now_ns)
{
    const uint64_t interval_ns = FORGIVEN_S * SECOND_NS;
    const uint64_t most_ns =
        (FAILURES - 1) * interval_ns + WAIT_S_MAX * SECOND_NS;
    uint64_t *full_ns = &client->failures_full_ns;
    if (take_one(full_ns, now_ns, interval_ns, FAILURES) == 0)
        return 0;
    *full_ns += interval_ns;
    if (*full_ns - now_ns > most_ns)
        *full_ns = now_ns + most_ns;
    return *full_ns - now_ns - (FAILURES - 1) * interval_ns;
}

/* From here on the mutex is taken. */

bool clients_open(struct clients *c, const struct client_key *address,
                  uint64_t now_ns, struct client **held)
{
    pthread_mutex_lock(&c->mutex);
    struct client *client = *held = entry(c, address, now_ns);
    size_t most = c->limits.connections;
    bool may = !client || !most || client->connections < most;
    if (!may) {
        c->counts.refused_connections++;
        *held = NULL;
    } else if (client) {
        hold(c, client, &client->connections);
    }
    pthread_mutex_unlock(&c->mutex);
    return may;
}

void clients_close(struct clients *c, struct client *held)
{
    if (!held)
        return;
    pthread_mutex_lock(&c->mutex);
    release(c, held, &held->connections);
    pthread_mutex_unlock(&c->mutex);
}

enum reason clients_begin(struct clients *c, const struct client_key *key,
                          uint64_t now_ns, struct client **held,
                          unsigned *retry_after_s)
{
    pthread_mutex_lock(&c->mutex);
    struct client *client = *held = entry(c, key, now_ns);
    enum reason why =
        client ? judge(c, client, now_ns, retry_after_s) : REASON_NONE;
    if (why)
        *held = NULL;
    else if (client)
        hold(c, client, &client->requests);
    pthread_mutex_unlock(&c->mutex);
    return why;
}

void clients_end(struct clients *c, struct client *held)
{
    if (!held)
        return;
    pthread_mutex_lock(&c->mutex);
    release(c, held, &held->requests);
    pthread_mutex_unlock(&c->mutex);
}

unsigned clients_failed(struct clients *c, const struct client_key *address,
                        uint64_t now_ns)
{
    pthread_mutex_lock(&c->mutex);
    struct client *client = entry(c, address, now_ns);
    unsigned wait_s = client ? seconds(take_failure(client, now_ns)) : 0;
    c->counts.refused_failures += wait_s > 0;
    pthread_mutex_unlock(&c->mutex);
    return wait_s;
}

struct clients_counts clients_count(struct clients *c)
{
    pthread_mutex_lock(&c->mutex);
    struct clients_counts counts = c->counts;
    pthread_mutex_unlock(&c->mutex);
    return counts;
}
