/* The images of a report, with their matches and what looks mislabelled. */
#include "api/detection_suspects.h"
#include "api/detection_write.h"

static int64_t annotation_id(const struct coco_result *r, uint32_t truth)
{
    return r->gt->id[r->index.gt[truth]];
}

static void write_cell_matches(struct json_out *out,
                               const struct detection_report *rep,
                               const struct coco_cell *cell)
{
    const struct coco_result *r = &rep->result;
    const struct coco_verdicts *v = &rep->verdicts;
    for (uint32_t d = cell->dt; d < cell->dt + cell->n_dt; d++) {
        if (v->kind[d] != COCO_TRUE_POSITIVE || !coco_is_shown(r, d))
            continue;
        out_open(out, '{');
        out_member_integer(out, "detection", r->index.dt[d]);
        out_member_integer(out, "annotation_id", annotation_id(r, v->truth[d]));
        out_member_number(out, "iou", coco_match_iou(r, v, d));
        out_close(out, '}');
    }
}

static void write_matches(struct json_out *out,
                          const struct detection_report *rep, size_t image)
{
    const struct coco_by_image *by = &rep->by_image;
    out_key(out, "matches");
    out_open(out, '[');
    for (uint32_t c = by->first[image]; c < by->first[image + 1]; c++)
        write_cell_matches(out, rep, &rep->result.index.cell[by->cell[c]]);
    out_close(out, ']');
}

/* What an image's suspects are written with. */
struct suspects {
    struct json_out *out;
    const struct detection_report *rep;
};

/* A suspect has a detection, or an annotation, or both and their overlap. */
static void write_suspect(void *context, const struct suspect *s)
{
    const struct suspects *to = context;
    const struct coco_result *r = &to->rep->result;
    const struct coco_verdicts *v = &to->rep->verdicts;
    struct json_out *out = to->out;
    bool found = s->detection != COCO_UNKNOWN, truth = s->truth != COCO_UNKNOWN;
    double iou = NAN;
    if (found && truth)
        iou = coco_match_iou(r, v, s->detection);
    else if (truth)
        iou = v->overlap[s->truth];
    out_open(out, '{');
    out_member_string(out, "kind", suspicion_name[s->kind]);
    out_key(out, "detection");
    if (found)
        out_integer(out, r->index.dt[s->detection]);
    else
        out_null(out);
    out_key(out, "annotation_id");
    if (truth)
        out_integer(out, annotation_id(r, s->truth));
    else
        out_null(out);
    out_member_number(out, "iou", iou);
    out_member_number(out, "score",
                      found ? coco_score_at(r, s->detection) : NAN);
    out_close(out, '}');
}

/* a / b, or null where that is not defined. */
static void write_ratio(struct json_out *out, const char *key, double a,
                        double b)
{
    out_member_number(out, key, b > 0 ? a / b : (double)NAN);
}

static void write_image(struct json_out *out,
                        const struct detection_report *rep, size_t row)
{
    const struct coco_image *image = &rep->image[row];
    struct suspects suspects = {out, rep};
    out_open(out, '{');
    out_member_integer(out, "image_id", rep->result.index.image[row]);
    out_member_integer(out, "ground_truths", image->positives);
    out_member_integer(out, "detections", image->detections);
    out_member_integer(out, "tp", image->tp);
    out_member_integer(out, "fp", image->fp);
    out_member_integer(out, "fn", image->fn);
    out_member_integer(out, "ignored", image->ignored);
    write_ratio(out, "precision", image->tp, (double)image->tp + image->fp);
    write_ratio(out, "recall", image->tp, image->positives);
    write_ratio(out, "f1", 2.0 * image->tp,
                2.0 * image->tp + image->fp + image->fn);
    out_member_number(out, "mean_iou", image->mean_iou);
    write_value(out, "AP", image->ap);
    write_matches(out, rep, row);
    out_key(out, "suspects");
    out_open(out, '[');
    detection_suspects(rep, row, write_suspect, &suspects);
    out_close(out, ']');
    out_close(out, '}');
}

void write_images(struct json_out *out, const struct detection_report *rep)
{
    out_key(out, "per_image");
    out_open(out, '[');
    for (size_t i = 0; i < rep->result.index.n_images && !out->failed; i++)
        write_image(out, rep, i);
    out_close(out, ']');
}
