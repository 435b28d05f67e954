#include "api/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    TICKS = 5,
    BAR_HEIGHT = 16,
    BAR_STEP = 26,
    BAR_LABEL = 150,
    BAR_WIDTH = 320,
    BAR_NOTE = 200,
    BAR_CHARACTERS = 20,
};
static const double farthest = 1e5; /* from the picture's corner */

void svg_number(struct json_out *out, double x)
{
    char text[32];
    double near = isnan(x) ? 0 : fmin(fmax(x, -farthest), farthest);
    int n = snprintf(text, sizeof(text), "%.1f", near);
    if (n > 2 && strcmp(text + n - 2, ".0") == 0)
        n -= 2;
    if (n == 2 && strncmp(text, "-0", 2) == 0)
        n = snprintf(text, sizeof(text), "0");
    out_bytes(out, text, (size_t)n);
}

/* name="x" with a blank before it */
static void coordinate(struct json_out *out, const char *name, double x)
{
    out_format(out, " %s=\"", name);
    svg_number(out, x);
    html_raw(out, "\"");
}

void svg_open(struct json_out *out, double width, double height,
              const char *words, const char *name)
{
    out_format(out, "<svg viewBox=\"0 0 %.0f %.0f\"", width, height);
    coordinate(out, "width", width);
    coordinate(out, "height", height);
    html_raw(out, " role=\"img\" aria-label=\"");
    html_text(out, words);
    if (name)
        html_text(out, name);
    html_raw(out, "\">\n");
}

void svg_close(struct json_out *out)
{
    html_raw(out, "</svg>\n");
}

void svg_rect(struct json_out *out, const char *kind, double x, double y,
              double width, double height)
{
    out_format(out, "<rect class=\"%s\"", kind);
    coordinate(out, "x", x);
    coordinate(out, "y", y);
    coordinate(out, "width", fmax(width, 0));
    coordinate(out, "height", fmax(height, 0));
    html_raw(out, ">");
}

void svg_rect_end(struct json_out *out)
{
    html_raw(out, "</rect>\n");
}

void svg_line(struct json_out *out, const char *kind, double x1, double y1,
              double x2, double y2)
{
    out_format(out, "<line class=\"%s\"", kind);
    coordinate(out, "x1", x1);
    coordinate(out, "y1", y1);
    coordinate(out, "x2", x2);
    coordinate(out, "y2", y2);
    html_raw(out, "/>\n");
}

void svg_text(struct json_out *out, const char *kind, double x, double y,
              const char *anchor)
{
    out_format(out, "<text class=\"%s\" text-anchor=\"%s\"", kind, anchor);
    coordinate(out, "x", x);
    coordinate(out, "y", y);
    html_raw(out, ">");
}

/* Where x is from lo to hi; without overflow for any of them. */
static double share(double x, double lo, double hi)
{
    return (x / 2 - lo / 2) / (hi / 2 - lo / 2);
}

double svg_x(const struct svg_plot *plot, double x)
{
    return plot->left + plot->width * share(x, plot->x_lo, plot->x_hi);
}

double svg_y(const struct svg_plot *plot, double y)
{
    return plot->top + plot->height * (1 - share(y, plot->y_lo, plot->y_hi));
}

/* The value of tick i. */
static double tick(double lo, double hi, int i)
{
    double x = (double)i / TICKS;
    return lo * (1 - x) + hi * x;
}

void svg_axes(struct json_out *out, const struct svg_plot *plot,
              const char *x_name, const char *y_name)
{
    double right = plot->left + plot->width, bottom = plot->top + plot->height;
    for (int i = 0; i <= TICKS; i++) {
        double at = tick(plot->x_lo, plot->x_hi, i), x = svg_x(plot, at);
        svg_line(out, "grid", x, plot->top, x, bottom);
        svg_text(out, "tick", x, bottom + 16, "middle");
        out_format(out, "%.3g</text>\n", at);
    }
    for (int i = 0; i <= TICKS; i++) {
        double at = tick(plot->y_lo, plot->y_hi, i), y = svg_y(plot, at);
        svg_line(out, "grid", plot->left, y, right, y);
        svg_text(out, "tick", plot->left - 6, y + 4, "end");
        out_format(out, "%.3g</text>\n", at);
    }
    svg_text(out, "axis", right, bottom + 34, "end");
    out_format(out, "%s →</text>\n", x_name);
    svg_text(out, "axis", plot->left - 30, plot->top - 10, "start");
    out_format(out, "↑ %s</text>\n", y_name);
}

