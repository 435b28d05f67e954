/*
 * A store as a file that any evald reads, whatever its database.
 *
 *   "evald-store 1\n"
 *   records, each: its kind, a letter; then its columns, each: a letter, i for
 *     an integer, t for text, b for bytes, n for none; 8 bytes, little endian:
 *     the integer, or how many bytes follow (0 of n); these bytes
 *   C  content    sha256 t, images i, annotations i, categories i, bytes i,
 *                 content b
 *   D  dataset    name t, sha256 t, created_ms i, updated_ms i
 *   R  run        id t, images i, detections i, bytes i, seq i, replaced i,
 *                 created_ms i, updated_ms i, finalized_ms i,
 *                 expected_images i, sha256 t, dataset t, name t, protocol t,
 *                 parameters t, tags t, idempotency_key t or n,
 *                 request_digest t or n, result t or n
 *   I  image      of the run before it: image i, seq i, digest b,
 *                 detections i, part b
 *   E  end        SHA-256 of all bytes before this record b
 *
 * Content comes before what refers to it.  The bytes of content and parts are
 * those of api/dataset.h and core/coco_part.h.
 */
#ifndef EVALD_SERVER_STORE_PORTABLE_H
#define EVALD_SERVER_STORE_PORTABLE_H

#include "server/store_inner.h"

#include <stdio.h>

extern const char store_magic[];

enum store_kind { KIND_CONTENT, KIND_DATASET, KIND_RUN, KIND_IMAGE, KINDS };

struct store_record {
    char letter;
    const char *columns;      /* a letter for each; T is t or n */
    struct sql_statement get; /* rows in that order; of the run $1 for R, I */
    struct sql_statement
        add; /* a row if it was not there; I: run's number last */
};
extern const struct store_record store_records[KINDS];

enum { STORE_END = 'E', RECORD_BYTES_MAX = 1 << 30 };

/* How many there are, and of those read, how many were there already. */
struct store_amounts {
    int64_t n[KINDS], there[KINDS];
};

/* -1 with a line in why. */
int store_amounts(struct store *s, struct store_amounts *a,
                  char why[STORE_WHY_BYTES]);

/* Writes all as of one moment. */
int store_export(struct store *s, FILE *to, struct store_amounts *a,
                 char why[STORE_WHY_BYTES]);

/*
 * Adds what is not there yet, all or nothing.  A dataset whose name is taken,
 * and a run whose id or idempotency key is, stay as they are there.
 */
int store_import(struct store *s, FILE *from, struct store_amounts *a,
                 char why[STORE_WHY_BYTES]);

#endif
