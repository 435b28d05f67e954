/*
 * The token file: who may ask, and what.
 *
 *     # name scopes sha256:HEX of the token
 *     laptop  read,write  sha256:9f86d0…
 *
 * A line per token, words apart by blanks; # begins a comment.  The file holds
 * hashes only, so it is no secret, but whoever can write it can ask for all.
 */
#ifndef EVALD_SERVER_TOKENS_H
#define EVALD_SERVER_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOKENS_MAX = 1024,
    TOKEN_NAME_BYTES = 64, /* with its end */
    TOKEN_HASH_BYTES = 32, /* SHA-256 */
    TOKEN_TEXT_BYTES = 50, /* "evald_" and 43 characters, with its end */
    TOKENS_FILE_BYTES_MAX = 1 << 20,
};

/* Bits; a wider scope includes the narrower ones. */
enum token_scope {
    TOKEN_READ = 1,
    TOKEN_WRITE = 2,
    TOKEN_ADMIN = 4,
};

struct token {
    char name[TOKEN_NAME_BYTES]; /* letters, digits and "-_." */
    unsigned scopes; /* of enum token_scope, what they include too */
    uint8_t hash[TOKEN_HASH_BYTES];
};

struct tokens {
    size_t n;
    struct token token[TOKENS_MAX];
};

/*
 * Reads the file whole.  NULL with a line in why that names file, line and
 * fix.  On success why is "" or a warning for the log: others can read or
 * write the file, or it has no token, so that nobody may ask.
 */
struct tokens *tokens_read(const char *path, char *why, size_t n)
    __attribute__((warn_unused_result));

/* The same of a text; name is what messages call it. */
struct tokens *tokens_parse(const char *text, size_t len, const char *name,
                            char *why, size_t n)
    __attribute__((warn_unused_result));

void tokens_free(struct tokens *tokens);

enum token_verdict {
    TOKEN_KNOWN,
    TOKEN_NONE,      /* no Authorization, or of another scheme */
    TOKEN_MALFORMED, /* Bearer, but what follows is no token */
    TOKEN_UNKNOWN,
    TOKEN_VERDICTS
};

/* How each verdict is answered; those but TOKEN_KNOWN with 401. */
struct token_answer {
    const char *challenge; /* for WWW-Authenticate, RFC 6750, section 3 */
    const char *detail;
};
extern const struct token_answer token_answers[TOKEN_VERDICTS];

/* The challenge of 403 where a token lacks a scope. */
extern const char token_scope_challenge[];

/*
 * The token that the value of an Authorization header names, "Bearer TOKEN";
 * NULL without one.  How long it takes tells nothing of the hashes: every row
 * is compared in whole.  Borrowed from tokens.
 */
const struct token *tokens_find(const struct tokens *tokens,
                                const char *authorization,
                                enum token_verdict *verdict);

/* The hash of a token as tokens_find compares it. */
void token_hash(const char *token, size_t len, uint8_t hash[TOKEN_HASH_BYTES]);

/* 1 to TOKEN_NAME_BYTES - 1 of its characters. */
bool token_name_is_valid(const char *name, size_t len);

/*
 * Scopes by comma.  0 with *wrong and *wrong_len the word that is none, and
 * *near the scope that it may stand for, or NULL.
 */
unsigned token_scopes_read(const char *text, size_t len, const char **wrong,
                           size_t *wrong_len, const char **near);

/* "read", "read,write", "read,write,admin": what they include. */
const char *token_scopes_text(unsigned given_scopes);

#endif
