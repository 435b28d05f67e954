/* What is counted, and where it is found in the text. */
#include "api/accept.h"
#include "api/route.h"
#include "server/metrics.h"
#include "server/process.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PLENTY = 1 << 26, NAME_BYTES = 200 };

/* The text of m, terminated. */
static const char *text_of(const struct metrics *m,
                           const struct metrics_gauges *now,
                           enum exposition format, struct arena *mem)
{
    static const struct metrics_gauges none;
    struct json_out out;
    json_out_init(&out, mem, false);
    metrics_write(m, now ? now : &none, format, &out);
    out_bytes(&out, "", 1);
    assert_false(out.failed);
    return out.text;
}

/* The value of the series of this name, labels included; NAN if not there. */
static double value_in(const char *text, const char *series)
{
    size_t n = strlen(series);
    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, series, n) == 0 && p[n] == ' ')
            return strtod(p + n, NULL);
    }
    return NAN;
}

static void check_value(const char *text, const char *series, double want)
{
    double got = value_in(text, series);
    if (got != want)
        fail_msg("%s is %.17g, must be %.17g", series, got, want);
}

static struct finished served(const char *path)
{
    return (struct finished){.id = "id",
                             .method = "POST",
                             .path = path,
                             .route = route_find(path),
                             .status = 200,
                             .sent = true};
}

/* Counting. */

static void a_request_is_counted_in_all_its_places(void **state)
{
    struct arena mem;
    struct metrics *m = metrics_new(1);
    struct finished r = served("/v1/losses/giou");
    (void)state;
    arena_init(&mem, PLENTY);
    r.bytes_in = 100;
    r.bytes_out = 20;
    r.total_ms = 2;
    r.stage_ms[STAGE_PARSE] = 0.5;
    r.stage_ms[STAGE_COMPUTE] = 1.25;
    metrics_request(m, 0, &r);
    r.status = 503;
    r.reason = REASON_QUEUE;
    r.stage_ms[STAGE_PARSE] = -1;
    r.stage_ms[STAGE_COMPUTE] = NAN;
    r.total_ms = INFINITY;
    metrics_request(m, 0, &r);
    r.status = 0;
    r.reason = REASON_NONE;
    r.sent = false;
    metrics_request(m, 0, &r);
    metrics_reject(m, 0, REASON_ADDRESS_CONNECTIONS);
    metrics_reload(m, true);
    metrics_reload(m, false);
    metrics_reload(m, false);
    const char *text = text_of(m, NULL, EXPOSITION_TEXT, &mem);
#define ROUTE "route=\"/v1/{group}/{name}\""
    static const struct {
        const char *series;
        double value;
    } rows[] = {
        {"evald_http_requests_total{" ROUTE ",method=\"POST\",code=\"200\"}",
         1},
        {"evald_http_requests_total{" ROUTE ",method=\"POST\",code=\"503\"}",
         1},
        {"evald_http_requests_total{" ROUTE ",method=\"POST\",code=\"none\"}",
         1},
        {"evald_http_request_duration_seconds_bucket{" ROUTE ",le=\"0.001\"}",
         2},
        {"evald_http_request_duration_seconds_bucket{" ROUTE ",le=\"0.0025\"}",
         3},
        {"evald_http_request_duration_seconds_sum{" ROUTE "}", 0.002},
        {"evald_http_request_duration_seconds_count{" ROUTE "}", 3},
        {"evald_http_request_bytes_total", 300},
        {"evald_http_response_bytes_total", 60},
        {"evald_stage_seconds_count{stage=\"queue\"}", 0},
        {"evald_stage_seconds_count{stage=\"parse\"}", 1},
        {"evald_stage_seconds_sum{stage=\"parse\"}", 0.0005},
        {"evald_stage_seconds_count{stage=\"compute\"}", 1},
        {"evald_stage_seconds_sum{stage=\"compute\"}", 0.00125},
        {"evald_stage_seconds_count{stage=\"encode\"}", 0},
        {"evald_rejections_total{reason=\"queue\"}", 1},
        {"evald_rejections_total{reason=\"client_gone\"}", 1},
        {"evald_rejections_total{reason=\"address_connections\"}", 1},
        {"evald_rejections_total{reason=\"memory\"}", 0},
        {"evald_config_reloads_total{result=\"success\"}", 1},
        {"evald_config_reloads_total{result=\"failure\"}", 2},
    };
#undef ROUTE
    for (size_t i = 0; i < COUNT(rows); i++)
        check_value(text, rows[i].series, rows[i].value);
    assert_true(
        isnan(value_in(text, "evald_rejections_total{reason=\"none\"}")));
    arena_free(&mem);
    metrics_free(m);
}

