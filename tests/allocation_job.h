/* What test_allocation.c asks while memory runs out, and what it is told. */
#ifndef EVALD_TESTS_ALLOCATION_JOB_H
#define EVALD_TESTS_ALLOCATION_JOB_H

#include "api/content.h"

#include <stdbool.h>
#include <stddef.h>

struct job {
    const char *path, *query, *type, *accept, *header_length;
    enum coding coding, answer_coding;
    bool whole;  /* the body, where it could come in pieces */
    bool many;   /* a batch, of which some may fail */
    bool varies; /* what comes last in a line: metrics */
    bool fresh;  /* the answer has an id and a time: only its status is known */
    const char *method, *key; /* NULL = by the body, and none */
    char *body;               /* NULL = GET */
    size_t len;
};

struct answer {
    int status;
    const char *type, *content_encoding;
    char etag[80]; /* "" = none */
    char *body;
    size_t len;
};

#endif
