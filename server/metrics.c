#include "server/metrics.h"

#include "api/operation.h"
#include "api/route.h"
#include "server/log.h"
#include "server/process.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Row 0 of each of these stands for all that have no row. */
static const char *const methods[] = {"other",   "GET", "HEAD",   "POST",
                                      "OPTIONS", "PUT", "DELETE", "PATCH"};
static const short codes[] = {
    -1,  0,   200, 201, 202, 204, 206, 304, 400, 401, 403,
    404, 405, 406, 408, 409, 411, 412, 413, 414, 415, 417,
    421, 422, 429, 431, 500, 501, 503, 504, 505, 507,
};

enum {
    ROUTES = 64,
    METHODS = sizeof(methods) / sizeof(methods[0]),
    CODES = sizeof(codes) / sizeof(codes[0]),
    OPERATIONS = 128,
    RESULTS = 2, /* failure and success */
};

/* Where the cells of a metric begin. */
enum {
    /* those of the loops */
    REQUESTS,
    DURATIONS = REQUESTS + ROUTES * METHODS * CODES,
    STAGE_TIMES = DURATIONS + ROUTES * HISTOGRAM_CELLS,
    BYTES_IN = STAGE_TIMES + STAGES * HISTOGRAM_CELLS,
    BYTES_OUT,
    REJECTIONS,
    RELOADS = REJECTIONS + REASONS,
    LOOP_CELLS = RELOADS + RESULTS,
    /* those that are filled when they are asked for */
    ELEMENTS = LOOP_CELLS,
    DETECTIONS = ELEMENTS + OPERATIONS,
    IMAGES,
    QUEUE_DEPTH,
    QUEUE_LIMIT = QUEUE_DEPTH + LANES,
    JOBS_RUNNING = QUEUE_LIMIT + LANES,
    CONNECTIONS = JOBS_RUNNING + LANES,
    MEMORY_IN_USE = CONNECTIONS + METRICS_CONNECTIONS,
    MEMORY_BUDGET,
    WORKERS,
    LOOPS,
    READY,
    LINES_DROPPED,
    STORE_REACHABLE,
    STORE_BYTES,
    STORE_WAITING,
    STORE_WRITES,
    STORE_COMMITS,
    STORE_RECONNECTS,
    CACHE_BYTES,
    CACHE_BYTES_MAX,
    CACHE_HITS,
    CACHE_MISSES,
    CACHE_EVICTIONS,
    BUILD,
    PROCESS_CPU,
    PROCESS_START,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_THREADS,
    CELLS,
};

static const char *const lanes[LANES] = {"light", "heavy", "store"};
static const char *const states[METRICS_CONNECTIONS] = {"idle", "head", "body",
                                                        "work", "send"};
static const char *const results[RESULTS] = {"failure", "success"};
static const char *const version[] = {EVALD_VERSION};
#ifdef __clang__
static const char *const compiler[] = {__VERSION__};
#else
static const char *const compiler[] = {"gcc " __VERSION__};
#endif

static bool name_route(size_t i, char text[LABEL_BYTES])
{
    if (i > n_routes)
        return false;
    snprintf(text, LABEL_BYTES, "%s", i ? routes[i - 1].path : "other");
    return true;
}

static bool name_code(size_t i, char text[LABEL_BYTES])
{
    static const char *const words[] = {"other", "none"};
    if (codes[i] > 0)
        snprintf(text, LABEL_BYTES, "%d", codes[i]);
    else
        snprintf(text, LABEL_BYTES, "%s", words[i]);
    return true;
}

static bool name_operation(size_t i, char text[LABEL_BYTES])
{
    const struct op *op = op_row(i, OP_FLOAT64, OP_BASE);
    return op && operation_name(op, text);
}

static const struct metric_label
    route_label = {"route", ROUTES, NULL, name_route},
    method_label = {"method", METHODS, methods, NULL},
    code_label = {"code", CODES, NULL, name_code},
    stage_label = {"stage", STAGES, stage_names, NULL},
    reason_label = {"reason", REASONS, reason_names, NULL},
    result_label = {"result", RESULTS, results, NULL},
    lane_label = {"lane", LANES, lanes, NULL},
    state_label = {"state", METRICS_CONNECTIONS, states, NULL},
    operation_label = {"operation", OPERATIONS, NULL, name_operation},
    version_label = {"version", 1, version, NULL},
    compiler_label = {"compiler", 1, compiler, NULL};

