/* evald sample: data to try things with. */
#include "api/sample.h"

#include "server/commands.h"
#include "server/file.h"
#include "server/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { PATH_BYTES = 4096 };

struct flags {
    size_t images, classes, objects, detections, seed;
};

static const struct option options[] = {
    {.name = "--images",
     .value = "N",
     .help = "how many images",
     .store = store_count,
     .offset = offsetof(struct flags, images),
     .fallback = "24",
     .least = "1",
     .most = "1000000"},
    {.name = "--classes",
     .value = "N",
     .help = "how many categories",
     .store = store_count,
     .offset = offsetof(struct flags, classes),
     .fallback = "5",
     .least = "1",
     .most = "10000"},
    {.name = "--objects",
     .value = "N",
     .help = "mean number of objects in an image",
     .store = store_count,
     .offset = offsetof(struct flags, objects),
     .fallback = "5",
     .least = "0",
     .most = "1000"},
    {.name = "--detections",
     .value = "N",
     .help = "most detections of an image",
     .store = store_count,
     .offset = offsetof(struct flags, detections),
     .fallback = "20",
     .least = "0",
     .most = "10000"},
    {.name = "--seed",
     .value = "N",
     .help = "another number, another data set",
     .store = store_count,
     .offset = offsetof(struct flags, seed),
     .fallback = "0"},
};

static int write_file(const char *directory, const char *name,
                      const struct json_out *out)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (!out->failed && file_write(path, out->text, out->len) == 0)
        return 0;
    fprintf(stderr, "evald sample: cannot write %s: %s\n", path,
            strerror(out->failed ? ENOMEM : errno));
    return -1;
}

/* Both documents in one request body, which asks for the image table, too. */
static void join(struct json_out *out, const struct json_out *gt,
                 const struct json_out *dt)
{
    out_format(out, "{\"ground_truth\":");
    out_bytes(out, gt->text, gt->len);
    out_format(out, ",\"detections\":");
    out_bytes(out, dt->text, dt->len);
    out_format(out, ",\"outputs\":[\"summary\",\"per_image\"]}");
}

static int write_files(const struct sample_options *sample,
                       const char *directory)
{
    struct arena mem;
    struct json_out gt, dt, both;
    arena_init(&mem, SIZE_MAX / 4);
    json_out_init(&gt, &mem, false);
    json_out_init(&dt, &mem, false);
    json_out_init(&both, &mem, false);
    sample_write(sample, &gt, &dt);
    join(&both, &gt, &dt);
    int rc = mkdir(directory, 0777) && errno != EEXIST;
    if (rc)
        fprintf(stderr, "evald sample: cannot make %s: %s\n", directory,
                strerror(errno));
    rc = rc || write_file(directory, "ground_truth.json", &gt) ||
         write_file(directory, "detections.json", &dt) ||
         write_file(directory, "request.json", &both);
    arena_free(&mem);
    return rc ? EX_CANTCREAT : EX_OK;
}

static int command_sample(int argc, char **argv)
{
    struct flags flags = {0};
    size_t operands;
    int code = options_read(&sample_command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    struct sample_options sample = {flags.images, flags.classes, flags.objects,
                                    flags.detections, flags.seed};
    return write_files(&sample, argv[1]);
}

const struct command sample_command = {
    .name = "sample",
    .brief = "write a sample data set to try things with",
    .usage = "[OPTION ...] DIRECTORY",
    .help = "Writes a made-up data set into DIRECTORY: ground_truth.json and "
            "detections.json\nas pycocotools takes them, and request.json, "
            "both in one body for\nPOST /v1/detection/evaluate.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .operands_min = 1,
    .operands_max = 1,
    .operand = {OPERAND_DIRECTORY},
    .run = command_sample,
};
