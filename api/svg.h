/*
 * Drawing inside a page of HTML (html.h).  Colours are classes that the page's
 * style knows.  Coordinates are finite whatever is drawn: NaN becomes 0, and
 * what is far outside is brought nearer.
 */
#ifndef EVALD_API_SVG_H
#define EVALD_API_SVG_H

#include "api/html.h"

/*
 * Opens a picture of that size in pixels, with a label for those who cannot
 * see it: words, which are ours, then a name, which is anybody's or NULL.
 */
void svg_open(struct json_out *out, double width, double height,
              const char *words, const char *name);
void svg_close(struct json_out *out);

/* A coordinate. */
void svg_number(struct json_out *out, double x);

/* Left open by a ">" for a <title>; closed by svg_rect_end. */
void svg_rect(struct json_out *out, const char *kind, double x, double y,
              double width, double height);
void svg_rect_end(struct json_out *out);
void svg_line(struct json_out *out, const char *kind, double x1, double y1,
              double x2, double y2);
/* <text …>, for text and </text>; anchor is start, middle or end. */
void svg_text(struct json_out *out, const char *kind, double x, double y,
              const char *anchor);

/* A rectangle of the picture and the ranges of what is drawn in it. */
struct svg_plot {
    double left, top, width, height; /* pixels */
    double x_lo, x_hi, y_lo, y_hi;   /* x_lo < x_hi, y_lo < y_hi */
};

double svg_x(const struct svg_plot *plot, double x);
double svg_y(const struct svg_plot *plot, double y);

/* Grid, numbers at five steps, and what the axes are. */
void svg_axes(struct json_out *out, const struct svg_plot *plot,
              const char *x_name, const char *y_name);

/*
 * A line through n > 0 points; of stretches of the same y only the ends.
 * to_axis: down to the x axis at both ends, to be filled.  mix is where its
 * colour is between the first and the last of a row of lines, 0 to 1; below 0
 * the colour is that of its kind.
 */
struct svg_curve {
    const char *kind;
    size_t n;
    const double *x, *y;
    bool to_axis;
    double mix;
};
void svg_curve(struct json_out *out, const struct svg_plot *plot,
               const struct svg_curve *curve);

/* The attribute that gives this colour. */
void svg_mix(struct json_out *out, double mix);

/* One bar of a chart of bars that lie one below the other. */
struct svg_bar {
    const char *label; /* anybody's */
    const char *kind;
    double value; /* 0 to most is drawn; NaN: none */
    uint64_t count;
    const char *counted; /* what count counts, or NULL: not shown */
};

/* The chart, scaled so that most fits; its label is words. */
void svg_bars(struct json_out *out, const struct svg_bar *bar, size_t n,
              double most, const char *words);

/* A small bar beside a number from 0 to 1, for sighted readers alone. */
void svg_spark(struct json_out *out, double share);

#endif
