/*
 * Parts whose bytes are not what was packed: what is impossible is refused,
 * where it is noticed, and whatever is not stays within bounds.
 */
#include "tests/parts.h"

enum { ROW_BYTES = 16, AREA_BYTES = 4 };

/* Opens the bytes of image i as they are now. */
static int open_again(struct cut *c, size_t i, struct coco_part *part)
{
    return coco_part_open(part, c->block[i] + 1, c->n_bytes[i],
                          &c->whole.protocol, c->truths.index.n_classes);
}

/* Joined and told with whatever else there is, in the order given. */
static int join_and_tell(struct cut *c, const struct coco_part *part, size_t n,
                         size_t *odd)
{
    struct arena mem;
    struct told told;
    struct coco_result r = {.protocol = &c->whole.protocol};
    arena_init(&mem, (size_t)1 << 28);
    int rc = coco_join(&r, &c->truths, part, n, odd, &mem, &parallel_serial);
    assert_int_equal(rc == 0, *odd == n);
    if (rc == 0)
        assert_false(tell(&told, &r, &mem, &parallel_serial));
    arena_free(&mem);
    return rc;
}

static int add_and_ask(struct cut *c, const struct coco_part *part)
{
    struct arena mem, scratch;
    double value[COCO_VALUES_MAX];
    arena_init(&mem, (size_t)1 << 28);
    arena_init(&scratch, (size_t)1 << 28);
    struct coco_live *live =
        coco_live_new(&c->whole.protocol, &c->truths, &mem);
    assert_non_null(live);
    int rc = coco_live_add(live, part);
    assert_int_equal(coco_live_counts(live).images, rc == 0);
    assert_false(coco_live_values(live, value, &scratch, &parallel_serial));
    arena_free(&mem);
    arena_free(&scratch);
    return rc;
}

/* Who refuses it. */
enum by { NOBODY, OPEN, FIT, JOIN };

/* Views of struct coco_part, and its head. */
#define VIEW(member) offsetof(struct coco_part, member)
#define HEAD SIZE_MAX

static const double nan_score = NAN, endless = HUGE_VAL;

/* Bytes that stand elsewhere, in the part of image 10. */
static const struct edit {
    const char *what;
    enum by by;
    size_t view, at, n; /* bytes */
    const void *bytes;
} edits[] = {
    {"nothing", NOBODY, HEAD, 0, 3, "evP"},
    {"no part", OPEN, HEAD, 3, 1, "2"},
    {"rows of another protocol", OPEN, HEAD, 4, 1, "\x18"},
    {"what is 0", OPEN, HEAD, 6, 1, "\x01"},
    {"an image that is not there", FIT, HEAD, 8, 1, "\x0b"},
    {"another image", FIT, HEAD, 8, 1, "\x14"},
    {"more detections", OPEN, HEAD, 16, 1, "\x07"},
    {"fewer places", OPEN, HEAD, 20, 1, "\x04"},
    {"fewer rows", OPEN, HEAD, 24, 1, "\x02"},
    {"fewer cells", OPEN, HEAD, 28, 1, "\x01"},
    {"another number of truths", FIT, HEAD, 32, 1, "\x05"},
    {"too many odd boxes", OPEN, HEAD, 36, 1, "\x07"},
    {"the known odd boxes", NOBODY, HEAD, 36, 1, "\x01"},
    {"a class beyond", OPEN, VIEW(cell), 8, 1, "\x03"},
    {"a class twice", OPEN, VIEW(cell), 8, 1, "\x00"},
    {"detections beyond the places", OPEN, VIEW(cell), 12, 1, "\x03"},
    {"a cell without detections", OPEN, VIEW(cell), 4, 12,
     "\x05\0\0\0\x01\0\0\0\0\0\0\0"},
    {"detections of another cell", FIT, VIEW(cell), 4, 12,
     "\x02\0\0\0\x01\0\0\0\x03\0\0\0"},
    {"a detection beyond", OPEN, VIEW(order), 0, 1, "\x06"},
    {"a detection twice", FIT, VIEW(order), 4, 1, "\x00"},
    {"a detection of another category", FIT, VIEW(order), 8, 1, "\x05"},
    {"a worse score first", FIT, VIEW(order), 0, 8, "\x01\0\0\0\0\0\0\0"},
    {"of equal scores the last first", FIT, VIEW(order), 12, 8,
     "\x04\0\0\0\x03\0\0\0"},
    {"a category that is now known", JOIN, VIEW(category), 40, 2, "\x02\0"},
    {"a category that is not known now", FIT, VIEW(category), 32, 1, "\x09"},
    {"a score that is none", OPEN, VIEW(score), 40, 8, &nan_score},
    {"an endless box", OPEN, VIEW(box), 32 * 5 + 8, 8, &endless},
    {"a row more", OPEN, VIEW(overlaps), 0, 1, "\x0f"},
    {"a row of no place", OPEN, VIEW(overlaps), 0, 1, "\x23"},
    {"rows of other places", FIT, VIEW(overlaps), 0, 1, "\x19"},
    {"a truth beyond the image", OPEN, VIEW(truth), 0, 1, "\x04"},
    {"a truth beyond the cell", FIT, VIEW(truth), 4, 4, "\x03\0\0\0"},
    {"a truth of another's", FIT, VIEW(truth), 0, 1, "\x01"},
    {"a truth that is a crowd", FIT, VIEW(truth), 0, 1, "\x02"},
    {"a true one without truth", FIT, VIEW(truth), 0, 4, "\xff\xff\xff\xff"},
    {"a false one with a truth", NOBODY, VIEW(truth), 4, 4, "\x02\0\0\0"},
    {"too many true ones", FIT, VIEW(rows), ROW_BYTES, 1, "\x02"},
    {"too many true ones of an area", FIT, VIEW(rows),
     ROW_BYTES + 2 * AREA_BYTES, 4, "\x01\0\0\0"},
    {"as many true ones as there are", NOBODY, VIEW(rows), AREA_BYTES * 2 + 1,
     1, "\x01"},
    {"a row where no truth is", FIT, VIEW(overlaps), 0, 1, "\x0b"},
    {"three true ones, but of other thresholds", NOBODY, VIEW(rows), 0, 18,
     "\x01\0\0\0\xff\x03\xff\x03\xff\x03\0\0\xff\x03\xff\x03\x02\0"},
    {"bits beyond the thresholds", NOBODY, VIEW(rows), ROW_BYTES + 1, 1,
     "\xfc"},
};

