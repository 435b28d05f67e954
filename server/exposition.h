/*
 * Metrics as text for Prometheus: rows say what there is, cells how much.
 *
 * A metric has a series for every combination of its labels, and a series has
 * one cell, or those of a histogram.  The cells of a metric lie one after the
 * other; the last label moves first.
 */
#ifndef EVALD_SERVER_EXPOSITION_H
#define EVALD_SERVER_EXPOSITION_H

#include "api/json_out.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* 0.0.4 of Prometheus' text, or OpenMetrics 1.0. */
enum exposition { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

enum { LABELS_MAX = 3, LABEL_BYTES = 128 };

/* The value of a cell that is not known: its series is left out. */
#define METRIC_UNKNOWN UINT64_MAX

struct metric_label {
    const char *name;
    size_t n; /* values it may have; what has none is no series */
    const char *const *names; /* of the values; NULL for those that are none */
    /* Where there is no such list: writes value i, or is false. */
    bool (*name_value)(size_t i, char text[LABEL_BYTES]);
};

struct metric {
    const char *name; /* counters end in _total */
    const char *help;
    enum metric_type type;
    bool nanoseconds; /* its cells count them, and seconds are shown */
    bool sparse;      /* series that never counted anything are left out */
    size_t cell;      /* the first of its cells */
    const struct metric_label *label[LABELS_MAX]; /* NULL ends them */
};

/*
 * A histogram is of times.  Its cells: how many were within each bound and
 * beyond the one before it, how many beyond them all, the sum.
 */
enum {
    HISTOGRAM_BOUNDS = 18,
    HISTOGRAM_SUM = HISTOGRAM_BOUNDS + 1,
    HISTOGRAM_CELLS = HISTOGRAM_SUM + 1,
};

/* Which of the first HISTOGRAM_BOUNDS + 1 cells counts this time. */
size_t histogram_cell(uint64_t ns);

/* Writes all of them. */
void exposition_write(struct json_out *out, enum exposition format,
                      const struct metric *metric, size_t n,
                      const uint64_t *cell);

#endif
