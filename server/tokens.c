#include "server/tokens.h"

#include "api/suggest.h"
#include "server/file.h"

#include <ctype.h>
#include <errno.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { WORDS = 3, BEARER_BYTES_MAX = 512 };

static const struct {
    const char *name;
    unsigned scopes; /* with what it includes */
} scopes[] = {
    {"read", TOKEN_READ},
    {"write", TOKEN_READ | TOKEN_WRITE},
    {"admin", TOKEN_READ | TOKEN_WRITE | TOKEN_ADMIN},
};
enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

const struct token_answer token_answers[TOKEN_VERDICTS] = {
    [TOKEN_NONE] = {"Bearer realm=\"evald\"",
                    "a token is needed: send \"Authorization: Bearer TOKEN\""},
    [TOKEN_MALFORMED] = {"Bearer realm=\"evald\", error=\"invalid_token\"",
                         "what follows Bearer in Authorization is no token: "
                         "letters, digits and \"-._~+/\", then \"=\" only"},
    [TOKEN_UNKNOWN] = {"Bearer realm=\"evald\", error=\"invalid_token\"",
                       "the token is not known: it may have been removed"},
};

const char token_scope_challenge[] =
    "Bearer realm=\"evald\", error=\"insufficient_scope\"";

/* A part of a text. */
struct word {
    const char *at;
    size_t len;
};

/* Where a line is read, and where what is wrong with it is told. */
struct reader {
    const char *name;
    size_t line;
    char *why;
    size_t n;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reader *r,
                                                       const char *format, ...)
{
    int at = snprintf(r->why, r->n, "%s:%zu: ", r->name, r->line);
    va_list args;
    va_start(args, format);
    if (at >= 0 && (size_t)at < r->n)
        vsnprintf(r->why + at, r->n - (size_t)at, format, args);
    va_end(args);
    return -1;
}

bool token_name_is_valid(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return len > 0 && len < TOKEN_NAME_BYTES && !memchr(name, '\0', len);
}

/* The row of a scope, SCOPES if there is none. */
static size_t find_scope(const char *word, size_t len)
{
    size_t i = 0;
    while (i < SCOPES && (strlen(scopes[i].name) != len ||
                          memcmp(scopes[i].name, word, len) != 0))
        i++;
    return i;
}

static const char *near_scope(const char *word, size_t len)
{
    const char *names[SCOPES];
    char text[16];
    for (size_t i = 0; i < SCOPES; i++)
        names[i] = scopes[i].name;
    snprintf(text, sizeof(text), "%.*s", (int)(len < 15 ? len : 15), word);
    return suggest(text, names, SCOPES);
}

unsigned token_scopes_read(const char *text, size_t len, const char **wrong_at,
                           size_t *wrong_len, const char **near)
{
    unsigned found = 0;
    for (size_t from = 0; from <= len;) {
        const char *comma = memchr(text + from, ',', len - from);
        size_t to = comma ? (size_t)(comma - text) : len;
        size_t row = find_scope(text + from, to - from);
        if (row == SCOPES) {
            *wrong_at = text + from;
            *wrong_len = to - from;
            *near = near_scope(text + from, to - from);
            return 0;
        }
        found |= scopes[row].scopes;
        from = to + 1;
    }
    return found;
}

const char *token_scopes_text(unsigned given_scopes)
{
    return given_scopes & TOKEN_ADMIN   ? "read,write,admin"
           : given_scopes & TOKEN_WRITE ? "read,write"
                                        : "read";
}

static int read_scopes(const struct reader *r, struct word w, struct token *t)
{
    const char *at = NULL, *near = NULL;
    size_t len = 0;
    t->scopes = token_scopes_read(w.at, w.len, &at, &len, &near);
    if (t->scopes)
        return 0;
    return wrong(r, "no scope \"%.*s\"; %s%s", (int)(len < 40 ? len : 40), at,
                 near ? "did you mean " : "scopes are read, write and admin",
                 near ? near : "");
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int read_hash(const struct reader *r, struct word w, struct token *t)
{
    static const char prefix[] = "sha256:";
    size_t n = strlen(prefix);
    bool good =
        w.len == n + 2 * sizeof(t->hash) && memcmp(w.at, prefix, n) == 0;
    for (size_t i = 0; good && i < sizeof(t->hash); i++) {
        int high = hex_digit(w.at[n + 2 * i]);
        int low = hex_digit(w.at[n + 2 * i + 1]);
        good = high >= 0 && low >= 0;
        t->hash[i] = good ? (uint8_t)(high << 4 | low) : 0;
    }
    if (good)
        return 0;
    return wrong(r, "the third word must be sha256: and 64 hexadecimal "
                    "digits; evald token new writes such a line");
}

/* The words of a line; how many, of more than WORDS one more. */
static size_t split(const char *line, size_t len, struct word words[WORDS])
{
    size_t n = 0, at = 0;
    while (n <= WORDS) {
        while (at < len && strchr(" \t\r", line[at]) && line[at])
            at++;
        size_t from = at;
        if (from == len || line[from] == '#')
            break;
        while (at < len && !(strchr(" \t\r", line[at]) && line[at]))
            at++;
        if (n < WORDS)
            words[n] = (struct word){line + from, at - from};
        n++;
    }
    return n;
}

/* As many rows as there may be, so comparing them all is no matter. */
static int check_twins(const struct reader *r, const struct tokens *all,
                       const struct token *t)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct token *other = &all->token[i];
        if (strcmp(other->name, t->name) == 0)
            return wrong(r, "there is a token %s already; rename or remove one",
                         t->name);
        if (memcmp(other->hash, t->hash, sizeof(t->hash)) == 0)
            return wrong(r, "%s has the same token as %s; make one for each",
                         t->name, other->name);
    }
    return 0;
}

