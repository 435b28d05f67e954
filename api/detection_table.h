/*
 * Lists of COCO records on their way into columns: which members are kept, and
 * how one record is read, from its text or, where that declines, from a
 * document of this one record.
 */
#ifndef EVALD_API_DETECTION_TABLE_H
#define EVALD_API_DETECTION_TABLE_H

#include "api/detection.h"
#include "api/json_read.h"
#include "api/scan.h"

enum { FIELDS_MAX = 8 };

enum field_type { INTEGER, NUMBER, BOX, FLAG, NAME };

/* A member of a record that is kept, and what it is. */
struct field {
    const char *key;
    enum field_type type;
    bool required;
};

struct table;

/* Records of one kind, or, with a field that has no key, bare values. */
struct kind {
    struct field field[FIELDS_MAX];
    size_t n;
    size_t bytes_min; /* that the text of one takes, its comma included */
    /* Makes up for members that may be missing; NULL = there are none. */
    void (*complete)(struct table *t, unsigned found);
};

enum { IMAGE_ID };
extern const struct kind image_kind;
enum { CATEGORY_ID, CATEGORY_NAME };
extern const struct kind category_kind;
enum {
    ANNOTATION_ID,
    ANNOTATION_IMAGE,
    ANNOTATION_CATEGORY,
    ANNOTATION_BOX,
    ANNOTATION_AREA,
    ANNOTATION_CROWD,
    ANNOTATION_IGNORE
};
extern const struct kind annotation_kind;
enum {
    DETECTION_IMAGE,
    DETECTION_CATEGORY,
    DETECTION_BOX,
    DETECTION_SCORE,
    DETECTION_FIELDS
};
extern const struct kind detection_kind;
/* The columns of detections that come as an object of columns. */
extern const struct kind detection_column[DETECTION_FIELDS];

/* A key with its quotes and colon, to be compared in two words. */
struct quoted_key {
    uint64_t word[2], mask[2];
    size_t len; /* 0 = it does not fit in them */
};

/* Rows read so far, in one column per field. */
struct table {
    const struct kind *kind; /* NULL = not met yet */
    struct quoted_key key[FIELDS_MAX];
    void *column[FIELDS_MAX];
    size_t n, capacity;
    struct detection_oddities odd;
    struct arena *mem; /* for names */
};

/* The bytes of one row in all columns together. */
size_t table_row_bytes(const struct kind *kind);

/* An empty table without columns. */
void table_init(struct table *t, const struct kind *kind);

/* A table over memory of at least n * table_row_bytes(kind), aligned to 8. */
void table_over(struct table *t, const struct kind *kind, void *memory,
                size_t n);

/*
 * Makes room for that many rows more.  rest is how many bytes of text may
 * still come, these rows' included.  -1 when mem is spent, or there are too
 * many rows.
 */
int table_grow(struct table *t, size_t rows, size_t rest, struct arena *mem)
    __attribute__((warn_unused_result));

/* Reads one record into row n, and counts it, or declines as scan.h says. */
bool table_scan(struct table *t, struct scan *s);

/* As table_scan, from a document; what is wrong goes to err. */
void table_read(struct table *t, const json_t *v, const struct at *at,
                struct api_error *err);

/* Appends the rows of a table of the same kind; there is room. */
void table_append(struct table *t, const struct table *rows);

#endif
