#include "tests/same_document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same_bits(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof(x));
    memcpy(&y, &b, sizeof(y));
    return x == y;
}

static bool same_number(double got, const json_t *want)
{
    const char *name = json_string_value(want);
    if (name)
        return strcmp(name, isnan(got) ? "NaN"
                            : got > 0  ? "Infinity"
                                       : "-Infinity") == 0 &&
               !isfinite(got);
    /* what an integer port reads must be told from a double */
    if (json_is_integer(want) && (json_int_t)got != json_integer_value(want))
        return false;
    return json_is_number(want) && same_bits(got, json_number_value(want));
}

/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static bool same_array(const struct op_tensor *t, size_t depth, size_t *at,
                       const json_t *want)
{
    if (depth == t->rank)
        return same_number(((const double *)t->data)[(*at)++], want);
    if (!json_is_array(want) || json_array_size(want) != t->dim[depth])
        return false;
    for (size_t i = 0; i < t->dim[depth]; i++)
        if (!same_array(t, depth + 1, at, json_array_get(want, i)))
            return false;
    return true;
}

struct comparison {
    struct lifted *lifted; /* of got */
    size_t found;
};

static bool same(struct comparison *c, const json_t *got, const json_t *want,
                 const struct at *at);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as jansson reads */
static bool same_object(struct comparison *c, const json_t *got,
                        const json_t *want, const struct at *at)
{
    void *a = json_object_iter((json_t *)(uintptr_t)got);
    void *b = json_object_iter((json_t *)(uintptr_t)want);
    for (; a && b; a = json_object_iter_next((json_t *)(uintptr_t)got, a),
                   b = json_object_iter_next((json_t *)(uintptr_t)want, b)) {
        const char *key = json_object_iter_key(a);
        if (strcmp(key, json_object_iter_key(b)) != 0 ||
            !same(c, json_object_iter_value(a), json_object_iter_value(b),
                  &(struct at){at, key, 0}))
            return false;
    }
    return !a && !b;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as jansson reads */
static bool same(struct comparison *c, const json_t *got, const json_t *want,
                 const struct at *at)
{
    struct op_tensor *t = json_is_null(got) ? lift_find(c->lifted, at) : NULL;
    size_t n = 0;
    if (t) {
        c->found++;
        return same_array(t, 0, &n, want) && n == t->n;
    }
    if (json_typeof(got) != json_typeof(want))
        return false;
    if (json_is_object(got))
        return same_object(c, got, want, at);
    if (json_is_array(got)) {
        size_t size = json_array_size(got);
        bool alike = size == json_array_size(want);
        for (; n < size && alike; n++)
            alike = same(c, json_array_get(got, n), json_array_get(want, n),
                         &(struct at){at, NULL, n});
        return alike;
    }
    if (json_is_real(got))
        return same_bits(json_real_value(got), json_real_value(want));
    return json_equal(got, want);
}

static bool same_faults(const struct api_error *a, const struct api_error *b)
{
    bool alike = a->n == b->n;
    for (size_t i = 0; i < a->n && alike; i++)
        alike = a->fault[i].kind == b->fault[i].kind &&
                strcmp(a->fault[i].pointer, b->fault[i].pointer) == 0 &&
                strcmp(a->fault[i].detail, b->fault[i].detail) == 0;
    return alike;
}

static const char *differ(const json_t *lift, struct lifted *lifted,
                          const json_t *read, const json_t *want)
{
    struct comparison a = {lifted, 0}, b = {NULL, 0};
    if (!lift != !want)
        return "the verdict of lift_read";
    if (!read != !want)
        return "the verdict of json_read";
    if (want && (!same(&a, lift, want, NULL) || a.found != lifted->n))
        return "what lift_read read";
    if (want && !same(&b, read, want, NULL))
        return "what json_read read";
    return NULL;
}

const char *documents_differ(const char *text, size_t len,
                             const char *const *wanted, size_t max, size_t *n)
{
    static struct api_error lift_err, read_err;
    struct lifted lifted;
    struct arena mem;
    lift_err.n = read_err.n = 0;
    arena_init(&mem, (size_t)256 << 20);
    const json_t *lift =
        lift_read(text, len, wanted, max, &mem, &lifted, &lift_err);
    const json_t *read = json_read(text, len, &mem, &read_err);
    json_t *want =
        memchr(text, '\0', len)
            ? NULL /* which jansson would swallow after a number */
            : json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                         NULL);
    const char *what = same_faults(&lift_err, &read_err) ? NULL : "the faults";
    if (!what)
        what = differ(lift, &lifted, read, want);
    *n = lifted.n;
    json_decref(want);
    arena_free(&mem);
    return what;
}
