/*
 * Detection scoring: what a request asks, and its answer.  The HTTP endpoint
 * and the command line are the same calls.
 *
 *   decode_* -> detection_index -> coco_score -> detection_write or _text
 */
#ifndef EVALD_API_DETECTION_H
#define EVALD_API_DETECTION_H

#include "api/error.h"
#include "api/json_out.h"
#include "api/protocol_hash.h"
#include "core/coco_points.h"
#include "core/coco_replay.h"

/* Outputs a request may ask for, one bit each. */
enum detection_output {
    OUTPUT_SUMMARY = 1,
    OUTPUT_PER_CLASS = 2,
    OUTPUT_PER_IMAGE = 4,
    OUTPUT_CURVES = 8,
    OUTPUT_OPERATING_POINTS = 16,
    OUTPUT_CONFUSION = 32,
    OUTPUT_ERRORS = 64,
    OUTPUT_CALIBRATION = 128,
    OUTPUT_LRP = 256,
    OUTPUT_SLICES = 512,
    OUTPUT_INTERVALS = 1024,
    OUTPUT_ARRAYS = 2048,
    OUTPUTS_ALL = 4095,
};

enum { SCORES_ASKED_MAX = 100 };

/*
 * What is asked beside the protocol: it changes what is shown, but no number
 * that two answers would be compared by, so the protocol's hash leaves it out.
 */
struct detection_options {
    size_t curve_points; /* per raw curve, at least 2; 0 = all */
    size_t n_scores;     /* at which operating points are wanted */
    double score[SCORES_ASKED_MAX];
    double suspect_score; /* detections from here on are confident */
    struct coco_bootstrap bootstrap;
};

/* Things in the input that are scored as COCO does, but deserve a word. */
struct detection_oddities {
    size_t missing_area;       /* annotations: width times height was taken */
    size_t ignore_overwritten; /* annotations whose ignore iscrowd overruled */
    size_t negative_size;      /* boxes of annotations and detections */
    size_t duplicate_categories;
};

/*
 * Bits of what is odd about one annotation.  The reader sees the first two; the
 * others take the whole ground truth (dataset.h).
 */
enum annotation_odd {
    ODD_MISSING_AREA = 1,
    ODD_IGNORE_OVERWRITTEN = 2,
    ODD_UNKNOWN = 4,      /* its image or category */
    ODD_DUPLICATE_ID = 8, /* a later one has it, too */
    ODD_ZERO_ID = 16,
};

struct detection_request {
    struct coco_protocol protocol;
    unsigned outputs; /* of enum detection_output */
    struct detection_options options;
    struct coco_ground_truth gt;
    const char **category_name;    /* per row of gt.category, or NULL */
    const uint8_t *annotation_odd; /* per row of gt: enum annotation_odd */
    struct coco_detections dt;
    bool columnar; /* how the detections came, for pointers to them */
    struct detection_oddities odd;
};

/* COCO's own protocol, the output summary, no data. */
void detection_request_init(struct detection_request *req);
void detection_options_init(struct detection_options *o);

/* The names of the outputs in answers; the bit of one; false: there is none. */
const char *const *detection_output_names(size_t *n);
bool detection_output_named(const char *name, unsigned *bit);

/*
 * What a text holds:
 *   a body         {"ground_truth", "detections", "parameters", "outputs"}
 *   ground truth   {"images", "annotations", "categories"}, as COCO's files
 *   detections     a list of {"image_id", "category_id", "bbox", "score"}, as
 *                  COCO's result files, or an object of these four columns
 *   a batch        {"image_ids", "detections"}: the ids become gt.image
 */
enum detection_part {
    DETECTION_BODY,
    DETECTION_GROUND_TRUTH,
    DETECTION_LIST,
    DETECTION_BATCH
};

/*
 * Reads a text that is there as a whole into its part of *req, with memory
 * from mem; nothing of the text is kept.  0, or -1 with *err set.  Texts that
 * come in pieces are read by detection_reader.h.
 */
int decode_detection(enum detection_part part, const char *text, size_t len,
                     struct detection_request *req, const struct parallel *par,
                     struct arena *mem, struct api_error *err);

