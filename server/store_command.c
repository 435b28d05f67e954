/* evald store: looks after what a daemon keeps. */
#include "api/suggest.h"
#include "server/commands.h"
#include "server/file.h"
#include "server/options.h"
#include "server/store_portable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct flags {
    const char *store;
};

static const struct option options[] = {
    {.name = "--store",
     .value = "PATH|URL",
     .help = "which store, as of evald serve (EVALD_STORE, or the usual place)",
     .store = store_text,
     .offset = offsetof(struct flags, store)},
};

/* What is done with an open store; an exit code. */
struct task {
    const char *name;
    int (*run)(struct store *s, const struct task *t, const char *file);
    bool read_only, takes_file;
};

static int complain(const struct task *t, int code, const char *why)
{
    fprintf(stderr, "evald store %s: %s\n", t->name, why);
    return code;
}

static void print_amounts(FILE *to, const char *what,
                          const struct store_amounts *a)
{
    fprintf(to, "%s: %lld datasets, %lld runs, %lld images\n", what,
            (long long)a->n[KIND_DATASET], (long long)a->n[KIND_RUN],
            (long long)a->n[KIND_IMAGE]);
}

static int check(struct store *s, const struct task *t, const char *file)
{
    char why[STORE_WHY_BYTES];
    struct store_amounts a;
    (void)file;
    if (store_amounts(s, &a, why) || store_check(s, why))
        return complain(t, EX_DATAERR, why);
    print_amounts(stdout, "sound", &a);
    return EX_OK;
}

static int vacuum(struct store *s, const struct task *t, const char *file)
{
    char why[STORE_WHY_BYTES];
    size_t before = file_size(s->options.where);
    (void)file;
    if (store_vacuum(s, why))
        return complain(t, EX_IOERR, why);
    if (postgresql_is(s->options.where))
        puts("vacuumed");
    else
        printf("vacuumed: %zu bytes, %zu before\n", file_size(s->options.where),
               before);
    return EX_OK;
}

/* Writes beside the file and renames, so that no half of a store is left. */
static int export_file(struct store *s, const char *file,
                       struct store_amounts *a, char why[STORE_WHY_BYTES])
{
    char partial[PATH_MAX];
    snprintf(partial, sizeof(partial), "%.4000s.XXXXXX", file);
    int fd = mkostemp(partial, O_CLOEXEC), rc = -1;
    FILE *to = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!to) {
        snprintf(why, STORE_WHY_BYTES, "cannot write %.100s: %s", file,
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    rc = store_export(s, to, a, why);
    if (rc == 0 && fsync(fd) == 0 && rename(partial, file) == 0) {
        fclose(to);
        return 0;
    }
    if (rc == 0)
        snprintf(why, STORE_WHY_BYTES, "cannot write %.100s: %s", file,
                 strerror(errno));
    fclose(to);
    unlink(partial);
    return -1;
}

static int export(struct store *s, const struct task *t, const char *file)
{
    char why[STORE_WHY_BYTES];
    struct store_amounts a;
    bool standard = strcmp(file, "-") == 0;
    if (standard && isatty(1))
        return complain(t, EX_USAGE,
                        "an export is no text for a terminal: name a file");
    if (standard ? store_export(s, stdout, &a, why)
                 : export_file(s, file, &a, why))
        return complain(t, EX_IOERR, why);
    print_amounts(stderr, "exported", &a);
    return EX_OK;
}

static int import(struct store *s, const struct task *t, const char *file)
{
    char why[STORE_WHY_BYTES];
    struct store_amounts a;
    bool standard = strcmp(file, "-") == 0;
    FILE *from = standard ? stdin : fopen(file, "rb");
    if (!from)
        return complain(t, EX_NOINPUT, strerror(errno));
    int rc = store_import(s, from, &a, why);
    if (!standard)
        fclose(from);
    if (rc)
        return complain(t, EX_DATAERR, why);
    print_amounts(stdout, "read", &a);
    if (a.there[KIND_DATASET] || a.there[KIND_RUN])
        printf("there already, and left as they are: %lld datasets, %lld "
               "runs\n",
               (long long)a.there[KIND_DATASET], (long long)a.there[KIND_RUN]);
    return EX_OK;
}

static const struct task tasks[] = {
    {"check", check, true, false},
    {"vacuum", vacuum, false, false},
    {"export", export, true, true},
    {"import", import, false, true},
};
enum { TASKS = sizeof(tasks) / sizeof(tasks[0]) };

static const struct task *find_task(const char *word)
{
    const char *names[TASKS];
    for (size_t i = 0; i < TASKS; i++) {
        if (strcmp(word, tasks[i].name) == 0)
            return &tasks[i];
        names[i] = tasks[i].name;
    }
    const char *near = suggest(word, names, TASKS);
    fprintf(stderr, "evald store: unknown command %s; %s%s\n", word,
            near ? "did you mean " : "see evald store --help",
            near ? near : "");
    return NULL;
}

/* The flag, the daemon's variable, or the usual place; NULL = none. */
static const char *find_place(const struct flags *flags, char usual[PATH_MAX])
{
    const char *where = flags->store;
    if (!where || !*where)
        where = getenv("EVALD_STORE");
    if (where && *where)
        return strcmp(where, "none") != 0 ? where : NULL;
    return store_default_path(usual, PATH_MAX) == 0 ? usual : NULL;
}

static int run_task(const struct task *t, const char *where, const char *file)
{
    char why[STORE_WHY_BYTES];
    struct store *s = store_open(
        &(struct store_options){
            .where = where, .readers = 1, .read_only = t->read_only},
        why);
    if (!s)
        return complain(t, EX_UNAVAILABLE, why);
    int code = t->run(s, t, file);
    store_close(s);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return complain(t, EX_IOERR, "cannot write the output");
}

static int command_store(int argc, char **argv)
{
    struct flags flags = {.store = NULL};
    char usual[PATH_MAX];
    size_t operands;
    int code = options_read(&store_command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    const struct task *t = find_task(argv[1]);
    if (!t)
        return EX_USAGE;
    if (operands > 1 && !t->takes_file)
        return complain(t, EX_USAGE, "takes no file");
    const char *where = find_place(&flags, usual);
    if (!where)
        return complain(t, EX_USAGE, "--store must say which store");
    return run_task(t, where, operands > 1 ? argv[2] : "-");
}

const struct command store_command = {
    .name = "store",
    .usage = "check|vacuum|export|import [OPTION ...] [FILE]",
    .brief = "check, shrink, export or import datasets and runs",
    .help = "Looks after the datasets and runs that evald serve keeps. check "
            "says whether all\nof it is sound; vacuum gives the room of what "
            "was deleted back to the system;\nexport writes all of it to FILE "
            "or standard output; import adds what FILE or\nstandard input has "
            "and the store has not, all or nothing. check and export may\nbe "
            "used while a daemon runs; a file of SQLite is for one at a time "
            "to change. An\nexport is read by any evald, into either "
            "database.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .operands_min = 1,
    .operands_max = 2,
    .operand = {OPERAND_STORE_PART, OPERAND_FILE},
    .run = command_store,
};
