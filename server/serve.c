/* evald serve: from settings to a running daemon, and its orderly end. */
#include "api/api.h"
#include "server/commands.h"
#include "server/confine.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/notify.h"
#include "server/settings.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    LOOPS_MAX = 64 + 1,   /* the last one may be the administrators' */
    ENDING_MS_MAX = 2000, /* for clients to be told that it is over */
    STEP_MS_MIN = 500,    /* for loops that have nobody left to end */
    WHY_BYTES = 512,
    LARGE_BYTES = 1 << 18,
};

/* A loop and, but for the first, its thread. */
struct turn {
    uv_loop_t loop;
    uv_thread_t thread;
    int fd; /* that listens for it */
    bool admin;
    struct http *http;
    atomic_bool ended;
    struct daemon *daemon;
};

struct daemon {
    const struct settings *settings;
    struct listener listener, admin;
    bool inherited; /* the listener's socket is from the service manager */
    struct front front;
    struct notify notify;
    struct turn turn[LOOPS_MAX];
    size_t n_turns;
    /* of the first loop, which ends last */
    uv_signal_t term, interrupt, hangup;
    uv_timer_t grace, alive;
    uv_async_t ended; /* an http has ended */
};

static void give_up(const struct daemon *d, const char *why)
{
    log_error("%s: %zu requests are lost", why,
              atomic_load(&d->front.requests));
    if (d->settings->ready_file)
        unlink(d->settings->ready_file);
    log_stop();
    _exit(EXIT_FAILURE);
}

static void enter(struct daemon *d, enum front_phase phase)
{
    atomic_store(&d->front.phase, phase);
    for (size_t i = 0; i < d->n_turns; i++)
        if (!atomic_load(&d->turn[i].ended))
            http_notify(d->turn[i].http);
}

/* How long before the end of the grace period those that wait are told. */
static size_t ending_ms(const struct daemon *d)
{
    size_t third = d->settings->grace_ms / 3;
    return third < ENDING_MS_MAX ? third : ENDING_MS_MAX;
}

