#include "api/detection_form.h"

#include "api/detection_settings.h"
#include "api/multipart.h"
#include "api/suggest.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    SPANS_MAX = 16,
    SETTING_BYTES_MAX = 1 << 20,
    LOOK_BYTES = 1 << 20, /* of a piece, between looks at the stop */
    NPY_MAGIC = 0x93,     /* the first byte of a .npy file, and of no JSON */
};

/* What a part is, by its name. */
enum part_is {
    GROUND_TRUTH,
    DETECTIONS,
    PARAMETERS,
    OUTPUTS,
    NONFINITE,
    PARTS
};
static const char *const names[PARTS] = {"ground_truth", "detections",
                                         "parameters", "outputs", "nonfinite"};

struct detection_form {
    struct multipart multipart;
    struct detection_request *req;
    const struct parallel *par;
    struct arena *mem;
    struct api_error err;
    bool failed;            /* the rest of the body is of no interest */
    size_t expected, bytes; /* of the body, and of it so far */
    bool met[PARTS];
    enum part_is part; /* the one at hand; PARTS = to be skipped */
    bool begun;        /* some of it has come */
    struct detection_reader *reader; /* of the part, or NULL */
    struct json_out text;            /* of the part, if it is kept */
    struct json_out settings; /* of all such parts, as members of an object */
    struct span span[SPANS_MAX]; /* of the part, on their way to the reader */
    size_t n_spans;
};

struct detection_form *detection_form_new(const char *content_type,
                                          struct detection_request *req,
                                          size_t expected,
                                          const struct parallel *par,
                                          struct arena *mem)
{
    struct detection_form *f = arena_zero(mem, 1, sizeof(*f));
    if (!f)
        return NULL;
    f->req = req;
    f->par = par;
    f->mem = mem;
    f->expected = expected;
    json_out_init(&f->settings, mem, false);
    f->failed = multipart_init(&f->multipart, content_type);
    if (f->failed)
        api_fail(&f->err, PROBLEM_MALFORMED_FORM, NULL, "%s", f->multipart.why);
    return f;
}

void detection_form_expect(struct detection_form *f, size_t expected)
{
    f->expected = expected;
}

static void no_memory(struct detection_form *f)
{
    f->failed = true;
    api_fail(&f->err, PROBLEM_MEMORY, NULL,
             "the form does not fit in the memory of one request");
}

static void malformed(struct detection_form *f, const char *why)
{
    f->failed = true;
    f->err.n = 0;
    api_fail(&f->err, PROBLEM_MALFORMED_FORM, NULL, "%s", why);
}

static void begin_part(struct detection_form *f)
{
    const char *name = f->multipart.name;
    f->begun = false;
    f->reader = NULL;
    f->n_spans = 0;
    for (f->part = 0; f->part < PARTS; f->part++)
        if (strcmp(name, names[f->part]) == 0)
            break;
    if (f->part == PARTS) {
        const char *near = suggest(name, names, PARTS);
        api_fail(&f->err, PROBLEM_UNKNOWN_MEMBER, NULL,
                 "the part \"%.100s\" is not known; %s%s%s", name,
                 near ? "did you mean \"" : "there are ",
                 near ? near
                      : "ground_truth, detections, parameters, outputs and "
                        "nonfinite",
                 near ? "\"?" : "");
    } else if (f->met[f->part]) {
        malformed(f, "two parts have the same name");
    } else {
        f->met[f->part] = true;
        json_out_init(&f->text, f->mem, false);
    }
}

/* Whether a part that begins like this is read while it comes. */
static bool is_read_at_once(const struct detection_form *f,
                            const struct span *data)
{
    return f->part == GROUND_TRUTH ||
           (f->part == DETECTIONS && (unsigned char)*data->text != NPY_MAGIC);
}

static void make_reader(struct detection_form *f)
{
    size_t left = f->expected > f->bytes ? f->expected - f->bytes : 0;
    f->reader = detection_reader_new(
        f->part == GROUND_TRUTH ? DETECTION_GROUND_TRUTH : DETECTION_LIST,
        names[f->part], f->req, left, f->par, f->mem);
    if (!f->reader)
        no_memory(f);
}

/* Gives the reader what has been put off. */
static void flush(struct detection_form *f)
{
    if (f->reader && f->n_spans)
        detection_reader_take(f->reader, f->span, f->n_spans);
    f->n_spans = 0;
}

static void keep_text(struct detection_form *f, const struct span *data)
{
    bool setting = f->part != DETECTIONS;
    if (setting && data->len > SETTING_BYTES_MAX - f->text.len) {
        malformed(f, "a part of settings is longer than 1 MiB");
        return;
    }
    out_bytes(&f->text, data->text, data->len);
    if (f->text.failed)
        no_memory(f);
}

