/* Detections as one array of numbers. */
#include "api/detection_form.h"
#include "api/json_read.h"
#include "api/npy.h"
#include "api/number.h"

#include <math.h>

enum { IMAGE, X, Y, WIDTH, HEIGHT, SCORE, CATEGORY, COLUMNS };

static const struct {
    const char *name;
    bool integer;
} columns[COLUMNS] = {
    [IMAGE] = {"image_id", true},
    [X] = {"x", false},
    [Y] = {"y", false},
    [WIDTH] = {"width", false},
    [HEIGHT] = {"height", false},
    [SCORE] = {"score", false},
    [CATEGORY] = {"category_id", true},
};

static int check_number(double x, size_t column, const struct at *row,
                        struct api_error *err)
{
    struct at at = {row, NULL, column};
    if (!isfinite(x))
        return at_fail(err, PROBLEM_NON_FINITE, &at,
                       "(%s) is %f, must be a finite number",
                       columns[column].name, x);
    if (columns[column].integer && !is_integral(x))
        return at_fail(err, PROBLEM_INVALID_VALUE, &at,
                       "(%s) is %s, must be an integer", columns[column].name,
                       number_text(x).text);
    return 0;
}

static int check_rows(const double *x, size_t n, const struct at *at,
                      const atomic_bool *stop, struct api_error *err)
{
    for (size_t i = 0, end;
         !api_full(err) && (end = stop_reach(stop, i, n * COLUMNS)) > i;)
        for (; i < end && !api_full(err); i++)
            check_number(x[i], i % COLUMNS, &(struct at){at, NULL, i / COLUMNS},
                         err);
    return err->n ? -1 : 0;
}

/* Rows to columns. */
static int keep_rows(const double *x, size_t n, struct detection_request *req,
                     struct arena *mem)
{
    int64_t *image = arena_alloc(mem, n, sizeof(*image));
    int64_t *category = arena_alloc(mem, n, sizeof(*category));
    double *box = arena_alloc(mem, n, 4 * sizeof(*box));
    double *score = arena_alloc(mem, n, sizeof(*score));
    if (!image || !category || !box || !score)
        return -1;
    for (size_t i = 0; i < n; i++, x += COLUMNS) {
        if (i % STOP_STRETCH == 0 && is_stopped(mem->stop))
            return -1;
        image[i] = (int64_t)x[IMAGE];
        category[i] = (int64_t)x[CATEGORY];
        for (size_t k = 0; k < 4; k++)
            box[4 * i + k] = x[X + k];
        score[i] = x[SCORE];
        req->odd.negative_size += x[WIDTH] < 0 || x[HEIGHT] < 0;
    }
    req->dt = (struct coco_detections){.n = n,
                                       .image_id = image,
                                       .category_id = category,
                                       .box = box,
                                       .score = score};
    return 0;
}

int detection_read_npy(const char *bytes, size_t len, const struct at *at,
                       struct detection_request *req, struct arena *mem,
                       struct api_error *err)
{
    struct npy a;
    if (npy_open(&a, bytes, len))
        return at_fail(err, PROBLEM_INVALID_VALUE, at, "%s", a.why);
    if (a.rank != 2 || a.dim[1] != COLUMNS || a.dim[0] > COCO_ROWS_MAX)
        return at_fail(err, PROBLEM_SHAPE, at,
                       "must have two dimensions, the second of %d: image_id, "
                       "x, y, width, height, score, category_id",
                       COLUMNS);
    double *x = arena_alloc(mem, a.n, sizeof(*x));
    a.stop = mem->stop;
    if (x && npy_doubles(&a, x))
        return at_fail(err, PROBLEM_INVALID_VALUE, at, "%s", a.why);
    if (x && check_rows(x, a.dim[0], at, mem->stop, err))
        return -1;
    if (!x || keep_rows(x, a.dim[0], req, mem))
        return at_fail(err, PROBLEM_MEMORY, at,
                       "does not fit in the memory of one request");
    return 0;
}
