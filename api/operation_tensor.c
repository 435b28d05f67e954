/* JSON values to tensors. */
#include "api/operation.h"

#include <math.h>
#include <string.h>

/* Where elements go, and as what. */
struct sink {
    enum { AS_FLOAT, AS_DOUBLE, AS_INTEGER } as;
    bool flags; /* integers that may be written true and false */
    void *data;
    size_t at;
    const struct op_tensor *t; /* its shape */
    const atomic_bool *stop;
    struct api_error *err;
};

static int put_number(struct sink *s, const json_t *v, const struct at *at)
{
    double x;
    if (read_real(v, at, &x, s->err))
        return -1;
    if (s->as == AS_FLOAT)
        ((float *)s->data)[s->at++] = (float)x;
    else
        ((double *)s->data)[s->at++] = x;
    return 0;
}

static int put_integer(struct sink *s, const json_t *v, const struct at *at)
{
    int64_t i;
    if (s->flags && json_is_boolean(v))
        i = json_is_true(v);
    else if (read_integer(v, at, &i, s->err))
        return -1;
    ((int64_t *)s->data)[s->at++] = i;
    return 0;
}

static int put(struct sink *s, const json_t *v, const struct at *at)
{
    return s->as == AS_INTEGER ? put_integer(s, v, at) : put_number(s, v, at);
}

/* Shape of a nested array, as its first elements have it. */
static int measure(const json_t *v, const struct at *at, struct op_tensor *t,
                   struct api_error *err)
{
    for (t->rank = 0; json_is_array(v); v = json_array_get(v, 0)) {
        if (t->rank == OP_RANK_MAX)
            return at_fail(err, PROBLEM_SHAPE, at,
                           "has more than %d dimensions", OP_RANK_MAX);
        t->dim[t->rank++] = json_array_size(v);
        if (json_array_size(v) == 0)
            break;
    }
    return 0;
}

static int ragged(struct sink *s, const json_t *v, const struct at *at,
                  size_t depth)
{
    if (depth == s->t->rank)
        return at_fail(s->err, PROBLEM_RAGGED, at,
                       "is an array, where the first element is a number");
    if (!json_is_array(v))
        return at_fail(s->err, PROBLEM_RAGGED, at,
                       "is %s, must be an array of %zu as its neighbours are",
                       json_kind(v), s->t->dim[depth]);
    return at_fail(s->err, PROBLEM_RAGGED, at,
                   "has %zu elements, the first of its kind has %zu",
                   json_array_size(v), s->t->dim[depth]);
}

/* NOLINTNEXTLINE(misc-no-recursion): OP_RANK_MAX deep */
static int fill(struct sink *s, const json_t *v, const struct at *at,
                size_t depth)
{
    if (depth == s->t->rank)
        return json_is_array(v) ? ragged(s, v, at, depth) : put(s, v, at);
    if (!json_is_array(v) || json_array_size(v) != s->t->dim[depth])
        return ragged(s, v, at, depth);
    for (size_t i = 0; i < s->t->dim[depth]; i++)
        if ((i % STOP_STRETCH == 0 && is_stopped(s->stop)) ||
            fill(s, json_array_get(v, i), &(struct at){at, NULL, i}, depth + 1))
            return -1;
    return 0;
}

static int read_shape(const json_t *v, const struct at *at, struct op_tensor *t,
                      struct api_error *err)
{
    if (read_array(v, at, err))
        return -1;
    t->rank = json_array_size(v);
    if (t->rank > OP_RANK_MAX)
        return at_fail(err, PROBLEM_SHAPE, at,
                       "has %zu dimensions, may have %d", t->rank, OP_RANK_MAX);
    for (size_t d = 0; d < t->rank; d++) {
        struct at item = {at, NULL, d};
        int64_t n;
        if (read_integer(json_array_get(v, d), &item, &n, err))
            return -1;
        if (n < 0)
            return at_fail(err, PROBLEM_SHAPE, &item,
                           "is %lld, must be 0 or more", (long long)n);
        t->dim[d] = (size_t)n;
    }
    return 0;
}

static int count(const struct at *at, struct op_tensor *t,
                 struct api_error *err)
{
    t->n = 1;
    for (size_t d = 0; d < t->rank; d++)
        if (__builtin_mul_overflow(t->n, t->dim[d], &t->n))
            return at_fail(err, PROBLEM_SHAPE, at,
                           "has more elements than can be counted");
    return 0;
}

static int allocate(struct sink *s, struct op_tensor *t, const struct at *at,
                    struct arena *mem)
{
    size_t bytes = s->as == AS_FLOAT ? sizeof(float) : sizeof(double);
    s->t = t;
    t->data = s->data = arena_alloc(mem, t->n, bytes);
    return s->data ? 0
                   : at_fail(s->err, PROBLEM_MEMORY, at,
                             "does not fit in the memory of one request");
}

int operation_read_shape(const json_t *v, const struct at *at,
                         struct op_tensor *t, struct api_error *err)
{
    return read_shape(v, at, t, err) || count(at, t, err) ? -1 : 0;
}

/* What was lifted from where v is, or NULL. */
static struct op_tensor *find(struct lifted *lifted, const json_t *v,
                              const struct at *at)
{
    return json_is_null(v) ? lift_find(lifted, at) : NULL;
}

/* Doubles to floats, in their place. */
static void narrow(struct op_tensor *t, const atomic_bool *stop)
{
    const double *from = t->data;
    float *to = t->data;
    for (size_t i = 0, end; (end = stop_reach(stop, i, t->n)) > i;)
        for (; i < end; i++) {
            float x = (float)from[i];
            memcpy(&to[i], &x, sizeof(x));
        }
}

