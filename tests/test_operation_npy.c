/* Operations over .npy without a socket: every budget of memory. */
#include "api/api.h"
#include "tests/npy_file.h"

#include <stdio.h>

#define DICT(descr, order) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': (50, 40), }"
#define NPY "application/x-npy"
#define JSON "application/json"

enum { BUDGETS = 200, STEP = 1024 };

static struct api_response ask(struct arena *mem, const struct file *f,
                               const char *accept)
{
    struct api_env env = {.par = &parallel_serial, .body_bytes_max = SIZE_MAX};
    struct api_request req = {.method = "POST",
                              .path = "/v1/activations/elu",
                              .query = "outputs=grad&alpha=0.5",
                              .accept = accept,
                              .content_type = NPY,
                              .body = f->text,
                              .body_len = f->len};
    struct api_response res;
    api_answer(&env, &req, mem, &res);
    return res;
}

/* 413 until there is enough, then 200; 200 with a body that is whole. */
static void check(const char *dict, const char *accept, size_t least)
{
    static struct file f;
    static double data[2000];
    bool enough = false;
    file_make(&f, dict, data, sizeof(data));
    for (size_t budget = 0; budget < BUDGETS * STEP; budget += STEP) {
        struct arena mem;
        arena_init(&mem, budget);
        struct api_response res = ask(&mem, &f, accept);
        if (res.status != 200 && (res.status != 413 || enough))
            fail_msg("%s to %s in %zu bytes: %d, %.*s", dict, accept, budget,
                     res.status, (int)res.body_len, res.body);
        enough = res.status == 200;
        if (enough) {
            assert_string_equal(res.content_type, accept);
            assert_true(res.body_len > least);
        }
        arena_free(&mem);
    }
    if (!enough)
        fail_msg("%s to %s: never enough", dict, accept);
}

static void budgets_are_kept(void **state)
{
    static const char *const dicts[] = {
        DICT("<f8", "False"), DICT(">f8", "True"), DICT("<i8", "False")};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        check(dicts[i], NPY, 2000 * sizeof(double));
        check(dicts[i], JSON, 2000 * strlen("0.5,"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
