#include "server/settings.h"

#include "server/listen.h"
#include "server/workers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define IN(field) offsetof(struct settings, field)

/*
 * A text that a line of the file can hold, too: in one line, without blanks
 * around it or a sign that begins a comment.  An empty one is none.
 */
static bool store_line(void *to, const char *value)
{
    size_t n = strlen(value);
    bool good = n == 0 || (!isspace((unsigned char)value[0]) &&
                           !isspace((unsigned char)value[n - 1]));
    for (size_t i = 0; i < n; i++)
        good = good && !iscntrl((unsigned char)value[i]) &&
               !(strchr("#;", value[i]) && (i == 0 || value[i - 1] == ' '));
    *(const char **)to = n ? value : NULL;
    return good;
}

static bool store_address(void *to, const char *value)
{
    return store_line(to, value) && listener_address(value);
}

static bool store_address_or_none(void *to, const char *value)
{
    return !*value ? store_line(to, value) : store_address(to, value);
}

/* Leaves a quarter to others, in whole MiB. */
static size_t most_memory(const void *to)
{
    (void)to;
    return machine_memory_bytes() / 4 * 3 >> 20 << 20;
}

/* Read, a body takes some times what it has. */
static size_t most_body(const void *to)
{
    const struct settings *s = to;
    size_t usual = (size_t)256 << 20, share = s->memory_bytes / 4;
    return share < usual ? share : usual;
}

/* Files and sockets that may be open, without what evald needs itself. */
static size_t handles(void)
{
    struct rlimit limit = {0, 0};
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max <= HANDLES_RESERVE)
        return 1;
    return (size_t)limit.rlim_max - HANDLES_RESERVE;
}

static size_t usual_connections(const void *to)
{
    (void)to;
    size_t usual = 4096, most = handles();
    return most < usual ? most : usual;
}

static size_t half_of_connections(const void *to)
{
    const struct settings *s = to;
    return (s->connections_max + 1) / 2;
}

static size_t twice_the_rate(const void *to)
{
    const struct settings *s = to;
    return 2 * s->client_rate;
}

static size_t processors(const void *to)
{
    (void)to;
    return workers_default();
}

