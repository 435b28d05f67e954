/* The parts of a run, joined and scored. */
#include "api/run.h"

#include <string.h>

static int no_memory(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                    "the images of the run do not fit in the memory of one "
                    "request");
}

static int damaged(struct api_call *call, int64_t image)
{
    return api_fail(&call->err, PROBLEM_INTERNAL, NULL,
                    "image %lld of the run is damaged", (long long)image);
}

/* Images as they are visited. */
struct collection {
    struct api_call *call;
    const struct coco_protocol *protocol;
    size_t n_classes;
    struct coco_part *part;
    size_t n, capacity;
};

static int grow(struct collection *c)
{
    size_t capacity = c->capacity ? 2 * c->capacity : 1024;
    struct coco_part *part = arena_alloc(c->call->mem, capacity, sizeof(*part));
    if (!part)
        return no_memory(c->call);
    if (c->n)
        memcpy(part, c->part, c->n * sizeof(*part));
    c->part = part;
    c->capacity = capacity;
    return 0;
}

static int collect(void *context, const struct store_image *image)
{
    struct collection *c = context;
    size_t n = image->part.len;
    if (c->n == c->capacity && grow(c))
        return -1;
    uint8_t *bytes = arena_alloc(c->call->mem, n, 1);
    if (!bytes)
        return no_memory(c->call);
    memcpy(bytes, image->part.text, n);
    struct coco_part *part = &c->part[c->n];
    if (coco_part_open(part, bytes, n, c->protocol, c->n_classes) ||
        part->image != image->image)
        return damaged(c->call, image->image);
    c->n++;
    return 0;
}

size_t run_classes(const struct run *run)
{
    return run->req.protocol.use_categories
               ? run->dataset->n_classes_by_category
               : 1;
}

/* All parts, by image. */
static int collect_all(struct api_call *call, const struct run *run,
                       struct collection *c)
{
    const struct api_store *store = call->env->store;
    size_t before = call->err.n;
    *c = (struct collection){.call = call,
                             .protocol = &run->req.protocol,
                             .n_classes = run_classes(run)};
    enum store_status status =
        store->each_image(store->self, run->row.id, 0, true, collect, c);
    if (status == STORE_OK)
        return 0;
    return call->err.n > before ? -1 : run_store_fault(call, status, "the run");
}

void run_tell(struct run *run, const struct dataset_tally *sum,
              size_t negative_size, struct detection_report *rep)
{
    struct coco_index *ix = &rep->result.index;
    rep->counts = (struct detection_counts){.annotations = sum->annotations,
                                            .crowd = sum->crowd};
    run->req.odd.missing_area = sum->missing_area;
    run->req.odd.ignore_overwritten = sum->ignore_overwritten;
    run->req.odd.negative_size = sum->negative_size + negative_size;
    ix->unknown_gt = sum->unknown;
    ix->duplicate_gt_ids = sum->duplicate_ids;
    ix->zero_gt_ids = sum->zero_ids;
}

/* What is told of these images, and of no others. */
static void count(struct run *run, const struct collection *c,
                  struct detection_report *rep)
{
    const struct dataset *d = run->dataset;
    struct dataset_tally sum = d->elsewhere;
    size_t negative_size = 0;
    for (size_t i = 0; i < c->n; i++) {
        dataset_count(d, dataset_image(d, c->part[i].image), &sum);
        negative_size += c->part[i].negative_size;
    }
    run_tell(run, &sum, negative_size, rep);
}

int run_score(struct api_call *call, struct run *run,
              struct detection_report *rep)
{
    struct collection c;
    size_t odd;
    if (collect_all(call, run, &c))
        return -1;
    detection_begin(&run->req, rep, call->env->par);
    if (coco_join(&rep->result, &run->dataset->truths, c.part, c.n, &odd,
                  call->mem, call->env->par))
        return odd < c.n ? damaged(call, c.part[odd].image) : no_memory(call);
    run->req.dt = *rep->result.dt;
    count(run, &c, rep);
    return detection_finish(rep, call->mem, &call->err);
}
