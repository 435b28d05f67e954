#include "api/text_table.h"

#include "api/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 2 }; /* columns between two cells */

static const char *const tones[] = {
    [TEXT_BOLD] = "\033[1m",
    [TEXT_RED] = "\033[31m",
    [TEXT_YELLOW] = "\033[33m",
    [TEXT_GREEN] = "\033[32m",
};

enum text_tone text_grade(double x, double bad, double good)
{
    double sign = bad < good ? 1 : -1;
    if (!(x > -1))
        return TEXT_PLAIN;
    return sign * x >= sign * good  ? TEXT_GREEN
           : sign * x <= sign * bad ? TEXT_RED
                                    : TEXT_YELLOW;
}

static void toned(const struct text_out *to, enum text_tone tone,
                  const char *text)
{
    bool colour = to->colour && tone != TEXT_PLAIN;
    out_format(to->out, "%s%s%s", colour ? tones[tone] : "", text,
               colour ? "\033[0m" : "");
}

void text_title(const struct text_out *to, const char *format, ...)
{
    char text[TEXT_CELL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (to->out->len > 0)
        out_bytes(to->out, "\n", 1);
    toned(to, TEXT_BOLD, text);
    out_bytes(to->out, "\n", 1);
}

/* The code point of a sequence of n bytes. */
static uint32_t code_point(const char *s, size_t n)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)s[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

/* Controls, what has no width, and what turns the direction of writing. */
static bool is_unfit(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0, 0x1f},          {0x7f, 0x9f},     {0xad, 0xad},
        {0x61c, 0x61c},     {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f},   {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
        {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

void text_name(char buf[TEXT_NAME_BYTES], const char *name, size_t most)
{
    const char *end = name + strlen(name);
    char *p = buf, *last = buf; /* the last character that may stay */
    for (size_t k = 0; name < end && k < most; k++) {
        size_t n = utf8_sequence(name, end);
        last = p;
        if (n == 0 || is_unfit(code_point(name, n))) {
            *p++ = '?';
        } else {
            memcpy(p, name, n);
            p += n;
        }
        name += n ? n : 1;
    }
    if (name < end) {
        p = last;
        memcpy(p, "…", 3);
        p += 3;
    }
    *p = '\0';
}

void text_spark(char *buf, const double *x, size_t n, size_t columns)
{
    static const char levels[][4] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    if (columns > n)
        columns = n;
    *buf = '\0';
    for (size_t c = 0; c < columns; c++) {
        size_t count = 0;
        double sum = 0;
        for (size_t i = c * n / columns; i < (c + 1) * n / columns; i++)
            if (!isnan(x[i])) {
                sum += x[i];
                count++;
            }
        double level = count ? 8 * fmin(fmax(sum / (double)count, 0), 1) : 0;
        const char *mark = count ? levels[(size_t)fmin(level, 7)] : "·";
        buf = stpcpy(buf, mark);
    }
}

void text_bar(char *buf, double x, double most, size_t columns)
{
    static const char parts[][4] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    double share = x > 0 && most > 0 ? fmin(x / most, 1) : 0;
    size_t eighths = (size_t)lround(share * 8 * (double)columns);
    for (size_t i = 0; i < eighths / 8; i++)
        buf = stpcpy(buf, "█");
    stpcpy(buf, parts[eighths % 8]);
}

void text_table_init(struct text_table *t, const struct text_out *to)
{
    *t = (struct text_table){.to = to};
}

static void add(struct text_table *t, const char *heading, bool left)
{
    if (t->n == TEXT_COLUMNS_MAX)
        return;
    struct text_column *c = &t->column[t->n++];
    *c = (struct text_column){.left = left};
    text_name(c->heading, heading, TEXT_NAME_MAX);
}

void text_left(struct text_table *t, const char *heading)
{
    add(t, heading, true);
}

void text_right(struct text_table *t, const char *heading)
{
    add(t, heading, false);
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

/* Blanks are due until something follows them, so that no line ends in any. */
static void put(struct text_table *t, enum text_tone tone, const char *text)
{
    if (t->at == t->n)
        return;
    struct text_column *c = &t->column[t->at++];
    size_t width = characters(text);
    if (t->measuring) {
        if (width > c->width)
            c->width = width;
        return;
    }
    size_t fill = c->width - width;
    t->blanks += c->left ? 0 : fill;
    if (*text) {
        out_format(t->to->out, "%*s", (int)t->blanks, "");
        toned(t->to, tone, text);
        t->blanks = 0;
    }
    t->blanks += GAP + (c->left ? fill : 0);
}

static void end_row(struct text_table *t)
{
    if (!t->measuring)
        out_bytes(t->to->out, "\n", 1);
    t->at = t->blanks = 0;
}

static void make_headings(struct text_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        put(t, TEXT_BOLD, t->column[i].heading);
    end_row(t);
}

void text_table_write(struct text_table *t, size_t rows,
                      void (*make)(struct text_table *t, const void *context,
                                   size_t row),
                      const void *context)
{
    const struct json_out *out = t->to->out;
    for (int pass = 0; pass < 2; pass++) {
        t->measuring = pass == 0;
        make_headings(t);
        for (size_t i = 0; i < rows; i++) {
            if (out->failed || is_stopped(out->mem->stop))
                break;
            make(t, context, i);
            end_row(t);
        }
    }
}

void text_cell(struct text_table *t, enum text_tone tone, const char *format,
               ...)
{
    char text[TEXT_CELL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(t, tone, text);
}

void text_number(struct text_table *t, enum text_tone tone, double x,
                 int decimals)
{
    char text[TEXT_CELL_BYTES];
    snprintf(text, sizeof(text), "%.*f", decimals, x);
    bool minus_zero = text[0] == '-' && !text[strspn(text, "-0.")];
    put(t, tone, x > -1 ? text + minus_zero : "-");
}
