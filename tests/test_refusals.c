/* Problems that only the server knows of, before a request is answered. */
#include "api/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    enum problem kind;
    int status, retry_after_s;
} refusals[] = {
    {PROBLEM_MALFORMED_REQUEST, 400, 0}, {PROBLEM_UNAUTHORIZED, 401, 0},
    {PROBLEM_FORBIDDEN, 403, 0},         {PROBLEM_TOO_SLOW, 408, 0},
    {PROBLEM_BODY_TOO_LARGE, 413, 0},    {PROBLEM_URI_TOO_LONG, 414, 0},
    {PROBLEM_EXPECTATION, 417, 0},       {PROBLEM_THROTTLED, 429, 1},
    {PROBLEM_HEAD_TOO_LARGE, 431, 0},    {PROBLEM_INTERNAL, 500, 0},
    {PROBLEM_OVERLOADED, 503, 1},        {PROBLEM_DRAINING, 503, 1},
    {PROBLEM_DEADLINE, 504, 0},          {PROBLEM_VERSION, 505, 0},
};

static void server_only_answers_are_problems(void **state)
{
    (void)state;
    struct api_request req = {
        .method = "POST", .path = "/v1/x", .request_id = "7"};
    struct api_response res;
    struct arena mem;
    char type[64];
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct api_refusal why = {.kind = refusals[i].kind, .detail = "why"};
        api_refuse(&req, &why, &mem, &res);
        assert_int_equal(res.status, refusals[i].status);
        assert_int_equal(res.retry_after_s, refusals[i].retry_after_s);
        assert_int_equal(res.authenticate != NULL, res.status == 401);
        snprintf(type, sizeof(type), "{\"type\":\"/problems/%s\",",
                 problem_type(why.kind)->name);
        assert_memory_equal(res.body, type, strlen(type));
        assert_non_null(strstr(res.body, "\"detail\":\"why\""));
        assert_non_null(strstr(res.body, "\"request_id\":\"7\""));
        why.retry_after_s = 17;
        api_refuse(&req, &why, &mem, &res);
        assert_int_equal(res.retry_after_s, 17);
    }
    arena_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_only_answers_are_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
