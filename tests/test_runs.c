/*
 * A run has the bytes of one request, however its images were split, ordered,
 * repeated and replaced on their way in.
 */
#include "tests/asked.h"

#include "api/detection_write.h"
#include "tests/outputs.h"

#define problem drawn_problem /* api/error.h has another one */
#include "tests/drawn.h"

enum {
    TRIALS = 60,
    TEXT_BYTES = 1 << 21,
};

static struct kept kept;
static struct made made;
static struct arena mem; /* of one trial */

static const char *const parameters[] = {
    FEW_RESAMPLES,
    "\"use_categories\":false," FEW_RESAMPLES,
    "\"iou_thresholds\":[0.75,0.5,0.9],\"recall_thresholds\":[0,0.3,0.7,1],"
    "\"max_detections\":[1,2,3]," FEW_RESAMPLES,
    "\"per_image_iou\":0.3,\"score_threshold\":0.25,\"summation\":\"numpy2\","
    "\"area_ranges\":{\"tiny\":[2,6],\"all\":[0,1e10],\"small\":[0,1024]},"
    "\"score_thresholds\":[0.1,0.5],\"curve_points\":7," FEW_RESAMPLES,
    "\"use_categories\":false,\"max_detections\":[1,2,3],"
    "\"count_ranges\":{\"none\":[0,0],\"1+\":[1,null]}," FEW_RESAMPLES,
};

static const struct kind kinds[] = {
    {"small", 4, 3, 12, 24, false, false},
    {"many images", 20, 5, 60, 120, false, false},
    {"crowded", 3, 2, 60, 200, false, false},
    {"odd boxes", 6, 3, 20, 40, false, true},
};
/* Of a part of the images: ids that images share have no say there. */
static const struct kind unique_kinds[] = {
    {"few", 8, 3, 30, 60, true, false},
    {"many", 30, 5, 90, 200, true, false},
};

static const char *finish(struct json_out *out)
{
    out_bytes(out, "", 1);
    assert_false(out->failed);
    return out->text;
}

static void put_box(struct json_out *out, const double box[4])
{
    write_numbers(out, "bbox", box, 4);
}

/* Of the images that are in. */
static void put_ground_truth(struct json_out *out, const bool *in)
{
    const struct problem *p = &made.problem;
    out_open(out, '{');
    out_key(out, "images");
    out_open(out, '[');
    for (size_t i = 0; i < p->n_images; i++)
        if (in[i]) {
            out_open(out, '{');
            out_member_integer(out, "id", p->image[i]);
            out_close(out, '}');
        }
    out_close(out, ']');
    out_key(out, "categories");
    out_open(out, '[');
    for (size_t i = 0; i < p->n_categories; i++) {
        out_open(out, '{');
        out_member_integer(out, "id", p->category[i]);
        if (i % 3)
            out_member_string(out, "name", i % 2 ? "caf\xc3\xa9" : "dog");
        out_close(out, '}');
    }
    out_close(out, ']');
    out_key(out, "annotations");
    out_open(out, '[');
    for (size_t i = 0; i < p->n_gt; i++) {
        const struct gt_row *g = &p->gt[i];
        bool there = true;
        for (size_t k = 0; k < p->n_images; k++)
            there &= g->image != p->image[k] || in[k];
        if (!there)
            continue;
        out_open(out, '{');
        out_member_integer(out, "id", g->id);
        out_member_integer(out, "image_id", g->image);
        out_member_integer(out, "category_id", g->category);
        put_box(out, g->box);
        if (i % 7)
            out_member_number(out, "area", g->area);
        out_member_integer(out, "iscrowd", g->crowd);
        if (i % 5 == 0)
            out_member_integer(out, "ignore", 1);
        out_close(out, '}');
    }
    out_close(out, ']');
    out_close(out, '}');
}

static void put_detection(struct json_out *out, const struct dt_row *d)
{
    out_open(out, '{');
    out_member_integer(out, "image_id", d->image);
    out_member_integer(out, "category_id", d->category);
    put_box(out, d->box);
    out_member_number(out, "score", d->score);
    out_close(out, '}');
}

