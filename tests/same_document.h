/* Whether lifting and jansson alone make the same of a text. */
#ifndef EVALD_TESTS_SAME_DOCUMENT_H
#define EVALD_TESTS_SAME_DOCUMENT_H

#include "api/lift.h"

/*
 * Reads text with lift_read, with json_read and with jansson alone.  NULL if
 * all have the same verdict; the first two the same faults, where there are
 * any; and all the same values, numbers by their bits, with what was lifted
 * put back in its places.  Else what differs.  *n is how many arrays were
 * lifted.
 */
const char *documents_differ(const char *text, size_t len,
                             const char *const *wanted, size_t max, size_t *n);

#endif
