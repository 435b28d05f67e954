/* evald eval: the endpoint's calls on files. */
#include "api/detection_html.h"
#include "api/detection_reader.h"
#include "api/suggest.h"
#include "server/commands.h"
#include "server/file.h"
#include "server/floors.h"
#include "server/once.h"
#include "server/options.h"
#include "server/workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* The outputs that --outputs names, and the first name of it that is none. */
struct outputs {
    unsigned bits;
    const char *wrong;
};

struct flags {
    bool json, per_class, per_image;
    const char *parameters, *html, *colour;
    size_t workers;
    struct outputs outputs;
    struct floors floors;
};

/* Reads on behind a name that is none, which is said with what is near it. */
static bool store_outputs(void *to, const char *value)
{
    struct outputs *outputs = to;
    unsigned bits = 0;
    for (const char *end; *value; value = *end ? end + 1 : end) {
        end = strchrnul(value, ',');
        char *name = strndup(value, (size_t)(end - value));
        unsigned bit = OUTPUTS_ALL & ~(unsigned)OUTPUT_ARRAYS;
        bool known = name && (strcmp(name, "all") == 0 ||
                              detection_output_named(name, &bit));
        free(name);
        if (known)
            bits |= bit;
        else if (!outputs->wrong)
            outputs->wrong = value;
    }
    outputs->bits |= bits;
    return bits || outputs->wrong;
}

static const struct option options[] = {
    {.name = "--json",
     .help = "the whole answer as JSON, as the server gives it",
     .store = store_flag,
     .offset = offsetof(struct flags, json)},
    {.name = "--per-class",
     .help = "add a table of the categories",
     .store = store_flag,
     .offset = offsetof(struct flags, per_class)},
    {.name = "--per-image",
     .help = "add a table of the images",
     .store = store_flag,
     .offset = offsetof(struct flags, per_image)},
    {.name = "--outputs",
     .value = "NAME[,NAME...]",
     .help = "what to answer with: summary, per_class, per_image, curves, "
             "operating_points, confusion, errors, calibration, lrp, slices, "
             "intervals, arrays (with --json), or all, which is all others "
             "(summary)",
     .store = store_outputs,
     .offset = offsetof(struct flags, outputs)},
    {.name = "--html",
     .value = "PATH",
     .help = "write a page to look at, too, or instead to standard output if "
             "it is -; it has all outputs but intervals unless --outputs says "
             "which",
     .store = store_text,
     .offset = offsetof(struct flags, html)},
    {.name = "--color",
     .value = "WHEN",
     .help = "colours in the text; auto: on a terminal, unless NO_COLOR is set",
     .store = store_text,
     .offset = offsetof(struct flags, colour),
     .fallback = "auto",
     .choices = (const char *const[]){"auto", "always", "never", NULL}},
    {.name = "--fail-under",
     .value = "NAME=VALUE",
     .help = "exit 1 if a number is lower, such as "
             "AP=0.4; may be repeated",
     .store = store_floor,
     .offset = offsetof(struct flags, floors)},
    {.name = "--parameters",
     .value = "JSON|@FILE",
     .help = "what to measure, as \"parameters\" of the "
             "API",
     .store = store_text,
     .offset = offsetof(struct flags, parameters)},
    {.name = "--workers",
     .value = "N",
     .help = "threads that compute (the processors there are)",
     .store = store_count,
     .offset = offsetof(struct flags, workers)},
};

struct eval {
    const struct flags *flags;
    const char *gt_path, *dt_path;
    struct arena mem;
    struct detection_request req;
    struct detection_report rep;
    unsigned shown, paged; /* outputs of the answer, and of the page */
    struct json_out answer, page;
    int code;
};

/* Says what is wrong with a file, every fault of it. */
static void complain(struct eval *e, const char *path,
                     const struct api_error *err)
{
    for (size_t i = 0; i < err->n; i++)
        fprintf(stderr, "evald eval: %s: %s\n", path, err->fault[i].detail);
    if (api_full(err))
        fprintf(stderr, "evald eval: %s: and perhaps more\n", path);
    e->code = err->fault[0].kind == PROBLEM_MEMORY ? EX_OSERR : EX_DATAERR;
}

static void cannot_read(struct eval *e, const char *path)
{
    fprintf(stderr, "evald eval: cannot read %s: %s\n", path, strerror(errno));
    e->code = EX_NOINPUT;
}

static void take(void *context, const char *piece, size_t len)
{
    struct detection_reader *reader = context;
    detection_reader_take(reader, &(struct span){piece, len}, 1);
}

