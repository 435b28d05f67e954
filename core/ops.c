#include "core/ops.h"

#include <stdint.h>
#include <string.h>

/* Of core/kernels/tables.c, in each of its builds. */
typedef const struct op *const op_tables[];
extern op_tables op_tables_f32_base, op_tables_f64_base;
#ifdef EVALD_VECTOR
extern op_tables op_tables_f32_v3, op_tables_f64_v3;
extern op_tables op_tables_f32_v4, op_tables_f64_v4;
#endif

static const struct op *const *const tables[OP_TYPES][OP_ISAS] = {
#ifdef EVALD_VECTOR
    {op_tables_f32_base, op_tables_f32_v3, op_tables_f32_v4},
    {op_tables_f64_base, op_tables_f64_v3, op_tables_f64_v4},
#else
    {op_tables_f32_base},
    {op_tables_f64_base},
#endif
};

const char *const op_isa_names[OP_ISAS] = {"base", "x86-64-v3", "x86-64-v4"};

/* What each level of x86-64 adds, as far as compilers make use of it here. */
bool op_isa_usable(enum op_isa isa)
{
#ifdef EVALD_VECTOR
    if (isa >= OP_V3 &&
        !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
          __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma")))
        return false;
    if (isa >= OP_V4 && !(__builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512cd") &&
                          __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl")))
        return false;
    return true;
#else
    return isa == OP_BASE;
#endif
}

enum op_isa op_isa_best(void)
{
    enum op_isa isa = OP_ISAS - 1;
    while (isa > OP_BASE && !op_isa_usable(isa))
        isa--;
    return isa;
}

size_t op_count(void)
{
    size_t n = 0;
    for (size_t t = 0; op_tables_f64_base[t]; t++)
        for (const struct op *op = op_tables_f64_base[t]; op->name; op++)
            n++;
    return n;
}

const struct op *op_row(size_t i, enum op_type type, enum op_isa isa)
{
    for (const struct op *const *t = tables[type][isa]; *t; t++)
        for (const struct op *op = *t; op->name; op++)
            if (i-- == 0)
                return op;
    return NULL;
}

bool op_is_called(const struct op *op, const char *name)
{
    if (strcmp(op->name, name) == 0)
        return true;
    for (size_t i = 0; op->aliases[i]; i++)
        if (strcmp(op->aliases[i], name) == 0)
            return true;
    return false;
}

size_t op_find(const char *group, size_t group_len, const char *name)
{
    const char *looked_at = NULL; /* rows of one group share its text */
    bool inside = false;
    size_t i = 0;
    for (const struct op *const *t = tables[OP_FLOAT64][OP_BASE]; *t; t++)
        for (const struct op *op = *t; op->name; op++, i++) {
            if (op->group != looked_at)
                inside = strncmp(op->group, group, group_len) == 0 &&
                         !op->group[group_len];
            looked_at = op->group;
            if (inside && op_is_called(op, name))
                return i;
        }
    return SIZE_MAX;
}