static const struct metric metrics[] = {
    {.name = "evald_http_requests_total",
     .help = "Requests that ended; code none had no answer.",
     .sparse = true,
     .cell = REQUESTS,
     .label = {&route_label, &method_label, &code_label}},
    {.name = "evald_http_request_duration_seconds",
     .help = "From a request's head to the end of its answer.",
     .type = METRIC_HISTOGRAM,
     .sparse = true,
     .cell = DURATIONS,
     .label = {&route_label}},
    {.name = "evald_http_request_bytes_total",
     .help = "Bytes of the bodies of requests.",
     .cell = BYTES_IN},
    {.name = "evald_http_response_bytes_total",
     .help = "Bytes of the bodies of answers.",
     .cell = BYTES_OUT},
    {.name = "evald_stage_seconds",
     .help = "What a request spent in a stage that it went through.",
     .type = METRIC_HISTOGRAM,
     .cell = STAGE_TIMES,
     .label = {&stage_label}},
    {.name = "evald_queue_depth",
     .help = "Requests that wait for a worker.",
     .type = METRIC_GAUGE,
     .cell = QUEUE_DEPTH,
     .label = {&lane_label}},
    {.name = "evald_queue_limit",
     .help = "Requests that may wait for a worker.",
     .type = METRIC_GAUGE,
     .cell = QUEUE_LIMIT,
     .label = {&lane_label}},
    {.name = "evald_jobs_running",
     .help = "Requests that workers are computing.",
     .type = METRIC_GAUGE,
     .cell = JOBS_RUNNING,
     .label = {&lane_label}},
    {.name = "evald_elements_total",
     .help = "Elements of the first inputs of operations that were computed.",
     .cell = ELEMENTS,
     .label = {&operation_label}},
    {.name = "evald_detections_total",
     .help = "Detections that were scored.",
     .cell = DETECTIONS},
    {.name = "evald_images_total",
     .help = "Images that were scored.",
     .cell = IMAGES},
    {.name = "evald_rejections_total",
     .help = "Requests and connections that were not served, or not whole.",
     .cell = REJECTIONS,
     .label = {&reason_label}},
    {.name = "evald_connections",
     .help = "Open connections by what they are doing.",
     .type = METRIC_GAUGE,
     .cell = CONNECTIONS,
     .label = {&state_label}},
    {.name = "evald_memory_bytes_in_use",
     .help = "Memory that requests have reserved.",
     .type = METRIC_GAUGE,
     .cell = MEMORY_IN_USE},
    {.name = "evald_memory_budget_bytes",
     .help = "Memory that requests may reserve together.",
     .type = METRIC_GAUGE,
     .cell = MEMORY_BUDGET},
    {.name = "evald_workers",
     .help = "Threads that compute.",
     .type = METRIC_GAUGE,
     .cell = WORKERS},
    {.name = "evald_loops",
     .help = "Threads that serve connections.",
     .type = METRIC_GAUGE,
     .cell = LOOPS},
    {.name = "evald_ready",
     .help = "1 while new requests are welcome, 0 while starting or stopping.",
     .type = METRIC_GAUGE,
     .cell = READY},
    {.name = "evald_config_reloads_total",
     .help = "How often the configuration was read again.",
     .cell = RELOADS,
     .label = {&result_label}},
    {.name = "evald_log_lines_dropped_total",
     .help = "Lines of the log that nobody took in time.",
     .cell = LINES_DROPPED},
    {.name = "evald_store_reachable",
     .help = "1 while the store of runs can be reached, or there is none.",
     .type = METRIC_GAUGE,
     .cell = STORE_REACHABLE},
    {.name = "evald_store_bytes",
     .help = "What datasets and runs take in the store.",
     .type = METRIC_GAUGE,
     .cell = STORE_BYTES},
    {.name = "evald_store_writes_waiting",
     .help = "Writes that wait for the next commit.",
     .type = METRIC_GAUGE,
     .cell = STORE_WAITING},
    {.name = "evald_store_writes_total",
     .help = "Writes that were committed or refused.",
     .cell = STORE_WRITES},
    {.name = "evald_store_commits_total",
     .help = "Commits, which writes share.",
     .cell = STORE_COMMITS},
    {.name = "evald_store_reconnects_total",
     .help = "How often the store was connected to again.",
     .cell = STORE_RECONNECTS},
    {.name = "evald_cache_bytes",
     .help = "Memory of what is kept of datasets and runs.",
     .type = METRIC_GAUGE,
     .cell = CACHE_BYTES},
    {.name = "evald_cache_bytes_max",
     .help = "What it may be.",
     .type = METRIC_GAUGE,
     .cell = CACHE_BYTES_MAX},
    {.name = "evald_cache_hits_total",
     .help = "Requests that found it there.",
     .cell = CACHE_HITS},
    {.name = "evald_cache_misses_total",
     .help = "Requests that had to make it.",
     .cell = CACHE_MISSES},
    {.name = "evald_cache_evictions_total",
     .help = "What was dropped for want of room or use.",
     .cell = CACHE_EVICTIONS},
    {.name = "evald_build_info",
     .help = "Always 1; what is running.",
     .type = METRIC_GAUGE,
     .cell = BUILD,
     .label = {&version_label, &compiler_label}},
    {.name = "process_cpu_seconds_total",
     .help = "Processor time of all threads.",
     .nanoseconds = true,
     .cell = PROCESS_CPU},
    {.name = "process_start_time_seconds",
     .help = "When the process started, since 1970.",
     .type = METRIC_GAUGE,
     .nanoseconds = true,
     .cell = PROCESS_START},
    {.name = "process_resident_memory_bytes",
     .help = "Memory that is resident.",
     .type = METRIC_GAUGE,
     .cell = PROCESS_RESIDENT},
    {.name = "process_virtual_memory_bytes",
     .help = "Address space.",
     .type = METRIC_GAUGE,
     .cell = PROCESS_VIRTUAL},
    {.name = "process_open_fds",
     .help = "Open file descriptors.",
     .type = METRIC_GAUGE,
     .cell = PROCESS_OPEN_FDS},
    {.name = "process_max_fds",
     .help = "File descriptors that may be open.",
     .type = METRIC_GAUGE,
     .cell = PROCESS_MAX_FDS},
    {.name = "process_threads",
     .help = "Threads of the process.",
     .type = METRIC_GAUGE,
     .cell = PROCESS_THREADS},
};

