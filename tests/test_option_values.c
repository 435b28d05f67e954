/* What options take: sizes, times, words for yes and no. */
#include "server/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *text;
    bool ok;
    size_t bytes;
} sizes[] = {
    {"0", true, 0},
    {"1", true, 1},
    {"1048576", true, 1048576},
    {"1024K", true, 1048576},
    {"1024k", true, 1048576},
    {"1M", true, 1048576},
    {"1MiB", true, 1048576},
    {"1mb", true, 1048576},
    {"1MB", true, 1048576},
    {"64m", true, 67108864},
    {"2G", true, 2147483648},
    {"2GiB", true, 2147483648},
    {"5b", true, 5},
    {"5B", true, 5},
    {"0G", true, 0},
    {"18446744073709551615", true, SIZE_MAX},
    {"17179869183G", true, (size_t)17179869183 << 30},
    {"18014398509481983K", true, (size_t)18014398509481983 << 10},
    {"", false, 0},
    {"M", false, 0},
    {"-1", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 M", false, 0},
    {"1M ", false, 0},
    {"1.5M", false, 0},
    {"1e6", false, 0},
    {"0x10", false, 0},
    {"1T", false, 0},
    {"1Mi", false, 0},
    {"1MM", false, 0},
    {"1MiBs", false, 0},
    {"1x", false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999999", false, 0},
    {"17179869184G", false, 0},
    {"18014398509481984K", false, 0},
    {"17592186044416M", false, 0},
    {"18446744073709551615G", false, 0},
};

static void sizes_have_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t bytes = 99;
        bool ok = store_bytes(&bytes, sizes[i].text);
        if (ok != sizes[i].ok || (ok && bytes != sizes[i].bytes))
            fail_msg("\"%s\" is %s %zu", sizes[i].text, ok ? "taken for" : "no",
                     bytes);
    }
}

static const struct {
    const char *text;
    bool ok;
    size_t ms;
} times[] = {
    {"0s", true, 0},
    {"500ms", true, 500},
    {"30s", true, 30000},
    {"5m", true, 300000},
    {"1h", true, 3600000},
    {"0007s", true, 7000},
    {"18446744073709551615ms", true, SIZE_MAX},
    {"5124095576030h", true, (size_t)5124095576030 * 3600000},
    {"", false, 0},
    {"0", false, 0},
    {"30", false, 0},
    {"s", false, 0},
    {"-1s", false, 0},
    {"+1s", false, 0},
    {" 1s", false, 0},
    {"1 s", false, 0},
    {"1s ", false, 0},
    {"1.5s", false, 0},
    {"1S", false, 0},
    {"1sec", false, 0},
    {"1d", false, 0},
    {"1h30m", false, 0},
    {"0x1s", false, 0},
    {"5124095576031h", false, 0},
    {"18446744073709551616ms", false, 0},
};

static void times_have_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        size_t ms = 99;
        bool ok = store_time(&ms, times[i].text);
        if (ok != times[i].ok || (ok && ms != times[i].ms))
            fail_msg("\"%s\" is %s %zu", times[i].text, ok ? "taken for" : "no",
                     ms);
    }
}

/* Of an option without a value, where a variable or a file gives it. */
static void flags_have_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok, is;
    } words[] = {
        {NULL, true, true},     {"1", true, true},    {"true", true, true},
        {"yes", true, true},    {"on", true, true},   {"TRUE", true, true},
        {"On", true, true},     {"0", true, false},   {"false", true, false},
        {"no", true, false},    {"off", true, false}, {"No", true, false},
        {"", false, false},     {"2", false, false},  {"y", false, false},
        {"11", false, false},   {" 1", false, false}, {"true ", false, false},
        {"nope", false, false},
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        bool is = !words[i].is;
        bool ok = store_flag(&is, words[i].text);
        if (ok != words[i].ok || (ok && is != words[i].is))
            fail_msg("\"%s\" is %d", words[i].text, is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(flags_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
