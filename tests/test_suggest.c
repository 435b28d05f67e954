/* The nearest name: a table, and distances by their definition. */
#include "api/suggest.h"
#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* The names end with NULL.  A third of the word's length plus one is near. */
static const struct {
    const char *word;
    const char *names[5];
    const char *near;
} rows[] = {
    {"aplha", {"alpha", "beta"}, "alpha"},
    {"alpha", {"alpah", "alpha", "alphas"}, "alpha"},
    {"score_treshold", {"score", "score_threshold"}, "score_threshold"},
    {"max_detection", {"max_detections", "iou_type"}, "max_detections"},
    {"ground_thruth", {"detections", "ground_truth"}, "ground_truth"},
    {"SUMMARY", {"summary"}, NULL}, /* case counts: distance 7 */
    {"Summary", {"summary"}, "summary"},
    {"x", {"summary", "per_class"}, NULL},
    {"--lisen", {"--listen", "--workers"}, "--listen"},
    /* at the limit and beyond: replaced, inserted, deleted */
    {"abcdef", {"abcxyz"}, "abcxyz"},
    {"abcdef", {"abwxyz"}, NULL},
    {"abcdef", {"abcdefghi"}, "abcdefghi"},
    {"abcdef", {"abcdefghij"}, NULL},
    {"abcdef", {"abc"}, "abc"},
    {"abcdef", {"ab"}, NULL},
    {"abcde", {"abc"}, "abc"},
    {"abcde", {"ab"}, NULL},
    {"ab", {"bb"}, "bb"},
    {"ab", {"xy"}, NULL},
    /* a swap of neighbours is one step, not two */
    {"ab", {"ba"}, "ba"},
    {"abcd", {"badc"}, "badc"},
    {"abcdef", {"badcfe"}, "badcfe"},
    {"abcdef", {"xbcdey", "abcdfe"}, "abcdfe"},
    /* nothing to go by */
    {"", {"a"}, "a"},
    {"", {"ab"}, NULL},
    {"", {""}, ""},
    {"abc", {NULL}, NULL},
    /* too long to be compared */
    {SIXTY "abc", {SIXTY "abd"}, SIXTY "abd"},
    {SIXTY "abcd", {SIXTY "abcd"}, NULL},
    {SIXTY "abc", {SIXTY "abcd", SIXTY}, SIXTY},
    {SIXTY, {SIXTY SIXTY}, NULL},
    {SIXTY "abcd", {SIXTY "abc"}, NULL},
};

static void near_names_are_suggested(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = 0;
        while (rows[i].names[n])
            n++;
        const char *near = suggest(rows[i].word, rows[i].names, n);
        if ((near == NULL) != (rows[i].near == NULL) ||
            (near && strcmp(near, rows[i].near) != 0))
            fail_msg("%s: %s, not %s", rows[i].word, near ? near : "none",
                     rows[i].near ? rows[i].near : "none");
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of the first n bytes of a and m of b, by the recursion that defines it. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    if (n == 0 || m == 0)
        return n + m;
    size_t d = distance(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
    d = least(d, distance(a, n - 1, b, m) + 1);
    d = least(d, distance(a, n, b, m - 1) + 1);
    if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1])
        d = least(d, distance(a, n - 2, b, m - 2) + 1);
    return d;
}

enum { WORD_MAX = 5 };

static void random_word(uint64_t *seed, char word[WORD_MAX + 1])
{
    size_t n = random_next(seed) % (WORD_MAX + 1);
    for (size_t i = 0; i < n; i++)
        word[i] = "abc"[random_next(seed) % 3];
    word[n] = '\0';
}

static void suggestions_are_nearest(void **state)
{
    (void)state;
    enum { NAMES = 3 };
    uint64_t seed = 11;
    for (size_t i = 0; i < 4000; i++) {
        char word[WORD_MAX + 1], name[NAMES][WORD_MAX + 1];
        const char *names[NAMES];
        random_word(&seed, word);
        size_t len = strlen(word), best = SIZE_MAX;
        for (size_t j = 0; j < NAMES; j++) {
            random_word(&seed, name[j]);
            names[j] = name[j];
            best = least(best, distance(word, len, name[j], strlen(name[j])));
        }
        const char *near = suggest(word, names, NAMES);
        size_t got = near ? distance(word, len, near, strlen(near)) : 0;
        if ((near != NULL) != (best <= len / 3 + 1) || (near && got != best))
            fail_msg("%s of %s, %s, %s: %s at %zu; the best is %zu", word,
                     name[0], name[1], name[2], near ? near : "none", got,
                     best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_names_are_suggested),
        cmocka_unit_test(suggestions_are_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
