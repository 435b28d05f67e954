/* Heads of arrays: as numpy writes them, and every fault. */
#include "tests/npy_file.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* numpy 1.24: np.save(f, np.array([1, 2.5, -3], "<f4")) */
static const char saved[] =
    "\223NUMPY\001\000v\000{'descr': '<f4', 'fortran_order': False, 'sh"
    "ape': (3,), }                                                     "
    "       \n\000\000\200?\000\000 @\000\000@\300";
/* The same by write_array with version (2, 0) and (3, 0). */
static const char saved_2[] =
    "\223NUMPY\002\000t\000\000\000{'descr': '<f4', 'fortran_order': Fa"
    "lse, 'shape': (3,), }                                             "
    "             \n\000\000\200?\000\000 @\000\000@\300";
static const char saved_3[] =
    "\223NUMPY\003\000t\000\000\000{'descr': '<f4', 'fortran_order': Fa"
    "lse, 'shape': (3,), }                                             "
    "             \n\000\000\200?\000\000 @\000\000@\300";

static void what_numpy_saves_is_read(void **state)
{
    static const double want[] = {1, 2.5, -3};
    static const struct {
        const char *text;
        size_t len;
    } files[] = {{saved, sizeof(saved) - 1},
                 {saved_2, sizeof(saved_2) - 1},
                 {saved_3, sizeof(saved_3) - 1}};
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        double x[3];
        struct opened o = file_open(files[i].text, files[i].len);
        if (o.rc || npy_doubles(&o.a, x))
            fail_msg("file %zu %s", i, o.a.why);
        assert_int_equal(o.a.rank, 1);
        assert_int_equal(o.a.dim[0], 3);
        assert_true(npy_is_single(&o.a));
        assert_memory_equal(x, want, sizeof(want));
        free(o.copy);
    }
}

/* Every beginning of a file is no file, and says so. */
static void what_is_cut_is_told(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(saved) - 1; len++) {
        struct opened o = file_open(saved, len);
        char want[NPY_WHY_BYTES] = "ends within its header";
        if (len < 6)
            snprintf(want, sizeof(want),
                     "does not begin as a .npy file does, with \\x93NUMPY");
        if (len >= 128)
            snprintf(want, sizeof(want),
                     "has %zu bytes of data, must have 12: 3 of f4", len - 128);
        assert_int_equal(o.rc, -1);
        if (strcmp(o.a.why, want) != 0)
            fail_msg("%zu bytes: %s", len, o.a.why);
        free(o.copy);
    }
}

#define DICT(descr, order, shape) \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
#define F4(shape) DICT("'<f4'", "False", shape)
#define READ                                                                 \
    "; read are f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1, with <, >, " \
    "= or | before"
#define AT(what, at) "has a malformed header: " what " is expected at byte " at
#define COUNTLESS "has more elements than can be counted"

