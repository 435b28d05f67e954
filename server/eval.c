/* evald eval: the endpoint's calls on files. */
#include "api/detection_reader.h"
#include "api/number.h"
#include "api/suggest.h"
#include "server/commands.h"
#include "server/file.h"
#include "server/once.h"
#include "server/options.h"
#include "server/workers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { FLOORS_MAX = 16 };

/* --fail-under NAME=VALUE */
struct floor {
    char name[COCO_AREA_NAME_MAX + 4];
    double value;
};

struct flags {
    bool json, per_class, per_image;
    const char *parameters;
    size_t workers;
    struct floors {
        size_t n;
        struct floor floor[FLOORS_MAX];
    } floors;
};

static bool store_floor(void *to, const char *value)
{
    struct floors *floors = to;
    const char *equals = strchr(value, '=');
    if (!equals || floors->n == FLOORS_MAX)
        return false;
    struct floor *f = &floors->floor[floors->n];
    size_t n = (size_t)(equals - value);
    char *end;
    if (n == 0 || n >= sizeof(f->name))
        return false;
    memcpy(f->name, value, n);
    f->name[n] = '\0';
    f->value = strtod(equals + 1, &end);
    floors->n++;
    return end != equals + 1 && *end == '\0' && isfinite(f->value);
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
    struct json_out out;
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

/* Holds the report against one floor. */
static void check_floor(struct eval *e, const struct floor *floor)
{
    const struct coco_protocol *p = &e->req.protocol;
    char names[COCO_VALUES_MAX][sizeof(floor->name)];
    const char *list[COCO_VALUES_MAX];
    size_t n = coco_number_count(p), i = 0;
    for (size_t k = 0; k < n; k++) {
        snprintf(names[k], sizeof(names[k]), "%s", coco_number(p, k).name);
        list[k] = names[k];
    }
    while (i < n && strcmp(names[i], floor->name) != 0)
        i++;
    if (i == n) {
        const char *near = suggest(floor->name, list, n);
        fprintf(stderr, "evald eval: --fail-under: no number %s; %s%s\n",
                floor->name,
                near ? "did you mean "
                     : "they are those of "
                       "\"summary\" in --json",
                near ? near : "");
        e->code = EX_USAGE;
    } else if (!(e->rep.value[i] > -1 && e->rep.value[i] >= floor->value)) {
        char is[NUMBER_BYTES], least[NUMBER_BYTES];
        number_write(e->rep.value[i], is);
        number_write(floor->value, least);
        fprintf(stderr, "evald eval: %s is %s, under %s\n", floor->name,
                e->rep.value[i] > -1 ? is : "undefined", least);
        if (e->code == EX_OK)
            e->code = EXIT_FAILURE;
    }
}

static void run(void *context, const struct parallel *par)
{
    struct eval *e = context;
    struct api_error err = {0};
    if (decode_flag(e, e->flags->parameters) ||
        decode_file(e, e->gt_path, DETECTION_GROUND_TRUTH, par) ||
        decode_file(e, e->dt_path, DETECTION_LIST, par))
        return;
    if (detection_score(&e->req, &e->rep, &e->mem, par, &err)) {
        complain(e, e->dt_path, &err);
        return;
    }
    if (e->flags->json) {
        detection_write(&e->out, &e->rep);
        out_bytes(&e->out, "\n", 1);
    } else {
        detection_text(&e->out, &e->rep);
        print_warnings(&e->rep);
    }
    for (size_t i = 0; i < e->flags->floors.n; i++)
        check_floor(e, &e->flags->floors.floor[i]);
}

static int print(const struct eval *e)
{
    bool ok = !e->out.failed &&
              fwrite(e->out.text, 1, e->out.len, stdout) == e->out.len;
    if (ok && fflush(stdout) == 0)
        return e->code;
    fprintf(stderr, "evald eval: cannot write the answer: %s\n",
            strerror(e->out.failed ? ENOMEM : errno));
    return EX_IOERR;
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
    e = (struct eval){.flags = &flags, .gt_path = argv[1], .dt_path = argv[2]};
    arena_init(&e.mem, SIZE_MAX / 4);
    json_out_init(&e.out, &e.mem, false);
    detection_request_init(&e.req);
    e.req.outputs |= (flags.per_class ? OUTPUT_PER_CLASS : 0u) |
                     (flags.per_image ? OUTPUT_PER_IMAGE : 0u);
    if (once_run(flags.workers, run, &e))
        return EX_OSERR;
    code = e.code == EX_OK || e.code == EXIT_FAILURE ? print(&e) : e.code;
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
