/* Elements of arrays, in every type and order, and those that do not fit. */
#include "tests/npy_file.h"

#include <math.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void same_doubles(const char *what, const double *got,
                         const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof(*got)) != 0)
            fail_msg("%s: element %zu is %a, not %a", what, i, got[i], want[i]);
}

/*
 * numpy 1.24: arrays of (2, 3) in each type and order, their data as it stands
 * in the file, and their elements row-major.
 */
static const struct {
    const char *descr;
    bool fortran;
    const char *hex;
    double want[6];
} rows[] = {
    {"<f2",
     false,
     "003800c0ff7b0080007c0100",
     {0.5, -2, 65504, -0.0, INFINITY, 5.9604644775390625e-08}},
    {"<f2",
     true,
     "0038008000c0007cff7b0100",
     {0.5, -2, 65504, -0.0, INFINITY, 5.9604644775390625e-08}},
    {">f2",
     false,
     "3800c0007bff80007c000001",
     {0.5, -2, 65504, -0.0, INFINITY, 5.9604644775390625e-08}},
    {">f2",
     true,
     "38008000c0007c007bff0001",
     {0.5, -2, 65504, -0.0, INFINITY, 5.9604644775390625e-08}},
    {"<f4",
     false,
     "0000003f000000c0ffff7f7f000000800000807f01000000",
     {0.5, -2, 3.4028234663852886e+38, -0.0, INFINITY, 1.4012984643248171e-45}},
    {"<f4",
     true,
     "0000003f00000080000000c00000807fffff7f7f01000000",
     {0.5, -2, 3.4028234663852886e+38, -0.0, INFINITY, 1.4012984643248171e-45}},
    {">f4",
     false,
     "3f000000c00000007f7fffff800000007f80000000000001",
     {0.5, -2, 3.4028234663852886e+38, -0.0, INFINITY, 1.4012984643248171e-45}},
    {">f4",
     true,
     "3f00000080000000c00000007f8000007f7fffff00000001",
     {0.5, -2, 3.4028234663852886e+38, -0.0, INFINITY, 1.4012984643248171e-45}},
    {"<f8",
     false,
     "000000000000e03f00000000000000c0ffffffffffffef7f0000000000000080000000000"
     "000f07f0100000000000000",
     {0.5, -2, 1.7976931348623157e+308, -0.0, INFINITY,
      4.9406564584124654e-324}},
    {"<f8",
     true,
     "000000000000e03f000000000000008000000000000000c0000000000000f07ffffffffff"
     "fffef7f0100000000000000",
     {0.5, -2, 1.7976931348623157e+308, -0.0, INFINITY,
      4.9406564584124654e-324}},
    {">f8",
     false,
     "3fe0000000000000c0000000000000007fefffffffffffff80000000000000007ff000000"
     "00000000000000000000001",
     {0.5, -2, 1.7976931348623157e+308, -0.0, INFINITY,
      4.9406564584124654e-324}},
    {">f8",
     true,
     "3fe00000000000008000000000000000c0000000000000007ff00000000000007feffffff"
     "fffffff0000000000000001",
     {0.5, -2, 1.7976931348623157e+308, -0.0, INFINITY,
      4.9406564584124654e-324}},
    {"|i1", false, "00017f801264", {0, 1, 127, -128, 18, 100}},
    {"|i1", true, "008001127f64", {0, 1, 127, -128, 18, 100}},
    {"<i2", false, "00000100ff7f008012006400", {0, 1, 32767, -32768, 18, 100}},
    {"<i2", true, "0000008001001200ff7f6400", {0, 1, 32767, -32768, 18, 100}},
    {">i2", false, "000000017fff800000120064", {0, 1, 32767, -32768, 18, 100}},
    {">i2", true, "00008000000100127fff0064", {0, 1, 32767, -32768, 18, 100}},
    {"<i4",
     false,
     "0000000001000000ffffff7f000000801200000064000000",
     {0, 1, 2147483647, -2147483648, 18, 100}},
    {"<i4",
     true,
     "00000000000000800100000012000000ffffff7f64000000",
     {0, 1, 2147483647, -2147483648, 18, 100}},
    {">i4",
     false,
     "00000000000000017fffffff800000000000001200000064",
     {0, 1, 2147483647, -2147483648, 18, 100}},
    {">i4",
     true,
     "000000008000000000000001000000127fffffff00000064",
     {0, 1, 2147483647, -2147483648, 18, 100}},
    {"<i8",
     false,
     "000000000000000001000000000000000000000000002000000000000000e0ff120000000"
     "00000006400000000000000",
     {0, 1, 9007199254740992, -9007199254740992, 18, 100}},
    {"<i8",
     true,
     "0000000000000000000000000000e0ff01000000000000001200000000000000000000000"
     "00020006400000000000000",
     {0, 1, 9007199254740992, -9007199254740992, 18, 100}},
    {">i8",
     false,
     "000000000000000000000000000000010020000000000000ffe0000000000000000000000"
     "00000120000000000000064",
     {0, 1, 9007199254740992, -9007199254740992, 18, 100}},
    {">i8",
     true,
     "0000000000000000ffe000000000000000000000000000010000000000000012002000000"
     "00000000000000000000064",
     {0, 1, 9007199254740992, -9007199254740992, 18, 100}},
    {"|u1", false, "0001ff001264", {0, 1, 255, 0, 18, 100}},
    {"|u1", true, "00000112ff64", {0, 1, 255, 0, 18, 100}},
    {"<u2", false, "00000100ffff000012006400", {0, 1, 65535, 0, 18, 100}},
    {"<u2", true, "0000000001001200ffff6400", {0, 1, 65535, 0, 18, 100}},
    {">u2", false, "00000001ffff000000120064", {0, 1, 65535, 0, 18, 100}},
    {">u2", true, "0000000000010012ffff0064", {0, 1, 65535, 0, 18, 100}},
    {"<u4",
     false,
     "0000000001000000ffffffff000000001200000064000000",
     {0, 1, 4294967295, 0, 18, 100}},
    {"<u4",
     true,
     "00000000000000000100000012000000ffffffff64000000",
     {0, 1, 4294967295, 0, 18, 100}},
    {">u4",
     false,
     "0000000000000001ffffffff000000000000001200000064",
     {0, 1, 4294967295, 0, 18, 100}},
    {">u4",
     true,
     "00000000000000000000000100000012ffffffff00000064",
     {0, 1, 4294967295, 0, 18, 100}},
    {"<u8",
     false,
     "0000000000000000010000000000000000000000000020000000000000000000120000000"
     "00000006400000000000000",
     {0, 1, 9007199254740992, 0, 18, 100}},
    {"<u8",
     true,
     "0000000000000000000000000000000001000000000000001200000000000000000000000"
     "00020006400000000000000",
     {0, 1, 9007199254740992, 0, 18, 100}},
    {">u8",
     false,
     "0000000000000000000000000000000100200000000000000000000000000000000000000"
     "00000120000000000000064",
     {0, 1, 9007199254740992, 0, 18, 100}},
    {">u8",
     true,
     "0000000000000000000000000000000000000000000000010000000000000012002000000"
     "00000000000000000000064",
     {0, 1, 9007199254740992, 0, 18, 100}},
    {"|b1", false, "010000010100", {1, 0, 0, 1, 1, 0}},
    {"|b1", true, "010100010000", {1, 0, 0, 1, 1, 0}},
};

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        const char two[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return n;
}