static void try_edit(const struct edit *e, struct made *m, struct cut *c)
{
    make_known(m);
    cut_init(c, &m->problem);
    const uint8_t *view = c->block[0] + 1;
    struct coco_part part[2] = {c->part[0], c->part[1]};
    size_t odd;
    if (e->view != HEAD)
        memcpy(&view, (const char *)&c->part[0] + e->view, sizeof(view));
    memcpy(c->block[0] + (view - c->block[0]) + e->at, e->bytes, e->n);
    enum by by = NOBODY;
    if (open_again(c, 0, &part[0]))
        by = OPEN;
    else if (add_and_ask(c, &part[0]))
        by = FIT;
    else if (join_and_tell(c, part, 2, &odd))
        by = JOIN;
    if (by != e->by)
        fail_msg("%s: refused by %d, not by %d", e->what, by, e->by);
    if (by == FIT && part[0].image < 20)
        assert_int_equal(join_and_tell(c, part, 2, &odd), -1);
    if ((by == FIT && part[0].image < 20) || by == JOIN)
        assert_int_equal(odd, 0);
    cut_free(c);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++)
        try_edit(&edits[i], m, c);
    test_free(c);
    test_free(m);
}

static void parts_are_joined_by_image(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    size_t odd;
    make_known(m);
    cut_init(c, &m->problem);
    struct coco_part falling[] = {c->part[1], c->part[0]};
    struct coco_part twice[] = {c->part[0], c->part[0]};
    assert_int_equal(join_and_tell(c, falling, 2, &odd), -1);
    assert_int_equal(odd, 1);
    assert_int_equal(join_and_tell(c, twice, 2, &odd), -1);
    assert_int_equal(odd, 1);
    assert_int_equal(join_and_tell(c, &c->part[1], 1, &odd), 0);
    assert_int_equal(c->part[0].negative_size, 1);
    assert_int_equal(c->part[1].n_dt, 0);
    cut_free(c);
    test_free(c);
    test_free(m);
}

/* Looks at one part as everybody does. */
static void use(struct cut *c, const struct coco_part *part)
{
    size_t odd;
    (void)join_and_tell(c, part, 1, &odd);
    (void)add_and_ask(c, part);
}

static void every_length_but_its_own_is_refused(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    make_known(m);
    cut_init(c, &m->problem);
    for (size_t n = 0; n <= c->n_bytes[0] + 8; n++) {
        struct coco_part part;
        uint8_t *bytes = calloc(1, n + 1);
        assert_non_null(bytes);
        memcpy(bytes, c->block[0] + 1, n < c->n_bytes[0] ? n : c->n_bytes[0]);
        assert_int_equal(coco_part_open(&part, bytes, n, &c->whole.protocol,
                                        c->truths.index.n_classes),
                         n == c->n_bytes[0] ? 0 : -1);
        free(bytes);
    }
    cut_free(c);
    test_free(c);
    test_free(m);
}

/* Every bit of the known part, and some of random problems' parts. */
static void flipped_bits_stay_within_bounds(void **state)
{
    (void)state;
    struct made *m = test_malloc(sizeof(*m));
    struct cut *c = test_malloc(sizeof(*c));
    size_t refused = 0, taken = 0;
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct random r = {seed};
        if (seed == 0)
            make_known(m);
        else
            make(seed, seed % 4 ? &small : &crowded, m);
        cut_init(c, &m->problem);
        size_t i = below(&r, seed ? c->n : 1), n = c->n_bytes[i] * 8;
        size_t step = seed ? 1 + n / 60 : 1;
        for (size_t bit = below(&r, step); bit < n; bit += step) {
            struct coco_part part;
            uint8_t *at = c->block[i] + 1 + bit / 8;
            *at ^= (uint8_t)(1u << bit % 8);
            int rc = open_again(c, i, &part);
            if (rc == 0)
                use(c, &part);
            *at ^= (uint8_t)(1u << bit % 8);
            refused += rc != 0;
            taken += rc == 0;
        }
        cut_free(c);
    }
    assert_true(refused > 200 && taken > 200);
    test_free(c);
    test_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(parts_are_joined_by_image),
        cmocka_unit_test(every_length_but_its_own_is_refused),
        cmocka_unit_test(flipped_bits_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