struct metrics {
    struct api_counts counts;
    atomic_ullong elements[OPERATIONS];
    size_t loops;
    atomic_ullong *cell[]; /* LOOP_CELLS of each loop */
};

struct metrics *metrics_new(size_t loops)
{
    struct metrics *m = calloc(1, sizeof(*m) + loops * sizeof(atomic_ullong *));
    assert(n_routes < ROUTES && op_count() <= OPERATIONS);
    if (!m)
        return NULL;
    m->counts.elements = m->elements;
    for (; m->loops < loops; m->loops++) {
        m->cell[m->loops] = calloc(LOOP_CELLS, sizeof(atomic_ullong));
        if (!m->cell[m->loops]) {
            metrics_free(m);
            return NULL;
        }
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    for (size_t i = 0; m && i < m->loops; i++)
        free(m->cell[i]);
    free(m);
}

struct api_counts *metrics_counts(struct metrics *m)
{
    return &m->counts;
}

static void add(atomic_ullong *cell, uint64_t n)
{
    atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

/* A time that is nonsense is none. */
static uint64_t ns_of(double ms)
{
    return ms > 0 && ms < 1e12 ? (uint64_t)(ms * 1e6) : 0;
}

static void observe(atomic_ullong *histogram, double ms)
{
    uint64_t ns = ns_of(ms);
    add(&histogram[histogram_cell(ns)], 1);
    add(&histogram[HISTOGRAM_SUM], ns);
}

static size_t method_row(const char *method)
{
    size_t i = METHODS;
    while (--i > 0 && strcmp(method, methods[i]) != 0)
        continue;
    return i;
}

static size_t code_row(int status)
{
    for (size_t i = 1; i < CODES; i++)
        if (codes[i] == status)
            return i;
    return 0;
}

void metrics_request(struct metrics *m, size_t loop, const struct finished *r)
{
    atomic_ullong *cell = m->cell[loop];
    size_t route = r->route ? (size_t)(r->route - routes) + 1 : 0;
    size_t series = (route * METHODS + method_row(r->method)) * CODES;
    add(&cell[REQUESTS + series + code_row(r->status)], 1);
    observe(&cell[DURATIONS + route * HISTOGRAM_CELLS], r->total_ms);
    for (size_t i = 0; i < STAGES; i++)
        if (r->stage_ms[i] > 0)
            observe(&cell[STAGE_TIMES + i * HISTOGRAM_CELLS], r->stage_ms[i]);
    add(&cell[BYTES_IN], r->bytes_in);
    add(&cell[BYTES_OUT], r->bytes_out);
    if (finished_reason(r) != REASON_NONE)
        metrics_reject(m, loop, finished_reason(r));
}

void metrics_reject(struct metrics *m, size_t loop, enum reason reason)
{
    add(&m->cell[loop][REJECTIONS + reason], 1);
}

void metrics_reload(struct metrics *m, bool succeeded)
{
    add(&m->cell[0][RELOADS + succeeded], 1);
}

static uint64_t read_cell(const atomic_ullong *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* What the loops and the kernels' callers have counted. */
static void sum(const struct metrics *m, uint64_t *cell)
{
    for (size_t loop = 0; loop < m->loops; loop++)
        for (size_t i = 0; i < LOOP_CELLS; i++)
            cell[i] += read_cell(&m->cell[loop][i]);
    for (size_t i = 0; i < OPERATIONS; i++)
        cell[ELEMENTS + i] = read_cell(&m->elements[i]);
    cell[DETECTIONS] = read_cell(&m->counts.detections);
    cell[IMAGES] = read_cell(&m->counts.images);
}

static void fill_gauges(const struct metrics *m,
                        const struct metrics_gauges *now, uint64_t *cell)
{
    for (size_t i = 0; i < LANES; i++) {
        cell[QUEUE_DEPTH + i] = now->queue_depth[i];
        cell[QUEUE_LIMIT + i] = now->queue_limit[i];
        cell[JOBS_RUNNING + i] = now->jobs_running[i];
    }
    for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
        cell[CONNECTIONS + i] = now->connections[i];
    cell[MEMORY_IN_USE] = now->memory_bytes_in_use;
    cell[MEMORY_BUDGET] = now->memory_bytes_max;
    cell[WORKERS] = now->workers;
    cell[LOOPS] = m->loops;
    cell[READY] = now->ready;
    cell[LINES_DROPPED] = log_dropped();
    cell[BUILD] = 1;
}

static void fill_kept(const struct metrics_gauges *now, uint64_t *cell)
{
    cell[STORE_REACHABLE] = now->store.reachable;
    cell[STORE_BYTES] = (uint64_t)now->store.bytes;
    cell[STORE_WAITING] = now->store.waiting;
    cell[STORE_WRITES] = now->store.writes;
    cell[STORE_COMMITS] = now->store.commits;
    cell[STORE_RECONNECTS] = now->store.reconnects;
    cell[CACHE_BYTES] = now->cache.bytes;
    cell[CACHE_BYTES_MAX] = now->cache.bytes_max;
    cell[CACHE_HITS] = now->cache.hits;
    cell[CACHE_MISSES] = now->cache.misses;
    cell[CACHE_EVICTIONS] = now->cache.evictions;
}

static void fill_process(uint64_t *cell)
{
    struct process p;
    process_look(&p);
    cell[PROCESS_CPU] = p.cpu_ns;
    cell[PROCESS_START] = p.start_ns;
    cell[PROCESS_RESIDENT] = p.resident_bytes;
    cell[PROCESS_VIRTUAL] = p.virtual_bytes;
    cell[PROCESS_OPEN_FDS] = p.open_fds;
    cell[PROCESS_MAX_FDS] = p.max_fds;
    cell[PROCESS_THREADS] = p.threads;
}

void metrics_write(const struct metrics *m, const struct metrics_gauges *now,
                   enum exposition format, struct json_out *out)
{
    uint64_t *cell = arena_zero(out->mem, CELLS, sizeof(*cell));
    if (!cell) {
        out->failed = true;
        return;
    }
    sum(m, cell);
    fill_gauges(m, now, cell);
    fill_kept(now, cell);
    fill_process(cell);
    exposition_write(out, format, metrics, sizeof(metrics) / sizeof(metrics[0]),
                     cell);
}
