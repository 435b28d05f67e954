/*
 * Bodies read by way of one document of the whole text: slow, simple, and
 * apart from the reader that takes pieces, which is held against it.
 */
#ifndef EVALD_TESTS_DOCUMENTS_H
#define EVALD_TESTS_DOCUMENTS_H

#include "api/detection.h"

/* Fills *req from a body; 0, or -1 with *err set. */
int read_document(const char *text, size_t len, struct detection_request *req,
                  struct arena *mem, struct api_error *err);

/*
 * Reads a body in both ways, cut into pieces by seed, and says whether they
 * are alike: the same verdict, the same columns by bits, and the same fault
 * where there is but one.  *taken is set to the verdict.
 */
bool reads_alike(const char *text, size_t len, uint64_t seed, bool *taken);

#endif
