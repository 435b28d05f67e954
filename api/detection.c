/* Scoring a decoded request, and what deserves a word about it. */
#include "api/detection.h"

#include "core/key_sort.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct api_error *err)
{
    return api_fail(err, PROBLEM_MEMORY, NULL,
                    "scoring needs more than the memory of one request");
}

/* Every detection must lie on an image of the ground truth. */
static int refuse_unknown_images(const struct detection_request *req,
                                 const struct coco_index *ix,
                                 struct api_error *err)
{
    for (size_t i = 0; i < req->dt.n && !api_full(err); i++) {
        char pointer[POINTER_BYTES];
        if (ix->dt_image[i] != COCO_UNKNOWN)
            continue;
        snprintf(pointer, sizeof(pointer),
                 req->columnar ? "/detections/image_id/%zu"
                               : "/detections/%zu/image_id",
                 i);
        api_fail(err, PROBLEM_UNKNOWN_IMAGE, pointer,
                 "detection %zu is on image %lld, which the ground truth has "
                 "not (%zu of %zu detections are on such images)",
                 i, (long long)req->dt.image_id[i], ix->unknown_image_dt,
                 req->dt.n);
    }
    return -1;
}

int detection_names(struct detection_report *rep, struct arena *mem)
{
    const struct detection_request *req = rep->req;
    size_t n = req->gt.n_categories;
    rep->name = arena_alloc(mem, n, sizeof(*rep->name));
    struct arena_mark mark = arena_mark(mem);
    struct key_order by;
    if (!rep->name || key_sort_ids(&by, req->gt.category, n, mem, mem->stop))
        return -1;
    for (size_t i = 0, k = 0; i < n; i++) {
        rep->name[k] = req->category_name[by.row[i]];
        if (i + 1 < n && by.key[i + 1] != by.key[i])
            k++;
    }
    arena_release(mem, mark);
    return 0;
}

/* What is read from the verdicts, and so needs them. */
enum {
    NEEDS_VERDICTS = OUTPUT_PER_IMAGE | OUTPUT_OPERATING_POINTS |
                     OUTPUT_CONFUSION | OUTPUT_ERRORS | OUTPUT_CALIBRATION |
                     OUTPUT_LRP,
    NEEDS_POINTS = OUTPUT_OPERATING_POINTS | OUTPUT_CALIBRATION | OUTPUT_LRP,
};

/* The outputs at one threshold; -1 when the arena is spent, or stopped. */
static int judge(struct detection_report *rep, struct arena *mem,
                 const struct parallel *par)
{
    const struct coco_result *r = &rep->result;
    const struct detection_options *o = &rep->req->options;
    unsigned outputs = rep->req->outputs;
    size_t rows = r->index.n_classes + 1;
    if (coco_by_image(&rep->by_image, &r->index, mem, par) ||
        coco_verdicts(&rep->verdicts, r, &rep->by_image, mem, par))
        return -1;
    if (outputs & OUTPUT_PER_IMAGE) {
        rep->image = arena_alloc(mem, r->index.n_images, sizeof(*rep->image));
        if (!rep->image || coco_images(r, &rep->verdicts, &rep->by_image, true,
                                       rep->image, mem, par))
            return -1;
    }
    if (outputs & NEEDS_POINTS) {
        rep->points = arena_alloc(mem, rows, sizeof(*rep->points));
        if (!rep->points || coco_points(rep->points, r, &rep->verdicts,
                                        o->score, o->n_scores, mem, par))
            return -1;
    }
    if (outputs & OUTPUT_ERRORS) {
        rep->errors = arena_alloc(mem, rows, sizeof(*rep->errors));
        if (!rep->errors ||
            coco_errors(rep->errors, r, &rep->verdicts, mem, par))
            return -1;
    }
    if (outputs & OUTPUT_CONFUSION &&
        coco_confusion(&rep->confusion, r, &rep->verdicts, mem, par))
        return -1;
    return 0;
}

/* The outputs with other weights of the images; as above. */
static int replay(struct detection_report *rep, struct arena *mem,
                  const struct parallel *par)
{
    const struct coco_result *r = &rep->result;
    const struct coco_protocol *p = r->protocol;
    unsigned outputs = rep->req->outputs;
    if (!(outputs & (OUTPUT_SLICES | OUTPUT_INTERVALS)))
        return 0;
    const struct coco_replay *matches =
        coco_replay_new(r, outputs & OUTPUT_INTERVALS, mem, par);
    if (!matches)
        return -1;
    if (outputs & OUTPUT_SLICES) {
        rep->size_slice =
            arena_alloc(mem, p->n_areas, sizeof(*rep->size_slice));
        rep->count_slice =
            arena_alloc(mem, p->n_counts, sizeof(*rep->count_slice));
        if (mem->failed)
            return -1;
        coco_size_slices(r, rep->size_slice);
        if (coco_count_slices(r, matches, rep->count_slice, mem, par))
            return -1;
    }
    if (!(outputs & OUTPUT_INTERVALS))
        return 0;
    size_t rows = coco_number_count(p) + r->index.n_classes;
    rep->interval = arena_alloc(mem, rows, sizeof(*rep->interval));
    return !rep->interval ||
                   coco_intervals(r, matches, &rep->req->options.bootstrap,
                                  rep->interval, mem, par)
               ? -1
               : 0;
}

