/* evald token: makes, lists and removes tokens of a token file. */
#include "api/suggest.h"
#include "server/commands.h"
#include "server/file.h"
#include "server/options.h"
#include "server/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { SECRET_BYTES = 32, LINE_BYTES = 256, WHY_BYTES = 512, DIR_BYTES = 4096 };

struct flags {
    const char *file, *scope;
};

static const struct option options[] = {
    {.name = "--file",
     .value = "PATH",
     .help = "the token file",
     .store = store_text,
     .offset = offsetof(struct flags, file)},
    {.name = "--scope",
     .value = "SCOPES",
     .help = "read, write, admin, by comma",
     .store = store_text,
     .offset = offsetof(struct flags, scope),
     .fallback = "read,write"},
};

static const struct command new_command = {
    .name = "token new",
    .usage = "[OPTION ...] NAME",
    .help = "Makes a token and prints it; nothing keeps it. Its line for the "
            "token file follows,\nor is added to --file, which is made if it "
            "is not there.",
    .options = options,
    .n_options = 2,
    .operands_min = 1,
    .operands_max = 1,
};

static const struct command list_command = {
    .name = "token list",
    .usage = "--file PATH",
    .help = "Prints the names in a token file and what they may do.",
    .options = options,
    .n_options = 1,
};

static const struct command remove_command = {
    .name = "token remove",
    .usage = "--file PATH NAME",
    .help = "Takes a token out of a token file. A daemon goes on with what it "
            "has read\nuntil it reads the file again.",
    .options = options,
    .n_options = 1,
    .operands_min = 1,
    .operands_max = 1,
};

/* A token file while it is changed: nobody else changes it meanwhile. */
struct edit {
    const struct command *command;
    char *path;  /* without links, so that renaming replaces the file itself */
    int lock;    /* its directory, locked */
    mode_t mode; /* it keeps its mode and owner */
    uid_t owner;
    gid_t group;
    char *text; /* as it was; "" if there was no file */
    size_t len;
    struct tokens *tokens;
};

static int failed(const struct command *c, int code, const char *what,
                  const char *path)
{
    fprintf(stderr, "evald %s: %s %s: %s\n", c->name, what, path,
            strerror(errno));
    return code;
}

static int refused(const struct command *c, int code, const char *why)
{
    fprintf(stderr, "evald %s: %s\n", c->name, why);
    return code;
}

