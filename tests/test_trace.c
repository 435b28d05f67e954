/* traceparent, row by row. */
#include "server/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void a_header_gives_its_trace_id_or_none(void **state)
{
    static const struct {
        const char *header, *id;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"00-" TRACE "-" PARENT "-01", TRACE},
        {"00-" TRACE "-" PARENT "-00", TRACE},
        {"00-" TRACE "-" PARENT "-ff", TRACE},
        {"00-00000000000000000000000000000001-0000000000000001-00",
         "00000000000000000000000000000001"},
        /* zeros alone are no id */
        {"00-00000000000000000000000000000000-" PARENT "-01", ""},
        {"00-" TRACE "-0000000000000000-01", ""},
        /* capitals, other letters */
        {"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", ""},
        {"00-" TRACE "-B7AD6B7169203331-01", ""},
        {"00-" TRACE "-" PARENT "-0A", ""},
        {"00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01", ""},
        {"00-" TRACE "-" PARENT "-0x", ""},
        {"0x-" TRACE "-" PARENT "-01", ""},
        /* too short, too long, other separators */
        {"00", ""},
        {"00-", ""},
        {"00-" TRACE, ""},
        {"00-" TRACE "-", ""},
        {"00-" TRACE "-" PARENT, ""},
        {"00-" TRACE "-" PARENT "-", ""},
        {"00-" TRACE "-" PARENT "-0", ""},
        {"00-" TRACE "-" PARENT "-011", ""},
        {"00-" TRACE "0-" PARENT "-01", ""},
        {"00-" TRACE "-0" PARENT "-01", ""},
        {"0-" TRACE "-" PARENT "-01", ""},
        {"000-" TRACE "-" PARENT "-01", ""},
        {"00_" TRACE "-" PARENT "-01", ""},
        {"00-" TRACE "_" PARENT "-01", ""},
        {"00-" TRACE "-" PARENT "_01", ""},
        {" 00-" TRACE "-" PARENT "-01", ""},
        {"00-" TRACE "-" PARENT "-01 ", ""},
        {"00-" TRACE "-" PARENT "-01,00-" TRACE "-" PARENT "-01", ""},
        /* this version has nothing behind the flags, later ones may */
        {"00-" TRACE "-" PARENT "-01-", ""},
        {"00-" TRACE "-" PARENT "-01-what", ""},
        {"01-" TRACE "-" PARENT "-01", TRACE},
        {"cc-" TRACE "-" PARENT "-01-what the future has", TRACE},
        {"fe-" TRACE "-" PARENT "-01-", TRACE},
        {"01-" TRACE "-" PARENT "-01.what", ""},
        {"01-" TRACE "-" PARENT "-011", ""},
        {"01-00000000000000000000000000000000-" PARENT "-01", ""},
        {"ff-" TRACE "-" PARENT "-01", ""},
        {"ff-" TRACE "-" PARENT "-01-what", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char id[TRACE_ID_BYTES];
        memset(id, 'x', sizeof(id));
        bool found = trace_read(rows[i].header, id);
        if (strcmp(id, rows[i].id) != 0 || found != (*rows[i].id != '\0'))
            fail_msg("%s gives \"%s\"", rows[i].header, id);
    }
}

/* Cut anywhere, it is not read beyond its end (AddressSanitizer looks). */
static void no_beginning_of_it_is_valid(void **state)
{
    static const char whole[] = "00-" TRACE "-" PARENT "-01";
    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        char id[TRACE_ID_BYTES], *cut = strndup(whole, n);
        assert_false(trace_read(cut, id));
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_gives_its_trace_id_or_none),
        cmocka_unit_test(no_beginning_of_it_is_valid),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