bool detection_needs_truths(const struct detection_request *req)
{
    return req->outputs & NEEDS_VERDICTS;
}

void detection_begin(const struct detection_request *req,
                     struct detection_report *rep, const struct parallel *par)
{
    *rep = (struct detection_report){
        .req = req,
        .counts = {.annotations = req->gt.n},
        .par = par,
        .result = {.protocol = &req->protocol, .gt = &req->gt, .dt = &req->dt},
    };
    for (size_t i = 0; i < req->gt.n; i++)
        rep->counts.crowd += req->gt.crowd[i];
}

int detection_finish(struct detection_report *rep, struct arena *mem,
                     struct api_error *err)
{
    const struct detection_request *req = rep->req;
    struct coco_wanted wanted = {
        .scores = req->outputs & OUTPUT_ARRAYS,
        .limits = req->outputs & OUTPUT_ARRAYS,
        .truths = detection_needs_truths(req),
    };
    if (detection_names(rep, mem) ||
        coco_accumulate(&rep->result, wanted, mem, rep->par))
        return no_memory(err);
    for (size_t i = 0; i < coco_number_count(&req->protocol); i++) {
        struct coco_number number = coco_number(&req->protocol, i);
        rep->value[i] = coco_value(&rep->result, &number, COCO_ALL_CLASSES);
    }
    if ((wanted.truths && judge(rep, mem, rep->par)) ||
        replay(rep, mem, rep->par))
        return no_memory(err);
    return 0;
}

int detection_score(const struct detection_request *req,
                    struct detection_report *rep, struct arena *mem,
                    const struct parallel *par, struct api_error *err)
{
    struct coco_index *ix = &rep->result.index;
    detection_begin(req, rep, par);
    if (coco_index(ix, &req->gt, &req->dt, req->protocol.use_categories, mem,
                   par))
        return no_memory(err);
    if (ix->unknown_image_dt)
        return refuse_unknown_images(req, ix, err);
    if (coco_match(&rep->result, detection_needs_truths(req), mem, par))
        return no_memory(err);
    return detection_finish(rep, mem, err);
}

/* A confusion, and what of its category is to be found. */
struct frequent {
    struct coco_confused cell;
    uint32_t positives;
};

static int by_count(const void *a, const void *b)
{
    const struct frequent *x = a, *y = b;
    if (x->cell.count != y->cell.count)
        return x->cell.count < y->cell.count ? 1 : -1;
    if (x->positives != y->positives)
        return x->positives < y->positives ? -1 : 1;
    if (x->cell.truth != y->cell.truth)
        return x->cell.truth < y->cell.truth ? -1 : 1;
    return (x->cell.found > y->cell.found) - (x->cell.found < y->cell.found);
}

size_t detection_confusions(const struct detection_report *rep,
                            struct arena *mem, struct coco_confused **pair)
{
    const struct coco_confusion *c = &rep->confusion;
    const struct coco_result *r = &rep->result;
    size_t background = r->index.n_classes, n = 0;
    struct coco_confused *out = arena_alloc(mem, c->n, sizeof(*out));
    struct frequent *list = arena_alloc(mem, c->n, sizeof(*list));
    *pair = list ? out : NULL;
    for (size_t i = 0; i < c->n && *pair; i++) {
        struct coco_confused cell = c->cell[i];
        if (cell.truth != cell.found && cell.truth != background &&
            cell.found != background)
            list[n++] = (struct frequent){
                cell,
                r->class[cell.truth].positives[rep->req->protocol.area_all]};
    }
    if (n)
        qsort(list, n, sizeof(*list), by_count);
    for (size_t i = 0; i < n; i++)
        out[i] = list[i].cell;
    return n;
}

/* A list of warnings being made. */
struct list {
    struct detection_warning *w;
    size_t n;
};

