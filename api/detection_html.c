/* The page: its frame, its style, its sections. */
#include "api/detection_html.h"

#include "api/api.h"
#include "api/detection_page.h"
#include "core/key_sort.h"

/* What a section is, and whether the report has it. */
struct section {
    const char *id, *title, *link;
    unsigned output; /* 0: always */
    void (*write)(const struct page *p);
};
static const struct section sections[] = {
    {"summary", NULL, "Summary", 0, page_summary},
    {"errors", "What to fix first", "Errors", OUTPUT_ERRORS, page_errors},
    {"curves", "Precision and recall", "Curves", OUTPUT_CURVES, page_curves},
    {"categories", "Categories", "Categories", OUTPUT_PER_CLASS, page_classes},
    {"confusion", "Confusion", "Confusion", OUTPUT_CONFUSION, page_confusion},
    {"points", "Operating points", "Operating points", OUTPUT_OPERATING_POINTS,
     page_points},
    {"calibration", "Calibration", "Calibration", OUTPUT_CALIBRATION,
     page_calibration},
    {"slices", "Slices", "Slices", OUTPUT_SLICES, page_slices},
    {"images", "Worst images", "Images", OUTPUT_PER_IMAGE, page_images},
    {"suspects", "Labels to look at", "Labels", OUTPUT_PER_IMAGE,
     page_suspects},
    {"protocol", "Protocol", "Protocol", 0, page_protocol},
};
enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

static bool is_there(const struct page *p, const struct section *s)
{
    return !s->output || (p->rep->req->outputs & s->output);
}

/* Puts the classes in order of AP; -1 when the arena is spent, or stopped. */
static int rank_classes(struct page *p)
{
    const struct coco_result *r = &p->rep->result;
    struct arena *mem = p->out->mem;
    size_t n = r->index.n_classes;
    struct key_order by = key_order_alloc(n, mem);
    struct coco_number ap = coco_number(r->protocol, 0);
    p->worst = by.row;
    p->ap = arena_alloc(mem, n, sizeof(*p->ap));
    if (mem->failed)
        return -1;
    for (size_t k = 0; k < n && !is_stopped(mem->stop); k++) {
        p->ap[k] = page_defined(coco_value(r, &ap, k));
        by.row[k] = (uint32_t)k;
        by.key[k] = isnan(p->ap[k]) ? UINT64_MAX : score_key(-p->ap[k]);
    }
    return key_sort(&by, n, mem->stop);
}

static void head(struct json_out *out, const char *title)
{
    html_raw(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                  "<meta charset=\"utf-8\"/>\n"
                  "<meta http-equiv=\"Content-Security-Policy\" "
                  "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
                  "\n<meta name=\"viewport\" content=\"width=device-width, "
                  "initial-scale=1\"/>\n<title>");
    html_text(out, title);
    html_raw(out, "</title>\n<style>");
    for (size_t i = 0; page_style[i]; i++)
        html_raw(out, page_style[i]);
    html_raw(out, "</style>\n</head>\n<body>\n");
}

static void navigation(const struct page *p)
{
    html_raw(p->out, "<nav aria-label=\"sections\">\n");
    for (size_t i = 0; i < SECTIONS; i++)
        if (is_there(p, &sections[i]))
            out_format(p->out, "<a href=\"#%s\">%s</a>\n", sections[i].id,
                       sections[i].link);
    html_raw(p->out, "</nav>\n");
}

static void write_section(const struct page *p, const struct section *s)
{
    out_format(p->out, "<section id=\"%s\">\n", s->id);
    if (s->title)
        html_element(p->out, "h2", s->title);
    html_raw(p->out, "\n");
    s->write(p);
    html_raw(p->out, "</section>\n");
}

void detection_html(struct json_out *out, const struct detection_report *rep,
                    const char *title)
{
    struct page p = {.out = out, .rep = rep};
    const char *name = title ? title : "Detection report";
    if (rank_classes(&p)) {
        out->failed = true;
        return;
    }
    head(out, name);
    html_element(out, "h1", name);
    html_raw(out, "\n");
    navigation(&p);
    html_raw(out, "<main>\n");
    for (size_t i = 0; i < SECTIONS && !out->failed; i++)
        if (is_there(&p, &sections[i]))
            write_section(&p, &sections[i]);
    html_raw(out, "</main>\n<footer>Made by evald " EVALD_VERSION
                  ".</footer>\n</body>\n</html>\n");
}