static struct opened open_row(size_t i)
{
    static struct file f;
    unsigned char data[64];
    char dict[128];
    size_t n = from_hex(rows[i].hex, data);
    snprintf(dict, sizeof(dict),
             "{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3), }\n",
             rows[i].descr, rows[i].fortran ? "True" : "False");
    file_make(&f, dict, data, n);
    struct opened o = file_open(f.text, f.len);
    if (o.rc)
        fail_msg("row %zu %s", i, o.a.why);
    return o;
}

static void every_type_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        double x[6];
        float y[6];
        struct opened o = open_row(i);
        assert_int_equal(o.a.fortran, rows[i].fortran);
        assert_int_equal(npy_doubles(&o.a, x), 0);
        same_doubles(rows[i].descr, x, rows[i].want, 6);
        assert_int_equal(npy_floats(&o.a, y), 0);
        for (size_t k = 0; k < 6; k++) {
            float want = (float)rows[i].want[k];
            if (memcmp(&y[k], &want, sizeof(want)) != 0)
                fail_msg("%s: element %zu is %a, not %a", rows[i].descr, k,
                         (double)y[k], (double)want);
        }
        assert_int_equal(npy_is_single(&o.a), strchr("24", rows[i].descr[2]) &&
                                                  rows[i].descr[1] == 'f');
        free(o.copy);
    }
}

/* Floats of these rows are not whole. */
static void integers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t x[6];
        struct opened o = open_row(i);
        int rc = npy_integers(&o.a, x);
        if (rows[i].descr[1] == 'f') {
            assert_int_equal(rc, -1);
            assert_string_equal(o.a.why,
                                "has 0.5 at [0][0], must have whole numbers "
                                "within 2^53 where integers are wanted");
        }
        for (size_t k = 0; k < 6 && rows[i].descr[1] != 'f'; k++)
            if (rc || x[k] != (int64_t)rows[i].want[k])
                fail_msg("%s: element %zu is %lld", rows[i].descr, k,
                         (long long)x[k]);
        free(o.copy);
    }
}

