/*
 * The tables of operations: one set of rows for each element type and
 * instruction set, all in the same order, alike but for their kernels.
 */
#ifndef EVALD_CORE_OPS_H
#define EVALD_CORE_OPS_H

#include "core/op.h"

/* Instruction sets, slowest first; all give the same bits. */
enum op_isa { OP_BASE, OP_V3, OP_V4, OP_ISAS };

/* "base", "x86-64-v3", "x86-64-v4". */
extern const char *const op_isa_names[OP_ISAS];

/* The best that this processor has and this program was built with. */
enum op_isa op_isa_best(void);

/* Whether this processor and this program have it. */
bool op_isa_usable(enum op_isa isa);

/* How many operations there are, and row i of them; NULL if there is none. */
size_t op_count(void);
const struct op *op_row(size_t i, enum op_type type, enum op_isa isa);

/* Whether this is its name, or one of its aliases. */
bool op_is_called(const struct op *op, const char *name);

/* The row of the operation with this group, group_len long, and this name or
 * alias; SIZE_MAX if there is none. */
size_t op_find(const char *group, size_t group_len, const char *name);

#endif