enum { LOOPS = 4, EACH = 200000 };

struct thread {
    pthread_t id;
    pthread_barrier_t *start; /* at the same time */
    struct metrics *m;
    size_t loop;
};

/* On a loop of its own, and on one that all share. */
static void *count_many(void *context)
{
    const struct thread *t = context;
    struct finished r = served("/livez");
    r.bytes_in = 3;
    pthread_barrier_wait(t->start);
    for (int i = 0; i < EACH; i++) {
        metrics_request(t->m, t->loop, &r);
        metrics_request(t->m, 0, &r);
        counts_operation(metrics_counts(t->m), 0, 2);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    struct thread t[LOOPS];
    struct arena mem;
    struct metrics *m = metrics_new(LOOPS);
    pthread_barrier_t start;
    (void)state;
    arena_init(&mem, PLENTY);
    pthread_barrier_init(&start, NULL, LOOPS);
    for (size_t i = 0; i < LOOPS; i++) {
        t[i] = (struct thread){.start = &start, .m = m, .loop = i};
        assert_int_equal(pthread_create(&t[i].id, NULL, count_many, &t[i]), 0);
    }
    for (size_t i = 0; i < LOOPS; i++)
        pthread_join(t[i].id, NULL);
    pthread_barrier_destroy(&start);
    const char *text = text_of(m, NULL, EXPOSITION_TEXT, &mem);
    check_value(text, "evald_http_request_bytes_total", 6.0 * LOOPS * EACH);
    check_value(text,
                "evald_http_requests_total{route=\"/livez\",method=\"POST\","
                "code=\"200\"}",
                2.0 * LOOPS * EACH);
    check_value(text, "evald_elements_total{operation=\"activations/relu\"}",
                2.0 * LOOPS * EACH);
    check_value(text, "evald_loops", LOOPS);
    arena_free(&mem);
    metrics_free(m);
}

static size_t count_lines(const char *text, const char *begin, double *sum)
{
    size_t n = 0, len = strlen(begin);
    *sum = 0;
    for (const char *p = text; (p = strstr(p, begin)); p += len) {
        n++;
        *sum += strtod(strchr(p, ' '), NULL);
    }
    return n;
}

/* Whatever is asked for, by whatever method, with whatever outcome. */
static void labels_are_bounded(void **state)
{
    enum { TIMES = 100000 };
    struct arena mem;
    struct metrics *m = metrics_new(1);
    double sum;
    (void)state;
    arena_init(&mem, PLENTY);
    for (int i = 0; i < TIMES; i++) {
        char path[NAME_BYTES], method[24];
        snprintf(path, sizeof(path), "/v1/losses/%d", i);
        snprintf(method, sizeof(method), "M%d", i);
        struct finished r = served(path);
        r.method = i % 2 ? method : "PATCH";
        r.status = i / 2 % 1000 - 50;
        metrics_request(m, 0, &r);
    }
    const char *text = text_of(m, NULL, EXPOSITION_TEXT, &mem);
    size_t n = count_lines(text, "evald_http_requests_total{", &sum);
    assert_true(sum == TIMES);
    /* "other" and PATCH, with 30 codes, "none" and "other" */
    assert_int_equal(n, 2 * 32);
    check_value(text,
                "evald_http_requests_total{route=\"other\",method=\"other\","
                "code=\"other\"}",
                50 * (1000 - 31));
    assert_in_range(strlen(text), 1000, 50000);
    arena_free(&mem);
    metrics_free(m);
}

/* Every route, and every status that problems have, has a name of its own. */
static void what_we_answer_has_a_name(void **state)
{
    struct arena mem;
    struct metrics *m = metrics_new(1);
    char series[NAME_BYTES];
    (void)state;
    arena_init(&mem, PLENTY);
    struct finished r = served("/v1");
    for (size_t i = 0; i < n_routes; i++) {
        r.route = &routes[i];
        metrics_request(m, 0, &r);
    }
    for (int p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        r.status = problem_type((enum problem)p)->status;
        metrics_request(m, 0, &r);
    }
    const char *text = text_of(m, NULL, EXPOSITION_TEXT, &mem);
    assert_null(strstr(text, "\"other\""));
    for (size_t i = 0; i < n_routes; i++) {
        snprintf(series, sizeof(series),
                 "evald_http_requests_total{route=\"%s\",method=\"POST\","
                 "code=\"200\"}",
                 routes[i].path);
        check_value(text, series, 1);
    }
    arena_free(&mem);
    metrics_free(m);
}

/* Gauges. */

static void gauges_are_where_they_belong(void **state)
{
    static const struct metrics_gauges now = {
        .queue_depth = {1, 2},
        .queue_limit = {3, 4},
        .jobs_running = {5, 6},
        .connections = {7, 8, 9, 10, 11},
        .memory_bytes_in_use = 12,
        .memory_bytes_max = 13,
        .workers = 14,
        .ready = true,
    };
    static const char *const series[] = {
        "evald_queue_depth{lane=\"light\"}",
        "evald_queue_depth{lane=\"heavy\"}",
        "evald_queue_limit{lane=\"light\"}",
        "evald_queue_limit{lane=\"heavy\"}",
        "evald_jobs_running{lane=\"light\"}",
        "evald_jobs_running{lane=\"heavy\"}",
        "evald_connections{state=\"idle\"}",
        "evald_connections{state=\"head\"}",
        "evald_connections{state=\"body\"}",
        "evald_connections{state=\"work\"}",
        "evald_connections{state=\"send\"}",
        "evald_memory_bytes_in_use",
        "evald_memory_budget_bytes",
        "evald_workers",
    };
    struct arena mem;
    struct metrics *m = metrics_new(3);
    (void)state;
    arena_init(&mem, PLENTY);
    const char *text = text_of(m, &now, EXPOSITION_TEXT, &mem);
    for (size_t i = 0; i < COUNT(series); i++)
        check_value(text, series[i], (double)i + 1);
    check_value(text, "evald_ready", 1);
    check_value(text, "evald_loops", 3);
    check_value(text, "evald_log_lines_dropped_total", 0);
    assert_non_null(strstr(text, "evald_build_info{version=\"" EVALD_VERSION
                                 "\",compiler=\""));
    arena_free(&mem);
    metrics_free(m);
}

static size_t files_open(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void the_process_is_this_one(void **state)
{
    enum { FILES = 7 };
    struct process before, after;
    int fd[FILES];
    (void)state;
    process_look(&before);
    for (size_t i = 0; i < FILES; i++)
        fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t bytes = (size_t)64 << 20;
    char *block = malloc(bytes);
    for (size_t i = 0; i < bytes; i += 512)
        ((volatile char *)block)[i] = 1;
    process_look(&after);
    for (size_t i = 0; i < FILES; i++)
        close(fd[i]);
    free(block);
    assert_int_equal(before.open_fds, files_open());
    assert_int_equal(after.open_fds, before.open_fds + FILES);
    assert_true(after.max_fds >= after.open_fds);
    assert_true(after.resident_bytes >= before.resident_bytes + bytes / 2);
    assert_true(after.virtual_bytes >= before.virtual_bytes + bytes / 2);
    assert_true(after.virtual_bytes >= after.resident_bytes);
    assert_true(after.cpu_ns > before.cpu_ns);
    double age = (double)time(NULL) - (double)after.start_ns / 1e9;
    if (!(age > -2 && age < 600))
        fail_msg("started %g s ago", age);
    assert_true(after.threads >= 1 && after.threads < 100);
}

/* What api/ counts. */

static int ask(struct api_counts *counts, const char *path, const char *body,
               struct arena *mem)
{
    struct api_env env = {
        .par = &parallel_serial, .body_bytes_max = PLENTY, .counts = counts};
    struct api_request req = {.method = "POST",
                              .path = path,
                              .query = "",
                              .content_type = "application/json",
                              .body = body,
                              .body_len = strlen(body)};
    struct api_response res;
    api_answer(&env, &req, mem, &res);
    return res.status;
}

/* Aliases count as what they stand for; what fails does not count. */
static void elements_are_those_of_the_first_input(void **state)
{
    static const struct {
        const char *path, *body;
        int status;
    } rows[] = {
        {"/v1/activations/mish", "{\"inputs\":{\"x\":[[1,2],[3,4],[5,6]]}}",
         200},
        {"/v1/activations/mish", "{\"inputs\":{\"x\":[1,2,\"a\"]}}", 422},
        {"/v1/activations/silu", "{\"inputs\":{\"x\":7}}", 200},
        {"/v1/losses/mse", "{\"inputs\":{\"input\":[1,2],\"target\":[1]}}",
         422},
        {"/v1/batch",
         "{\"requests\":[{\"operation\":\"activations/mish\","
         "\"inputs\":{\"x\":[1,2,3,4]}},{\"operation\":\"losses/mse\","
         "\"inputs\":{\"input\":[1,2],\"target\":[1,2]}},"
         "{\"operation\":\"losses/mse\"}]}",
         200},
        {"/v2/models/activations.mish/infer",
         "{\"inputs\":[{\"name\":\"x\",\"shape\":[5],\"datatype\":\"FP32\","
         "\"data\":[1,2,3,4,5]}]}",
         200},
        {"/v1/detection/evaluate",
         "{\"ground_truth\":{\"images\":[{\"id\":1},{\"id\":2}],"
         "\"annotations\":[],\"categories\":[{\"id\":1}]},"
         "\"detections\":[{\"image_id\":1,\"category_id\":1,"
         "\"bbox\":[0,0,1,1],\"score\":0.5},{\"image_id\":1,"
         "\"category_id\":1,\"bbox\":[0,0,1,1],\"score\":0.5},"
         "{\"image_id\":2,\"category_id\":1,\"bbox\":[0,0,1,1],"
         "\"score\":0.5}]}",
         200},
        {"/v1/detection/evaluate", "{}", 422},
    };
    struct arena mem;
    struct metrics *m = metrics_new(1);
    double sum;
    (void)state;
    arena_init(&mem, PLENTY);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(
            ask(metrics_counts(m), rows[i].path, rows[i].body, &mem),
            rows[i].status);
        assert_int_equal(ask(NULL, rows[i].path, rows[i].body, &mem),
                         rows[i].status);
    }
    const char *text = text_of(m, NULL, EXPOSITION_TEXT, &mem);
    check_value(text, "evald_elements_total{operation=\"activations/mish\"}",
                6 + 4 + 5);
    check_value(text, "evald_elements_total{operation=\"activations/swish\"}",
                1);
    check_value(text, "evald_elements_total{operation=\"losses/mse\"}", 2);
    count_lines(text, "evald_elements_total{", &sum);
    assert_true(sum == 6 + 4 + 5 + 1 + 2);
    check_value(text, "evald_detections_total", 3);
    check_value(text, "evald_images_total", 2);
    arena_free(&mem);
    metrics_free(m);
}

/* Both forms. */

static void prometheus_is_given_what_it_prefers(void **state)
{
    static const char *const types[] = {"text/plain",
                                        "application/openmetrics-text", NULL};
    static const struct {
        const char *accept;
        size_t row;
    } rows[] = {
        {NULL, 0},
        {"*/*", 0},
        {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 0},
        {"application/openmetrics-text;version=1.0.0,"
         "application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(accept_pick(rows[i].accept, types), rows[i].row);
}

static void openmetrics_ends_and_names_what_it_counts(void **state)
{
    struct arena mem;
    struct metrics *m = metrics_new(1);
    (void)state;
    arena_init(&mem, PLENTY);
    const char *text = text_of(m, NULL, EXPOSITION_OPENMETRICS, &mem);
    assert_non_null(strstr(text, "# TYPE evald_http_requests counter\n"));
    assert_non_null(strstr(text, "# TYPE evald_ready gauge\n"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    assert_null(strstr(text_of(m, NULL, EXPOSITION_TEXT, &mem), "# EOF"));
    arena_free(&mem);
    metrics_free(m);
}

static void spent_memory_is_told(void **state)
{
    static const struct metrics_gauges none;
    struct metrics *m = metrics_new(1);
    (void)state;
    for (size_t budget = 0; budget < PLENTY; budget += 1 + budget) {
        struct arena mem;
        struct json_out out;
        arena_init(&mem, budget);
        json_out_init(&out, &mem, false);
        metrics_write(m, &none, EXPOSITION_TEXT, &out);
        assert_int_equal(out.failed, mem.failed);
        assert_true(out.failed || budget > 10000);
        arena_free(&mem);
    }
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_counted_in_all_its_places),
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(what_we_answer_has_a_name),
        cmocka_unit_test(gauges_are_where_they_belong),
        cmocka_unit_test(the_process_is_this_one),
        cmocka_unit_test(elements_are_those_of_the_first_input),
        cmocka_unit_test(prometheus_is_given_what_it_prefers),
        cmocka_unit_test(openmetrics_ends_and_names_what_it_counts),
        cmocka_unit_test(spent_memory_is_told),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