/* An array of one dimension; its type is "<i8" and the like. */
static struct opened vector(const char *descr, const void *data, size_t n,
                            size_t bytes)
{
    static struct file f;
    char dict[128];
    snprintf(dict, sizeof(dict),
             "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,), }",
             descr, n);
    file_make(&f, dict, data, bytes);
    struct opened o = file_open(f.text, f.len);
    if (o.rc)
        fail_msg("%s %s", descr, o.a.why);
    return o;
}

#define EXACT "integers within 2^53, which are exact as float64"
#define WHOLE "whole numbers within 2^53 where integers are wanted"

/* Numbers that do not fit: as what, and why. */
static const struct {
    const char *descr;
    uint64_t bits;
    const char *as_double, *as_integer; /* NULL = it fits */
} edges[] = {
    {"<i8", 0x20000000000000, NULL, NULL},
    {"<i8", 0x20000000000001, "has 9007199254740993 at [300], must have " EXACT,
     NULL},
    {"<i8", (uint64_t)-0x20000000000000, NULL, NULL},
    {"<i8", (uint64_t)-0x20000000000001,
     "has -9007199254740993 at [300], must have " EXACT, NULL},
    {"<i8", UINT64_C(1) << 63,
     "has -9223372036854775808 at [300], must have " EXACT, NULL},
    {"<u8", 0x20000000000001, "has 9007199254740993 at [300], must have " EXACT,
     NULL},
    {"<u8", INT64_MAX, "has 9223372036854775807 at [300], must have " EXACT,
     NULL},
    {"<u8", UINT64_C(1) << 63,
     "has 9223372036854775808 at [300], must have " EXACT,
     "has 9223372036854775808 at [300], must have integers below 2^63"},
    {"<u8", UINT64_MAX, "has 18446744073709551615 at [300], must have " EXACT,
     "has 18446744073709551615 at [300], must have integers below 2^63"},
    {"<f8", 0x4340000000000000, NULL, NULL}, /* 2^53 */
    {"<f8", 0xc340000000000000, NULL, NULL},
    {"<f8", 0x4340000000000001, NULL,
     "has 9007199254740994 at [300], must have " WHOLE},
    {"<f8", 0x8000000000000000, NULL, NULL}, /* -0.0 */
    {"<f8", 0x3ff8000000000000, NULL, "has 1.5 at [300], must have " WHOLE},
    {"<f8", 0x7ff0000000000000, NULL, "has inf at [300], must have " WHOLE},
    {"<f8", 0x7ff8000000000000, NULL, "has nan at [300], must have " WHOLE},
};

static void check_why(size_t i, int rc, const struct npy *a, const char *want)
{
    if ((rc != 0) != (want != NULL) || (want && strcmp(a->why, want) != 0))
        fail_msg("edge %zu: %s", i, rc ? a->why : "is read");
}

static void numbers_that_do_not_fit_are_told(void **state)
{
    enum { N = 400, AT = 300 }; /* beyond the first block */
    (void)state;
    for (size_t i = 0; i < COUNT(edges); i++) {
        uint64_t data[N] = {0};
        double x[N];
        float y[N];
        int64_t z[N];
        data[AT] = edges[i].bits;
        struct opened o = vector(edges[i].descr, data, N, sizeof(data));
        check_why(i, npy_doubles(&o.a, x), &o.a, edges[i].as_double);
        check_why(i, npy_floats(&o.a, y), &o.a, edges[i].as_double);
        check_why(i, npy_integers(&o.a, z), &o.a, edges[i].as_integer);
        free(o.copy);
    }
}