/* The directory of path, "." if it names none. */
static int directory_of(const char *path, char directory[DIR_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    if (n >= DIR_BYTES) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(directory, n ? path : ".", n ? n : 1);
    directory[n ? n : 1] = '\0';
    return 0;
}

static int lock_directory(const char *path)
{
    char directory[DIR_BYTES];
    if (directory_of(path, directory))
        return -1;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void edit_end(struct edit *e)
{
    free(e->path);
    free(e->text);
    tokens_free(e->tokens);
    if (e->lock >= 0)
        close(e->lock);
}

/* Where the file is and whose; where there is none, it will be ours. */
static int edit_find(struct edit *e, const char *path, bool create)
{
    struct stat st = {
        .st_mode = S_IRUSR | S_IWUSR, .st_uid = geteuid(), .st_gid = getegid()};
    bool there = stat(path, &st) == 0;
    if (!there && (errno != ENOENT || !create))
        return failed(e->command, EX_NOINPUT, "cannot read", path);
    e->mode = st.st_mode & 07777;
    e->owner = st.st_uid;
    e->group = st.st_gid;
    e->path = there ? realpath(path, NULL) : strdup(path);
    e->lock = e->path ? lock_directory(e->path) : -1;
    if (e->lock < 0)
        return failed(e->command, EX_CANTCREAT, "cannot lock the directory of",
                      path);
    return EX_OK;
}

static int edit_read(struct edit *e, const char *path, bool create)
{
    char why[WHY_BYTES] = "no memory", *text;
    size_t len;
    if (file_read_small(e->path, TOKENS_FILE_BYTES_MAX, &text, &len)) {
        if (errno != ENOENT || !create)
            return failed(e->command, EX_NOINPUT, "cannot read", path);
        text = strdup("");
        len = 0;
    }
    e->text = text;
    e->len = len;
    if (e->text)
        e->tokens = tokens_parse(e->text, e->len, path, why, sizeof(why));
    if (!e->tokens)
        return refused(e->command, EX_DATAERR, why);
    return EX_OK;
}

/*
 * EX_OK, or an exit code when it has said why not; edit_end in either case.
 */
static int edit_begin(struct edit *e, const struct command *c, const char *path,
                      bool create)
{
    *e = (struct edit){.command = c, .lock = -1};
    int code = edit_find(e, path, create);
    return code == EX_OK ? edit_read(e, path, create) : code;
}

/* Parts of the file as it is to be. */
struct part {
    const char *text;
    size_t len;
};

static int write_parts(int fd, const struct part *parts, size_t n)
{
    FILE *f = fdopen(fd, "wb");
    if (!f) {
        close(fd);
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        if (fwrite(parts[i].text, 1, parts[i].len, f) != parts[i].len)
            rc = -1;
    if (fflush(f) || fsync(fd))
        rc = -1;
    return fclose(f) || rc ? -1 : 0;
}

/* Readers see the file as it was or as it is to be, never a part of it. */
static int edit_write(struct edit *e, const struct part *parts, size_t n)
{
    char *partial = NULL;
    int rc = -1;
    if (asprintf(&partial, "%s.XXXXXX", e->path) < 0)
        return failed(e->command, EX_OSERR, "cannot write", e->path);
    int fd = mkostemp(partial, O_CLOEXEC);
    if (fd >= 0) {
        rc = fchown(fd, e->owner, e->group) || fchmod(fd, e->mode) ? -1 : 0;
        if (write_parts(fd, parts, n))
            rc = -1;
        if (rc == 0)
            rc = rename(partial, e->path);
        int why = errno;
        if (rc)
            unlink(partial);
        errno = why;
    }
    free(partial);
    if (rc)
        return failed(e->command, EX_CANTCREAT, "cannot write", e->path);
    fsync(e->lock); /* the file is whole either way */
    return EX_OK;
}

static const struct token *find(const struct tokens *tokens, const char *name)
{
    for (size_t i = 0; i < tokens->n; i++)
        if (strcmp(tokens->token[i].name, name) == 0)
            return &tokens->token[i];
    return NULL;
}

/* "evald_" and 43 characters: 256 bits that nobody can guess. */
static int make_token(char text[TOKEN_TEXT_BYTES])
{
    struct base64_encode_ctx ctx;
    uint8_t secret[SECRET_BYTES];
    char coded[BASE64_ENCODE_LENGTH(SECRET_BYTES) + BASE64_ENCODE_FINAL_LENGTH];
    if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
        return -1;
    base64url_encode_init(&ctx);
    size_t n = base64_encode_update(&ctx, coded, sizeof(secret), secret);
    n += base64_encode_final(&ctx, coded + n);
    while (n > 0 && coded[n - 1] == '=')
        n--;
    snprintf(text, TOKEN_TEXT_BYTES, "evald_%.*s", (int)n, coded);
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(coded, sizeof(coded));
    return 0;
}

static void make_line(const char *name, unsigned scopes, const char *token,
                      char line[LINE_BYTES])
{
    uint8_t hash[TOKEN_HASH_BYTES];
    token_hash(token, strlen(token), hash);
    int n = snprintf(line, LINE_BYTES, "%s %s sha256:", name,
                     token_scopes_text(scopes));
    for (size_t i = 0; i < sizeof(hash); i++)
        n += snprintf(line + n, LINE_BYTES - (size_t)n, "%02x", hash[i]);
    snprintf(line + n, LINE_BYTES - (size_t)n, "\n");
}

static int append(const char *path, const char *name, const char *line)
{
    struct edit e;
    int code = edit_begin(&e, &new_command, path, true);
    bool broken = e.len > 0 && e.text[e.len - 1] != '\n';
    struct part parts[] = {
        {e.text, e.len}, {"\n", broken ? 1 : 0}, {line, strlen(line)}};
    if (code == EX_OK && find(e.tokens, name))
        code = refused(&new_command, EX_DATAERR,
                       "the file has a token of that name; take another name, "
                       "or evald token remove it first");
    else if (code == EX_OK && e.tokens->n == TOKENS_MAX)
        code = refused(&new_command, EX_DATAERR, "the file is full");
    else if (code == EX_OK)
        code = edit_write(&e, parts, 3);
    edit_end(&e);
    return code;
}

static unsigned read_scope_flag(const char *text)
{
    const char *at = NULL, *near = NULL;
    size_t len = 0;
    unsigned scopes = token_scopes_read(text, strlen(text), &at, &len, &near);
    if (!scopes)
        fprintf(stderr, "evald token new: no scope \"%.*s\"; %s%s\n", (int)len,
                at, near ? "did you mean " : "scopes are read, write and admin",
                near ? near : "");
    return scopes;
}

static int command_new(int argc, char **argv)
{
    struct flags flags = {.scope = "read,write"};
    char token[TOKEN_TEXT_BYTES], line[LINE_BYTES];
    size_t operands;
    int code = options_read(&new_command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    const char *name = argv[1];
    if (!token_name_is_valid(name, strlen(name)))
        return refused(&new_command, EX_USAGE,
                       "NAME has up to 63 letters, digits and the signs "
                       "\"-_.\"");
    unsigned scopes = read_scope_flag(flags.scope);
    if (!scopes)
        return EX_USAGE;
    if (make_token(token))
        return refused(&new_command, EX_OSERR, strerror(errno));
    make_line(name, scopes, token, line);
    code = flags.file ? append(flags.file, name, line) : EX_OK;
    if (code == EX_OK &&
        (printf("%s\n%s", token, flags.file ? "" : line) < 0 || fflush(stdout)))
        code = failed(&new_command, EX_IOERR, "cannot print", "the token");
    explicit_bzero(token, sizeof(token));
    return code;
}

/* --file, which list and remove need. */
static int read_file_flag(const struct command *c, int argc, char **argv,
                          struct flags *flags)
{
    size_t operands;
    int code = options_read(c, argc, argv, flags, &operands);
    if (code < 0 && !flags->file)
        return refused(c, EX_USAGE, "--file PATH must say which token file");
    return code;
}

static int command_list(int argc, char **argv)
{
    struct flags flags = {0};
    char why[WHY_BYTES];
    int code = read_file_flag(&list_command, argc, argv, &flags);
    if (code >= 0)
        return code;
    struct tokens *tokens = tokens_read(flags.file, why, sizeof(why));
    if (!tokens)
        return refused(&list_command, EX_DATAERR, why);
    if (*why)
        refused(&list_command, EX_OK, why);
    for (size_t i = 0; i < tokens->n; i++)
        printf("%-20s %s\n", tokens->token[i].name,
               token_scopes_text(tokens->token[i].scopes));
    tokens_free(tokens);
    return fflush(stdout) ? EX_IOERR : EX_OK;
}

/* The line of a file that begins with a name, and its end of line. */
static struct part find_line(const struct edit *e, const char *name)
{
    size_t n = strlen(name);
    for (size_t from = 0; from < e->len;) {
        const char *line = e->text + from;
        const char *end = memchr(line, '\n', e->len - from);
        size_t len = end ? (size_t)(end - line) + 1 : e->len - from, at = 0;
        while (at < len && (line[at] == ' ' || line[at] == '\t'))
            at++;
        if (len - at > n && memcmp(line + at, name, n) == 0 &&
            (line[at + n] == ' ' || line[at + n] == '\t'))
            return (struct part){line, len};
        from += len;
    }
    return (struct part){e->text, 0};
}

static int remove_name(struct edit *e, const char *name)
{
    if (!find(e->tokens, name)) {
        fprintf(stderr,
                "evald token remove: no token %s; evald token list "
                "--file %s shows them\n",
                name, e->path);
        return EX_DATAERR;
    }
    struct part line = find_line(e, name);
    const char *rest = line.text + line.len;
    struct part parts[] = {{e->text, (size_t)(line.text - e->text)},
                           {rest, (size_t)(e->text + e->len - rest)}};
    return edit_write(e, parts, 2);
}

static int command_remove(int argc, char **argv)
{
    struct flags flags = {0};
    struct edit e;
    int code = read_file_flag(&remove_command, argc, argv, &flags);
    if (code >= 0)
        return code;
    code = edit_begin(&e, &remove_command, flags.file, false);
    if (code == EX_OK)
        code = remove_name(&e, argv[1]);
    edit_end(&e);
    return code;
}

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"new", "make a token and print it", command_new},
    {"list", "print the names in a token file", command_list},
    {"remove", "take a token out of a token file", command_remove},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static int print_help(void)
{
    puts("usage: evald token COMMAND [OPTION ...]\n\n"
         "Tokens say who may ask a daemon that was started with --tokens.\n");
    for (size_t i = 0; i < PARTS; i++)
        printf("  %-10s %s\n", parts[i].name, parts[i].help);
    puts("\nevald token COMMAND --help explains a command.");
    return EX_OK;
}

static int command_token(int argc, char **argv)
{
    const char *names[PARTS], *word = argc > 1 ? argv[1] : "--help";
    for (size_t i = 0; i < PARTS; i++) {
        if (strcmp(word, parts[i].name) == 0)
            return parts[i].run(argc - 1, argv + 1);
        names[i] = parts[i].name;
    }
    if (strcmp(word, "--help") == 0)
        return print_help();
    const char *near = suggest(word, names, PARTS);
    fprintf(stderr, "evald token: unknown command %s; %s%s\n", word,
            near ? "did you mean " : "see evald token --help",
            near ? near : "");
    return EX_USAGE;
}

const struct command token_command = {
    .name = "token",
    .usage = "new|list|remove [OPTION ...] [NAME]",
    .brief = "make, list and remove tokens",
    .help = "Tokens say who may ask a daemon that was started with --tokens. "
            "new makes one and\nprints it, with its line for the token file; "
            "list prints the names in the file,\nremove takes one out. "
            "evald token new --help explains more.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .operands_min = 1,
    .operands_max = 2,
    .operand = {OPERAND_TOKEN_PART},
    .run = command_token,
};
