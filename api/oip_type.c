/* Datatypes of tensors, and their elements to those of kernels. */
#include "api/half.h"
#include "api/oip.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "binary tensors are little-endian");

/* A loop from elements of one type, at any address, to those of another. */
#define CONVERT(name, from_type, to_type, value)           \
    static void name(const char *from, size_t n, void *to) \
    {                                                      \
        for (size_t i = 0; i < n; i++) {                   \
            from_type x;                                   \
            memcpy(&x, from + i * sizeof(x), sizeof(x));   \
            ((to_type *)to)[i] = (value);                  \
        }                                                  \
    }

CONVERT(half_to_single, uint16_t, float, half_to_float(x))
CONVERT(half_to_double, uint16_t, double, (double)half_to_float(x))
CONVERT(float_to_double, float, double, (double)x)
CONVERT(int32_to_double, int32_t, double, (double)x)
CONVERT(int32_to_integer, int32_t, int64_t, x)
CONVERT(int64_to_double, int64_t, double, (double)x)
CONVERT(bool_to_integer, uint8_t, int64_t, x)

static void copy_4(const char *from, size_t n, void *to)
{
    memcpy(to, from, 4 * n);
}

static void copy_8(const char *from, size_t n, void *to)
{
    memcpy(to, from, 8 * n);
}

enum { FP16, FP32, FP64, INT32, INT64, BOOL };
const struct oip_datatype oip_datatypes[] = {
    [FP16] = {"FP16", 2, .real = true, .binary_only = true, .narrow = true,
              .convert = {half_to_single, half_to_double}},
    [FP32] = {"FP32", 4, .real = true, .narrow = true,
              .convert = {copy_4, float_to_double}, .type = OP_FLOAT32,
              .read = OIP_FLOAT},
    [FP64] = {"FP64", 8, .real = true, .convert = {[OIP_DOUBLE] = copy_8},
              .type = OP_FLOAT64, .read = OIP_DOUBLE},
    [INT32] = {"INT32", 4, .real = true, .index = true, .flag = true,
               .convert = {[OIP_DOUBLE] = int32_to_double, int32_to_integer},
               .kind = OP_INDEX, .read = OIP_INTEGER},
    [INT64] = {"INT64", 8, .real = true, .index = true, .flag = true,
               .convert = {[OIP_DOUBLE] = int64_to_double, copy_8},
               .kind = OP_INDEX, .read = OIP_INTEGER},
    [BOOL] = {"BOOL", 1, .flag = true,
              .convert = {[OIP_INTEGER] = bool_to_integer}, .kind = OP_FLAG,
              .read = OIP_INTEGER},
};
const size_t n_oip_datatypes = sizeof(oip_datatypes) / sizeof(oip_datatypes[0]);

const struct oip_datatype *oip_native(enum oip_element element)
{
    static const size_t row[] = {
        [OIP_FLOAT] = FP32, [OIP_DOUBLE] = FP64, [OIP_INTEGER] = INT64};
    return &oip_datatypes[row[element]];
}

enum oip_element oip_element_of(const struct op_port *port, enum op_type type)
{
    if (op_is_integer(port))
        return OIP_INTEGER;
    return type == OP_FLOAT32 ? OIP_FLOAT : OIP_DOUBLE;
}

bool oip_takes(const struct op_port *port, const struct oip_datatype *type)
{
    if (!op_is_integer(port))
        return type->real;
    return port->kind == OP_FLAG ? type->flag : type->index;
}
