#include "server/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { LINE_BYTES = 1024 };

void log_line(const char *level, const char *format, ...)
{
    char line[LINE_BYTES], when[32];
    struct timespec now;
    struct tm utc;
    va_list args;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    fprintf(stderr, "%s.%03ldZ %-5s %s\n", when, now.tv_nsec / 1000000, level,
            line);
}
