/* Which errors there are, and what they cost, as JSON. */
#include "api/detection_write.h"

enum { MATRIX_CLASSES_MAX = 2048 /* beyond it only the pairs */ };

static void write_labels(struct json_out *out,
                         const struct detection_report *rep)
{
    out_key(out, "labels");
    out_open(out, '[');
    for (size_t k = 0; k < rep->result.index.n_classes; k++) {
        out_open(out, '{');
        write_category(out, rep, k);
        out_close(out, '}');
    }
    out_open(out, '{');
    out_key(out, "category_id");
    out_null(out);
    out_member_string(out, "name", "background");
    out_close(out, '}');
    out_close(out, ']');
}

static void write_matrix(struct json_out *out,
                         const struct detection_report *rep)
{
    const struct coco_confused *cell = rep->confusion.cell;
    const struct coco_confused *end = cell + rep->confusion.n;
    size_t n = rep->result.index.n_classes;
    out_key(out, "matrix");
    if (n > MATRIX_CLASSES_MAX) {
        out_null(out);
        return;
    }
    out_open(out, '[');
    for (size_t truth = 0; truth <= n && !out->failed; truth++) {
        out_open(out, '[');
        for (size_t found = 0; found <= n; found++) {
            bool here =
                cell < end && cell->truth == truth && cell->found == found;
            out_integer(out, here ? (cell++)->count : 0);
        }
        out_close(out, ']');
    }
    out_close(out, ']');
}

static void write_pairs(struct json_out *out,
                        const struct detection_report *rep)
{
    const int64_t *id = rep->result.index.category;
    struct coco_confused *pair;
    size_t n = detection_confusions(rep, out->mem, &pair);
    out_key(out, "pairs");
    out_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        out_open(out, '{');
        out_member_integer(out, "ground_truth", id[pair[i].truth]);
        out_member_integer(out, "detection", id[pair[i].found]);
        out_member_integer(out, "count", pair[i].count);
        out_close(out, '}');
    }
    out_close(out, ']');
}

void write_confusion(struct json_out *out, const struct detection_report *rep)
{
    open_at_iou(out, rep, "confusion");
    out_member_number(out, "score_threshold",
                      rep->req->protocol.score_threshold);
    write_labels(out, rep);
    write_matrix(out, rep);
    write_pairs(out, rep);
    out_close(out, '}');
}

static void write_fixes(struct json_out *out, const struct coco_class_errors *e)
{
    write_value(out, "AP", e->ap);
    for (size_t fix = 0; fix < COCO_FIXES; fix++) {
        out_key(out, coco_fix_name[fix]);
        out_open(out, '{');
        out_member_integer(out, "count", e->count[fix]);
        out_member_number(out, "dAP", e->ap > -1 ? e->delta[fix] : NAN);
        out_close(out, '}');
    }
}

static void class_errors(struct json_out *out,
                         const struct detection_report *rep, size_t k)
{
    write_fixes(out, &rep->errors[k]);
}

void write_errors(struct json_out *out, const struct detection_report *rep)
{
    open_at_iou(out, rep, "errors");
    out_member_number(out, "background_iou", rep->req->protocol.background_iou);
    write_fixes(out, &rep->errors[rep->result.index.n_classes]);
    write_each_class(out, rep, class_errors);
    out_close(out, '}');
}
