#include "server/front.h"

#include "server/log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Threads for requests that wait for the store: so many share a commit. */
enum { WAITERS = 16, READERS = 2 /* more connections than workers */ };

static int read_tokens(struct front *f, char *why, size_t n)
{
    if (!f->settings->tokens)
        return 0;
    f->tokens = tokens_read(f->settings->tokens, why, n);
    return f->tokens ? 0 : -1;
}

static int read_tls(struct front *f, char *why, size_t n)
{
    const struct settings *s = f->settings;
    if (!s->tls_cert)
        return 0;
    f->tls = tls_new(s->tls_cert, s->tls_key, why, n);
    tls_serve(f->tls);
    return f->tls ? 0 : -1;
}

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* For pages of the store's file. */
static size_t store_memory(const struct settings *s)
{
    return least_of(s->memory_bytes / 16, (size_t)32 << 20);
}

/*
 * What is left for requests.  The program and the store take a part, and for
 * each thread that inflates a window that no arena holds; but never more than
 * a quarter.
 */
static size_t requests_memory(const struct settings *s)
{
    const size_t program = (size_t)16 << 20, window = (size_t)8 << 20;
    size_t own = program + store_memory(s) + window * s->workers;
    return s->memory_bytes - least_of(own, s->memory_bytes / 4);
}

/* Names of databases can be looked up only before the daemon is confined. */
static int find_store(struct front *f, struct store_options *o,
                      char fault[STORE_WHY_BYTES])
{
    char why[SQL_WHY_BYTES] = "";
    if (!postgresql_is(o->where))
        return 0;
    int rc = postgresql_find(&f->database, o->where, why);
    if (rc)
        snprintf(fault, STORE_WHY_BYTES, "%.190s", why);
    o->where = f->database.url;
    return rc;
}

/*
 * The store, and what is kept of it in memory, a quarter of what requests have.
 * One that nobody asked for may be missing: then runs are not offered.
 */
static int open_store(struct front *f, char *why, size_t n)
{
    const struct settings *s = f->settings;
    char path[PATH_MAX];
    struct store_options o = {.where = s->store,
                              .bytes_max = s->store_bytes_max,
                              .run_bytes_max = s->run_bytes_max,
                              .readers = s->workers + READERS,
                              .keep_ms = s->store_keep_ms,
                              .memory_bytes = store_memory(s)};
    char fault[STORE_WHY_BYTES] = "there is no home directory for it";
    if (s->store && strcmp(s->store, "none") == 0)
        return 0;
    if (!s->store && store_default_path(path, sizeof(path)) == 0)
        o.where = path;
    if (o.where && find_store(f, &o, fault) == 0)
        f->store = store_open(&o, fault);
    if (!f->store && s->store) {
        snprintf(why, n, "the store: %s", fault);
        return -1;
    }
    if (!f->store) {
        log_warning("datasets and runs are not offered: %s; see --store",
                    fault);
        return 0;
    }
    size_t share = f->budget.max / 4;
    f->cache = cache_new(share);
    f->budget.max -= share;
    return f->cache ? 0 : -1;
}

int front_init(struct front *f, const struct settings *s, bool loopback,
               char *why, size_t n)
{
    *f = (struct front){.settings = s, .budget.max = requests_memory(s)};
    uv_rwlock_init(&f->tokens_lock);
    f->checks_host = loopback && !s->tokens;
    if (origins_read(&f->origins, s->listen, s->allow_hosts, s->cors_origins,
                     s->tls_cert, why, n))
        return -1;
    return read_tokens(f, why, n) || read_tls(f, why, n) ||
                   open_store(f, why, n)
               ? -1
               : 0;
}

size_t front_queue_max(const struct front *f, enum pool_lane lane)
{
    const struct settings *s = f->settings;
    return lane == LANE_HEAVY ? s->queue_heavy_max : s->queue_light_max;
}

const struct api_store *front_store(const struct front *f)
{
    return f->store ? store_calls(f->store) : NULL;
}

const struct api_cache *front_cache(const struct front *f)
{
    return f->cache ? cache_calls(f->cache) : NULL;
}

int front_start(struct front *f)
{
    const struct settings *s = f->settings;
    size_t queue_max[LANES];
    for (enum pool_lane lane = 0; lane < LANES; lane++)
        queue_max[lane] = front_queue_max(f, lane);
    f->pool = pool_new(s->workers, f->store ? WAITERS : 0, queue_max);
    f->metrics = metrics_new(s->loops + 1);
    struct clients_limits limits = {
        .connections = s->address_connections_max,
        .rate = s->client_rate,
        .burst = s->client_burst,
        .concurrency = s->client_concurrency,
    };
    uint64_t seed[2];
    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
        return -1;
    f->clients = clients_new(&limits, 4 * s->connections_max, seed);
    if (!f->pool || !f->metrics || !f->clients)
        return -1;
    return f->store ? store_start(f->store) : 0;
}

/* Says why something stays as it was, or warns. */
static bool tell(bool good, const char *what, const char *why)
{
    if (!good)
        log_error("%s stays as it was: %s", what, why);
    else if (*why)
        log_warning("%s", why);
    else
        log_info("%s was read again", what);
    return good;
}

static bool reload_tokens(struct front *f)
{
    char why[512] = "";
    struct tokens *fresh = tokens_read(f->settings->tokens, why, sizeof(why));
    if (!tell(fresh, "the token file", why))
        return false;
    uv_rwlock_wrlock(&f->tokens_lock);
    struct tokens *old = f->tokens;
    f->tokens = fresh;
    atomic_fetch_add(&f->tokens_age, 1);
    uv_rwlock_wrunlock(&f->tokens_lock);
    tokens_free(old);
    return true;
}

static bool reload_tls(struct front *f)
{
    char why[512] = "";
    int rc = tls_reload(f->tls, why, sizeof(why));
    return tell(rc == 0, "the certificate", why);
}

bool front_reload(struct front *f)
{
    bool tokens = !f->settings->tokens || reload_tokens(f);
    return (!f->tls || reload_tls(f)) && tokens;
}

void front_write_metrics(void *front, bool openmetrics, struct json_out *out)
{
    struct front *f = front;
    const struct settings *s = f->settings;
    struct pool_stats pool = pool_stats(f->pool);
    struct metrics_gauges now = {
        .memory_bytes_in_use = atomic_load(&f->budget.used),
        .memory_bytes_max = f->budget.max,
        .workers = s->workers,
        .ready = front_phase(f) == FRONT_SERVING,
    };
    for (enum pool_lane lane = 0; lane < LANES; lane++) {
        now.queue_depth[lane] = pool.waiting[lane];
        now.queue_limit[lane] = front_queue_max(f, lane);
        now.jobs_running[lane] = pool.running[lane];
    }
    now.store.reachable = true;
    if (f->store)
        now.store = store_stats(f->store);
    if (f->cache)
        now.cache = cache_stats(f->cache);
    for (size_t p = 0; p < PHASES; p++)
        now.connections[p] = atomic_load(&f->in_phase[p]);
    metrics_write(f->metrics, &now,
                  openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT, out);
}

void front_free(struct front *f)
{
    pool_free(f->pool);
    store_close(f->store);
    postgresql_place_clear(&f->database);
    cache_free(f->cache);
    metrics_free(f->metrics);
    clients_free(f->clients);
    tokens_free(f->tokens);
    tls_serve(NULL);
    tls_free(f->tls);
    uv_rwlock_destroy(&f->tokens_lock);
}
