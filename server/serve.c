/* evald serve: from flags to a running daemon, and its orderly end. */
#include "api/api.h"
#include "server/commands.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/options.h"
#include "server/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    QUEUE_MAX = 256,      /* requests that wait, per lane */
    DRAIN_MS_MAX = 30000, /* for what is in flight when asked to stop */
    LAST_MS_MAX = 1000,   /* for connections that were ended then */
};
static const size_t BODY_BYTES_LIMIT = (size_t)1 << 40;

struct flags {
    const char *listen, *ready_file;
    size_t workers, body_bytes_max;
    bool no_auth;
};

static const struct option options[] = {
    {"--listen", "HOST:PORT",
     "where to listen; port 0 = any free one "
     "(127.0.0.1:8080)",
     store_text, offsetof(struct flags, listen)},
    {"--ready-file", "PATH", "write http://HOST:PORT here when ready",
     store_text, offsetof(struct flags, ready_file)},
    {"--workers", "N", "threads that compute (the processors there are)",
     store_count, offsetof(struct flags, workers)},
    {"--max-body", "BYTES", "largest request body, such as 64M (256M)",
     store_bytes, offsetof(struct flags, body_bytes_max)},
    {"--no-auth", NULL,
     "serve other machines although nobody is "
     "authenticated",
     store_flag, offsetof(struct flags, no_auth)},
};

static const struct command command = {
    .name = "serve",
    .usage = "[OPTION ...]",
    .help = "Answers requests over HTTP until SIGTERM or SIGINT, then finishes "
            "what it has\naccepted and exits 0. A second signal ends it at "
            "once.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
};

struct daemon {
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    uv_timer_t grace;
    struct pool *pool;
    struct http *http;
    const char *ready_file;
    bool draining;
};

static void give_up(const struct daemon *d, const char *why)
{
    log_error("%s: %zu requests are lost", why, http_active(d->http));
    if (d->ready_file)
        unlink(d->ready_file);
    _exit(EXIT_FAILURE);
}

static void on_last_grace(uv_timer_t *timer)
{
    give_up(timer->data, "clients do not read their answers");
}

/* Uploads that are not there by now are not waited for; work is lost. */
static void on_grace(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (http_working(d->http))
        give_up(d, "not done in time");
    log_info("ending %zu uploads that do not come", http_active(d->http));
    http_end_uploads(d->http);
    uv_timer_start(timer, on_last_grace, LAST_MS_MAX, 0);
}

static void on_drained(void *context)
{
    struct daemon *d = context;
    http_free(d->http);
    pool_free(d->pool);
    uv_close((uv_handle_t *)&d->term, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    uv_close((uv_handle_t *)&d->grace, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (d->draining)
        give_up(d, "asked to stop twice");
    d->draining = true;
    log_info("%s: finishing %zu requests", strsignal(number),
             http_active(d->http));
    uv_timer_start(&d->grace, on_grace, DRAIN_MS_MAX, 0);
    http_drain(d->http, on_drained, d);
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

static int start(struct daemon *d, const struct flags *flags, int listen_fd)
{
    struct http_options http = {.listen_fd = listen_fd,
                                .body_bytes_max = flags->body_bytes_max,
                                .workers = flags->workers};
    uv_loop_init(&d->loop);
    uv_signal_init(&d->loop, &d->term);
    uv_signal_init(&d->loop, &d->interrupt);
    uv_timer_init(&d->loop, &d->grace);
    d->term.data = d->interrupt.data = d->grace.data = d;
    uv_signal_start(&d->term, on_signal, SIGTERM);
    uv_signal_start(&d->interrupt, on_signal, SIGINT);
    d->pool = pool_new(&d->loop, flags->workers, QUEUE_MAX);
    if (d->pool)
        d->http = http_new(&d->loop, d->pool, &http);
    if (d->http)
        return 0;
    log_error("cannot start serving: %s", strerror(errno));
    return -1;
}

static int check(const struct flags *flags, const struct listener *listener)
{
    if (flags->workers < 1 || flags->workers > WORKERS_MAX) {
        fprintf(stderr, "evald serve: --workers must be from 1 to %d\n",
                WORKERS_MAX);
        return EX_USAGE;
    }
    if (flags->body_bytes_max > BODY_BYTES_LIMIT) {
        fprintf(stderr, "evald serve: --max-body must be at most 1024G\n");
        return EX_USAGE;
    }
    if (!listener->loopback && !flags->no_auth) {
        fprintf(stderr,
                "evald serve: %s can be reached from other machines, and "
                "nobody is authenticated;\nlisten on 127.0.0.1, or add "
                "--no-auth if something in front keeps strangers out\n",
                listener->url);
        return EX_USAGE;
    }
    return EX_OK;
}

static int run(const struct flags *flags, const struct listener *listener)
{
    static struct daemon d;
    d.ready_file = flags->ready_file;
    signal(SIGPIPE, SIG_IGN);
    workers_set(flags->workers);
    if (start(&d, flags, listener->fd))
        return EX_OSERR;
    if (d.ready_file && write_ready_file(d.ready_file, listener->url))
        return EX_CANTCREAT;
    log_info("evald " EVALD_VERSION " listens on %s with %zu workers",
             listener->url, flags->workers);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    uv_loop_close(&d.loop);
    if (d.ready_file)
        unlink(d.ready_file);
    log_info("stopped");
    return EX_OK;
}

int command_serve(int argc, char **argv)
{
    struct flags flags = {.listen = "127.0.0.1:8080",
                          .workers = workers_default(),
                          .body_bytes_max = (size_t)256 << 20};
    struct listener listener;
    const char *why;
    size_t operands;
    int code = options_read(&command, argc, argv, &flags, &operands);
    if (code >= 0)
        return code;
    code = listener_bind(&listener, flags.listen, &why);
    if (code != EX_OK) {
        fprintf(stderr, "evald serve: %s\n", why);
        return code;
    }
    code = check(&flags, &listener);
    if (code == EX_OK && listener_listen(&listener) == 0)
        return run(&flags, &listener);
    if (code == EX_OK) {
        fprintf(stderr, "evald serve: --listen %s: %s\n", flags.listen,
                strerror(errno));
        code = EX_UNAVAILABLE;
    }
    close(listener.fd);
    return code;
}
