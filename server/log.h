/*
 * Lines on stderr, for people or as JSON: when, how bad, what.
 *
 * A line goes out at once until log_start.  From then on lines wait until
 * log_flush, but errors do not, and nobody waits for the reader: what it does
 * not take in time is dropped and counted, and a later line says how many
 * were.  Any thread may write; a line stays one whatever bytes are in it.
 */
#ifndef EVALD_SERVER_LOG_H
#define EVALD_SERVER_LOG_H

#include "server/finished.h"

#include <stdint.h>

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

/*
 * "text" or "json", and the name of the lowest level that is written; text and
 * info if never called.  -1, and nothing changed, where either is no such
 * name.  Before there are threads.
 */
int log_setup(const char *format, const char *level);

/* From here on nobody waits for the reader of stderr; until log_stop. */
void log_start(void);
void log_stop(void);

/* Writes what waits, as far as it is taken: before a loop waits. */
void log_flush(void);

/* How many lines were dropped. */
uint64_t log_dropped(void);

/* One line; characters that are no text are replaced. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LEVEL_ERROR, __VA_ARGS__)

/* A line on a request; a warning where the server is to blame (5xx). */
void log_access(const struct finished *r);

#endif
