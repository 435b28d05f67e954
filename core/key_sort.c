#include "core/key_sort.h"

enum { INSERTION_MAX = 64, DIGITS = 8, VALUES = 256 };

static void insertion_sort(size_t n, uint64_t *key, uint32_t *row)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t k = key[i];
        uint32_t r = row[i];
        size_t j = i;
        for (; j > 0 && key[j - 1] > k; j--) {
            key[j] = key[j - 1];
            row[j] = row[j - 1];
        }
        key[j] = k;
        row[j] = r;
    }
}

/* Turns counts into first places; false if all keys share this digit. */
static int first_places(size_t n, uint32_t *count)
{
    uint32_t sum = 0;
    for (size_t v = 0; v < VALUES; v++) {
        uint32_t c = count[v];
        if (c == n)
            return 0;
        count[v] = sum;
        sum += c;
    }
    return 1;
}

/*
 * Least significant digit first, one byte at a time.  Scores that were
 * float32 share their low 29 bits, and most of the exponent: such digits
 * are passed over.
 */
static void radix_sort(const struct key_order *by, size_t n,
                       const atomic_bool *stop)
{
    uint32_t count[DIGITS][VALUES] = {{0}};
    uint64_t *key = by->key, *to_key = by->spare_key;
    uint32_t *row = by->row, *to_row = by->spare_row;
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++)
            for (size_t d = 0; d < DIGITS; d++)
                count[d][key[i] >> (8 * d) & 0xff]++;
    for (size_t d = 0; d < DIGITS && !is_stopped(stop); d++) {
        if (!first_places(n, count[d]))
            continue;
        for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
            for (; i < end; i++) {
                uint32_t at = count[d][key[i] >> (8 * d) & 0xff]++;
                to_key[at] = key[i];
                to_row[at] = row[i];
            }
        uint64_t *k = key;
        uint32_t *r = row;
        key = to_key, row = to_row, to_key = k, to_row = r;
    }
    if (key != by->key && !is_stopped(stop)) {
        memcpy(by->key, key, n * sizeof(*key));
        memcpy(by->row, row, n * sizeof(*row));
    }
}

struct key_order key_order_alloc(size_t n, struct arena *mem)
{
    return (struct key_order){
        .key = arena_alloc(mem, n, sizeof(uint64_t)),
        .spare_key = arena_alloc(mem, n, sizeof(uint64_t)),
        .row = arena_alloc(mem, n, sizeof(uint32_t)),
        .spare_row = arena_alloc(mem, n, sizeof(uint32_t)),
    };
}

int key_sort(const struct key_order *by, size_t n, const atomic_bool *stop)
{
    if (n <= INSERTION_MAX)
        insertion_sort(n, by->key, by->row);
    else
        radix_sort(by, n, stop);
    return is_stopped(stop) ? -1 : 0;
}

int key_sort_ids(struct key_order *by, const int64_t *id, size_t n,
                 struct arena *mem, const atomic_bool *stop)
{
    *by = key_order_alloc(n, mem);
    if (mem->failed)
        return -1;
    for (size_t i = 0, end; (end = stop_reach(stop, i, n)) > i;)
        for (; i < end; i++) {
            by->key[i] = id_key(id[i]);
            by->row[i] = (uint32_t)i;
        }
    return key_sort(by, n, stop);
}
