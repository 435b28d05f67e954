/*
 * Any bytes as a part of a small known problem: what is taken for one is
 * joined, scored, analysed and added to a live summary within bounds.  The
 * first byte chooses the protocol.
 */
#include "tests/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PROTOCOLS = 4 };

/* The problem under each protocol, cut once. */
static struct cut *cuts(void)
{
    static struct cut cut[PROTOCOLS];
    static struct made made;
    if (cut[0].n)
        return cut;
    for (size_t i = 0; i < PROTOCOLS; i++) {
        make_known(&made);
        struct coco_protocol *p = &made.problem.protocol;
        p->use_categories = !(i & 1);
        p->n_recall = 3;
        if (i & 2) {
            p->n_iou = 2;
            p->per_image_iou = 0.3;
            p->max_detections[0] = 1;
            p->max_detections[1] = 2;
            p->max_detections[2] = 3;
        }
        cut_init(&cut[i], &made.problem);
    }
    return cut;
}

static void join_part(struct cut *c, const struct coco_part *part)
{
    struct arena mem;
    struct told told;
    size_t odd;
    struct coco_result r = {.protocol = &c->whole.protocol};
    arena_init(&mem, (size_t)1 << 28);
    if (coco_join(&r, &c->truths, part, 1, &odd, &mem, &parallel_serial) == 0 &&
        tell(&told, &r, &mem, &parallel_serial))
        abort();
    arena_free(&mem);
}

static void add_part(struct cut *c, const struct coco_part *part)
{
    struct arena mem, scratch;
    double value[COCO_VALUES_MAX];
    arena_init(&mem, (size_t)1 << 28);
    arena_init(&scratch, (size_t)1 << 28);
    struct coco_live *live =
        coco_live_new(&c->whole.protocol, &c->truths, &mem);
    if (!live)
        abort();
    int refused = coco_live_add(live, part);
    if (coco_live_counts(live).images != (refused == 0) ||
        coco_live_values(live, value, &scratch, &parallel_serial))
        abort();
    arena_free(&mem);
    arena_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct coco_part part;
    if (size == 0)
        return 0;
    struct cut *c = &cuts()[data[0] % PROTOCOLS];
    if (coco_part_open(&part, data + 1, size - 1, &c->whole.protocol,
                       c->truths.index.n_classes))
        return 0;
    join_part(c, &part);
    add_part(c, &part);
    return 0;
}
