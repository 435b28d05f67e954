/* The summary of a run while its images arrive. */
#include "api/run.h"
#include "core/coco_live.h"

#include <stdio.h>
#include <string.h>

/* What is kept between requests: an entry of the cache. */
struct live {
    struct coco_live *numbers;
    struct coco_protocol protocol;
    uint64_t serial; /* of the dataset that it borrows from */
    struct run_summary seen;
};

/* A visit to the images that are new. */
struct catching_up {
    struct api_call *call;
    const struct run *run;
    struct live *live;
    struct arena *mem; /* of the live state */
    bool stale;        /* an image has been replaced */
};

static int no_memory(struct api_call *call)
{
    return api_fail(&call->err, PROBLEM_MEMORY, NULL,
                    "no memory for the summary of the run");
}

static int damaged(struct api_call *call, int64_t image)
{
    return api_fail(&call->err, PROBLEM_INTERNAL, NULL,
                    "image %lld of the run is damaged", (long long)image);
}

/* Detections beyond the largest max_detections. */
static size_t cut_of(const struct coco_part *part,
                     const struct coco_protocol *p)
{
    uint32_t most = p->max_detections[COCO_LIMITS - 1];
    size_t cut = 0;
    for (size_t i = 0; i < part->n_cells; i++) {
        uint32_t n;
        memcpy(&n, part->cell + (2 * i + 1) * sizeof(n), sizeof(n));
        cut += n > most ? n - most : 0;
    }
    return cut;
}

static int see(void *context, const struct store_image *image)
{
    struct catching_up *c = context;
    struct run_summary *seen = &c->live->seen;
    struct coco_part part;
    if (coco_part_open(&part, (const uint8_t *)image->part.text,
                       image->part.len, &c->live->protocol,
                       run_classes(c->run)) ||
        part.image != image->image)
        return damaged(c->call, image->image);
    if (coco_live_add(c->live->numbers, &part)) {
        c->stale = !c->mem->failed;
        return -1;
    }
    dataset_count(c->run->dataset, dataset_image(c->run->dataset, part.image),
                  &seen->tally);
    seen->unknown_category += part.n_dt - part.n_placed;
    seen->negative_size += part.negative_size;
    seen->cut += cut_of(&part, &c->live->protocol);
    seen->seq = image->seq;
    return 0;
}

static struct live *begin(const struct run *run, struct arena *mem)
{
    struct live *live = arena_zero(mem, 1, sizeof(*live));
    if (!live)
        return NULL;
    live->protocol = run->req.protocol;
    live->serial = run->dataset->serial;
    live->seen.tally = run->dataset->elsewhere;
    live->numbers = coco_live_new(&live->protocol, &run->dataset->truths, mem);
    return live->numbers ? live : NULL;
}

/* Adds what has come since; *stale: it must begin anew. */
static int catch_up(struct api_call *call, const struct run *run,
                    struct cache_entry *entry, bool *stale)
{
    const struct api_store *store = call->env->store;
    size_t before = call->err.n;
    if (!entry->value)
        entry->value = begin(run, &entry->mem);
    struct live *live = entry->value;
    *stale = false;
    if (!live)
        return no_memory(call);
    struct catching_up c = {call, run, live, &entry->mem, false};
    enum store_status status = store->each_image(
        store->self, run->row.id, live->seen.seq, false, see, &c);
    *stale = c.stale;
    if (status == STORE_OK)
        return 0;
    if (call->err.n > before || c.stale)
        return -1;
    return entry->mem.failed ? no_memory(call)
                             : run_store_fault(call, status, "the run");
}

static int sum_up(struct api_call *call, struct live *live,
                  struct run_summary *summary)
{
    struct coco_live_counts counts = coco_live_counts(live->numbers);
    *summary = live->seen;
    summary->images = (int64_t)counts.images;
    summary->detections = (int64_t)counts.detections;
    if (coco_live_values(live->numbers, summary->value, call->mem,
                         call->env->par))
        return no_memory(call);
    return 0;
}

/*
 * The entry borrows from a dataset that may have been dropped and opened again
 * since: then it is of no use, as when an image has been replaced.
 */
static int try(struct api_call *call, const struct run *run,
               struct run_summary *summary, bool *stale)
{
    const struct api_cache *cache = call->env->cache;
    char key[sizeof("run:") + RUN_ID_BYTES];
    snprintf(key, sizeof(key), "run:%s", run->row.id);
    struct cache_entry *entry =
        cache->hold(cache->self, key, true, call->mem->stop);
    if (!entry)
        return no_memory(call);
    const struct live *live = entry->value;
    *stale = live && live->serial != run->dataset->serial;
    int rc = *stale || catch_up(call, run, entry, stale) ||
                     sum_up(call, entry->value, summary)
                 ? -1
                 : 0;
    cache->release(cache->self, entry, rc != 0);
    return rc;
}

int run_live_summary(struct api_call *call, struct run *run,
                     struct run_summary *summary)
{
    enum { TRIES = 3 };
    bool stale = true;
    int rc = -1;
    for (size_t i = 0; i < TRIES && stale; i++)
        rc = try(call, run, summary, &stale);
    return stale ? run_store_fault(call, STORE_CONFLICT, "the run") : rc;
}

void run_summary_report(struct run *run, const struct run_summary *summary,
                        const struct parallel *par,
                        struct detection_report *rep)
{
    run->req.dt = (struct coco_detections){.n = (size_t)summary->detections};
    *rep =
        (struct detection_report){.req = &run->req,
                                  .par = par,
                                  .result = {.protocol = &run->req.protocol,
                                             .gt = &run->req.gt,
                                             .dt = &run->req.dt,
                                             .matches = {.cut = summary->cut}}};
    rep->result.index.n_images = (size_t)summary->images;
    rep->result.index.n_categories = run->dataset->n_classes_by_category;
    rep->result.index.unknown_category_dt = summary->unknown_category;
    memcpy(rep->value, summary->value, sizeof(rep->value));
    run_tell(run, &summary->tally, summary->negative_size, rep);
}
