/*
 * What the daemon counts, for GET /metrics.
 *
 * Each loop counts in memory of its own, and what all have counted is added up
 * when it is asked for: any thread may count, but a loop's own need not wait
 * for others.  Labels have a fixed number of values, so nothing that clients
 * send makes it grow.
 */
#ifndef EVALD_SERVER_METRICS_H
#define EVALD_SERVER_METRICS_H

#include "api/counts.h"
#include "server/cache.h"
#include "server/exposition.h"
#include "server/finished.h"
#include "server/pool.h"
#include "server/store.h"

struct metrics;

/* For so many loops, at least 1; NULL when there is no memory. */
struct metrics *metrics_new(size_t loops) __attribute__((warn_unused_result));
void metrics_free(struct metrics *m);

/* What api/ adds to: for api_env. */
struct api_counts *metrics_counts(struct metrics *m);

/* A request has ended; its reason, if it has one, is counted too. */
void metrics_request(struct metrics *m, size_t loop, const struct finished *r);

/* Something was not served that never became a request. */
void metrics_reject(struct metrics *m, size_t loop, enum reason reason);

/* The configuration was read again, or could not be. */
void metrics_reload(struct metrics *m, bool succeeded);

/* What a connection is doing. */
enum metrics_connection {
    METRICS_IDLE, /* nothing, between two requests */
    METRICS_HEAD, /* a head or a body is coming */
    METRICS_BODY,
    METRICS_WORK, /* its request waits or is computed */
    METRICS_SEND, /* the answer is going out */
    METRICS_CONNECTIONS,
};

/* What is the case now, as others know it. */
struct metrics_gauges {
    size_t queue_depth[LANES], queue_limit[LANES], jobs_running[LANES];
    size_t connections[METRICS_CONNECTIONS];
    size_t memory_bytes_in_use, memory_bytes_max;
    size_t workers;
    bool ready;
    struct store_stats store;
    struct cache_stats cache;
};

/* Writes everything; any thread. */
void metrics_write(const struct metrics *m, const struct metrics_gauges *now,
                   enum exposition format, struct json_out *out);

#endif
