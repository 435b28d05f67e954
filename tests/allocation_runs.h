/*
 * The part of test_allocation.c that asks for datasets and runs, with what it
 * has in the store; for that file alone.
 */
#ifndef EVALD_TESTS_ALLOCATION_RUNS_H
#define EVALD_TESTS_ALLOCATION_RUNS_H

#define RUN(n) "/v1/runs/0000000000000000000000000" n
#define VAL "/v1/datasets/val"
#define CREATE "{\"dataset\":\"val\",\"tags\":{\"a\":\"b\"}}"
#define GROUND_TRUTH                                                   \
    "{\"images\":[{\"id\":1},{\"id\":2}],\"categories\":[{\"id\":7}]," \
    "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":7,"     \
    "\"bbox\":[0,0,9,9]}]}"
#define BATCH(ids)                                                         \
    "{\"image_ids\":[" ids "],\"detections\":[{\"image_id\":1,"            \
    "\"category_id\":7,\"bbox\":[0,0,9,8],\"score\":0.5},{\"image_id\":1," \
    "\"category_id\":7,\"bbox\":[0,0,8,8],\"score\":0.25}]}"
#define OUTPUTS_ASKED "{\"outputs\":[" EVERY_OUTPUT "]," FEW_RESAMPLES "}"

static void change(const char *method, const char *path, const char *body)
{
    struct job job = {.path = path,
                      .method = method,
                      .type = "application/json",
                      .query = strstr(path, "finalize") ? "partial" : "",
                      .key = "made",
                      .body = (char *)(uintptr_t)body,
                      .len = strlen(body)};
    struct answer x = ask(&job, FAILING_NOTHING, 0, 0);
    if (x.status / 100 != 2)
        fail_msg("%s %s: %d %.*s", method, path, x.status, (int)x.len, x.body);
    free(x.body);
    stored = kept.is;
}

/* A run of a known id. */
static void make_run(const char *id)
{
    change("POST", "/v1/runs", CREATE);
    struct kept_run *run = &stored.run[stored.n_runs - 1];
    run->row.id = id;
    if (*id == '0' && id[strlen(id) - 1] != '1')
        run->key = NULL;
}

/* Run 1 is open and has one image, 2 is finalized and has both. */
static int fill_store(void **unused)
{
    (void)unused;
    change("PUT", VAL, GROUND_TRUTH);
    make_run("00000000000000000000000002");
    make_run("00000000000000000000000001");
    change("POST", RUN("1") "/images", BATCH("1"));
    change("POST", RUN("2") "/images", BATCH("1,2"));
    change("POST", RUN("2") "/finalize", "{}");
    return 0;
}

static void every_request_for_the_store_survives(void **unused)
{
    (void)unused;
#define SEND(text) .type = "application/json", .body = (text)
    static const struct job rows[] = {
        {.path = "/v1/datasets"},
        {.path = VAL},
        {.path = VAL, .method = "PUT", SEND(GROUND_TRUTH)},
        {.path = VAL, .method = "DELETE"},
        {.path = "/v1/runs"},
        {.path = "/v1/runs", SEND(CREATE), .fresh = true},
        {.path = "/v1/runs", SEND(CREATE), .key = "made"},
        {.path = RUN("1")},
        {.path = RUN("2")},
        {.path = RUN("1"),
         .method = "PATCH",
         SEND("{\"name\":\"n\",\"tags\":{\"a\":null}}")},
        {.path = RUN("1"), .method = "DELETE"},
        {.path = RUN("1") "/images", SEND(BATCH("1,2"))},
        {.path = RUN("1") "/finalize", .query = "partial", .method = "POST"},
        {.path = RUN("2") "/finalize", SEND(OUTPUTS_ASKED)},
        {.path = RUN("2") "/images/1"},
        {.path = RUN("2") "/report.html"},
        {.path = RUN("1") "/events"},
        {.path = "/v1/compare",
         .query = "a=00000000000000000000000001&"
                  "b=00000000000000000000000002&force&resamples=7"},
    };
    static const char *const results[] = {
        "summary", "classes",   "images", "curves",
        "errors",  "confusion", "lrp",    "operating_points",
        "slices",  "intervals", "arrays", "calibration"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct job job = rows[i];
        job.len = job.body ? strlen(job.body) : 0;
        run_job(&job);
    }
    for (size_t i = 0; i < COUNT(results); i++) {
        char path[PATH_BYTES];
        struct job job = {.path = path};
        if (strcmp(results[i], "intervals") == 0)
            job.query = "resamples=7";
        snprintf(path, sizeof(path), RUN("2") "/%s", results[i]);
        run_job(&job);
    }
}

#endif