/* In memory of its own, whose alignment is malloc's. */
static void plain_data_is_used_where_it_stands(void **state)
{
    static const struct {
        const char *dict, *type;
        bool in_place;
    } arrays[] = {
        {"{'descr':'<f4','fortran_order':False,'shape':(1,2)}   ", "f4", true},
        {"{'descr':'<f4','fortran_order':False,'shape':(1,2)}   ", "f8", false},
        {"{'descr':'<f4','fortran_order':False,'shape':(1,2)} ", "f4", false},
        {"{'descr':'>f4','fortran_order':False,'shape':(1,2)}   ", "f4", false},
        {"{'descr':'<f4','fortran_order':True,'shape':(1,2)}    ", "f4", false},
        {"{'descr':'<i4','fortran_order':False,'shape':(1,2)}   ", "f4", false},
        {"{'descr':'<i8','fortran_order':False,'shape':(1,)}    ", "i8", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(arrays); i++) {
        static struct file f;
        file_make(&f, arrays[i].dict, "abcdefgh", 8);
        struct opened o = file_open(f.text, f.len);
        assert_int_equal(o.rc, 0);
        const void *data = npy_in_place(&o.a, arrays[i].type);
        if (data != (arrays[i].in_place ? o.copy + f.len - 8 : NULL))
            fail_msg("%s as %s", arrays[i].dict, arrays[i].type);
        free(o.copy);
    }
}

/* A NaN's bits, which no conversion would keep. */
static void floats_are_taken_over_bit_by_bit(void **state)
{
    static const uint32_t bits[] = {0x7fa00001, 0xffc12345, 1, 0x80000000};
    float x[4];
    struct opened o = vector("<f4", bits, 4, sizeof(bits));
    (void)state;
    assert_int_equal(npy_floats(&o.a, x), 0);
    assert_memory_equal(x, bits, sizeof(bits));
    free(o.copy);
}

static void truth_is_0_or_1(void **state)
{
    static const int64_t want[] = {0, 1, 1, 1};
    int64_t x[4];
    struct opened o = vector("|b1", "\0\1\2\xff", 4, 4);
    (void)state;
    assert_int_equal(npy_integers(&o.a, x), 0);
    assert_memory_equal(x, want, sizeof(want));
    free(o.copy);
}

/* Every half; the sum over their bits as float32 is numpy's. */
static void halves_are_read(void **state)
{
    enum { ALL = 1 << 16 };
    static uint16_t bits[ALL];
    static float x[ALL];
    uint64_t sum = 0;
    (void)state;
    for (size_t i = 0; i < ALL; i++)
        bits[i] = (uint16_t)i;
    struct opened o = vector("<f2", bits, ALL / 2, ALL);
    assert_int_equal(npy_floats(&o.a, x), 0);
    free(o.copy);
    o = vector("<f2", bits + ALL / 2, ALL / 2, ALL);
    assert_int_equal(npy_floats(&o.a, x + ALL / 2), 0);
    free(o.copy);
    for (size_t i = 0; i < ALL; i++) {
        uint32_t as;
        memcpy(&as, &x[i], sizeof(as));
        if (isnan(x[i]) != ((i & 0x7fff) > 0x7c00))
            fail_msg("half %zx is %g", i, (double)x[i]);
        if (!isnan(x[i]))
            sum = sum * UINT64_C(6364136223846793005) + (as >> 13) + 1;
    }
    assert_true(sum == UINT64_C(0x4c6a9b47a8d6ab2e));
}

/* Column-major arrays of many shapes against the plain definition. */
static void columns_become_rows(void **state)
{
    static const size_t shapes[][NPY_RANK_MAX] = {
        {1},
        {7, 1},
        {1, 7},
        {2, 3},
        {33, 65},
        {64, 32},
        {3, 1, 2},
        {2, 3, 4},
        {35, 3, 40},
        {1, 34, 1, 2},
        {2, 3, 4, 5},
        {5, 1, 33, 2, 3},
        {2, 2, 2, 2, 2, 2, 2, 2},
        {3, 2, 1, 4, 1, 5},
        {100, 2},
        {2, 100},
    };
    (void)state;
    for (size_t s = 0; s < COUNT(shapes); s++) {
        size_t rank = 0, n = 1;
        char dict[256];
        static struct file f;
        static int16_t data[FILE_BYTES / 4];
        static double x[FILE_BYTES / 4];
        size_t len = (size_t)snprintf(
            dict, sizeof(dict),
            "{'descr': '<i2', 'fortran_order': True, 'shape': (");
        for (; rank < NPY_RANK_MAX && shapes[s][rank]; rank++) {
            n *= shapes[s][rank];
            len += (size_t)snprintf(dict + len, sizeof(dict) - len, "%zu, ",
                                    shapes[s][rank]);
        }
        snprintf(dict + len, sizeof(dict) - len, ")}");
        for (size_t i = 0; i < n; i++)
            data[i] = (int16_t)i;
        file_make(&f, dict, data, n * sizeof(*data));
        struct opened o = file_open(f.text, f.len);
        if (o.rc || npy_doubles(&o.a, x))
            fail_msg("%s %s", dict, o.a.why);
        for (size_t i = 0; i < n; i++) {
            size_t rest = i, at = 0, stride = n;
            for (size_t d = rank; d-- > 0;) {
                stride /= shapes[s][d];
                at += rest % shapes[s][d] * stride;
                rest /= shapes[s][d];
            }
            if (x[i] != (double)at)
                fail_msg("%s: element %zu is %g, not %zu", dict, i, x[i], at);
        }
        free(o.copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(integers_are_read),
        cmocka_unit_test(numbers_that_do_not_fit_are_told),
        cmocka_unit_test(plain_data_is_used_where_it_stands),
        cmocka_unit_test(floats_are_taken_over_bit_by_bit),
        cmocka_unit_test(truth_is_0_or_1),
        cmocka_unit_test(halves_are_read),
        cmocka_unit_test(columns_become_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
