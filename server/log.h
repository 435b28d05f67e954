/* Lines on stderr: when, how bad, what. */
#ifndef EVALD_SERVER_LOG_H
#define EVALD_SERVER_LOG_H

/* One line; control characters in it are replaced, so it stays one. */
void log_line(const char *level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_info(...) log_line("info", __VA_ARGS__)
#define log_error(...) log_line("error", __VA_ARGS__)

#endif
