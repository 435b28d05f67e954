/*
 * The reader's insides: where in the text it is, and one step from there.
 * detection_reader.c feeds it, detection_guess.c runs ahead of it,
 * detection_finish.c has the last word.
 */
#ifndef EVALD_API_DETECTION_LEVELS_H
#define EVALD_API_DETECTION_LEVELS_H

#include "api/detection_reader.h"
#include "api/detection_table.h"

/* What is open: at most a body, in it a ground truth, in that a list. */
enum level_type {
    LEVEL_BODY,
    LEVEL_BATCH,
    LEVEL_GROUND_TRUTH,
    LEVEL_COLUMNS,
    LEVEL_LIST
};
enum { LEVELS_MAX = 3, KEYS_MAX = 256 };

enum level_state {
    AT_FIRST, /* behind the opening bracket */
    AT_NEXT,  /* behind a comma: a key or an item must come */
    AT_AFTER, /* behind a value: a comma or the closing bracket */
};

struct level {
    enum level_type type;
    enum level_state state;
    const struct at *at; /* its place; NULL = the document */
    struct at self;
    struct table *table; /* of a list */
    struct span *key;    /* of an object: its keys so far, copied */
    size_t n_keys;
};

/* What another thread read ahead of a piece. */
struct guess {
    const char *from; /* NULL = nothing */
    const char *to;   /* behind the last record */
    struct table rows;
};

struct levels {
    enum detection_part part;
    const char *name; /* of the outermost value, or NULL */
    struct detection_request *req;
    struct arena *mem;
    struct arena documents; /* of the record at hand */
    struct level level[LEVELS_MAX];
    size_t depth;      /* how many of them are open */
    bool begun, ended; /* the outermost value */
    bool failed;       /* err says why reading has stopped */
    struct table images, categories, annotations, detections;
    struct table column[DETECTION_FIELDS];
    /* Of what may be an object, by its level: was it there, and as it should */
    bool met[LEVEL_LIST + 1], opened[LEVEL_LIST + 1];
    bool columnar;            /* the detections */
    struct json_out settings; /* other members of a body, as an object */
    struct api_error err;
    struct json_origin origin; /* of the text at hand */
    const char *text;          /* which begins here */
    size_t rest;               /* bytes that may come from there on */
    bool last;                 /* the text at hand is all there is */
    const struct guess *guess; /* about the text at hand, or NULL */
};

/* Ends reading: there is no memory, or nobody waits for it any more. */
void levels_spent(struct levels *l);

/* Moves the beginning of the text at hand, so that lines are counted once. */
void levels_move(struct levels *l, const char *to);

/* Reads on from s->at as far as the text at hand goes, and leaves there. */
void levels_run(struct levels *l, struct scan *s);

/*
 * All has been read: fills the request.  Faults of settings go to *err, others
 * to l->err.
 */
void levels_finish(struct levels *l, struct api_error *err);

/* Reads ahead in a piece of text; memory takes as many rows as can be in it. */
void guess_make(struct guess *g, const struct kind *likely,
                const struct span *piece, void *memory,
                const atomic_bool *stop);

/* The bytes of memory that guess_make needs for a piece. */
size_t guess_bytes(size_t piece_len);

#endif
