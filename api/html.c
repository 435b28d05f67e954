#include "api/html.h"

#include "api/number.h"
#include "api/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char dash[] = "–", ellipsis[] = "…", unknown[] = "\xef\xbf\xbd";

void html_raw(struct json_out *out, const char *markup)
{
    out_bytes(out, markup, strlen(markup));
}

/* What stands for a character of ASCII, or NULL: itself. */
static const char *entity(char c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return NULL;
    return c == '<'               ? "&lt;"
           : c == '>'             ? "&gt;"
           : c == '&'             ? "&amp;"
           : c == '"'             ? "&quot;"
           : c < ' ' || c == 0x7f ? unknown
                                  : NULL;
}

/* U+FFFE and U+FFFF, which are no characters of XML. */
static bool is_noncharacter(const char *s, size_t n)
{
    return n == 3 && memcmp(s, "\xef\xbf", 2) == 0 &&
           (unsigned char)s[2] >= 0xbe;
}

/* Writes the character at s and returns how many bytes it took. */
static size_t character(struct json_out *out, const char *s, const char *end)
{
    size_t n = utf8_sequence(s, end);
    const char *as = n == 1 ? entity(*s) : NULL;
    if (n == 0 || is_noncharacter(s, n))
        as = unknown;
    if (as)
        html_raw(out, as);
    else
        out_bytes(out, s, n);
    return n ? n : 1;
}

void html_bytes(struct json_out *out, const char *s, size_t n)
{
    for (const char *end = s + n; s < end && !out->failed;)
        s += character(out, s, end);
}

void html_text(struct json_out *out, const char *s)
{
    html_bytes(out, s, strlen(s));
}

void html_cut(struct json_out *out, const char *s, size_t characters)
{
    const char *end = s + strlen(s), *cut = s, *last = s;
    for (size_t i = 0; cut < end && i < characters; i++) {
        size_t n = utf8_sequence(cut, end);
        last = cut;
        cut += n ? n : 1;
    }
    html_bytes(out, s, (size_t)((cut < end ? last : cut) - s));
    if (cut < end)
        html_raw(out, ellipsis);
}

void html_element(struct json_out *out, const char *tag, const char *s)
{
    out_format(out, "<%s>", tag);
    html_text(out, s);
    out_format(out, "</%s>", tag);
}

void html_count(struct json_out *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            html_raw(out, ",");
        out_bytes(out, &digits[i], 1);
    }
}

void html_number(struct json_out *out, double x)
{
    if (!isfinite(x))
        html_raw(out, dash);
    else
        out_format(out, fabs(x) < 1e5 ? "%.3f" : "%.3g", x);
}

void html_exact(struct json_out *out, double x)
{
    char text[NUMBER_BYTES];
    if (!isfinite(x))
        html_raw(out, dash);
    else
        out_bytes(out, text, number_write(x, text));
}

void html_table(struct json_out *out, const char *kind)
{
    out_format(out, "<div class=\"scroll\"><table class=\"%s\">\n", kind);
}

void html_heads(struct json_out *out, const char *const *head, size_t n)
{
    html_raw(out, "<thead><tr>");
    for (size_t i = 0; i < n; i++) {
        bool words = head[i][0] == '<';
        html_raw(out, words ? "<th class=\"words\" scope=\"col\">"
                            : "<th scope=\"col\">");
        html_text(out, head[i] + words);
        html_raw(out, "</th>");
    }
    html_raw(out, "</tr></thead>\n<tbody>\n");
}

void html_table_end(struct json_out *out)
{
    html_raw(out, "</tbody>\n</table></div>\n");
}

void html_row(struct json_out *out, const char *head)
{
    html_raw(out, "<tr><th scope=\"row\">");
    html_text(out, head);
    html_raw(out, "</th>");
}

void html_row_end(struct json_out *out)
{
    html_raw(out, "</tr>\n");
}

void html_cell_words(struct json_out *out, const char *s)
{
    html_raw(out, "<td class=\"words\">");
    html_text(out, s);
    html_raw(out, "</td>");
}

void html_cell_count(struct json_out *out, uint64_t n)
{
    html_raw(out, "<td>");
    html_count(out, n);
    html_raw(out, "</td>");
}

void html_cell_number(struct json_out *out, double x)
{
    html_raw(out, "<td");
    if (isfinite(x)) {
        html_raw(out, " title=\"");
        html_exact(out, x);
        html_raw(out, "\"");
    }
    html_raw(out, ">");
    html_number(out, x);
    html_raw(out, "</td>");
}
