/* A comparison as text: what has changed, what most, and whether it is sure. */
#include "api/detection_text.h"
#include "api/run_compare.h"

#include <math.h>
#include <stdlib.h>

enum { CLASSES_SHOWN = 10, ID_SHOWN = 8 };

/* Rows of a table, by their places in the comparison. */
struct rows {
    const struct comparison *c;
    const size_t *place;
    size_t n;
};

/* With its sign, or a dash. */
static void signed_cell(struct text_table *t, enum text_tone tone, double x)
{
    if (isnan(x))
        text_cell(t, TEXT_PLAIN, "-");
    else
        text_cell(t, tone, "%+.4f", x);
}

static enum text_tone tone_of(double delta)
{
    return delta > 0 ? TEXT_GREEN : delta < 0 ? TEXT_RED : TEXT_PLAIN;
}

static void compared_cells(struct text_table *t, const struct compared *x)
{
    double delta = compared_delta(x);
    text_number(t, TEXT_PLAIN, x->a, 4);
    text_number(t, TEXT_PLAIN, x->b, 4);
    signed_cell(t, tone_of(delta), delta);
}

/* Up or down where the whole interval is. */
static void interval_cells(struct text_table *t, const struct compared *x)
{
    static const struct coco_interval none = {NAN, NAN, NAN, 0};
    const struct coco_interval *i = x->interval ? x->interval : &none;
    signed_cell(t, TEXT_PLAIN, i->low);
    signed_cell(t, TEXT_PLAIN, i->high);
    text_cell(t, tone_of(i->low > 0 ? i->low : i->high), "%s",
              i->low > 0    ? "\u25b2"
              : i->high < 0 ? "\u25bc"
                            : "");
}

static void compared_columns(struct text_table *t, const char *change)
{
    text_right(t, "a");
    text_right(t, "b");
    text_right(t, change);
}

static void interval_columns(struct text_table *t, const struct comparison *c)
{
    if (!c->interval)
        return;
    text_right(t, "low");
    text_right(t, "high");
    text_left(t, "");
}

static void id_row(struct text_table *t, const void *context, size_t i)
{
    const struct store_run *row =
        &((const struct comparison *)context)->run[i].row;
    char name[TEXT_NAME_BYTES], dataset[TEXT_NAME_BYTES];
    text_name(name, row->name, TEXT_NAME_MAX);
    text_name(dataset, row->dataset, TEXT_NAME_MAX);
    text_cell(t, TEXT_PLAIN, i ? "b" : "a");
    text_cell(t, TEXT_PLAIN, "%s", row->id);
    text_cell(t, TEXT_PLAIN, "%s", name);
    text_cell(t, TEXT_PLAIN, "%s", dataset);
    text_cell(t, TEXT_PLAIN, "%s", run_state_name(row));
    text_cell(t, TEXT_PLAIN, "%lld", (long long)row->images);
    text_cell(t, TEXT_PLAIN, "%lld", (long long)row->detections);
}

static void text_runs(const struct text_out *to, const struct comparison *c)
{
    struct text_table t;
    text_title(to, "runs");
    text_table_init(&t, to);
    text_left(&t, "");
    text_left(&t, "id");
    text_left(&t, "name");
    text_left(&t, "dataset");
    text_left(&t, "state");
    text_right(&t, "images");
    text_right(&t, "detections");
    text_table_write(&t, 2, id_row, c);
    out_format(to->out, "protocol: %s, dataset: %s, images: %s\n",
               c->same_protocol ? "the same" : "DIFFERENT",
               c->same_dataset ? "the same" : "DIFFERENT",
               c->same_images ? "the same" : "DIFFERENT");
}

static void number_row(struct text_table *t, const void *context, size_t i)
{
    const struct comparison *c = context;
    struct compared x = compared_number(c, i);
    text_cell(t, TEXT_PLAIN, "%s",
              coco_number(&c->run[0].req.protocol, i).name);
    compared_cells(t, &x);
    if (c->interval)
        interval_cells(t, &x);
}