static void warn(struct list *l, size_t count, const char *code,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void warn(struct list *l, size_t count, const char *code,
                 const char *format, ...)
{
    if (count == 0)
        return;
    struct detection_warning *w = &l->w[l->n++];
    va_list args;
    *w = (struct detection_warning){.code = code, .count = count};
    va_start(args, format);
    vsnprintf(w->detail, sizeof(w->detail), format, args);
    va_end(args);
}

/* Why a number of the summary cannot be given. */
enum reason { NO_LIMIT, NO_IOU, NO_AREA, NO_GROUND_TRUTH, REASONS };

static enum reason why_undefined(const struct coco_protocol *p,
                                 const struct coco_number *number)
{
    bool limit = false, iou = number->iou <= 0, area = false;
    for (size_t i = 0; i < COCO_LIMITS; i++)
        limit |= p->max_detections[i] == number->limit;
    for (size_t i = 0; i < p->n_iou; i++)
        iou |= p->iou[i] == number->iou;
    for (size_t i = 0; i < p->n_areas; i++)
        area |= strcmp(p->area[i].name, number->area) == 0;
    return !limit  ? NO_LIMIT
           : !iou  ? NO_IOU
           : !area ? NO_AREA
                   : NO_GROUND_TRUTH;
}

/* One warning per reason, naming the numbers that it makes undefined. */
static void warn_undefined(struct list *l, const struct detection_report *rep)
{
    static const struct {
        const char *code, *detail;
    } reasons[REASONS] = {
        [NO_LIMIT] = {"undefined_max_detections",
                      "100 is not among max_detections"},
        [NO_IOU] = {"undefined_iou_threshold",
                    "iou_thresholds has not exactly 0.5 or 0.75"},
        [NO_AREA] = {"undefined_area_range",
                     "area_ranges has no range of that name"},
        [NO_GROUND_TRUTH] = {"undefined_no_ground_truth",
                             "no ground truth counts in that area range"},
    };
    const struct coco_protocol *p = &rep->req->protocol;
    char names[REASONS][DETAIL_BYTES / 2] = {""};
    size_t count[REASONS] = {0};
    for (size_t i = 0; i < coco_number_count(p); i++) {
        struct coco_number number = coco_number(p, i);
        if (rep->value[i] > -1)
            continue;
        enum reason r = why_undefined(p, &number);
        size_t len = strlen(names[r]);
        snprintf(names[r] + len, sizeof(names[r]) - len, "%s%s",
                 count[r]++ ? ", " : "", number.name);
    }
    for (size_t r = 0; r < REASONS; r++)
        warn(l, count[r], reasons[r].code, "%s undefined (null): %s", names[r],
             reasons[r].detail);
}

/* Detections that the usual score_threshold leaves out unasked. */
static size_t negative_scores(const struct detection_report *rep)
{
    const struct coco_detections *dt = &rep->req->dt;
    size_t n = 0;
    if (rep->req->protocol.score_threshold < 0 ||
        !(rep->req->outputs & NEEDS_VERDICTS))
        return 0;
    for (size_t i = 0; i < dt->n; i++)
        n += dt->score[i] < 0;
    return n;
}

size_t detection_warnings(const struct detection_report *rep,
                          struct detection_warning w[DETECTION_WARNINGS_MAX])
{
    const struct detection_oddities *odd = &rep->req->odd;
    const struct coco_index *ix = &rep->result.index;
    const struct coco_protocol *p = &rep->req->protocol;
    struct list l = {w, 0};
    warn(&l, ix->unknown_category_dt, "unknown_category_detections",
         "detections of categories that the ground truth does not list were "
         "left out");
    warn(&l, ix->unknown_gt, "unknown_ground_truth",
         "annotations of images or categories that the ground truth does not "
         "list were left out");
    warn(&l, rep->result.matches.cut, "detections_cut",
         "detections beyond the best %u of their image%s were not scored",
         p->max_detections[COCO_LIMITS - 1],
         p->use_categories ? " and category" : "");
    warn(&l, ix->zero_gt_ids, "ground_truth_id_zero",
         "annotations have id 0; as in pycocotools a detection that meets one "
         "counts as a false positive: number annotations from 1");
    warn(&l, odd->ignore_overwritten, "ignore_overwritten",
         "annotations have an ignore that differs from iscrowd; iscrowd "
         "decides, as in pycocotools");
    warn(&l, ix->duplicate_gt_ids, "duplicate_annotation_ids",
         "annotations have the id of a later one, which replaces them");
    warn(&l, odd->duplicate_categories, "duplicate_category_ids",
         "categories have the id of another one; the last name is shown");
    warn(&l, odd->negative_size, "negative_box_size",
         "boxes have negative width or height; they overlap nothing, so they "
         "match nothing: is bbox x, y, width, height?");
    warn(&l, negative_scores(rep), "negative_scores",
         "detections score less than 0, and so than score_threshold, below "
         "which images, confusion, calibration and LRP leave detections out: "
         "set it lower if scores are no probabilities");
    warn(&l, odd->missing_area, "missing_area",
         "annotations have no area; width times height was taken");
    warn_undefined(&l, rep);
    return l.n;
}
