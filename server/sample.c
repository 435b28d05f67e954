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
    {"--images", "N", "how many images (24)", store_count,
     offsetof(struct flags, images)},
    {"--classes", "N", "how many categories (5)", store_count,
     offsetof(struct flags, classes)},
    {"--objects", "N", "mean number of objects in an image (5)", store_count,
     offsetof(struct flags, objects)},
    {"--detections", "N", "most detections of an image (20)", store_count,
     offsetof(struct flags, detections)},
    {"--seed", "N", "another number, another data set (0)", store_count,
     offsetof(struct flags, seed)},
};

static const struct command command = {
    .name = "sample",
    .usage = "[OPTION ...] DIRECTORY",
    .help = "Writes a made-up data set into DIRECTORY: ground_truth.json and "
            "detections.json\nas pycocotools takes them, and request.json, "
            "both in one body for\nPOST /v1/detection/evaluate.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .operands_min = 1,
    .operands_max = 1,
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

int command_sample(int argc, char **argv)
{
    struct flags flags = {24, 5, 5, 20, 0};
    size_t operands;
    int code = options_read(&command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    if (flags.images < 1 || flags.images > 1000000 || flags.classes < 1 ||
        flags.classes > 10000 || flags.objects > 1000 ||
        flags.detections > 10000) {
        fprintf(stderr,
                "evald sample: --images 1 to 1000000, --classes 1 to 10000, "
                "--objects to 1000, --detections to 10000\n");
        return EX_USAGE;
    }
    struct sample_options sample = {flags.images, flags.classes, flags.objects,
                                    flags.detections, flags.seed};
    return write_files(&sample, argv[1]);
}