/* An object of members of "parameters". */
int decode_parameters(const char *text, size_t len,
                      struct detection_request *req, struct arena *mem,
                      struct api_error *err);

/* Rows that a list shows, in this order; row NULL = all of them. */
struct detection_rows {
    const uint32_t *row;
    size_t n;
};

/* What detection_write shows of a report; zero = all of it. */
struct detection_shown {
    struct detection_rows classes; /* in each list of per_class, and curves */
    struct detection_rows images;  /* in per_image */
    uint64_t thresholds;           /* of curves: bit t; 0 = all */
};

/* Of the ground truth that was scored. */
struct detection_counts {
    size_t annotations, crowd;
};

/* A scored request: what the writers show. */
struct detection_report {
    const struct detection_request *req;
    struct detection_counts counts;
    struct coco_result result;
    double value[COCO_VALUES_MAX]; /* per coco_number, over all categories */
    const struct parallel *par;    /* borrowed: who may write it */
    const char **name;             /* per category of the index, or NULL */
    /* Each is there if an output that was asked for shows it, else NULL. */
    struct coco_by_image by_image;
    struct coco_verdicts verdicts;
    struct coco_image *image;         /* n_images */
    struct coco_points *points;       /* n_classes, and one of all */
    struct coco_class_errors *errors; /* n_classes, and one of all */
    struct coco_confusion confusion;
    struct coco_slice *size_slice;  /* n_areas */
    struct coco_slice *count_slice; /* n_counts */
    struct coco_interval *interval; /* numbers, and AP of n_classes */
    struct detection_shown shown;   /* for whoever writes it to change */
};

/*
 * Scores req into *rep.  0, or -1 with *err set: detections of unknown
 * images, duplicate image ids, or no memory.
 */
int detection_score(const struct detection_request *req,
                    struct detection_report *rep, struct arena *mem,
                    const struct parallel *par, struct api_error *err);

/*
 * Names the categories of rep's index, which is filled, in the index's order;
 * of two with the same id the last one's name.  -1 when mem is spent.
 */
int detection_names(struct detection_report *rep, struct arena *mem)
    __attribute__((warn_unused_result));

/*
 * Its two halves, for who gets matches in another way: a report of req without
 * numbers; then, with result.index filled and matched, truths included if
 * detection_needs_truths, everything that is read from that.
 */
void detection_begin(const struct detection_request *req,
                     struct detection_report *rep, const struct parallel *par);
bool detection_needs_truths(const struct detection_request *req);
int detection_finish(struct detection_report *rep, struct arena *mem,
                     struct api_error *err);

/*
 * The confusions of one category with another, most frequent first, of equal
 * ones that which is more of its ground truths, then by ground truth: *pair
 * becomes that many, in mem.  0 when it is spent.
 */
size_t detection_confusions(const struct detection_report *rep,
                            struct arena *mem, struct coco_confused **pair);

/* What names p in answers; -1 when mem is spent. */
int detection_protocol_hash(const struct coco_protocol *p, struct arena *mem,
                            char hash[PROTOCOL_HASH_BYTES])
    __attribute__((warn_unused_result));

/* The answer as a JSON object with the outputs that req asked for. */
void detection_write(struct json_out *out, const struct detection_report *rep);

/* Its members, between braces that the caller writes. */
void detection_write_members(struct json_out *out,
                             const struct detection_report *rep);

/*
 * The answer as text: pycocotools' twelve lines, character for character,
 * then a section per further output asked for, in the order of
 * detection_output_names; "arrays" has none.  In colour the text has ANSI's
 * SGR sequences.
 */
void detection_text(struct json_out *out, const struct detection_report *rep,
                    bool colour);

/* One thing worth a word.  detail is a sentence part, count how often. */
struct detection_warning {
    const char *code;
    size_t count;
    char detail[DETAIL_BYTES];
};

enum { DETECTION_WARNINGS_MAX = 16 };

/* Fills w with what applies and returns how many. */
size_t detection_warnings(const struct detection_report *rep,
                          struct detection_warning w[DETECTION_WARNINGS_MAX]);

#endif