/* Reads a file into its part of e->req. */
static int decode_file(struct eval *e, const char *path,
                       enum detection_part part, const struct parallel *par)
{
    struct api_error err = {0};
    struct detection_reader *reader = detection_reader_new(
        part, NULL, &e->req, file_size(path), par, &e->mem);
    bool read = reader && file_read_pieces(path, take, reader) == 0;
    if (!reader)
        api_fail(&err, PROBLEM_MEMORY, NULL, "there is no memory for it");
    else if (!read)
        cannot_read(e, path);
    if (reader && detection_reader_finish(reader, &err) && !read)
        err.n = 0; /* of a part of it */
    if (err.n)
        complain(e, path, &err);
    return read && err.n == 0 ? 0 : -1;
}

static int decode_flag(struct eval *e, const char *flag)
{
    struct api_error err = {0};
    char *text = NULL;
    size_t len = flag ? strlen(flag) : 0;
    if (!flag)
        return 0;
    if (flag[0] == '@' && file_read(flag + 1, &text, &len)) {
        cannot_read(e, flag + 1);
        return -1;
    }
    int rc = decode_parameters(text ? text : flag, len, &e->req, &e->mem, &err);
    if (rc)
        complain(e, text ? flag + 1 : "--parameters", &err);
    free(text);
    return rc;
}

static void print_warnings(const struct detection_report *rep)
{
    struct detection_warning w[DETECTION_WARNINGS_MAX];
    size_t n = detection_warnings(rep, w);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "evald eval: warning: %zu: %s (%s)\n", w[i].count,
                w[i].detail, w[i].code);
}

/* What takes long shall not look as if it hung. */
static void print_progress(const struct eval *e)
{
    if (e->req.outputs & OUTPUT_INTERVALS && isatty(STDERR_FILENO))
        fprintf(stderr, "evald eval: resampling images %u times\n",
                e->req.options.bootstrap.resamples);
}

static bool wants_colour(const char *when)
{
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return isatty(STDOUT_FILENO) && !(none && *none) && term &&
           strcmp(term, "dumb") != 0;
}

static bool is_page_only(const struct eval *e)
{
    return e->flags->html && strcmp(e->flags->html, "-") == 0;
}

/* The writers show what req asks for. */
static void write_answers(struct eval *e)
{
    const struct flags *flags = e->flags;
    if (flags->html) {
        e->req.outputs = e->paged;
        const char *slash = strrchr(e->dt_path, '/');
        detection_html(&e->page, &e->rep, slash ? slash + 1 : e->dt_path);
    }
    e->req.outputs = e->shown;
    if (flags->json) {
        detection_write(&e->answer, &e->rep);
        out_bytes(&e->answer, "\n", 1);
        return;
    }
    if (!is_page_only(e))
        detection_text(&e->answer, &e->rep, wants_colour(flags->colour));
    print_warnings(&e->rep);
}

static void run(void *context, const struct parallel *par)
{
    struct eval *e = context;
    struct api_error err = {0};
    if (decode_flag(e, e->flags->parameters) ||
        decode_file(e, e->gt_path, DETECTION_GROUND_TRUTH, par) ||
        decode_file(e, e->dt_path, DETECTION_LIST, par))
        return;
    print_progress(e);
    if (detection_score(&e->req, &e->rep, &e->mem, par, &err)) {
        complain(e, e->dt_path, &err);
        return;
    }
    write_answers(e);
    e->code = floors_check(&e->flags->floors, &e->rep);
}

/* 0, or -1 with errno set. */
static int print(const struct json_out *out)
{
    errno = ENOMEM;
    if (out->failed || fwrite(out->text, 1, out->len, stdout) != out->len)
        return -1;
    return fflush(stdout);
}

static int save(const struct json_out *out, const char *path)
{
    errno = ENOMEM;
    return out->failed ? -1 : file_replace(path, out->text, out->len);
}

static int cannot_write(const char *what, int code)
{
    fprintf(stderr, "evald eval: cannot write %s: %s\n", what, strerror(errno));
    return code;
}

/* The page first: who reads the answer may stop, which ends this program. */
static int deliver(const struct eval *e)
{
    int code = e->code;
    if (code != EX_OK && code != EXIT_FAILURE)
        return code;
    if (e->flags->html && !is_page_only(e) && save(&e->page, e->flags->html))
        code = cannot_write(e->flags->html, EX_CANTCREAT);
    if (print(is_page_only(e) ? &e->page : &e->answer))
        code = cannot_write("the answer", EX_IOERR);
    return code;
}

