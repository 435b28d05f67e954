/* What depends on the score threshold, as JSON. */
#include "api/detection_write.h"
#include "api/json_parallel.h"
#include "api/number.h"
#include "core/coco_raw_curve.h"

#include <string.h>

/* Which of n points is the i-th of at most `most`: first and last stay. */
static size_t thinned(size_t i, size_t n, size_t most)
{
    if (most == 0 || n <= most)
        return i;
    return (i * (n - 1) + (most - 1) / 2) / (most - 1);
}

static void write_points(struct json_out *out, const char *key, const double *x,
                         size_t n, size_t most)
{
    size_t shown = most && n > most ? most : n;
    if (shown == n) {
        write_numbers(out, key, x, n);
        return;
    }
    out_key(out, key);
    out_open(out, '[');
    for (size_t i = 0; i < shown; i++)
        out_number(out, x[thinned(i, n, most)]);
    out_close(out, ']');
}

static void write_curve(struct json_out *out,
                        const struct detection_report *rep,
                        const struct coco_raw_curve *raw)
{
    const struct coco_protocol *p = rep->result.protocol;
    size_t most = rep->req->options.curve_points;
    out_key(out, "raw");
    out_open(out, '{');
    write_points(out, "recall", raw->recall, raw->n, most);
    write_points(out, "precision", raw->precision, raw->n, most);
    write_points(out, "score", raw->score, raw->n, most);
    out_close(out, '}');
    out_key(out, "envelope");
    out_open(out, '{');
    write_numbers(out, "precision", raw->envelope, p->n_recall);
    write_numbers(out, "score", raw->envelope_score, p->n_recall);
    out_close(out, '}');
}

static void write_class_curves(struct json_out *out,
                               const struct detection_report *rep,
                               struct coco_raw_curve *raw, size_t k)
{
    const struct coco_result *r = &rep->result;
    const struct coco_protocol *p = r->protocol;
    uint32_t positives = r->class[k].positives[p->area_all];
    uint64_t wanted = rep->shown.thresholds;
    coco_raw_curve_class(raw, r, k);
    for (size_t t = 0; t < p->n_iou && !is_stopped(r->stop); t++) {
        if (wanted && !(wanted >> t & 1))
            continue;
        out_open(out, '{');
        write_category(out, rep, k);
        out_member_number(out, "iou", p->iou[t]);
        out_member_integer(out, "ground_truths", positives);
        coco_raw_curve_at(raw, r, k, t);
        out_member_integer(out, "detections", raw->detections);
        if (positives) {
            write_curve(out, rep, raw);
        } else {
            out_key(out, "raw");
            out_null(out);
            out_key(out, "envelope");
            out_null(out);
        }
        out_close(out, '}');
    }
}

/* Curves being written: a class is taken up by any worker. */
struct curves {
    const struct detection_report *rep;
    struct coco_raw_curve *raw; /* one per worker */
};

static void write_curves_of(struct json_out *part, void *context, size_t i,
                            size_t worker)
{
    const struct curves *c = context;
    write_class_curves(part, c->rep, &c->raw[worker],
                       row_shown(&c->rep->shown.classes, i));
}

/* How long the curves of class k may become. */
static size_t curves_bytes(const struct json_out *out,
                           const struct detection_report *rep, size_t k)
{
    enum { MEMBERS = 16, MEMBER_BYTES = 48, ESCAPED = 6 };
    const struct coco_protocol *p = rep->result.protocol;
    bool named = p->use_categories && rep->name[k];
    size_t most = rep->req->options.curve_points;
    size_t points = rep->result.class[k].positives[p->area_all] + (size_t)1;
    size_t bytes = out_values_max(out, MEMBERS, MEMBER_BYTES) +
                   (named ? ESCAPED * strlen(rep->name[k]) : 0);
    if (points == 1)
        return p->n_iou * bytes; /* no ground truth, no curve */
    if (most && most < points)
        points = most;
    bytes += out_values_max(out, 3 * points + 2 * p->n_recall, NUMBER_TEXT_MAX);
    return p->n_iou * bytes + OUT_NUMBERS_ROOM;
}

void write_curves(struct json_out *out, const struct detection_report *rep)
{
    const struct coco_result *r = &rep->result;
    const struct detection_rows *rows = &rep->shown.classes;
    size_t n = rows_shown(rows, r->index.n_classes);
    size_t workers = rep->par->width;
    struct curves c = {
        rep, arena_alloc(out->mem, workers, sizeof(struct coco_raw_curve))};
    size_t *bytes_max = arena_alloc(out->mem, n, sizeof(*bytes_max));
    out_key(out, "curves");
    out_open(out, '[');
    for (size_t w = 0; w < workers && !out->mem->failed; w++)
        if (coco_raw_curve_alloc(&c.raw[w], r, out->mem))
            break;
    for (size_t i = 0; i < n && !out->mem->failed; i++)
        bytes_max[i] = curves_bytes(out, rep, row_shown(rows, i));
    out->failed |= out->mem->failed;
    if (!out->failed)
        out_parallel(out, n, bytes_max, write_curves_of, &c, rep->par);
    out_close(out, ']');
}

/* Members of a level; score is what was asked, or that of the level. */
static void write_level(struct json_out *out, const struct coco_level *l,
                        uint32_t positives, double score)
{
    out_open(out, '{');
    out_member_number(out, "score", score);
    out_member_number(out, "f1", coco_f1(l, positives));
    out_member_number(out, "precision", coco_precision(l));
    out_member_number(out, "recall", coco_recall(l, positives));
    out_member_integer(out, "tp", l->tp);
    out_member_integer(out, "fp", l->fp);
    out_member_integer(out, "fn", (int64_t)positives - l->tp);
    out_close(out, '}');
}