/* kept = the data will stay where it is until the piece is used up. */
static void take_data(struct detection_form *f, const struct span *data,
                      bool kept)
{
    if (f->part == PARTS)
        return;
    if (!f->begun && is_read_at_once(f, data))
        make_reader(f);
    f->begun = true;
    if (f->failed)
        return;
    if (!f->reader) {
        keep_text(f, data);
        return;
    }
    f->span[f->n_spans++] = *data;
    if (f->n_spans == SPANS_MAX || !kept)
        flush(f);
}

/* A setting is JSON by itself, and becomes a member of all settings. */
static void end_setting(struct detection_form *f, struct api_error *err)
{
    struct at at = {NULL, names[f->part], 0};
    const struct json_origin origin = {&at, 0, 1, 1};
    struct arena_mark mark = arena_mark(f->mem);
    bool good =
        json_read_value(f->text.text, f->text.len, &origin, f->mem, err);
    arena_release(f->mem, mark);
    if (!good)
        return;
    out_format(&f->settings, "%c\"%s\":", f->settings.len ? ',' : '{', at.key);
    out_bytes(&f->settings, f->text.text, f->text.len);
    if (f->settings.failed)
        no_memory(f);
}

/* Adds a part's faults; where one is only a place in a text, says of which. */
static void add_faults(struct detection_form *f, const struct api_error *err)
{
    for (size_t i = 0; i < err->n; i++) {
        const struct api_fault *fault = &err->fault[i];
        bool syntax = fault->kind == PROBLEM_MALFORMED_JSON;
        if (syntax)
            f->err.n = 0;
        api_fail(&f->err, fault->kind, fault->pointer, "%s%s%.*s",
                 syntax ? names[f->part] : "", syntax ? ": " : "",
                 DETAIL_BYTES - 32, fault->detail);
        f->failed |= syntax;
    }
}

void detection_form_free(struct detection_form *f)
{
    if (f->reader)
        detection_reader_free(f->reader);
    f->reader = NULL;
}

static void end_part(struct detection_form *f)
{
    struct api_error err = {.n = 0};
    if (f->part == PARTS)
        return;
    flush(f);
    if (!f->begun && f->part <= DETECTIONS)
        make_reader(f);
    struct at at = {NULL, names[f->part], 0};
    int rc = 0;
    if (f->reader)
        rc = detection_reader_finish(f->reader, &err);
    else if (f->part == DETECTIONS)
        rc = detection_read_npy(f->text.text, f->text.len, &at, f->req, f->mem,
                                &err);
    else
        end_setting(f, &err);
    assert(rc == 0 || err.n > 0);
    detection_form_free(f);
    add_faults(f, &err);
}

static void take_piece(struct detection_form *f, const struct span *piece)
{
    const char *at = piece->text, *end = piece->text + piece->len;
    struct span data;
    while (!f->failed) {
        switch (multipart_next(&f->multipart, &at, end, &data)) {
        case MULTIPART_MORE:
        case MULTIPART_END:
            return;
        case MULTIPART_PART:
            begin_part(f);
            break;
        case MULTIPART_DATA:
            take_data(f, &data, data.text >= piece->text && data.text < end);
            break;
        case MULTIPART_END_OF_PART:
            end_part(f);
            break;
        case MULTIPART_BAD:
            malformed(f, f->multipart.why);
            break;
        }
    }
}

void detection_form_take(struct detection_form *f, const struct span *piece,
                         size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0, len; at < piece[i].len && !f->failed; at += len) {
            len = piece[i].len - at;
            len = len < LOOK_BYTES ? len : LOOK_BYTES;
            take_piece(f, &(struct span){piece[i].text + at, len});
            f->bytes += len;
            if (is_stopped(f->mem->stop))
                no_memory(f);
        }
    flush(f);
}

static void end_settings(struct detection_form *f)
{
    if (f->settings.len == 0)
        return;
    out_bytes(&f->settings, "}", 1);
    const json_t *v =
        f->settings.failed
            ? NULL
            : json_read(f->settings.text, f->settings.len, f->mem, &f->err);
    if (v)
        read_settings(v, f->req, &f->err);
    else if (f->err.n == 0)
        no_memory(f);
}

int detection_form_finish(struct detection_form *f, struct api_error *err)
{
    const char *unfinished = multipart_unfinished(&f->multipart);
    if (!f->failed && unfinished)
        malformed(f, unfinished);
    for (size_t i = 0; i <= DETECTIONS && !f->failed; i++)
        if (!f->met[i])
            api_fail(&f->err, PROBLEM_MISSING_MEMBER, NULL,
                     "the part \"%s\" is missing: curl -F %s=@FILE", names[i],
                     names[i]);
    if (!f->failed)
        end_settings(f);
    *err = f->err;
    return err->n ? -1 : 0;
}
