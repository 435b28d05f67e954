/* Documents of jansson in memory with a budget. */
#ifndef EVALD_API_JSON_MEMORY_H
#define EVALD_API_JSON_MEMORY_H

#include "core/arena.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * json_loadb of any value, duplicate keys refused, with every byte of the
 * document taken from mem.  A body may hold many more objects than its size
 * suggests; here they cannot outgrow the arena, and giving them back is one
 * arena_clear.
 *
 * The document lives as long as mem's blocks; it must not be json_decref'ed
 * or changed.  When mem is spent it is NULL with
 * *spent set, and *error says nothing.
 */
json_t *json_load_in(const char *text, size_t len, struct arena *mem,
                     json_error_t *error, bool *spent)
    __attribute__((warn_unused_result));

#endif