void svg_mix(struct json_out *out, double mix)
{
    out_format(out,
               " style=\"--mix:color-mix(in oklch,var(--first),var(--last) "
               "%.0f%%)\"",
               100 * mix);
}

static void point(struct json_out *out, const struct svg_plot *plot,
                  const char *command, double x, double y)
{
    html_raw(out, command);
    svg_number(out, svg_x(plot, x));
    html_raw(out, " ");
    svg_number(out, svg_y(plot, y));
}

/* Whether both neighbours are as high, so that it shows nothing. */
static bool is_level(const double *y, size_t i, size_t n)
{
    return i > 0 && i + 1 < n && y[i - 1] == y[i] && y[i] == y[i + 1];
}

void svg_curve(struct json_out *out, const struct svg_plot *plot,
               const struct svg_curve *c)
{
    out_format(out, "<path class=\"%s\"", c->kind);
    if (c->mix >= 0)
        svg_mix(out, c->mix);
    html_raw(out, " d=\"");
    if (c->to_axis)
        point(out, plot, "M", c->x[0], plot->y_lo);
    for (size_t i = 0; i < c->n; i++)
        if (!is_level(c->y, i, c->n))
            point(out, plot, i || c->to_axis ? "L" : "M", c->x[i], c->y[i]);
    if (c->to_axis)
        point(out, plot, "L", c->x[c->n - 1], plot->y_lo);
    else if (c->n == 1)
        html_raw(out, "h0"); /* a dot, as the ends of lines are round */
    html_raw(out, "\"/>\n");
}

/* What a bar says beside itself. */
static void bar_note(struct json_out *out, const struct svg_bar *bar)
{
    html_raw(out, "<tspan class=\"value\">");
    html_number(out, bar->value);
    html_raw(out, "</tspan>");
    if (!bar->counted)
        return;
    html_raw(out, " · ");
    html_count(out, bar->count);
    html_raw(out, " ");
    html_text(out, bar->counted);
}

static void draw_bar(struct json_out *out, const struct svg_bar *bar,
                     double top, double most)
{
    double middle = top + BAR_HEIGHT / 2.0, scale = BAR_WIDTH / most;
    double width = bar->value > 0 ? fmin(bar->value, most) * scale : 0;
    svg_text(out, "label", BAR_LABEL - 8, middle + 4, "end");
    html_cut(out, bar->label, BAR_CHARACTERS);
    html_raw(out, "</text>\n");
    svg_rect(out, "track", BAR_LABEL, top, BAR_WIDTH, BAR_HEIGHT);
    svg_rect_end(out);
    svg_rect(out, bar->kind, BAR_LABEL, top, width, BAR_HEIGHT);
    html_raw(out, "<title>");
    html_text(out, bar->label);
    html_raw(out, ": ");
    html_exact(out, bar->value);
    html_raw(out, "</title>");
    svg_rect_end(out);
    svg_text(out, "note", BAR_LABEL + BAR_WIDTH + 8, middle + 4, "start");
    bar_note(out, bar);
    html_raw(out, "</text>\n");
}

void svg_bars(struct json_out *out, const struct svg_bar *bar, size_t n,
              double most, const char *words)
{
    svg_open(out, BAR_LABEL + BAR_WIDTH + BAR_NOTE, BAR_STEP * (double)n + 4,
             words, NULL);
    for (size_t i = 0; i < n; i++)
        draw_bar(out, &bar[i], BAR_STEP * (double)i + 4, most > 0 ? most : 1);
    svg_close(out);
}

void svg_spark(struct json_out *out, double share_of)
{
    html_raw(out, "<svg class=\"spark\" viewBox=\"0 0 60 8\" width=\"60\" "
                  "height=\"8\" aria-hidden=\"true\">"
                  "<rect class=\"track\" width=\"60\" height=\"8\"/>"
                  "<rect class=\"main\" height=\"8\" width=\"");
    svg_number(out, share_of > 0 ? 60 * fmin(share_of, 1) : 0);
    html_raw(out, "\"/></svg>");
}
