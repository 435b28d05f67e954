/* Where not the detector but the ground truth may be wrong. */
#include "api/detection_page.h"
#include "api/detection_suspects.h"

enum { LISTED = 30 };

static const char *const meanings[SUSPICIONS] = {
    [MISSING_LABEL] = "a confident detection where nothing is labelled",
    [WRONG_LABEL] =
        "a confident detection of another category on a missed object",
    [LOOSE_LABEL] =
        "a confident detection that overlaps a missed object too little",
    [SPURIOUS_LABEL] = "a missed object that no detection comes near",
};

/* How many there are, and the most confident. */
struct list {
    const struct page *p;
    uint64_t count[SUSPICIONS];
    struct page_top
        top; /* its rows: SUSPICIONS times the place, and the kind */
};

static void note(void *context, const struct suspect *s)
{
    struct list *list = context;
    list->count[s->kind]++;
    if (s->detection != COCO_UNKNOWN)
        page_offer(&list->top,
                   coco_score_at(&list->p->rep->result, s->detection), 0,
                   (size_t)s->detection * SUSPICIONS + s->kind);
}

static void count_table(const struct page *p, const uint64_t *count)
{
    static const char *const heads[] = {"kind", "count", "<meaning"};
    html_table(p->out, "narrow");
    out_format(p->out,
               "<caption>Suspects by kind; confident is a score of %g or more"
               "</caption>",
               p->rep->req->options.suspect_score);
    html_heads(p->out, heads, 3);
    for (size_t i = 0; i < SUSPICIONS; i++) {
        html_row(p->out, suspicion_name[i]);
        html_cell_count(p->out, count[i]);
        html_cell_words(p->out, meanings[i]);
        html_row_end(p->out);
    }
    html_table_end(p->out);
}

/* The class of ground truth g: the last to begin there or before. */
static size_t class_of(const struct coco_index *ix, uint32_t g)
{
    size_t k = 0;
    while (k + 1 < ix->n_classes && ix->class_gt[k + 1] <= g)
        k++;
    return k;
}

/* The annotation that a detection is held against, if there is one. */
static void annotation(const struct page *p, uint32_t place)
{
    const struct coco_result *r = &p->rep->result;
    uint32_t g = p->rep->verdicts.truth[place];
    char id[PAGE_ID_BYTES];
    if (g == COCO_UNKNOWN) {
        html_cell_words(p->out, "–");
        html_raw(p->out, "<td>–</td><td>–</td>");
        return;
    }
    html_cell_words(p->out, page_class(p, class_of(&r->index, g), id));
    out_format(p->out, "<td>%lld</td>", (long long)r->gt->id[r->index.gt[g]]);
    html_cell_number(p->out, coco_match_iou(r, &p->rep->verdicts, place));
}

static void row(const struct page *p, uint32_t place, enum suspicion kind)
{
    const struct coco_result *r = &p->rep->result;
    uint32_t detection = r->index.dt[place];
    char id[PAGE_ID_BYTES];
    html_row(p->out, suspicion_name[kind]);
    out_format(p->out, "<td>%lld</td>", (long long)r->dt->image_id[detection]);
    html_cell_number(p->out, coco_score_at(r, place));
    out_format(p->out, "<td>%u</td>", detection);
    html_cell_words(p->out, page_class(p, coco_class_at(&r->index, place), id));
    annotation(p, place);
    html_row_end(p->out);
}

void page_suspects(const struct page *p)
{
    static const char *const heads[] = {"kind",       "image",     "score",
                                        "detection",  "<category", "<labelled",
                                        "annotation", "IoU"};
    struct list list = {.p = p, .top = {.max = LISTED}};
    for (size_t i = 0;
         i < p->rep->result.index.n_images && !is_stopped(p->out->mem->stop);
         i++)
        detection_suspects(p->rep, i, note, &list);
    count_table(p, list.count);
    if (list.top.n == 0)
        return;
    html_table(p->out, "narrow");
    html_raw(p->out, "<caption>The most confident ones; a detection is a row "
                     "of the input, from 0</caption>");
    html_heads(p->out, heads, 8);
    for (size_t i = 0; i < list.top.n; i++) {
        size_t x = list.top.item[i].row;
        row(p, (uint32_t)(x / SUSPICIONS), (enum suspicion)(x % SUSPICIONS));
    }
    html_table_end(p->out);
}
