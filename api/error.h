/*
 * A client's mistake as a value.  It travels up to whoever answers, becomes
 * RFC 9457 problem+json on HTTP and a line on stderr on the command line.
 */
#ifndef EVALD_API_ERROR_H
#define EVALD_API_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct json_out;

/* Kinds of problem: rows of the table that /problems/{name} serves. */
enum problem {
    PROBLEM_NONE,
    PROBLEM_MALFORMED_REQUEST,
    PROBLEM_URI_TOO_LONG,
    PROBLEM_HEAD_TOO_LARGE,
    PROBLEM_EXPECTATION,
    PROBLEM_VERSION,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_FORBIDDEN,
    PROBLEM_TOO_SLOW,
    PROBLEM_THROTTLED,
    PROBLEM_DEADLINE,
    PROBLEM_INTERNAL,
    PROBLEM_MALFORMED_JSON,
    PROBLEM_MALFORMED_FORM,
    PROBLEM_MALFORMED_CONTENT,
    PROBLEM_MALFORMED_NPY,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD,
    PROBLEM_NOT_ACCEPTABLE,
    PROBLEM_BODY_TOO_LARGE,
    PROBLEM_MEMORY,
    PROBLEM_MEDIA_TYPE,
    PROBLEM_MISSING_MEMBER,
    PROBLEM_UNKNOWN_MEMBER,
    PROBLEM_INVALID_VALUE,
    PROBLEM_NON_FINITE,
    PROBLEM_NUMBER_RANGE,
    PROBLEM_RAGGED,
    PROBLEM_SHAPE,
    PROBLEM_INVALID_BOX,
    PROBLEM_UNKNOWN_IMAGE,
    PROBLEM_DUPLICATE_IMAGE,
    PROBLEM_NOT_OFFERED,
    PROBLEM_CONFLICT,
    PROBLEM_PRECONDITION,
    PROBLEM_IMAGE_CONFLICT,
    PROBLEM_RUN_FINALIZED,
    PROBLEM_RUN_INCOMPLETE,
    PROBLEM_INCOMPARABLE,
    PROBLEM_STORE_FULL,
    PROBLEM_STORE_GONE,
    PROBLEM_OVERLOADED,
    PROBLEM_DRAINING,
    PROBLEM_COUNT,
};

struct problem_type {
    const char *name; /* the last part of its URI: lower case and hyphens */
    int status;       /* of HTTP */
    const char *title;
    const char *help; /* what causes it and what to do */
};

/* The row of p, PROBLEM_NONE < p < PROBLEM_COUNT. */
const struct problem_type *problem_type(enum problem p);

enum {
    FAULTS_MAX = 20,
    POINTER_BYTES = 160,
    DETAIL_BYTES = 320,
};

struct api_fault {
    enum problem kind;
    const char *code; /* lower case and '_'; NULL = the kind's name */
    char pointer[POINTER_BYTES]; /* RFC 6901; "" = the whole document */
    char detail[DETAIL_BYTES];
};

/* Zero is "no error".  The first fault names the problem. */
struct api_error {
    size_t n;
    struct api_fault fault[FAULTS_MAX];
};

/*
 * Notes a fault and returns -1, for `return api_fail(...)`.  Of more than
 * FAULTS_MAX the rest is dropped; api_full says when looking on is no use.
 *   pointer  where in the document, or NULL when it is not about a document
 */
int api_fail(struct api_error *err, enum problem kind, const char *pointer,
             const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Says what a lack of memory comes from: where the budget that all requests
 * share had no room it is not the request that is at fault, and 413 becomes
 * 503.  To be called before err is answered.
 */
void api_blame(struct api_error *err, const struct arena *mem);

static inline bool api_full(const struct api_error *err)
{
    return err->n == FAULTS_MAX;
}

/* Writes err as problem+json.  instance and request_id may be NULL. */
void error_write(struct json_out *out, const struct api_error *err,
                 const char *instance, const char *request_id);

#endif