static void text_summary(const struct text_out *to, const struct comparison *c)
{
    struct text_table t;
    text_title(to, "summary");
    text_table_init(&t, to);
    text_left(&t, "number");
    compared_columns(&t, "b - a");
    interval_columns(&t, c);
    text_table_write(&t, coco_number_count(&c->run[0].req.protocol), number_row,
                     c);
    if (c->interval)
        out_format(to->out,
                   "%g %% intervals of b - a by %u resamples of the images, "
                   "the same for both\n",
                   100 * c->how.level, c->how.resamples);
}

static void class_row(struct text_table *t, const void *context, size_t i)
{
    const struct rows *rows = context;
    const struct comparison *c = rows->c;
    size_t place = rows->place[i];
    struct compared x = compared_class(c, place);
    size_t owner = compared_owner(&c->class[place]);
    text_class_cell(t, c->rep[owner], c->class[place].row[owner]);
    compared_cells(t, &x);
    if (c->interval)
        interval_cells(t, &x);
}

static void text_changed(const struct text_out *to, const char *title,
                         const struct rows *rows)
{
    struct text_table t;
    if (rows->n == 0)
        return;
    text_title(to, "%s", title);
    text_table_init(&t, to);
    text_left(&t, "category");
    compared_columns(&t, "AP b - a");
    interval_columns(&t, rows->c);
    text_table_write(&t, rows->n, class_row, rows);
}

/* A category and its change. */
struct change {
    double delta;
    size_t place;
};

static int by_delta(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->delta != y->delta)
        return x->delta < y->delta ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* The categories that lost most, then those that gained most. */
static void text_changes(const struct text_out *to, const struct comparison *c)
{
    size_t n = 0, place[CLASSES_SHOWN];
    struct change *change =
        arena_alloc(to->out->mem, c->n_classes, sizeof(*change));
    struct rows rows = {c, place, 0};
    for (size_t i = 0; i < c->n_classes && change; i++) {
        struct compared x = compared_class(c, i);
        change[n] = (struct change){compared_delta(&x), i};
        n += change[n].delta != 0 && !isnan(change[n].delta);
    }
    if (n)
        qsort(change, n, sizeof(*change), by_delta);
    for (; rows.n < n && rows.n < CLASSES_SHOWN; rows.n++) {
        if (change[rows.n].delta > 0)
            break;
        place[rows.n] = change[rows.n].place;
    }
    text_changed(to, "categories that lost most", &rows);
    for (rows.n = 0; rows.n < n && rows.n < CLASSES_SHOWN; rows.n++) {
        if (change[n - 1 - rows.n].delta < 0)
            break;
        place[rows.n] = change[n - 1 - rows.n].place;
    }
    text_changed(to, "categories that gained most", &rows);
}

static void image_row(struct text_table *t, const void *context, size_t i)
{
    const struct rows *rows = context;
    const struct comparison *c = rows->c;
    const struct compared_row *row = &c->image[rows->place[i]];
    struct compared f1 = compared_f1(c, rows->place[i]);
    struct compared ap = compared_ap(c, rows->place[i]);
    text_cell(t, TEXT_PLAIN, "%lld",
              (long long)c->rep[0]->result.index.image[row->row[0]]);
    compared_cells(t, &f1);
    compared_cells(t, &ap);
}

/* They come by the size of their change, so those that lost are in order. */
static void text_drops(const struct text_out *to, const struct comparison *c,
                       size_t images_max)
{
    struct text_table t;
    size_t most = images_max < c->n_images ? images_max : c->n_images;
    size_t *place = arena_alloc(to->out->mem, most, sizeof(*place));
    struct rows rows = {c, place, 0};
    for (size_t i = 0; i < c->n_images && rows.n < most && place; i++) {
        struct compared f1 = compared_f1(c, i);
        if (compared_delta(&f1) < 0)
            place[rows.n++] = i;
    }
    if (rows.n == 0)
        return;
    text_title(to, "images that lost most");
    text_table_init(&t, to);
    text_right(&t, "image");
    compared_columns(&t, "f1 b - a");
    compared_columns(&t, "AP b - a");
    text_table_write(&t, rows.n, image_row, &rows);
}

void run_compare_text(struct json_out *out, const struct comparison *c,
                      size_t images_max)
{
    struct text_out to = {out, false};
    text_runs(&to, c);
    text_summary(&to, c);
    text_changes(&to, c);
    text_drops(&to, c, images_max);
    out->failed |= out->mem->failed;
}