static const char *const formats[] = {"text", "json", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
_Static_assert(WORKERS_MAX == 256, "the bound of --workers says so");

const struct option settings_rows[] = {
    {.name = "--listen",
     .value = "HOST:PORT",
     .help = "where to listen; port 0 is any free one",
     .store = store_address,
     .offset = IN(listen),
     .fallback = "127.0.0.1:8080",
     .heading = "Where it listens"},
    {.name = "--reuse-port",
     .help = "let another evald listen on the same address, for a restart "
             "without a gap",
     .store = store_flag,
     .offset = IN(reuse_port)},
    {.name = "--admin-listen",
     .value = "HOST:PORT",
     .help = "answer health checks and metrics there, too, whatever the load",
     .store = store_address_or_none,
     .offset = IN(admin_listen)},
    {.name = "--ready-file",
     .value = "PATH",
     .help = "write http://HOST:PORT here when ready",
     .store = store_line,
     .offset = IN(ready_file)},
    {.name = "--tls-cert",
     .value = "PATH",
     .help = "serve HTTPS with this certificate chain, in PEM",
     .store = store_line,
     .offset = IN(tls_cert),
     .reload = true},
    {.name = "--tls-key",
     .value = "PATH",
     .help = "the private key of --tls-cert, in PEM",
     .store = store_line,
     .offset = IN(tls_key),
     .reload = true},

    {.name = "--tokens",
     .value = "PATH",
     .help = "who may ask: a file of evald token's lines",
     .store = store_line,
     .offset = IN(tokens),
     .reload = true,
     .heading = "Who may ask"},
    {.name = "--no-auth",
     .help = "serve other machines although nobody is authenticated",
     .store = store_flag,
     .offset = IN(no_auth)},
    {.name = "--allow-host",
     .value = "HOST[,HOST ...]",
     .help =
         "further names that clients know it by, as the header Host gives them",
     .store = store_line,
     .offset = IN(allow_hosts)},
    {.name = "--cors-origin",
     .value = "ORIGIN[,ORIGIN ...]",
     .help = "web pages that may ask, such as https://example.org; * is any",
     .store = store_line,
     .offset = IN(cors_origins)},

    {.name = "--memory",
     .value = "SIZE",
     .help = "memory that the daemon may take of its own, for everything",
     .store = store_bytes,
     .offset = IN(memory_bytes),
     .derive = most_memory,
     .least = "16M",
     .most = "1048576G",
     .fallback = "3/4 of the machine's or the cgroup's",
     .heading = "How much"},
    {.name = "--max-body",
     .value = "SIZE",
     .help = "largest request body, also when inflated",
     .store = store_bytes,
     .offset = IN(body_bytes_max),
     .derive = most_body,
     .least = "1",
     .most = "1024G",
     .fallback = "256M, or a quarter of --memory if that is less"},
    {.name = "--connections",
     .value = "N",
     .help = "open connections",
     .store = store_count,
     .offset = IN(connections_max),
     .derive = usual_connections,
     .least = "1",
     .most = "1000000",
     .fallback = "4096, or what ulimit -n allows"},
    {.name = "--connections-per-address",
     .value = "N",
     .help = "open connections of one address",
     .store = store_count,
     .offset = IN(address_connections_max),
     .derive = half_of_connections,
     .least = "1",
     .most = "1000000",
     .fallback = "half of --connections"},
    {.name = "--queue-light",
     .value = "N",
     .help = "small requests that wait for a worker",
     .store = store_count,
     .offset = IN(queue_light_max),
     .least = "1",
     .most = "1000000",
     .fallback = "1024"},
    {.name = "--queue-heavy",
     .value = "N",
     .help = "large requests that wait for a worker",
     .store = store_count,
     .offset = IN(queue_heavy_max),
     .least = "1",
     .most = "1000000",
     .fallback = "64"},
    {.name = "--client-rate",
     .value = "N",
     .help = "requests per second of one client; 0 is no limit",
     .store = store_count,
     .offset = IN(client_rate),
     .least = "0",
     .most = "1000000",
     .fallback = "0"},
    {.name = "--client-burst",
     .value = "N",
     .help = "requests that a client may send at once",
     .store = store_count,
     .offset = IN(client_burst),
     .derive = twice_the_rate,
     .least = "0",
     .most = "2000000",
     .fallback = "twice --client-rate"},
    {.name = "--client-concurrency",
     .value = "N",
     .help = "requests of one client at a time; 0 is no limit",
     .store = store_count,
     .offset = IN(client_concurrency),
     .least = "0",
     .most = "1000000",
     .fallback = "0"},

    {.name = "--header-timeout",
     .value = "TIME",
     .help = "for a request's head to arrive",
     .store = store_time,
     .offset = IN(header_ms),
     .least = "100ms",
     .most = "24h",
     .fallback = "10s",
     .heading = "How long"},
    {.name = "--idle-timeout",
     .value = "TIME",
     .help = "between two requests of a connection",
     .store = store_time,
     .offset = IN(idle_ms),
     .least = "100ms",
     .most = "24h",
     .fallback = "75s"},
    {.name = "--body-timeout",
     .value = "TIME",
     .help = "for a body to arrive, however large",
     .store = store_time,
     .offset = IN(body_ms),
     .least = "100ms",
     .most = "24h",
     .fallback = "5m"},
    {.name = "--body-rate",
     .value = "SIZE",
     .help = "bytes per second that a body must come at, once it has had ten "
             "seconds; 0 is no limit",
     .store = store_bytes,
     .offset = IN(body_rate_min),
     .least = "0",
     .most = "1G",
     .fallback = "1K"},
    {.name = "--request-timeout",
     .value = "TIME",
     .help = "from the whole body to the answer",
     .store = store_time,
     .offset = IN(request_ms),
     .least = "10ms",
     .most = "24h",
     .fallback = "60s"},
    {.name = "--send-timeout",
     .value = "TIME",
     .help = "for a client to take its answer",
     .store = store_time,
     .offset = IN(send_ms),
     .least = "100ms",
     .most = "24h",
     .fallback = "60s"},
    {.name = "--grace",
     .value = "TIME",
     .help = "to finish what was accepted when told to stop",
     .store = store_time,
     .offset = IN(grace_ms),
     .least = "0s",
     .most = "24h",
     .fallback = "30s"},

    {.name = "--store",
     .value = "PATH|URL|none",
     .help = "where datasets and runs are kept: a file of SQLite, "
             "postgresql://..., or none (evald/runs.db below XDG_STATE_HOME "
             "or ~/.local/state)",
     .store = store_line,
     .offset = IN(store),
     .heading = "What it keeps"},
    {.name = "--store-max",
     .value = "SIZE",
     .help = "limit of all datasets and runs together; 0 = none",
     .store = store_bytes,
     .offset = IN(store_bytes_max),
     .least = "0",
     .most = "1048576G",
     .fallback = "0"},
    {.name = "--run-max",
     .value = "SIZE",
     .help = "limit of the images of one run; 0 = none",
     .store = store_bytes,
     .offset = IN(run_bytes_max),
     .least = "0",
     .most = "1048576G",
     .fallback = "0"},
    {.name = "--store-keep",
     .value = "TIME",
     .help = "delete runs that nothing was sent to for so long; 0 = never",
     .store = store_time,
     .offset = IN(store_keep_ms),
     .least = "0s",
     .most = "87600h",
     .fallback = "0s"},

    {.name = "--workers",
     .value = "N",
     .help = "threads that compute",
     .store = store_count,
     .offset = IN(workers),
     .derive = processors,
     .least = "1",
     .most = "256",
     .fallback = "the processors there are",
     .heading = "On what it runs"},
    {.name = "--loops",
     .value = "N",
     .help = "threads that read and send",
     .store = store_count,
     .offset = IN(loops),
     .least = "1",
     .most = "64",
     .fallback = "1"},
    {.name = "--no-confine",
     .help = "keep system calls that serving does not need",
     .store = store_flag,
     .offset = IN(no_confine)},

    {.name = "--log-format",
     .value = "FORMAT",
     .help = "text or json",
     .store = store_text,
     .offset = IN(log_format),
     .choices = formats,
     .fallback = "text",
     .heading = "What it says"},
    {.name = "--log-level",
     .value = "LEVEL",
     .help = "debug, info, warning or error",
     .store = store_text,
     .offset = IN(log_level),
     .choices = levels,
     .fallback = "info"},
    {.name = "--config",
     .value = "PATH",
     .help = "a file with more settings, name = value a line",
     .store = store_line,
     .offset = IN(config)},
};

static bool same_address(const struct settings *s)
{
    const char *a = s->admin_listen, *colon = a ? strrchr(a, ':') : NULL;
    return colon && strcmp(colon, ":0") != 0 && strcmp(a, s->listen) == 0;
}

static size_t row_of(const char *name)
{
    size_t i = 0;
    while (i + 1 < SETTINGS && strcmp(settings_rows[i].name, name) != 0)
        i++;
    return i;
}

int settings_check(const struct settings *s, const char *command)
{
    const struct {
        bool wrong;
        const char *name, *what;
    } rules[] = {
        {s->tls_cert && !s->tls_key, "--tls-cert",
         "needs --tls-key, the private key of that certificate"},
        {s->tls_key && !s->tls_cert, "--tls-key",
         "needs --tls-cert, the certificate of that key"},
        {s->tokens && s->no_auth, "--no-auth",
         "contradicts --tokens: leave one of them out"},
        {same_address(s), "--admin-listen",
         "must be another address than --listen"},
        {s->body_bytes_max > s->memory_bytes, "--max-body",
         "must be at most --memory: lower it, or raise that"},
        {s->connections_max > handles(), "--connections",
         "must stay below the limit of open files: lower it, or raise that "
         "with ulimit -n"},
        {s->address_connections_max > s->connections_max,
         "--connections-per-address",
         "must be at most --connections: lower it, or raise that"},
        {s->connections_max < s->loops, "--connections",
         "must be at least --loops: raise it, or lower that"},
        {s->client_burst && !s->client_rate, "--client-burst",
         "needs --client-rate, which is 0: no limit"},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!rules[i].wrong)
            continue;
        size_t row = row_of(rules[i].name);
        char name[SETTING_NAME_BYTES];
        settings_name(s, row, name);
        fprintf(stderr, "evald %s: %s %s\n", command, name, rules[i].what);
        return s->given[row].origin == FROM_FLAG ? EX_USAGE : EX_CONFIG;
    }
    return -1;
}