/* A dict before 4 bytes of data, and what is wrong. */
static const struct {
    const char *dict, *why; /* NULL = nothing */
} dicts[] = {
    {F4("(1,)"), NULL},
    {F4("()"), NULL},
    {F4("(1, 1, 1, 1, 1, 1, 1, 1)"), NULL},
    {F4("(1,1,)"), NULL},
    {"{\"shape\":(1 , ) ,\n\t\"descr\":\"=f4\",\"fortran_order\":True}\n\n",
     NULL},
    {"{'fortran_order':False,'descr':'|f4','shape':()}   \n", NULL},
    {F4("(2,)"), "has 4 bytes of data, must have 8: 2 of f4"},
    {F4("(0,)"), "has 4 bytes of data, must have 0: 0 of f4"},
    {F4("(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "has more than 8 dimensions"},
    {F4("(4294967296, 4294967296)"), COUNTLESS},
    {F4("(4294967296, 4294967296, 0)"), COUNTLESS},
    {F4("(4611686018427387904,)"), COUNTLESS},
    {F4("(18446744073709551615,)"), COUNTLESS},
    {F4("(18446744073709551616,)"), "has a dimension that cannot be counted"},
    {F4("(99999999999999999999,)"), "has a dimension that cannot be counted"},
    {DICT("'<c8'", "False", "(1,)"), "has the descr '<c8'" READ},
    {DICT("'<f16'", "False", "(1,)"), "has the descr '<f16'" READ},
    {DICT("'<i3'", "False", "(1,)"), "has the descr '<i3'" READ},
    {DICT("'|S4'", "False", "(1,)"), "has the descr '|S4'" READ},
    {DICT("'<U1'", "False", "(1,)"), "has the descr '<U1'" READ},
    {DICT("'|O'", "False", "(1,)"), "has the descr '|O'" READ},
    {DICT("'|V4'", "False", "(1,)"), "has the descr '|V4'" READ},
    {DICT("'<M8[s]'", "False", "(1,)"), "has the descr '<M8[s]'" READ},
    {DICT("'f4'", "False", "(1,)"), "has the descr 'f4'" READ},
    {DICT("'!f4'", "False", "(1,)"), "has the descr '!f4'" READ},
    {DICT("''", "False", "(1,)"), "has the descr ''" READ},
    {DICT("[('a', '<f4')]", "False", "()"),
     "has the descr [('a', '<f4')], 'fortran_order': False, 'shape': (), "
     "}" READ},
    {DICT("[('abcdefgh', '<f4')]", "False", "(1,)"),
     "has the descr [('abcdefgh', '<f4')], 'fortran_order': False, 'shape': "
     "(1,)..." READ},
    {"", AT("{", "0")},
    {"  [", AT("{", "2")},
    {"{", AT("a string", "1")},
    {"{}", "has no 'descr' in its header"},
    {"{'descr': '<f4'}", "has no 'fortran_order' in its header"},
    {"{'descr': '<f4', 'fortran_order': False}",
     "has no 'shape' in its header"},
    {"{'shape': (), 'shape': ()}", "has 'shape' twice in its header"},
    {"{'shapes': ()}",
     "has 'shapes' in its header, which may have descr, fortran_order and "
     "shape"},
    {"{'shape' ()}", AT("a colon", "9")},
    {"{'shape': () 'descr': '<f4'}", AT("a comma", "13")},
    {"{'shape': (), , }", AT("a string", "14")},
    {"{'shape", AT("the end of a string", "7")},
    {"{'sha\\x70e': ()}", AT("the end of a string", "5")},
    {"{'sha\npe': ()}", AT("the end of a string", "5")},
    {"{'shape\": ()}", AT("the end of a string", "13")},
    {"{shape: ()}", AT("a string", "1")},
    {"{'shape': [1]}", AT("a tuple such as (2, 3)", "10")},
    {"{'shape': 1}", AT("a tuple such as (2, 3)", "10")},
    {"{'shape': (1)}",
     AT("a comma before the end of a shape of one size", "13")},
    {"{'shape': (1 1)}", AT("a comma of the shape", "13")},
    {"{'shape': (,)}", AT("a size of the shape", "11")},
    {"{'shape': (1,,)}", AT("a size of the shape", "13")},
    {"{'shape': (-1,)}", AT("a size of the shape", "11")},
    {"{'shape': (1L,)}", AT("a comma of the shape", "12")},
    {"{'shape': (1.0,)}", AT("a comma of the shape", "12")},
    {"{'shape': (", AT("a size of the shape", "11")},
    {"{'fortran_order': 0}", AT("True or False", "18")},
    {"{'fortran_order': Fals", AT("True or False", "18")},
    {"{'fortran_order': Falsehood}", AT("a comma", "23")},
    {F4("()") " x", AT("nothing more", "56")},
    {F4("()") "}", AT("nothing more", "55")},
};

static void dicts_are_checked(void **state)
{
    static struct file f;
    (void)state;
    for (size_t i = 0; i < COUNT(dicts); i++) {
        file_make(&f, dicts[i].dict, "abcd", 4);
        struct opened o = file_open(f.text, f.len);
        const char *why = o.rc ? o.a.why : NULL;
        if ((why != NULL) != (dicts[i].why != NULL) ||
            (why && strcmp(why, dicts[i].why) != 0))
            fail_msg("%s\n%s", dicts[i].dict, why ? why : "is read");
        free(o.copy);
    }
}

static void versions_and_lengths_are_checked(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } files[] = {
        {"\x93NUMPY\0\0", 8, "is of .npy version 0.0; read are 1.0, 2.0, 3.0"},
        {"\x93NUMPY\1\1", 8, "is of .npy version 1.1; read are 1.0, 2.0, 3.0"},
        {"\x93NUMPY\4\0", 8, "is of .npy version 4.0; read are 1.0, 2.0, 3.0"},
        {"\x93NUMPZ\1\0", 8,
         "does not begin as a .npy file does, with \\x93NUMPY"},
        {"PK\3\4PK\3\4", 8,
         "does not begin as a .npy file does, with \\x93NUMPY"},
        {"\x93NUMPY\2\0\0\0\0", 11, "ends within its header"},
        {"\x93NUMPY\2\0\1\0\1\0", 12,
         "has a header of 65537 bytes, may have 65536"},
        {"\x93NUMPY\3\0\xff\xff\xff\xff", 12,
         "has a header of 4294967295 bytes, may have 65536"},
        {"\x93NUMPY\2\0\0\0\1\0", 12, "ends within its header"},
        {"\x93NUMPY\1\0\xff\xff{}", 12, "ends within its header"},
        {"\x93NUMPY\1\0\7\0{'\0':1}", 17,
         "has '' in its header, which may have descr, fortran_order and shape"},
        {"\x93NUMPY\1\0\3\0{\0}", 13, AT("a string", "1")},
        {"\x93NUMPY\1\0\20\0{'descr':'\0f4'}", 26, "has the descr '" READ},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct opened o = file_open(files[i].bytes, files[i].n);
        if (!o.rc || strcmp(o.a.why, files[i].why) != 0)
            fail_msg("file %zu %s", i, o.rc ? o.a.why : "is read");
        free(o.copy);
    }
}

/* numpy 1.24: how long its head of these shapes is, and how it begins. */
static const struct {
    const char *type;
    size_t rank, dim[NPY_RANK_MAX], len;
    const char *dict;
} heads[] = {
    {"f4",
     0,
     {0},
     128,
     "{'descr': '<f4', 'fortran_order': False, 'shape': (), }"},
    {"f8",
     1,
     {3},
     128,
     "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"},
    {"i8",
     2,
     {3, 0},
     128,
     "{'descr': '<i8', 'fortran_order': False, 'shape': (3, 0), }"},
    /* one character before the end of a line, and at it */
    {"f8",
     3,
     {1, 100000000000000000, 100000000000000000},
     128,
     "{'descr': '<f8', 'fortran_order': False, 'shape': "
     "(1, 100000000000000000, 100000000000000000), }"},
    {"f8",
     3,
     {1, 100000000000000000, 1000000000000000000},
     192,
     "{'descr': '<f8', 'fortran_order': False, 'shape': "
     "(1, 100000000000000000, 1000000000000000000), }"},
    {"f8",
     8,
     {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX,
      SIZE_MAX},
     256,
     "{'descr': '<f8', 'fortran_order': False, 'shape': "
     "(18446744073709551615, 18446744073709551615, 18446744073709551615, "
     "18446744073709551615, 18446744073709551615, 18446744073709551615, "
     "18446744073709551615, 18446744073709551615), }"},
};

static void heads_are_numpy_s(void **state)
{
    static const size_t three[] = {3};
    char head[NPY_HEAD_BYTES];
    (void)state;
    assert_int_equal(npy_head(head, "f4", 1, three), sizeof(saved) - 1 - 12);
    assert_memory_equal(head, saved, sizeof(saved) - 1 - 12);
    for (size_t i = 0; i < COUNT(heads); i++) {
        size_t n = npy_head(head, heads[i].type, heads[i].rank, heads[i].dim);
        size_t len = strlen(heads[i].dict);
        assert_int_equal(n, heads[i].len);
        assert_memory_equal(head, "\x93NUMPY\1\0", 8);
        assert_int_equal((unsigned char)head[8] + 256 * head[9], n - 10);
        assert_memory_equal(head + 10, heads[i].dict, len);
        for (size_t k = 10 + len; k < n; k++)
            assert_int_equal(head[k], k + 1 < n ? ' ' : '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_numpy_saves_is_read),
        cmocka_unit_test(what_is_cut_is_told),
        cmocka_unit_test(dicts_are_checked),
        cmocka_unit_test(versions_and_lengths_are_checked),
        cmocka_unit_test(heads_are_numpy_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