static int read_line(const struct reader *r, const char *line, size_t len,
                     struct tokens *all)
{
    struct word words[WORDS];
    size_t n = split(line, len, words);
    if (n == 0)
        return 0;
    if (n != WORDS)
        return wrong(r, "must be NAME SCOPES sha256:HEX");
    if (all->n == TOKENS_MAX)
        return wrong(r, "more than %d tokens", TOKENS_MAX);
    struct token *t = &all->token[all->n];
    if (!token_name_is_valid(words[0].at, words[0].len))
        return wrong(r,
                     "a name has up to %d letters, digits and the signs "
                     "\"-_.\"",
                     TOKEN_NAME_BYTES - 1);
    memcpy(t->name, words[0].at, words[0].len);
    t->name[words[0].len] = '\0';
    if (read_scopes(r, words[1], t) || read_hash(r, words[2], t) ||
        check_twins(r, all, t))
        return -1;
    all->n++;
    return 0;
}

struct tokens *tokens_parse(const char *text, size_t len, const char *name,
                            char *why, size_t n)
{
    struct reader r = {.name = name, .why = why, .n = n};
    struct tokens *all = calloc(1, sizeof(*all));
    if (!all) {
        snprintf(why, n, "no memory for %s", name);
        return NULL;
    }
    for (size_t from = 0; from < len;) {
        const char *end = memchr(text + from, '\n', len - from);
        size_t to = end ? (size_t)(end - text) : len;
        r.line++;
        if (read_line(&r, text + from, to - from, all)) {
            tokens_free(all);
            return NULL;
        }
        from = to + 1;
    }
    if (n > 0)
        *why = '\0';
    if (all->n == 0)
        snprintf(why, n, "%s has no token: nobody may ask", name);
    return all;
}

static void warn_of_others(const char *path, char *why, size_t n)
{
    struct stat st;
    if (stat(path, &st) || !(st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)))
        return;
    snprintf(why, n, "%s can be %s by others; chmod 600 %s", path,
             st.st_mode & (S_IWOTH | S_IWGRP) ? "written" : "read", path);
}

struct tokens *tokens_read(const char *path, char *why, size_t n)
{
    char *text;
    size_t len;
    if (file_read_small(path, TOKENS_FILE_BYTES_MAX, &text, &len)) {
        snprintf(why, n, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    struct tokens *all = tokens_parse(text, len, path, why, n);
    free(text);
    if (all && !*why)
        warn_of_others(path, why, n);
    return all;
}

void tokens_free(struct tokens *tokens)
{
    free(tokens);
}

void token_hash(const char *token, size_t len, uint8_t hash[TOKEN_HASH_BYTES])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, len, (const uint8_t *)token);
    sha256_digest(&ctx, TOKEN_HASH_BYTES, hash);
}

/* RFC 6750, section 2.1: b64token. */
static bool is_bearer_token(const char *token, size_t len)
{
    size_t i = 0;
    while (i < len && (isalnum((unsigned char)token[i]) ||
                       (token[i] && strchr("-._~+/", token[i]))))
        i++;
    size_t chars = i;
    while (i < len && token[i] == '=')
        i++;
    return chars > 0 && i == len && len <= BEARER_BYTES_MAX;
}

/* The row of a hash plus 1, or 0, without a branch on what is equal. */
static size_t find_row(const struct tokens *tokens,
                       const uint8_t hash[TOKEN_HASH_BYTES])
{
    size_t row = 0;
    for (size_t i = 0; i < tokens->n; i++) {
        int same = memeql_sec(tokens->token[i].hash, hash, TOKEN_HASH_BYTES);
        row |= (0 - (size_t)same) & (i + 1);
    }
    return row;
}

const struct token *tokens_find(const struct tokens *tokens,
                                const char *authorization,
                                enum token_verdict *verdict)
{
    static const char scheme[] = "Bearer";
    size_t n = strlen(scheme);
    uint8_t hash[TOKEN_HASH_BYTES];
    *verdict = TOKEN_NONE;
    if (!authorization || strncasecmp(authorization, scheme, n) != 0 ||
        (authorization[n] && authorization[n] != ' '))
        return NULL;
    const char *token = authorization + n;
    token += strspn(token, " ");
    size_t len = strnlen(token, BEARER_BYTES_MAX + 1);
    *verdict = TOKEN_MALFORMED;
    if (!is_bearer_token(token, len))
        return NULL;
    token_hash(token, len, hash);
    size_t row = find_row(tokens, hash);
    *verdict = row ? TOKEN_KNOWN : TOKEN_UNKNOWN;
    return row ? &tokens->token[row - 1] : NULL;
}
