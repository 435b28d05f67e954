/*
 * Two bytes that say how to cut, then any bytes as the body of a form whose
 * boundary is "x": pieces of any size tell what one piece tells, content comes
 * in the order of the body, and what is told is in an order that makes sense.
 */
#include "api/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a form says: a letter for each event, names, content; and its end. */
struct log {
    struct multipart m;
    char *text;
    size_t len;
    enum multipart_event last;
};

static void say(struct log *log, const char *text, size_t n)
{
    memcpy(log->text + log->len, text, n);
    log->len += n;
}

/* Which events may follow one. */
static void check_order(const struct log *log, enum multipart_event event)
{
    static const unsigned after[] = {
        [MULTIPART_MORE] = 1 << MULTIPART_PART | 1 << MULTIPART_END,
        [MULTIPART_PART] = 1 << MULTIPART_DATA | 1 << MULTIPART_END_OF_PART,
        [MULTIPART_DATA] = 1 << MULTIPART_DATA | 1 << MULTIPART_END_OF_PART,
        [MULTIPART_END_OF_PART] = 1 << MULTIPART_PART | 1 << MULTIPART_END,
        [MULTIPART_END] = 0,
    };
    if (event == MULTIPART_BAD ? !log->m.why : !(after[log->last] >> event & 1))
        abort();
}

static void tell(struct log *log, enum multipart_event event,
                 const struct span *data)
{
    const struct multipart *m = &log->m;
    check_order(log, event);
    if (event == MULTIPART_DATA) {
        if (data->len == 0)
            abort();
        say(log, data->text, data->len);
    }
    if (event == MULTIPART_PART) {
        const char *said[] = {m->name, m->filename, m->content_type};
        for (size_t i = 0; i < 3; i++)
            say(log, said[i] ? said[i] : "", said[i] ? strlen(said[i]) : 0);
    }
    if (event != MULTIPART_DATA)
        say(log, &"?P-].!"[event], 1);
    log->last = event;
}

/* False after BAD. */
static bool feed(struct log *log, const uint8_t *bytes, size_t len)
{
    char *piece = malloc(len ? len : 1);
    if (!piece)
        abort();
    memcpy(piece, bytes, len);
    const char *at = piece;
    enum multipart_event event = MULTIPART_BAD;
    struct span data;
    for (size_t left = 3 * len + 2; left > 0; left--) { /* it moves on */
        event = multipart_next(&log->m, &at, piece + len, &data);
        if (event == MULTIPART_MORE)
            break;
        tell(log, event, &data);
        if (event == MULTIPART_BAD)
            break;
        if (left == 1)
            abort();
    }
    if (event == MULTIPART_MORE && at != piece + len)
        abort();
    free(piece);
    return event == MULTIPART_MORE;
}

/* A body in pieces of a and b bytes by turns; 0 stands for all of it. */
static void run(struct log *log, const uint8_t *body, size_t len, size_t a,
                size_t b)
{
    bool ok = true;
    size_t step[] = {a ? a : len, b ? b : len};
    log->text = malloc(3 * len + 16);
    log->len = 0;
    log->last = MULTIPART_MORE;
    if (!log->text || multipart_init(&log->m, "multipart/form-data;boundary=x"))
        abort();
    for (size_t at = 0, i = 0; ok && at < len; i ^= 1) {
        size_t n = len - at < step[i] ? len - at : step[i];
        ok = feed(log, body + at, n);
        at += n;
    }
    if (ok && !multipart_unfinished(&log->m) != (log->last == MULTIPART_END))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct log whole, cut;
    if (size < 2)
        return 0;
    run(&whole, data + 2, size - 2, 0, 0);
    run(&cut, data + 2, size - 2, data[0] % 64, data[1] % 64);
    if (whole.len != cut.len || memcmp(whole.text, cut.text, cut.len) != 0)
        abort();
    free(whole.text);
    free(cut.text);
    return 0;
}