static void write_operating_point(struct json_out *out,
                                  const struct detection_report *rep,
                                  const struct coco_points *p)
{
    const struct detection_options *o = &rep->req->options;
    out_member_integer(out, "ground_truths", p->positives);
    out_member_integer(out, "detections", (int64_t)p->all.tp + p->all.fp);
    out_key(out, "best_f1");
    if (p->best_f1.tp)
        write_level(out, &p->best_f1, p->positives, p->best_f1.score);
    else
        out_null(out);
    out_key(out, "at");
    out_open(out, '[');
    for (size_t i = 0; i < o->n_scores; i++)
        write_level(out, &p->at[i], p->positives, o->score[i]);
    out_close(out, ']');
}

static void class_operating_point(struct json_out *out,
                                  const struct detection_report *rep, size_t k)
{
    write_operating_point(out, rep, &rep->points[k]);
}

void write_operating_points(struct json_out *out,
                            const struct detection_report *rep)
{
    open_at_iou(out, rep, "operating_points");
    out_key(out, "overall");
    out_open(out, '{');
    write_operating_point(out, rep, &rep->points[rep->result.index.n_classes]);
    out_close(out, '}');
    write_each_class(out, rep, class_operating_point);
    out_close(out, '}');
}

/* What is calibrated: those in bins. */
static int64_t binned(const struct coco_points *p, size_t n_bins)
{
    int64_t n = 0;
    for (size_t i = 0; i < n_bins; i++)
        n += p->bin[i].count;
    return n;
}

static double confidence(const struct coco_bin *b)
{
    return b->confidence / b->count;
}

static double bin_precision(const struct coco_bin *b)
{
    return (double)b->tp / b->count;
}

static void write_calibrated(struct json_out *out, const struct coco_points *p,
                             size_t n_bins)
{
    out_member_integer(out, "detections", binned(p, n_bins));
    out_member_integer(out, "outside", p->outside);
    out_member_number(out, "ECE", coco_ece(p->bin, n_bins));
    out_member_number(out, "MCE", coco_mce(p->bin, n_bins));
}

static void write_bins(struct json_out *out, const struct coco_points *p,
                       size_t n_bins)
{
    out_key(out, "bins");
    out_open(out, '[');
    for (size_t i = 0; i < n_bins; i++) {
        out_open(out, '{');
        out_member_number(out, "low", coco_bin_edge(i, n_bins));
        out_member_number(out, "high", coco_bin_edge(i + 1, n_bins));
        out_member_integer(out, "count", p->bin[i].count);
        out_member_number(out, "confidence", confidence(&p->bin[i]));
        out_member_number(out, "precision", bin_precision(&p->bin[i]));
        out_close(out, '}');
    }
    out_close(out, ']');
}

/* The bins of a class by columns, as there are many of them. */
static void class_calibration(struct json_out *out,
                              const struct detection_report *rep, size_t k)
{
    const struct coco_points *p = &rep->points[k];
    size_t n = rep->req->protocol.n_bins;
    write_calibrated(out, p, n);
    out_key(out, "count");
    out_open(out, '[');
    for (size_t i = 0; i < n; i++)
        out_integer(out, p->bin[i].count);
    out_close(out, ']');
    out_key(out, "confidence");
    out_open(out, '[');
    for (size_t i = 0; i < n; i++)
        out_number(out, confidence(&p->bin[i]));
    out_close(out, ']');
    out_key(out, "precision");
    out_open(out, '[');
    for (size_t i = 0; i < n; i++)
        out_number(out, bin_precision(&p->bin[i]));
    out_close(out, ']');
}

void write_calibration(struct json_out *out, const struct detection_report *rep)
{
    const struct coco_points *p = &rep->points[rep->result.index.n_classes];
    size_t n = rep->req->protocol.n_bins;
    open_at_iou(out, rep, "calibration");
    out_member_number(out, "score_threshold",
                      rep->req->protocol.score_threshold);
    write_calibrated(out, p, n);
    write_bins(out, p, n);
    write_each_class(out, rep, class_calibration);
    out_close(out, '}');
}

static void write_parts(struct json_out *out, const struct coco_lrp *l)
{
    out_member_number(out, "oLRP", l->lrp);
    out_member_number(out, "oLRP_localisation", l->localisation);
    out_member_number(out, "oLRP_false_positive", l->false_positive);
    out_member_number(out, "oLRP_false_negative", l->false_negative);
}

static void class_lrp(struct json_out *out, const struct detection_report *rep,
                      size_t k)
{
    const struct coco_points *p = &rep->points[k];
    double iou = rep->req->protocol.per_image_iou;
    struct coco_lrp best = coco_lrp(&p->best_lrp, p->positives, iou);
    write_parts(out, &best);
    out_member_number(out, "score", p->best_lrp.score);
    out_member_number(out, "LRP",
                      coco_lrp(&p->threshold, p->positives, iou).lrp);
}

void write_lrp(struct json_out *out, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    size_t n = rep->result.index.n_classes;
    struct coco_lrp best =
        coco_lrp_mean(rep->points, n, p->per_image_iou, true);
    open_at_iou(out, rep, "lrp");
    out_member_number(out, "score_threshold", p->score_threshold);
    write_parts(out, &best);
    out_member_number(
        out, "LRP", coco_lrp_mean(rep->points, n, p->per_image_iou, false).lrp);
    write_each_class(out, rep, class_lrp);
    out_close(out, '}');
}
