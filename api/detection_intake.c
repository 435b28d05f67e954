#include "api/detection_intake.h"

#include "api/accept.h"
#include "api/clock.h"

/* Room for columns that any list of the body may be, and for scoring them. */
enum { MEMORY_PER_BYTE = 7 };

enum { INFLATION = 6 }; /* of JSON, as a first guess */

static const char *const form[] = {"multipart/form-data", NULL};

struct api_intake *api_intake_new(const struct api_env *env,
                                  const struct api_request *req,
                                  struct arena *mem)
{
    enum coding coding = coding_of(req->content_encoding);
    bool plain = coding == CODING_IDENTITY;
    size_t length = req->length_known ? req->content_length : req->body_len;
    size_t expected = plain ? length : INFLATION * length;
    struct api_intake *in;
    mem->stop = env->par->stop;
    if (expected > env->body_bytes_max)
        expected = env->body_bytes_max;
    arena_reserve(mem, MEMORY_PER_BYTE * expected);
    in = arena_zero(mem, 1, sizeof(*in));
    if (!in)
        return NULL;
    in->mem = mem;
    in->coding = coding;
    in->length = length;
    in->inflated_max = env->body_bytes_max;
    detection_request_init(&in->req);
    if (content_pick(req->content_type, form) == 0)
        in->form = detection_form_new(req->content_type, &in->req, expected,
                                      env->par, mem);
    else
        in->reader = detection_reader_new(DETECTION_BODY, NULL, &in->req,
                                          expected, env->par, mem);
    if (!in->reader && !in->form)
        return NULL;
    in->inflater = plain ? NULL : inflater_new(coding);
    in->memory = plain ? NULL : (char *)arena_alloc(mem, WINDOWS, WINDOW_BYTES);
    if (!plain && (!in->inflater || !in->memory))
        inflater_fail(INFLATED_NO_MEMORY, coding, "", 0, &in->err);
    return in;
}

static void read_pieces(struct api_intake *in, const struct span *piece,
                        size_t n)
{
    if (in->form)
        detection_form_take(in->form, piece, n);
    else
        detection_reader_take(in->reader, piece, n);
}

/* One window full, or all that there is. */
static enum inflated fill_window(struct api_intake *in, struct span *window,
                                 char *memory, const char **at, const char *end)
{
    window->text = memory;
    enum inflated rc = inflater_take(in->inflater, at, end, memory,
                                     WINDOW_BYTES, &window->len);
    in->inflated += window->len;
    if (rc != INFLATED_ALL && rc != INFLATED_ROOM)
        inflater_fail(rc, in->coding, inflater_fault(in->inflater), 0,
                      &in->err);
    else if (in->inflated > in->inflated_max)
        inflater_fail(INFLATED_ROOM, in->coding, "", in->inflated_max,
                      &in->err);
    return rc;
}

/* How long the text will be if the rest inflates as what has come does. */
static void expect(struct api_intake *in)
{
    double ratio = (double)in->inflated / (double)(in->deflated + 1);
    size_t expected = (size_t)((double)in->length * ratio * 1.05);
    if (expected > in->inflated_max)
        expected = in->inflated_max;
    if (in->form)
        detection_form_expect(in->form, expected);
    else
        detection_reader_expect(in->reader, expected);
}

/* Inflates from *at on into windows, as many as there are; returns how many. */
static size_t fill_windows(struct api_intake *in, const char **at,
                           const char *end)
{
    enum inflated rc = INFLATED_ROOM;
    size_t n = 0;
    for (; rc == INFLATED_ROOM && n < WINDOWS && in->err.n == 0 &&
           !is_stopped(in->mem->stop);
         n++)
        rc = fill_window(in, &in->window[n], in->memory + n * WINDOW_BYTES, at,
                         end);
    return n;
}

static void inflate_piece(struct api_intake *in, const struct span *piece)
{
    const char *at = piece->text, *end = piece->text + piece->len;
    size_t n = WINDOWS;
    while (in->err.n == 0 && (n == WINDOWS || at < end) &&
           !is_stopped(in->mem->stop)) {
        const char *from = at;
        n = fill_windows(in, &at, end);
        in->deflated += (size_t)(at - from);
        expect(in);
        read_pieces(in, in->window, n);
    }
}

void api_intake_take(struct api_intake *in, const struct span *piece, size_t n)
{
    double start = clock_ms();
    if (in->coding == CODING_IDENTITY)
        read_pieces(in, piece, n);
    for (size_t i = 0; i < n && in->coding != CODING_IDENTITY; i++)
        inflate_piece(in, &piece[i]);
    in->parse_ms += clock_ms() - start;
}

void api_intake_free(struct api_intake *in)
{
    inflater_free(in->inflater);
    if (in->form)
        detection_form_free(in->form);
    else
        detection_reader_free(in->reader);
}

int intake_finish(struct api_intake *in, struct api_error *err)
{
    double start = clock_ms();
    if (in->err.n == 0 && in->inflater && !inflater_is_whole(in->inflater))
        inflater_fail(INFLATED_MALFORMED, in->coding,
                      inflater_fault(in->inflater), 0, &in->err);
    int rc = in->form ? detection_form_finish(in->form, err)
                      : detection_reader_finish(in->reader, err);
    if (in->err.n) {
        *err = in->err;
        rc = -1;
    }
    in->parse_ms += clock_ms() - start;
    return rc;
}
