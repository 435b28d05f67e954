#include "server/front.h"

#include "server/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

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

/*
 * What is left for requests.  The program takes a part, and for each thread
 * that inflates a window that no arena holds; but never more than a quarter.
 */
static size_t requests_memory(const struct settings *s)
{
    const size_t program = (size_t)32 << 20, window = (size_t)8 << 20;
    size_t own = program + window * s->workers, most = s->memory_bytes / 4;
    return s->memory_bytes - (own < most ? own : most);
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
    return read_tokens(f, why, n) || read_tls(f, why, n) ? -1 : 0;
}

int front_start(struct front *f)
{
    const struct settings *s = f->settings;
    const size_t queue_max[LANES] = {
        [LANE_LIGHT] = s->queue_light_max, [LANE_HEAVY] = s->queue_heavy_max};
    f->pool = pool_new(s->workers, queue_max);
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
    return f->pool && f->metrics && f->clients ? 0 : -1;
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
        .queue_limit = {[LANE_LIGHT] = s->queue_light_max,
                        [LANE_HEAVY] = s->queue_heavy_max},
        .memory_bytes_in_use = atomic_load(&f->budget.used),
        .memory_bytes_max = f->budget.max,
        .workers = s->workers,
        .ready = front_phase(f) == FRONT_SERVING,
    };
    for (size_t lane = 0; lane < LANES; lane++) {
        now.queue_depth[lane] = pool.waiting[lane];
        now.jobs_running[lane] = pool.running[lane];
    }
    for (size_t p = 0; p < PHASES; p++)
        now.connections[p] = atomic_load(&f->in_phase[p]);
    metrics_write(f->metrics, &now,
                  openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT, out);
}

void front_free(struct front *f)
{
    pool_free(f->pool);
    metrics_free(f->metrics);
    clients_free(f->clients);
    tokens_free(f->tokens);
    tls_serve(NULL);
    tls_free(f->tls);
    uv_rwlock_destroy(&f->tokens_lock);
}