static const int64_t *ids; /* for qsort */

static int by_id(const void *a, const void *b)
{
    int64_t x = ids[*(const size_t *)a], y = ids[*(const size_t *)b];
    return (x > y) - (x < y);
}

/* Rows of the images, by id ascending. */
static void sort_images(size_t *row)
{
    const struct problem *p = &made.problem;
    for (size_t i = 0; i < p->n_images; i++)
        row[i] = i;
    ids = p->image;
    qsort(row, p->n_images, sizeof(*row), by_id);
}

/* What one request answers about the images that are in. */
static struct answer evaluate(const bool *in, const char *params,
                              const char *outputs)
{
    const struct problem *p = &made.problem;
    size_t row[IDS_MAX];
    struct json_out out;
    json_out_init(&out, &mem, false);
    out_open(&out, '{');
    out_key(&out, "ground_truth");
    put_ground_truth(&out, in);
    out_key(&out, "detections");
    out_open(&out, '[');
    sort_images(row);
    for (size_t i = 0; i < p->n_images; i++)
        for (size_t d = 0; d < p->n_dt && in[row[i]]; d++)
            if (p->dt[d].image == p->image[row[i]])
                put_detection(&out, &p->dt[d]);
    out_close(&out, ']');
    out_format(&out, ",\"parameters\":{%s},\"outputs\":[%s]}", params, outputs);
    return must(&kept, 200,
                &(struct question){.method = "POST",
                                   .path = "/v1/detection/evaluate",
                                   .body = finish(&out)});
}

/* ---- a run ---- */

static char run_path[64];

static const char *below_run(const char *rest)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s%s", run_path, rest);
    return path;
}

static void open_run(const char *params)
{
    bool all[IDS_MAX];
    struct json_out out, body;
    memset(all, true, sizeof(all));
    json_out_init(&out, &mem, false);
    put_ground_truth(&out, all);
    expect(&kept, 201,
           &(struct question){.method = "PUT",
                              .path = "/v1/datasets/drawn",
                              .body = finish(&out)});
    json_out_init(&body, &mem, false);
    out_format(&body, "{\"dataset\":\"drawn\",\"parameters\":{%s}}", params);
    struct answer a =
        must(&kept, 201,
             &(struct question){
                 .method = "POST", .path = "/v1/runs", .body = finish(&body)});
    snprintf(run_path, sizeof(run_path), "%s", a.location);
    done(&a);
}

/*
 * Sends some images, as a list or as columns, detections of different images
 * between each other; wrong ones have other scores.
 */
static void send(struct random *r, const size_t *image, size_t n, bool wrong,
                 const char *query)
{
    const struct problem *p = &made.problem;
    static const struct dt_row *rows[DT_MAX];
    size_t next[IDS_MAX] = {0}, n_rows = 0, left = 0;
    struct json_out out;
    json_out_init(&out, &mem, false);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < p->n_dt; d++)
            left += p->dt[d].image == p->image[image[i]];
    while (left > 0) {
        size_t i = below(r, n), d = next[i];
        while (d < p->n_dt && p->dt[d].image != p->image[image[i]])
            d++;
        next[i] = d + 1;
        if (d >= p->n_dt)
            continue;
        rows[n_rows++] = &p->dt[d];
        left--;
    }
    out_open(&out, '{');
    out_key(&out, "image_ids");
    out_open(&out, '[');
    for (size_t i = 0; i < n; i++)
        out_integer(&out, p->image[image[i]]);
    out_close(&out, ']');
    out_key(&out, "detections");
    out_open(&out, '[');
    for (size_t i = 0; i < n_rows; i++) {
        struct dt_row d = *rows[i];
        d.score = wrong ? d.score + 1 : d.score;
        put_detection(&out, &d);
    }
    for (size_t i = 0; wrong && i < n; i++)
        put_detection(&out, &(struct dt_row){p->image[image[i]], 3, {0}, 7});
    out_close(&out, ']');
    out_close(&out, '}');
    expect(&kept, 200,
           &(struct question){.method = "POST",
                              .path = below_run("/images"),
                              .query = query,
                              .body = finish(&out)});
}