static void on_grace(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    switch (front_phase(&d->front)) {
    case FRONT_DRAINING:
        log_info("stopping %zu requests that are not done in time",
                 atomic_load(&d->front.requests));
        enter(d, FRONT_ENDING);
        break;
    case FRONT_ENDING:
        enter(d, FRONT_OVER);
        break;
    default:
        give_up(d, "not done in time");
    }
    size_t step_ms = ending_ms(d) / 2;
    uv_timer_start(timer, on_grace,
                   step_ms < STEP_MS_MIN ? STEP_MS_MIN : step_ms, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (front_phase(&d->front) != FRONT_SERVING)
        give_up(d, "asked to stop twice");
    log_info("%s: finishing %zu requests", strsignal(number),
             atomic_load(&d->front.requests));
    notify_stopping(&d->notify, d->settings->grace_ms);
    uv_timer_start(&d->grace, on_grace, d->settings->grace_ms - ending_ms(d),
                   0);
    enter(d, FRONT_DRAINING);
}

/* New tokens, a new certificate; what is wrong leaves the old in force. */
static void on_hangup(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    (void)number;
    if (front_phase(&d->front) != FRONT_SERVING)
        return;
    notify_reloading(&d->notify);
    metrics_reload(d->front.metrics, front_reload(&d->front));
    notify_ready(&d->notify);
}

/*
 * In the first loop.  Administrators are answered as long as there are other
 * clients; when all have ended nothing keeps the loop running any more.
 */
static void on_ended(uv_async_t *async)
{
    struct daemon *d = async->data;
    size_t left = 0, admins = 0;
    for (size_t i = 0; i < d->n_turns; i++) {
        bool ended = atomic_load(&d->turn[i].ended);
        left += !ended;
        admins += !ended && d->turn[i].admin;
    }
    if (left == admins && admins > 0)
        enter(d, FRONT_OVER);
    if (left > 0)
        return;
    uv_close((uv_handle_t *)&d->term, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    uv_close((uv_handle_t *)&d->hangup, NULL);
    uv_close((uv_handle_t *)&d->grace, NULL);
    uv_close((uv_handle_t *)&d->alive, NULL);
    uv_close((uv_handle_t *)&d->ended, NULL);
}

static void http_ended(void *context)
{
    struct turn *t = context;
    atomic_store(&t->ended, true);
    uv_async_send(&t->daemon->ended);
}

static void run_loop(void *turn)
{
    struct turn *t = turn;
    uv_run(&t->loop, UV_RUN_DEFAULT);
}

/* Written whole or not at all, as others wait for it to appear. */
static int write_ready_file(const char *path, const char *url)
{
    char *partial = NULL;
    if (asprintf(&partial, "%s.%ld", path, (long)getpid()) < 0)
        return -1;
    FILE *f = fopen(partial, "w");
    int rc = f && fputs(url, f) >= 0 ? 0 : -1;
    if (f && fclose(f))
        rc = -1;
    if (rc == 0)
        rc = rename(partial, path);
    if (rc)
        log_error("cannot write %s: %s", path, strerror(errno));
    free(partial);
    return rc;
}

/* For the service manager's watchdog. */
static void on_alive(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    notify_alive(&d->notify);
}

static void start_control(struct daemon *d)
{
    uv_loop_t *loop = &d->turn[0].loop;
    uv_signal_init(loop, &d->term);
    uv_signal_init(loop, &d->interrupt);
    uv_signal_init(loop, &d->hangup);
    uv_timer_init(loop, &d->grace);
    uv_async_init(loop, &d->ended, on_ended);
    d->term.data = d->interrupt.data = d->hangup.data = d;
    d->grace.data = d->ended.data = d->alive.data = d;
    uv_timer_init(loop, &d->alive);
    if (d->notify.alive_ms)
        uv_timer_start(&d->alive, on_alive, d->notify.alive_ms,
                       d->notify.alive_ms);
    uv_signal_start(&d->term, on_signal, SIGTERM);
    uv_signal_start(&d->interrupt, on_signal, SIGINT);
    uv_signal_start(&d->hangup, on_hangup, SIGHUP);
}

static int start_loops(struct daemon *d)
{
    for (size_t i = 0; i < d->n_turns; i++) {
        struct turn *t = &d->turn[i];
        if (uv_loop_init(&t->loop))
            return -1;
        t->http =
            http_new(&t->loop, &d->front, t->fd, i, t->admin, http_ended, t);
        if (!t->http)
            return -1;
    }
    return 0;
}

static int start_threads(struct daemon *d)
{
    for (size_t i = 1; i < d->n_turns; i++)
        if (uv_thread_create(&d->turn[i].thread, run_loop, &d->turn[i]))
            return -1;
    return 0;
}

static void give_up_rights(const struct daemon *d)
{
    const struct settings *s = d->settings;
    const struct store *store = d->front.store;
    const struct postgresql_place *database = &d->front.database;
    const char *read[3 + POSTGRESQL_FILES_MAX + 1] = {NULL};
    const char *const named[] = {s->tokens, s->tls_cert, s->tls_key};
    size_t n = 0;
    struct confine_paths paths = {
        .read = read,
        .ready_file = s->ready_file,
        .store = store ? store_file(store) : NULL,
        .connect = store && database->url ? database->ports : NULL};
    struct confinement got;
    char text[CONFINEMENT_BYTES];
    for (size_t i = 0; i < 3; i++)
        if (named[i])
            read[n++] = named[i];
    for (size_t i = 0; database->files[i]; i++)
        read[n++] = database->files[i];
    int rc = confine(&paths, &got);
    confinement_text(&got, text);
    log_line(rc ? LEVEL_WARNING : LEVEL_INFO, "%s", text);
}

/* As many descriptors as clients may need; the hard limit was looked at. */
static void raise_handles(const struct settings *s)
{
    struct rlimit limit;
    rlim_t need = s->connections_max + HANDLES_RESERVE;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
        return;
    limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * One heap for all threads.  What a worker takes the loop gives back: with a
 * heap for each thread it would stay in the worker's, out of others' reach,
 * and malloc_trim does not give back the top of such heaps.  Large memory is
 * kept in spares, small memory in each thread's cache: the lock is rare.
 *
 * What is large always comes from the system and goes back there.  glibc would
 * soon take up to 32 MiB from the heap instead, where one small block above it
 * keeps all of it: resident, but in nobody's budget.
 */
static void share_heap(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

static int start(struct daemon *d)
{
    const struct settings *s = d->settings;
    char why[WHY_BYTES] = "";
    signal(SIGPIPE, SIG_IGN);
    share_heap();
    raise_handles(s);
    if (front_init(&d->front, s, d->listener.loopback, why, sizeof(why))) {
        log_error("%s", why);
        return EX_CONFIG;
    }
    if (*why)
        log_warning("%s", why);
    /* the next daemon will inherit this very socket: it has to stay open */
    d->front.shares_address = s->reuse_port && !d->inherited;
    if (notify_open(&d->notify))
        log_warning("cannot reach the service manager: %s", strerror(errno));
    log_start(); /* it opens stderr once more, which is forbidden later */
    if (!s->no_confine)
        give_up_rights(d);
    if (front_start(&d->front) || start_loops(d)) {
        log_error("cannot start serving: %s", strerror(errno));
        return EX_OSERR;
    }
    start_control(d);
    if (start_threads(d)) {
        log_error("cannot start threads");
        return EX_OSERR;
    }
    return EX_OK;
}

static int run(struct daemon *d)
{
    const struct settings *s = d->settings;
    int code = start(d);
    if (code != EX_OK)
        return code;
    if (s->ready_file && write_ready_file(s->ready_file, d->listener.url))
        return EX_CANTCREAT;
    log_info("evald " EVALD_VERSION
             " listens on %s with %zu workers and %zu loops",
             d->listener.url, s->workers, s->loops);
    if (d->admin.fd >= 0)
        log_info("health and metrics on %s", d->admin.url);
    notify_ready(&d->notify);
    run_loop(&d->turn[0]);
    for (size_t i = 1; i < d->n_turns; i++)
        uv_thread_join(&d->turn[i].thread);
    for (size_t i = 0; i < d->n_turns; i++) {
        uv_loop_close(&d->turn[i].loop);
        http_free(d->turn[i].http);
    }
    front_free(&d->front);
    if (s->ready_file)
        unlink(s->ready_file);
    log_info("stopped");
    log_stop();
    return EX_OK;
}

static int check(const struct settings *s, const struct listener *listener,
                 bool inherited)
{
    if (!listener->loopback && !s->no_auth && !s->tokens) {
        fprintf(stderr,
                "evald serve: %s can be reached from other machines, and "
                "nobody is authenticated;\nlisten on 127.0.0.1, give --tokens "
                "(see evald token --help), or add\n--no-auth if something in "
                "front keeps strangers out\n",
                inherited ? listener->url : s->listen);
        return EX_USAGE;
    }
    return EX_OK;
}

/*
 * Loops share the address among them.  Unless other daemons are to share it,
 * too, it is looked first whether one is there.
 */
static int bind_address(struct listener *l, const struct settings *s,
                        const char **why)
{
    bool shared = s->reuse_port || s->loops > 1;
    if (shared && !s->reuse_port) {
        int code = listener_bind(l, s->listen, false, why);
        if (code != EX_OK)
            return code;
        close(l->fd);
    }
    return listener_bind(l, s->listen, shared, why);
}

/* Sockets that a service manager has opened take the place of --listen. */
static int adopt(struct daemon *d, const char **why)
{
    struct inherited in;
    if (notify_inherit(&in, why))
        return EX_CONFIG;
    for (size_t i = 0; i < in.n; i++) {
        struct listener *l = in.at[i].admin ? &d->admin : &d->listener;
        *why = "LISTEN_FDS: more than one socket for the same clients";
        if (l->fd >= 0)
            return EX_CONFIG;
        listener_adopt(l, in.at[i].fd);
    }
    return EX_OK;
}

/* One more loop is to serve the clients of fd. */
static int add_turn(struct daemon *d, int fd, bool admin)
{
    if (fd < 0 || listener_listen(fd)) {
        fprintf(stderr, "evald serve: cannot listen: %s\n", strerror(errno));
        return EX_UNAVAILABLE;
    }
    struct turn *t = &d->turn[d->n_turns++];
    t->fd = fd;
    t->admin = admin;
    t->daemon = d;
    return EX_OK;
}

/* One more socket for the same clients as the listener's. */
static int another(const struct daemon *d)
{
    return d->inherited ? dup(d->listener.fd) : listener_another(&d->listener);
}

/* All sockets there will be: no more can be made once it is confined. */
static int listen_all(struct daemon *d)
{
    int code = check(d->settings, &d->listener, d->inherited);
    if (code == EX_OK)
        code = add_turn(d, d->listener.fd, false);
    while (code == EX_OK && d->n_turns < d->settings->loops)
        code = add_turn(d, another(d), false);
    if (code == EX_OK && d->admin.fd >= 0)
        code = add_turn(d, d->admin.fd, true);
    return code;
}

/* What the service manager has opened, and else what the settings say. */
static int bind_all(struct daemon *d)
{
    const struct settings *s = d->settings;
    const char *why;
    d->listener.fd = d->admin.fd = -1;
    int code = adopt(d, &why);
    d->inherited = d->listener.fd >= 0;
    if (code == EX_OK && !d->inherited)
        code = bind_address(&d->listener, s, &why);
    if (code == EX_OK && s->admin_listen && d->admin.fd < 0)
        code = listener_bind(&d->admin, s->admin_listen, false, &why);
    if (code != EX_OK) {
        fprintf(stderr, "evald serve: %s\n", why);
        return code;
    }
    if (s->tls_cert)
        listener_tls(&d->listener);
    return listen_all(d);
}

static int command_serve(int argc, char **argv)
{
    static struct settings settings;
    static struct daemon daemon = {.settings = &settings};
    int code = settings_read(&settings, &serve_command, argc, argv);
    if (code >= 0)
        return code;
    log_setup(settings.log_format, settings.log_level);
    code = bind_all(&daemon);
    return code == EX_OK ? run(&daemon) : code;
}

const struct command serve_command = {
    .name = "serve",
    .brief = "answer requests over HTTP",
    .usage = "[OPTION ...]",
    .help = "Answers requests over HTTP until SIGTERM or SIGINT, then finishes "
            "what it has\naccepted and exits 0. A second signal ends it at "
            "once.\n\nEach option may also be a variable, such as "
            "EVALD_MAX_BODY=64M, or a line of the\nfile that --config names: "
            "max-body = 64M.",
    .options = settings_rows,
    .n_options = SETTINGS,
    .run = command_serve,
};
