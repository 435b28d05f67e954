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

/* a / b, or NAN where that is not defined. */
static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

static double truths(const struct coco_image *m)
{
    return m->positives;
}

static double detections(const struct coco_image *m)
{
    return m->detections;
}

static double tp(const struct coco_image *m)
{
    return m->tp;
}

static double fp(const struct coco_image *m)
{
    return m->fp;
}

static double fn(const struct coco_image *m)
{
    return m->fn;
}

static double ignored(const struct coco_image *m)
{
    return m->ignored;
}

static double precision(const struct coco_image *m)
{
    return ratio(m->tp, (double)m->tp + m->fp);
}

static double recall(const struct coco_image *m)
{
    return ratio(m->tp, m->positives);
}

double image_f1(const struct coco_image *m)
{
    return ratio(2.0 * m->tp, 2.0 * m->tp + m->fp + m->fn);
}

static double mean_iou(const struct coco_image *m)
{
    return m->mean_iou;
}

static double ap(const struct coco_image *m)
{
    return m->ap > -1 ? m->ap : (double)NAN;
}

/* The numbers of a row behind its id: two sizes, other counts, the rest. */
static const struct {
    const char *name;
    double (*value)(const struct coco_image *m);
} numbers[] = {
    {"ground_truths", truths},
    {"detections", detections},
    {"tp", tp},
    {"fp", fp},
    {"fn", fn},
    {"ignored", ignored},
    {"precision", precision},
    {"recall", recall},
    {"f1", image_f1},
    {"mean_iou", mean_iou},
    {"AP", ap},
};
enum { SIZES = 2, COUNTS = 6, NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

/* NOLINTBEGIN(readability-non-const-parameter): as row_numbers has it */
static const char *image_number_name(const struct coco_protocol *p, size_t i,
                                     char buf[ROW_NUMBER_BYTES])
{
    (void)p, (void)buf;
    return i == 0 ? "image_id" : i <= NUMBERS ? numbers[i - 1].name : NULL;
}
/* NOLINTEND(readability-non-const-parameter) */

static double image_number(const struct detection_report *rep, size_t i,
                           size_t row)
{
    return i ? numbers[i - 1].value(&rep->image[row]) : (double)row;
}

const struct row_numbers image_numbers = {image_number_name, image_number};

/* Those from i to end, which are counts or are not. */
static void write_image_numbers(struct json_out *out,
                                const struct coco_image *image, size_t i,
                                size_t end)
{
    for (; i < end; i++)
        if (i < COUNTS)
            out_member_integer(out, numbers[i].name,
                               (int64_t)numbers[i].value(image));
        else
            out_member_number(out, numbers[i].name, numbers[i].value(image));
}

void write_image_scores(struct json_out *out,
                        const struct detection_report *rep, size_t row)
{
    struct suspects suspects = {out, rep};
    write_image_numbers(out, &rep->image[row], SIZES, NUMBERS);
    write_matches(out, rep, row);
    out_key(out, "suspects");
    out_open(out, '[');
    detection_suspects(rep, row, write_suspect, &suspects);
    out_close(out, ']');
}

static void write_image(struct json_out *out,
                        const struct detection_report *rep, size_t row)
{
    out_open(out, '{');
    out_member_integer(out, "image_id", rep->result.index.image[row]);
    write_image_numbers(out, &rep->image[row], 0, SIZES);
    write_image_scores(out, rep, row);
    out_close(out, '}');
}

void write_images(struct json_out *out, const struct detection_report *rep)
{
    const struct detection_rows *rows = &rep->shown.images;
    size_t n = rows_shown(rows, rep->result.index.n_images);
    out_key(out, "per_image");
    out_open(out, '[');
    for (size_t i = 0; i < n && !out->failed; i++)
        write_image(out, rep, row_shown(rows, i));
    out_close(out, ']');
}