/* What put says of an element of this kind. */
static int wrong_kind(const struct sink *s, const char *kind,
                      const struct at *at)
{
    return at_fail(s->err, PROBLEM_INVALID_VALUE, at, "is %s, must be %s", kind,
                   s->as == AS_INTEGER ? "an integer" : "a number");
}

/* Of element i of what was lifted. */
static int no_integer(const struct sink *s, const struct op_tensor *t, size_t i,
                      const struct at *at)
{
    struct at item[OP_RANK_MAX];
    double x = ((const double *)t->data)[i];
    for (size_t d = t->rank; d-- > 0; i /= t->dim[d])
        item[d] = (struct at){d ? &item[d - 1] : at, NULL, i % t->dim[d]};
    return wrong_kind(s, isfinite(x) ? "a number" : "a string",
                      &item[t->rank - 1]);
}

/* Doubles to integers, in their place. */
static int round_off(const struct sink *s, const struct op_tensor *t,
                     const struct at *at)
{
    const double *from = t->data;
    int64_t *to = t->data;
    for (size_t i = 0, end; (end = stop_reach(s->stop, i, t->n)) > i;)
        for (; i < end; i++) {
            if (!is_integral(from[i]))
                return no_integer(s, t, i, at);
            int64_t n = (int64_t)from[i];
            memcpy(&to[i], &n, sizeof(n));
        }
    return 0;
}

/* What was lifted becomes what the port wants, where it is. */
static int convert(const struct sink *s, struct op_tensor *lift,
                   const struct at *at)
{
    if (s->as == AS_FLOAT)
        narrow(lift, s->stop);
    return s->as == AS_INTEGER ? round_off(s, lift, at) : 0;
}

/* The "data" of a flat tensor; lift is it, or NULL if v is. */
static int read_data(struct sink *s, const json_t *v, struct op_tensor *lift,
                     const struct at *at, struct op_tensor *t,
                     struct arena *mem)
{
    struct at item = {at, NULL, 0};
    if (!lift && read_array(v, at, s->err))
        return -1;
    size_t n = lift ? lift->dim[0] : json_array_size(v);
    if (n != t->n)
        return at_fail(s->err, PROBLEM_SHAPE, at,
                       "has %zu elements, its shape has %zu", n, t->n);
    if (lift) {
        t->data = lift->data;
        return lift->rank > 1 ? wrong_kind(s, "an array", &item)
                              : convert(s, lift, at);
    }
    if (allocate(s, t, at->in, mem))
        return -1;
    for (; item.item < t->n; item.item++)
        if ((item.item % STOP_STRETCH == 0 && is_stopped(s->stop)) ||
            put(s, json_array_get(v, item.item), &item))
            return -1;
    return 0;
}

static struct sink sink_of(enum op_kind kind, enum op_type type,
                           struct api_error *err, const struct arena *mem)
{
    struct sink s = {.err = err, .flags = kind == OP_FLAG, .stop = mem->stop};
    s.as = s.flags || kind == OP_INDEX ? AS_INTEGER
           : type == OP_FLOAT32        ? AS_FLOAT
                                       : AS_DOUBLE;
    return s;
}

/* Whether data of the shape `is` may be that of t: its own, or flat. */
static bool fits(const struct op_tensor *is, const struct op_tensor *t)
{
    return is->rank == 1 ||
           (is->rank == t->rank &&
            memcmp(is->dim, t->dim, t->rank * sizeof(t->dim[0])) == 0);
}

int operation_read_data(const json_t *v, struct op_tensor *lift,
                        const struct at *at, enum op_kind kind,
                        enum op_type type, struct arena *mem,
                        struct op_tensor *t, struct api_error *err)
{
    struct sink s = sink_of(kind, type, err, mem);
    struct op_tensor is;
    if (lift)
        is = *lift;
    else if (read_array(v, at, err) || measure(v, at, &is, err) ||
             count(at, &is, err))
        return -1;
    if (is.n != t->n)
        return at_fail(err, PROBLEM_SHAPE, at,
                       "has %zu elements, its shape has %zu", is.n, t->n);
    if (!fits(&is, t))
        return at_fail(err, PROBLEM_SHAPE, at,
                       "is nested, but not as its shape is; make it flat");
    if (!lift && allocate(&s, &is, at, mem))
        return -1;
    t->data = is.data;
    return lift ? convert(&s, lift, at) : fill(&s, v, at, 0);
}

/* {"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]} */
static int read_flat(const json_t *v, const struct at *at, struct sink *s,
                     struct lifted *lifted, struct op_tensor *t,
                     struct arena *mem)
{
    static const char *const members[] = {"shape", "data"};
    struct at shape = {at, "shape", 0}, data = {at, "data", 0};
    const json_t *m[2];
    if (read_members(v, at, members, 2, m, s->err) ||
        operation_read_shape(m[0], &shape, t, s->err))
        return -1;
    return read_data(s, m[1], find(lifted, m[1], &data), &data, t, mem);
}

int operation_read_tensor(const json_t *v, const struct at *at,
                          struct lifted *lifted, const struct op_port *port,
                          enum op_type type, struct arena *mem,
                          struct op_tensor *t, bool *flat,
                          struct api_error *err)
{
    struct sink s = sink_of(port->kind, type, err, mem);
    struct op_tensor *lift = find(lifted, v, at);
    *flat = json_is_object(v);
    if (*flat)
        return read_flat(v, at, &s, lifted, t, mem);
    if (lift) {
        *t = *lift;
        return convert(&s, lift, at);
    }
    if (measure(v, at, t, err) || count(at, t, err) || allocate(&s, t, at, mem))
        return -1;
    return fill(&s, v, at, 0);
}
