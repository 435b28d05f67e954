#include "server/exposition.h"

#include "api/number.h"

#include <stdio.h>
#include <string.h>

/* 100 us, which small requests take, to 60 s. */
static const uint64_t bounds_ns[HISTOGRAM_BOUNDS] = {
    100000,     250000,     500000,     1000000,     2500000,     5000000,
    10000000,   25000000,   50000000,   100000000,   250000000,   500000000,
    1000000000, 2500000000, 5000000000, 10000000000, 30000000000, 60000000000,
};

size_t histogram_cell(uint64_t ns)
{
    size_t i = 0;
    while (i < HISTOGRAM_BOUNDS && ns > bounds_ns[i])
        i++;
    return i;
}

static void put(struct json_out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

/* Text in which these characters stand behind a backslash. */
static void put_escaped(struct json_out *out, const char *text,
                        const char *special)
{
    for (size_t n; *text; text += n) {
        n = strcspn(text, special);
        out_bytes(out, text, n);
        if (text[n]) {
            char pair[2] = {'\\', text[n]};
            if (pair[1] == '\n')
                pair[1] = 'n';
            out_bytes(out, pair, sizeof(pair));
            n++;
        }
    }
}

static void put_integer(struct json_out *out, uint64_t x)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)x);
    out_bytes(out, text, (size_t)n);
}

static void put_seconds(struct json_out *out, uint64_t ns)
{
    char text[NUMBER_BYTES];
    out_bytes(out, text, number_write((double)ns / 1e9, text));
}

static void put_label(struct json_out *out, const char *name, const char *value,
                      bool *first)
{
    put(out, *first ? "{" : ",");
    put(out, name);
    put(out, "=\"");
    put_escaped(out, value, "\\\"\n");
    put(out, "\"");
    *first = false;
}

/* One metric on its way out. */
struct writer {
    struct json_out *out;
    const struct metric *metric;
    /* of the series */
    const char *value[LABELS_MAX];
    char text[LABELS_MAX][LABEL_BYTES];
};

/* name_suffix{labels,le="bound"}, and a space. */
static void put_series(const struct writer *w, const char *suffix,
                       const char *le)
{
    bool first = true;
    put(w->out, w->metric->name);
    put(w->out, suffix);
    for (size_t i = 0; i < LABELS_MAX && w->metric->label[i]; i++)
        put_label(w->out, w->metric->label[i]->name, w->value[i], &first);
    if (le)
        put_label(w->out, "le", le, &first);
    put(w->out, first ? " " : "} ");
}

static void put_count(const struct writer *w, const char *suffix,
                      const char *le, uint64_t n)
{
    put_series(w, suffix, le);
    put_integer(w->out, n);
    put(w->out, "\n");
}

static void put_time(const struct writer *w, const char *suffix, uint64_t ns)
{
    put_series(w, suffix, NULL);
    put_seconds(w->out, ns);
    put(w->out, "\n");
}

static void put_histogram(const struct writer *w, const uint64_t *cell)
{
    char le[NUMBER_BYTES];
    uint64_t n = 0;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        n += cell[i];
        number_write((double)bounds_ns[i] / 1e9, le);
        put_count(w, "_bucket", le, n);
    }
    n += cell[HISTOGRAM_BOUNDS];
    put_count(w, "_bucket", "+Inf", n);
    put_time(w, "_sum", cell[HISTOGRAM_SUM]);
    put_count(w, "_count", NULL, n);
}

static size_t cells_of(const struct metric *m)
{
    return m->type == METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1;
}

static bool is_shown(const struct metric *m, const uint64_t *cell)
{
    uint64_t any = 0;
    for (size_t i = 0; i < cells_of(m); i++)
        any |= cell[i];
    return *cell != METRIC_UNKNOWN && (any || !m->sparse);
}

/* Value i of a label, perhaps written to text; NULL if there is no such. */
static const char *name_value(const struct metric_label *label, size_t i,
                              char text[LABEL_BYTES])
{
    if (label->names)
        return label->names[i];
    return label->name_value(i, text) ? text : NULL;
}

/* The labels of series i; false if there is no such series. */
static bool name_series(struct writer *w, size_t i)
{
    const struct metric_label *const *label = w->metric->label;
    size_t n = 0;
    while (n < LABELS_MAX && label[n])
        n++;
    while (n-- > 0) {
        w->value[n] = name_value(label[n], i % label[n]->n, w->text[n]);
        i /= label[n]->n;
        if (!w->value[n])
            return false;
    }
    return true;
}

static size_t series_of(const struct metric *m)
{
    size_t n = 1;
    for (size_t i = 0; i < LABELS_MAX && m->label[i]; i++)
        n *= m->label[i]->n;
    return n;
}

static void put_all(struct writer *w, const uint64_t *cell)
{
    const struct metric *m = w->metric;
    for (size_t i = 0; i < series_of(m); i++, cell += cells_of(m)) {
        if (!is_shown(m, cell) || !name_series(w, i))
            continue;
        if (m->type == METRIC_HISTOGRAM)
            put_histogram(w, cell);
        else if (m->nanoseconds)
            put_time(w, "", *cell);
        else
            put_count(w, "", NULL, *cell);
    }
}

/* In OpenMetrics what is counted has a name of its own, without _total. */
static void put_head(struct json_out *out, enum exposition format,
                     const struct metric *m)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    bool open = format == EXPOSITION_OPENMETRICS;
    size_t n = strlen(m->name);
    if (open && m->type == METRIC_COUNTER)
        n -= strlen("_total");
    put(out, "# HELP ");
    out_bytes(out, m->name, n);
    put(out, " ");
    put_escaped(out, m->help, open ? "\\\"\n" : "\\\n");
    put(out, "\n# TYPE ");
    out_bytes(out, m->name, n);
    put(out, " ");
    put(out, types[m->type]);
    put(out, "\n");
}

void exposition_write(struct json_out *out, enum exposition format,
                      const struct metric *metric, size_t n,
                      const uint64_t *cell)
{
    struct writer w = {.out = out};
    for (size_t i = 0; i < n; i++) {
        w.metric = &metric[i];
        put_head(out, format, w.metric);
        put_all(&w, cell + w.metric->cell);
    }
    if (format == EXPOSITION_OPENMETRICS)
        put(out, "# EOF\n");
}