static int wrong_output(const char *list)
{
    size_t n;
    const char *const *names = detection_output_names(&n);
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(list, ","), list);
    const char *near = suggest(name, names, n);
    fprintf(stderr, "evald eval: --outputs: no output \"%s\"; ", name);
    if (near)
        fprintf(stderr, "did you mean %s?", near);
    else
        fputs("there are", stderr);
    for (size_t i = 0; i < n && !near; i++)
        fprintf(stderr, " %s,", names[i]);
    fputs(near ? "\n" : " all\n", stderr);
    return EX_USAGE;
}

/* What the flags say together.  EX_OK, or EX_USAGE when it has said why. */
/* Whether path is a file, and the one that st tells of. */
static bool is_file(const char *path, const struct stat *st)
{
    struct stat own;
    return S_ISREG(st->st_mode) && stat(path, &own) == 0 &&
           own.st_dev == st->st_dev && own.st_ino == st->st_ino;
}

/* Why a page must not be written there; NULL = it may. */
static const char *page_clash(const struct flags *flags, char **operand)
{
    const char *parameters = flags->parameters;
    struct stat st;
    if (!flags->html || strcmp(flags->html, "-") == 0)
        return NULL;
    if (!*flags->html)
        return "--html is empty; it takes a file, or - for standard output";
    if (stat(flags->html, &st))
        return NULL;
    if (is_file(operand[0], &st) || is_file(operand[1], &st) ||
        (parameters && *parameters == '@' && is_file(parameters + 1, &st)))
        return "--html would overwrite a file that is read";
    if (is_file("/dev/stdout", &st))
        return "--html and the answer would go to the same file; --html - "
               "writes the page alone";
    return NULL;
}

static int check_flags(const struct flags *flags, char **operand)
{
    const char *why = page_clash(flags, operand);
    if (flags->outputs.wrong)
        return wrong_output(flags->outputs.wrong);
    if (flags->outputs.bits & OUTPUT_ARRAYS && !flags->json)
        why = "the output arrays is neither text nor on a page; it takes "
              "--json";
    if (flags->html && strcmp(flags->html, "-") == 0 && flags->json)
        why = "--json and --html - would both go to standard output";
    if (!why)
        return EX_OK;
    fprintf(stderr, "evald eval: %s\n", why);
    return EX_USAGE;
}

/* Which outputs the answer has, and which the page. */
static void choose_outputs(struct eval *e)
{
    const struct flags *flags = e->flags;
    unsigned asked = flags->outputs.bits;
    unsigned tables = (flags->per_class ? OUTPUT_PER_CLASS : 0u) |
                      (flags->per_image ? OUTPUT_PER_IMAGE : 0u);
    e->shown = (asked ? asked : OUTPUT_SUMMARY) | tables;
    e->paged = !flags->html ? 0 : asked ? e->shown : OUTPUTS_PAGE;
    e->req.outputs = (is_page_only(e) ? 0 : e->shown) | e->paged;
}

static int command_eval(int argc, char **argv)
{
    static struct eval e;
    struct flags flags = {.workers = workers_default()};
    size_t operands;
    int code = options_read(&eval_command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    if (flags.workers < 1 || flags.workers > WORKERS_MAX) {
        fprintf(stderr, "evald eval: --workers must be from 1 to %d\n",
                WORKERS_MAX);
        return EX_USAGE;
    }
    code = check_flags(&flags, argv + 1);
    if (code != EX_OK)
        return code;
    e = (struct eval){.flags = &flags, .gt_path = argv[1], .dt_path = argv[2]};
    arena_init(&e.mem, SIZE_MAX / 4);
    json_out_init(&e.answer, &e.mem, false);
    json_out_init(&e.page, &e.mem, false);
    detection_request_init(&e.req);
    choose_outputs(&e);
    code = once_run(flags.workers, run, &e) ? EX_OSERR : deliver(&e);
    arena_free(&e.mem);
    return code;
}

const struct command eval_command = {
    .name = "eval",
    .brief = "score detections in files",
    .usage = "[OPTION ...] GROUND_TRUTH DETECTIONS",
    .help = "Scores detections against ground truth, both JSON files as "
            "pycocotools takes\nthem (- is standard input), and prints COCO's "
            "twelve lines.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .operands_min = 2,
    .operands_max = 2,
    .operand = {OPERAND_FILE, OPERAND_FILE},
    .run = command_eval,
};
