/* What the detector gets wrong: confusions, and what errors cost. */
#include "api/detection_text.h"

enum {
    MATRIX_CLASSES_MAX = 12,
    PAIRS_SHOWN = 20,
    HEADING_MAX = 10, /* characters of a name above a column of counts */
    BAR_COLUMNS = 24,
};

/* The names of kinds and fixes as TIDE's authors write them. */
static const char *const short_names[COCO_FIXES] = {
    [COCO_CLASSIFICATION] = "Cls", [COCO_LOCALISATION] = "Loc",
    [COCO_BOTH] = "Both",          [COCO_DUPLICATE] = "Dup",
    [COCO_BACKGROUND] = "Bkg",     [COCO_MISSED] = "Miss",
    [COCO_FALSE_POSITIVE] = "FP",  [COCO_FALSE_NEGATIVE] = "FN",
};

struct matrix {
    const struct detection_report *rep;
    uint32_t count[MATRIX_CLASSES_MAX + 1][MATRIX_CLASSES_MAX + 1];
};

static const char *label(const struct detection_report *rep, size_t k,
                         char id[TEXT_ID_BYTES])
{
    return k < rep->result.index.n_classes ? text_class(rep, k, id)
                                           : "background";
}

static void label_cell(struct text_table *t, const struct detection_report *rep,
                       size_t k)
{
    char id[TEXT_ID_BYTES], name[TEXT_NAME_BYTES];
    text_name(name, label(rep, k, id), TEXT_NAME_MAX);
    text_cell(t, TEXT_PLAIN, "%s", name);
}

static void matrix_row(struct text_table *t, const void *context, size_t truth)
{
    const struct matrix *m = context;
    size_t n = m->rep->result.index.n_classes;
    label_cell(t, m->rep, truth);
    for (size_t found = 0; found <= n; found++) {
        uint32_t count = m->count[truth][found];
        bool wrong = truth != found && truth < n && found < n;
        if (count)
            text_cell(t,
                      wrong            ? TEXT_RED
                      : truth == found ? TEXT_GREEN
                                       : TEXT_PLAIN,
                      "%u", count);
        else
            text_cell(t, TEXT_PLAIN, "·");
    }
}

static void text_matrix(const struct text_out *to,
                        const struct detection_report *rep)
{
    const struct coco_confusion *c = &rep->confusion;
    size_t n = rep->result.index.n_classes;
    struct matrix m = {.rep = rep};
    struct text_table t;
    for (size_t i = 0; i < c->n; i++)
        m.count[c->cell[i].truth][c->cell[i].found] = c->cell[i].count;
    text_table_init(&t, to);
    text_left(&t, "truth \\ found");
    for (size_t k = 0; k <= n; k++) {
        char id[TEXT_ID_BYTES], name[TEXT_NAME_BYTES];
        text_name(name, label(rep, k, id), HEADING_MAX);
        text_right(&t, name);
    }
    text_table_write(&t, n + 1, matrix_row, &m);
}

struct pairs {
    const struct detection_report *rep;
    struct coco_confused *pair;
};

static void pair_row(struct text_table *t, const void *context, size_t i)
{
    const struct pairs *p = context;
    const struct coco_confused *x = &p->pair[i];
    char bar[TEXT_CELL_BYTES];
    text_bar(bar, x->count, p->pair[0].count, BAR_COLUMNS);
    text_class_cell(t, p->rep, x->truth);
    text_class_cell(t, p->rep, x->found);
    text_cell(t, TEXT_PLAIN, "%u", x->count);
    text_cell(t, TEXT_RED, "%s", bar);
}

/* The most frequent ones. */
static void text_pairs(const struct text_out *to,
                       const struct detection_report *rep)
{
    struct pairs p = {.rep = rep};
    size_t n = detection_confusions(rep, to->out->mem, &p.pair);
    size_t shown = n < PAIRS_SHOWN ? n : PAIRS_SHOWN;
    struct text_table t;
    to->out->failed |= !p.pair;
    text_table_init(&t, to);
    text_left(&t, "truth");
    text_left(&t, "found as");
    text_right(&t, "count");
    text_left(&t, "");
    text_table_write(&t, shown, pair_row, &p);
    if (n > shown)
        out_format(to->out, "and %zu more pairs\n", n - shown);
}

/* What a confusion comes to. */
static void text_totals(const struct text_out *to,
                        const struct detection_report *rep)
{
    const struct coco_confusion *c = &rep->confusion;
    const size_t background = rep->result.index.n_classes;
    unsigned long long right = 0, confused = 0, missed = 0, nothing = 0;
    for (size_t i = 0, end;
         (end = stop_reach(to->out->mem->stop, i, c->n)) > i;)
        for (; i < end; i++) {
            const struct coco_confused *x = &c->cell[i];
            *(x->truth == x->found     ? &right
              : x->truth == background ? &nothing
              : x->found == background ? &missed
                                       : &confused) += x->count;
        }
    out_format(to->out,
               "%llu right, %llu confused, %llu missed, %llu on background\n",
               right, confused, missed, nothing);
}

void text_confusion(const struct text_out *to,
                    const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    text_title(to, "confusion at IoU %g, score >= %g", p->per_image_iou,
               p->score_threshold);
    text_totals(to, rep);
    if (rep->result.index.n_classes <= MATRIX_CLASSES_MAX)
        text_matrix(to, rep);
    else
        text_pairs(to, rep);
}

struct fixes {
    const struct coco_class_errors *all;
    double most;
};

static void fix_row(struct text_table *t, const void *context, size_t i)
{
    const struct fixes *f = context;
    char bar[TEXT_CELL_BYTES];
    text_bar(bar, f->all->delta[i], f->most, BAR_COLUMNS);
    text_cell(t, TEXT_PLAIN, "%s", short_names[i]);
    text_cell(t, TEXT_PLAIN, "%s", coco_fix_name[i]);
    text_cell(t, TEXT_PLAIN, "%u", f->all->count[i]);
    text_number(t, TEXT_PLAIN, f->all->delta[i], 4);
    text_cell(t, TEXT_RED, "%s", bar);
}

static void class_errors_row(struct text_table *t, const void *context,
                             size_t k)
{
    const struct detection_report *rep = context;
    const struct coco_class_errors *x = &rep->errors[k];
    text_class_cell(t, rep, k);
    text_ap_cell(t, x->ap);
    for (size_t i = 0; i < COCO_FIXES; i++)
        text_number(t, TEXT_PLAIN, x->ap > -1 ? x->delta[i] : -1, 4);
}

void text_errors(const struct text_out *to, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    struct fixes f = {.all = &rep->errors[rep->result.index.n_classes]};
    struct text_table t;
    for (size_t i = 0; i < COCO_FIXES; i++)
        f.most = f.all->delta[i] > f.most ? f.all->delta[i] : f.most;
    text_title(to, "errors at IoU %g, background under %g", p->per_image_iou,
               p->background_iou);
    text_table_init(&t, to);
    text_left(&t, "");
    text_left(&t, "error");
    text_right(&t, "count");
    text_right(&t, "dAP");
    text_left(&t, "");
    text_table_write(&t, COCO_FIXES, fix_row, &f);
    if (!p->use_categories)
        return;
    out_bytes(to->out, "\n", 1);
    text_table_init(&t, to);
    text_left(&t, "category");
    text_right(&t, "AP");
    for (size_t i = 0; i < COCO_FIXES; i++)
        text_right(&t, short_names[i]);
    text_table_write(&t, rep->result.index.n_classes, class_errors_row, rep);
}
