/* Lines of the log, letter by letter, and out of any bytes. */
#include "core/random.h"
#include "tests/captured.h"

#include <jansson.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Lines. */

static void a_line_of_text(void **state)
{
    int fd = setup("text", "info");
    (void)state;
    log_info("to %d\nfrom \x1b[31m %s \x7f \xc2\x9b \xc3\xa9 \xff\"\\", 7, "x");
    assert_string_equal(after_time(finish(fd)),
                        " info  to 7?from ?[31m x ? ? \xc3\xa9 ?\"\\\n");
}

static void a_line_of_json(void **state)
{
    int fd = setup("json", "info");
    (void)state;
    log_warning("to \"%d\"\n\\ \x7f \xc3\xa9 \xff \xed\xa0\x80", 7);
    const char *line = finish(fd);
    assert_memory_equal(line, "{\"time\":\"", 9);
    assert_string_equal(after_time(line + 9),
                        "\",\"level\":\"warning\",\"message\":\"to \\\"7\\\""
                        "\\u000a\\\\ \\u007f \xc3\xa9 \xef\xbf\xbd "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n");
}

static void levels_below_the_lowest_are_not_written(void **state)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        int fd = setup("text", names[i]);
        log_debug("a line");
        log_info("a line");
        log_warning("a line");
        log_error("a line");
        const char *all = finish(fd);
        assert_int_equal(count(all, "a line\n"), 4 - i);
        for (size_t k = 0; k < COUNT(names); k++)
            assert_int_equal(strstr(all, names[k]) != NULL, k >= i);
    }
}

static void unknown_settings_change_nothing(void **state)
{
    int fd = setup("text", "warning");
    (void)state;
    assert_int_equal(log_setup("xml", "info"), -1);
    assert_int_equal(log_setup("json", "loud"), -1);
    assert_int_equal(log_setup("json", ""), -1);
    log_info("not this");
    log_warning("but this");
    assert_string_equal(after_time(finish(fd)), " warning but this\n");
}

/* Requests. */

static const char *access_line(const char *format, const struct finished *r)
{
    int fd = setup(format, "info");
    log_access(r);
    return after_time(finish(fd) + (*format == 'j' ? 9 : 0));
}

static void a_request_as_text(void **state)
{
    struct finished r = finished();
    (void)state;
    assert_string_equal(access_line("text", &r),
                        " info  200 POST /v1/losses/giou in=10 out=2000 "
                        "ms=1.250 id=id-1 client=::1\n");
    r.stage_ms[STAGE_QUEUE] = 0.0004;
    r.stage_ms[STAGE_PARSE] = 12345.6789;
    r.stage_ms[STAGE_ENCODE] = 0.9996;
    r.trace = "0af7651916cd43dd8448eb211c80319c";
    r.token = "trainer";
    r.status = 503;
    r.reason = REASON_QUEUE;
    assert_string_equal(access_line("text", &r),
                        " warning 503 POST /v1/losses/giou in=10 out=2000 "
                        "ms=1.250 queue=0.000 parse=12345.679 encode=1.000 "
                        "id=id-1 trace=0af7651916cd43dd8448eb211c80319c "
                        "client=::1 token=trainer (queue is full)\n");
    r = finished();
    r.sent = false;
    assert_non_null(
        strstr(access_line("text", &r), " client=::1 (client went away)\n"));
}

static void a_request_as_json(void **state)
{
    struct finished r = finished();
    (void)state;
    assert_string_equal(
        access_line("json", &r),
        "\",\"level\":\"info\",\"message\":\"request\",\"status\":200,"
        "\"method\":\"POST\",\"path\":\"/v1/losses/giou\","
        "\"route\":\"/v1/{group}/{name}\",\"bytes_in\":10,\"bytes_out\":2000,"
        "\"total_ms\":1.250,\"request_id\":\"id-1\",\"client\":\"::1\","
        "\"outcome\":\"sent\"}\n");
    r.stage_ms[STAGE_COMPUTE] = 2;
    r.trace = "0af7651916cd43dd8448eb211c80319c";
    r.token = "a \"b\"";
    r.route = NULL;
    r.reason = REASON_SEND_TIMEOUT;
    r.sent = false;
    assert_string_equal(
        access_line("json", &r),
        "\",\"level\":\"info\",\"message\":\"request\",\"status\":200,"
        "\"method\":\"POST\",\"path\":\"/v1/losses/giou\",\"bytes_in\":10,"
        "\"bytes_out\":2000,\"total_ms\":1.250,\"compute_ms\":2.000,"
        "\"request_id\":\"id-1\","
        "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"client\":\"::1\","
        "\"token\":\"a \\\"b\\\"\",\"outcome\":\"send_timeout\","
        "\"reason\":\"send_timeout\"}\n");
}

static void warnings_are_requests_the_server_failed(void **state)
{
    static const int status[] = {0, 200, 404, 429, 499, 500, 503, 504};
    int fd = setup("text", "warning");
    (void)state;
    for (size_t i = 0; i < COUNT(status); i++) {
        struct finished r = finished();
        r.status = status[i];
        log_access(&r);
    }
    const char *all = finish(fd);
    assert_int_equal(count(all, "\n"), 3);
    assert_int_equal(count(all, " warning 50"), 3);
}

/* Any bytes at all in every text of a line, as long as one likes. */
static void any_bytes_are_a_line(void **state)
{
    enum { TIMES = 3000, BYTES = 3000 };
    uint64_t random = 1;
    static char any[4][BYTES];
    (void)state;
    for (int i = 0; i < TIMES; i++) {
        for (size_t k = 0; k < COUNT(any); k++) {
            size_t n = random_next(&random) % (i & 2 ? 40 : BYTES);
            /* all bytes, or those that grow, or what looks like UTF-8 */
            for (size_t b = 0; b < n; b++)
                any[k][b] =
                    (char)(i % 3 == 0   ? 1 + random_next(&random) % 255
                           : i % 3 == 1 ? 1 + random_next(&random) % 31
                                        : 0x80 | random_next(&random) % 128);
            any[k][n] = '\0';
        }
        struct finished r = finished();
        r.id = any[0];
        r.path = any[1];
        r.method = any[2];
        r.token = r.client = r.trace = any[3];
        int fd = setup(i & 1 ? "json" : "text", "info");
        log_access(&r);
        log_info("%s", any[1]);
        const char *all = finish(fd);
        assert_int_equal(count(all, "\n"), 2);
        assert_true(strlen(all) < 16384 && all[strlen(all) - 1] == '\n');
        for (const char *p = all; i & 1 && *p; p = strchr(p, '\n') + 1) {
            json_error_t error;
            json_t *doc = json_loadb(p, (size_t)(strchr(p, '\n') - p),
                                     JSON_REJECT_DUPLICATES, &error);
            if (!doc)
                fail_msg("%s: %.*s", error.text, (int)(strchr(p, '\n') - p), p);
            assert_non_null(json_object_get(doc, "message"));
            assert_int_equal(json_object_get(doc, "status") != NULL, p == all);
            json_decref(doc);
        }
        for (const char *p = all; *p; p++)
            assert_true((unsigned char)*p >= ' ' || *p == '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_text),
        cmocka_unit_test(a_line_of_json),
        cmocka_unit_test(levels_below_the_lowest_are_not_written),
        cmocka_unit_test(unknown_settings_change_nothing),
        cmocka_unit_test(a_request_as_text),
        cmocka_unit_test(a_request_as_json),
        cmocka_unit_test(warnings_are_requests_the_server_failed),
        cmocka_unit_test(any_bytes_are_a_line),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
