#include "core/op.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fail(struct op_fault *f, const char *format, va_list args)
{
    vsnprintf(f->text, sizeof(f->text), format, args);
    return -1;
}

int op_fail_input(struct op_fault *f, size_t input, size_t element,
                  const char *format, ...)
{
    va_list args;
    *f = (struct op_fault){.row = input, .element = element};
    va_start(args, format);
    int rc = fail(f, format, args);
    va_end(args);
    return rc;
}

int op_fail_shape(struct op_fault *f, size_t input, const char *format, ...)
{
    va_list args;
    *f = (struct op_fault){
        .row = input, .whole = true, .code = "shape_mismatch"};
    va_start(args, format);
    int rc = fail(f, format, args);
    va_end(args);
    return rc;
}

int op_fail_param(struct op_fault *f, size_t param, const char *format, ...)
{
    va_list args;
    *f = (struct op_fault){.of_param = true, .row = param, .whole = true};
    va_start(args, format);
    int rc = fail(f, format, args);
    va_end(args);
    return rc;
}

static void note(struct op_call *call, struct op_fact fact)
{
    assert(call->n_facts < OP_FACTS_MAX);
    call->fact[call->n_facts++] = fact;
}

static int note_one(struct op_call *call, const char *name,
                    enum op_fact_kind kind, double value)
{
    double *kept = arena_alloc(call->mem, 1, sizeof(*kept));
    if (!kept)
        return -1;
    *kept = value;
    note(call, (struct op_fact){name, kind, false, kept, 1});
    return 0;
}

int op_fact_number(struct op_call *call, const char *name, double value)
{
    return note_one(call, name, OP_FACT_NUMBER, value);
}

int op_fact_count(struct op_call *call, const char *name, size_t value)
{
    return note_one(call, name, OP_FACT_COUNT, (double)value);
}

void op_fact_list(struct op_call *call, const char *name,
                  enum op_fact_kind kind, const double *value, size_t n)
{
    note(call, (struct op_fact){name, kind, true, value, n});
}

size_t op_inputs(const struct op *op)
{
    size_t n = 0;
    while (n < OP_INPUTS_MAX && op->in[n].name)
        n++;
    return n;
}

size_t op_outputs(const struct op *op)
{
    size_t n = 0;
    while (n < OP_OUTPUTS_MAX && op->out[n].name)
        n++;
    return n;
}

size_t op_params(const struct op *op)
{
    size_t n = 0;
    while (n < OP_PARAMS_MAX && op->param[n].name)
        n++;
    return n;
}

size_t op_param_row(const struct op *op, const char *name)
{
    for (size_t i = 0; i < op_params(op); i++)
        if (strcmp(op->param[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

size_t op_input_row(const struct op *op, const char *name)
{
    for (size_t i = 0; i < op_inputs(op); i++)
        if (strcmp(op->in[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

size_t op_output_row(const struct op *op, const char *name)
{
    for (size_t i = 0; i < op_outputs(op); i++)
        if (strcmp(op->out[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

bool op_is_unasked(const struct op *op, size_t i)
{
    size_t value = op_output_row(op, "value");
    return i == value || value == SIZE_MAX || op->out[i].unasked;
}
