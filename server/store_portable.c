/* The kinds of records. */
#include "server/store_portable.h"

const char store_magic[] = "evald-store 1\n";

#define CONTENT "sha256, images, annotations, categories, bytes, content"
#define DATASET "name, sha256, created_ms, updated_ms"
#define RUN                                                              \
    "id, images, detections, bytes, seq, replaced, created_ms,"          \
    " updated_ms, finalized_ms, expected_images, sha256, dataset, name," \
    " protocol, parameters, tags, idempotency_key, request_digest, result"
#define IMAGE "image, seq, digest, detections, part"

const struct store_record store_records[KINDS] = {
    [KIND_CONTENT] = {'C',
                      "tiiiib",
                      {"SELECT " CONTENT " FROM contents ORDER BY sha256",
                       NULL},
                      {"INSERT INTO contents(" CONTENT ")"
                       " VALUES($1, $2, $3, $4, $5, $6)"
                       " ON CONFLICT DO NOTHING RETURNING bytes",
                       NULL}},
    [KIND_DATASET] = {'D',
                      "ttii",
                      {"SELECT " DATASET " FROM datasets ORDER BY name", NULL},
                      {"INSERT INTO datasets(" DATASET ")"
                       " VALUES($1, $2, $3, $4)"
                       " ON CONFLICT DO NOTHING RETURNING created_ms",
                       NULL}},
    [KIND_RUN] = {'R',
                  "tiiiiiiiiittttttTTT",
                  {"SELECT " RUN " FROM runs WHERE id = $1", NULL},
                  {"INSERT INTO runs(" RUN ")"
                   " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
                   " $13, $14, $15, $16, $17, $18, $19)"
                   " ON CONFLICT DO NOTHING RETURNING number",
                   NULL}},
    [KIND_IMAGE] = {'I',
                    "iibib",
                    {"SELECT " IMAGE " FROM images WHERE run ="
                     " (SELECT number FROM runs WHERE id = $1) ORDER BY seq",
                     NULL},
                    {"INSERT INTO images(" IMAGE ", run)"
                     " VALUES($1, $2, $3, $4, $5, $6)",
                     NULL}},
};

static const struct sql_statement count = {
    "SELECT (SELECT COUNT(*) FROM contents), (SELECT COUNT(*) FROM datasets),"
    " (SELECT COUNT(*) FROM runs), (SELECT COALESCE(SUM(images), 0) FROM runs)",
    "SELECT (SELECT COUNT(*) FROM contents), (SELECT COUNT(*) FROM datasets),"
    " (SELECT COUNT(*) FROM runs),"
    " (SELECT CAST(COALESCE(SUM(images), 0) AS BIGINT) FROM runs)"};

int store_amounts(struct store *s, struct store_amounts *a,
                  char why[STORE_WHY_BYTES])
{
    struct sql_row row = {.found = false};
    *a = (struct store_amounts){.n = {0}};
    if (sql_run(s->writer.sql, &count, NULL, 0, sql_take_row, &row) != SQL_OK) {
        snprintf(why, STORE_WHY_BYTES, "%.190s", sql_why(s->writer.sql));
        return -1;
    }
    for (size_t i = 0; i < KINDS; i++)
        a->n[i] = row.integer[i];
    return 0;
}