static void look(void)
{
    expect(&kept, 200, &(struct question){.method = "GET", .path = run_path});
}

/* The images that are in, in any order, in batches, some of them twice. */
static void send_all(struct random *r, const bool *in)
{
    size_t order[IDS_MAX], n = 0;
    for (size_t i = 0; i < made.problem.n_images; i++)
        if (in[i])
            order[n++] = i;
    for (size_t i = n; i-- > 1;) {
        size_t j = below(r, i + 1), spare = order[i];
        order[i] = order[j];
        order[j] = spare;
    }
    for (size_t at = 0, len; at < n; at += len) {
        len = 1 + below(r, n - at);
        bool wrong = below(r, 4) == 0;
        if (wrong)
            send(r, order + at, len, true, NULL);
        if (below(r, 3) == 0)
            look();
        send(r, order + at, len, false, wrong ? "on_conflict=replace" : NULL);
        if (below(r, 3) == 0)
            send(r, order + at, 1 + below(r, len), false, NULL);
        if (below(r, 3) == 0)
            look();
        if (below(r, 5) == 0)
            kept_drop(&kept);
        if (below(r, 3) == 0)
            kept_drop_datasets(&kept);
    }
}

static void finalize(const struct answer *want, const char *query,
                     const char *outputs)
{
    char body[512];
    snprintf(body, sizeof(body), "{\"outputs\":[%s]}", outputs);
    struct answer got = must(&kept, 200,
                             &(struct question){.method = "POST",
                                                .path = below_run("/finalize"),
                                                .query = query,
                                                .body = body});
    size_t same = 0;
    while (got.body[same] && got.body[same] == want->body[same])
        same++;
    if (strcmp(got.body, want->body) != 0)
        fail_msg("%s: at %zu\n%.200s\n%.200s", outputs, same,
                 got.body + (same > 60 ? same - 60 : 0),
                 want->body + (same > 60 ? same - 60 : 0));
    done(&got);
}

/* GET has the summary and warnings of the answer. */
static void same_summary(const struct answer *want)
{
    static const char *const parts[] = {"summary", "summary_array", "protocol",
                                        "warnings"};
    struct answer got =
        must(&kept, 200, &(struct question){.method = "GET", .path = run_path});
    json_t *a = json_loads(got.body, 0, NULL),
           *b = json_loads(want->body, 0, NULL);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const json_t *x = json_object_get(a, parts[i]);
        if ((x || i < 3) && !json_equal(x, json_object_get(b, parts[i])))
            fail_msg("%s: %s\n%s", parts[i], got.body, want->body);
    }
    json_decref(a);
    json_decref(b);
    done(&got);
}

static void one_trial(uint64_t seed, const struct kind *kind, bool partial)
{
    struct random r = {seed * 77 + 5};
    const char *params = PICK(&r, parameters);
    bool in[IDS_MAX];
    make(seed, kind, &made);
    for (size_t i = 0; i < IDS_MAX; i++)
        in[i] = !partial || below(&r, 3) > 0;
    arena_init(&mem, (size_t)1 << 28);
    kept_init(&kept);
    open_run(params);
    send_all(&r, in);
    struct answer all = evaluate(in, params, EVERY_OUTPUT);
    struct answer summary = evaluate(in, params, "\"summary\"");
    if (below(&r, 2))
        same_summary(&summary);
    if (below(&r, 2))
        finalize(&all, "partial", EVERY_OUTPUT);
    finalize(&summary, "partial", "\"summary\"");
    finalize(&all, "partial", EVERY_OUTPUT);
    same_summary(&summary);
    done(&all);
    done(&summary);
    kept_drop(&kept);
    arena_free(&mem);
}

static void any_split_has_the_bytes_of_one_request(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < TRIALS; seed++)
        one_trial(seed, &kinds[seed % 4], false);
}

static void a_part_has_the_bytes_of_a_request_on_it(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < TRIALS; seed++)
        one_trial(seed + 1000, &unique_kinds[seed % 2], true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_has_the_bytes_of_one_request),
        cmocka_unit_test(a_part_has_the_bytes_of_a_request_on_it),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
