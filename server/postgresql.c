#include "server/postgresql.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

enum { PORT_DEFAULT = 5432, ADDRESS_BYTES = 64 };

bool postgresql_is(const char *where)
{
    return strncmp(where, "postgresql://", 13) == 0 ||
           strncmp(where, "postgres://", 11) == 0;
}

/* Appends while there is room; returns the new length. */
static size_t append(char why[SQL_WHY_BYTES], size_t at, const char *text)
{
    while (*text && at < SQL_WHY_BYTES - 1)
        why[at++] = *text++;
    why[at] = '\0';
    return at;
}

void postgresql_why(const struct pg_conn *conn, const char *message,
                    char why[SQL_WHY_BYTES])
{
    const char *password = conn ? PQpass(conn) : NULL;
    size_t length = password ? strlen(password) : 0, at = 0;
    bool gap = false;
    why[0] = '\0';
    while (*message) {
        if (length && strncmp(message, password, length) == 0) {
            at = append(why, at, "***");
            message += length;
            continue;
        }
        char one[2] = {*message++, '\0'};
        if (strchr(" \t\r\n", one[0])) {
            gap = at > 0;
            continue;
        }
        if (gap)
            at = append(why, at, " ");
        gap = false;
        at = append(why, at, one);
    }
}

/* The colon before the password of user:password@host; NULL = none. */
static const char *password_colon(const char *authority)
{
    size_t n = strcspn(authority, "@/");
    return authority[n] == '@' ? memchr(authority, ':', n) : NULL;
}

void postgresql_print(FILE *to, const char *url)
{
    static const char key[] = "password="; /* and sslpassword */
    const char *colon = password_colon(strchr(url, '/') + 2);
    if (colon) {
        fprintf(to, "%.*s***", (int)(colon + 1 - url), url);
        url = strchr(colon, '@');
    }
    for (const char *at; (at = strstr(url, key));) {
        at += strlen(key);
        fprintf(to, "%.*s***", (int)(at - url), url);
        url = at + strcspn(at, "&");
    }
    fputs(url, to);
}

/*
 * libpq's own words on an URL quote it, with the password in it, so they are
 * not passed on.
 */
static bool is_understood(const char *url, char why[SQL_WHY_BYTES])
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &error);
    if (!options)
        snprintf(why, SQL_WHY_BYTES,
                 "cannot be understood: want "
                 "postgresql://user:password@host:port/database, with special "
                 "characters as %%XX");
    PQfreemem(error);
    PQconninfoFree(options);
    return options != NULL;
}

/*
 * What the URL says counts more.  A peer that is gone without a word is
 * noticed within some 20 seconds.
 */
static const struct {
    const char *key, *value;
} defaults[] = {
    {"connect_timeout", "3"},      {"keepalives_idle", "10"},
    {"keepalives_interval", "3"},  {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"}, {"fallback_application_name", "evald"},
};

enum { DEFAULTS = sizeof(defaults) / sizeof(defaults[0]) };

struct pg_conn *postgresql_connect(const char *url, char why[SQL_WHY_BYTES])
{
    const char *key[DEFAULTS + 3], *value[DEFAULTS + 3];
    if (!is_understood(url, why))
        return NULL;
    for (size_t i = 0; i < DEFAULTS; i++) {
        key[i] = defaults[i].key;
        value[i] = defaults[i].value;
    }
    key[DEFAULTS] = "dbname";
    value[DEFAULTS] = url;
    key[DEFAULTS + 1] = "client_encoding";
    value[DEFAULTS + 1] = "UTF8";
    key[DEFAULTS + 2] = value[DEFAULTS + 2] = NULL;
    PGconn *conn = PQconnectdbParams(key, value, 1);
    if (conn && PQstatus(conn) == CONNECTION_OK)
        return conn;
    postgresql_why(conn, conn ? PQerrorMessage(conn) : strerror(ENOMEM), why);
    PQfinish(conn);
    return NULL;
}

/* --- looking up --------------------------------------------------------- */

/* The lists of the new URL: a host for each of its addresses. */
struct lists {
    char host[POSTGRESQL_HOSTS_MAX][NI_MAXHOST];
    char address[POSTGRESQL_HOSTS_MAX][ADDRESS_BYTES];
    uint16_t port[POSTGRESQL_HOSTS_MAX];
    size_t n;
};

static const char *option(const PQconninfoOption *options, const char *key)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, key) == 0)
            return options->val ? options->val : "";
    return "";
}

/* The text up to the next comma; moves on behind it, or to NULL at the end. */
static void cut(const char **list, char *item, size_t size)
{
    const char *comma = strchrnul(*list, ',');
    snprintf(item, size, "%.*s", (int)(comma - *list), *list);
    *list = *comma ? comma + 1 : NULL;
}

static void add(struct lists *lists, const char *host, const char *address,
                uint16_t port)
{
    if (lists->n == POSTGRESQL_HOSTS_MAX)
        return;
    size_t i = lists->n++;
    snprintf(lists->host[i], sizeof(lists->host[i]), "%s", host);
    snprintf(lists->address[i], sizeof(lists->address[i]), "%s", address);
    lists->port[i] = port;
}

/* Paths and abstract names are those of sockets of this machine. */
static bool is_local(const char *host)
{
    return !*host || *host == '/' || *host == '@';
}

/* Adds all that the name stands for, nothing if that is unknown. */
static int look_up(struct lists *lists, const char *host, uint16_t port)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char address[ADDRESS_BYTES];
    int rc = getaddrinfo(host, NULL, &want, &found);
    for (struct addrinfo *a = rc ? NULL : found; a; a = a->ai_next)
        if (!getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof(address),
                         NULL, 0, NI_NUMERICHOST))
            add(lists, host, address, port);
    if (rc == 0)
        freeaddrinfo(found);
    return rc;
}

static uint16_t port_of(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    return !*text                      ? PORT_DEFAULT
           : *end || port > UINT16_MAX ? 0
                                       : (uint16_t)port;
}

static int fill(struct lists *lists, const PQconninfoOption *options,
                char why[SQL_WHY_BYTES])
{
    const char *hosts = option(options, "host");
    const char *addresses = option(options, "hostaddr");
    const char *ports = option(options, "port");
    char host[NI_MAXHOST], address[NI_MAXHOST], port[16] = "";
    int error = 0;
    while (hosts || addresses) {
        host[0] = address[0] = '\0';
        if (hosts)
            cut(&hosts, host, sizeof(host));
        if (addresses)
            cut(&addresses, address, sizeof(address));
        if (ports) /* the last one is that of all that follow */
            cut(&ports, port, sizeof(port));
        if (*address || is_local(host))
            add(lists, host, address, port_of(port));
        else if ((error = look_up(lists, host, port_of(port))))
            snprintf(why, SQL_WHY_BYTES, "cannot find host '%.100s': %s", host,
                     gai_strerror(error));
    }
    return lists->n ? 0 : -1;
}

/* --- the new URL -------------------------------------------------------- */

static void write_escaped(FILE *f, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++)
        if (strchr(plain, *text))
            fputc(*text, f);
        else
            fprintf(f, "%%%02X", (unsigned char)*text);
}

static void write_option(FILE *f, const char *key, const char *value)
{
    fprintf(f, "&%s=", key);
    write_escaped(f, value);
}

static void write_lists(FILE *f, const struct lists *lists)
{
    fputs("?host=", f);
    for (size_t i = 0; i < lists->n; i++) {
        fputs(i ? "," : "", f);
        write_escaped(f, lists->host[i]);
    }
    fputs("&hostaddr=", f);
    for (size_t i = 0; i < lists->n; i++) {
        fputs(i ? "," : "", f);
        write_escaped(f, lists->address[i]);
    }
    fputs("&port=", f);
    for (size_t i = 0; i < lists->n; i++)
        fprintf(f, "%s%u", i ? "," : "", lists->port[i]);
}

/*
 * Written anew, or not needed any more.  The password file is one that cannot
 * be there, or libpq would look for one in the user's home.
 */
static bool is_written(const char *key)
{
    static const char *const other[] = {"host",     "hostaddr", "port",
                                        "password", "passfile", "service"};
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if (strcmp(key, other[i]) == 0)
            return false;
    return true;
}

/* Kerberos only where it is required: it reads files of its own. */
static const char *value_of(const PQconninfoOption *o)
{
    if (strcmp(o->keyword, "gssencmode") == 0 && strcmp(o->val, "prefer") == 0)
        return "disable";
    return o->val;
}

static char *write_url(const PQconninfoOption *options, const char *password,
                       const struct lists *lists)
{
    char *url = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&url, &n);
    if (!f)
        return NULL;
    fputs("postgresql://", f);
    write_lists(f, lists);
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && *o->val && is_written(o->keyword))
            write_option(f, o->keyword, value_of(o));
    if (password && *password)
        write_option(f, "password", password);
    write_option(f, "passfile", "/dev/null/none");
    bool bad = ferror(f);
    if (fclose(f) == 0 && !bad)
        return url;
    free(url);
    return NULL;
}

static int name_files(struct postgresql_place *place,
                      const PQconninfoOption *options)
{
    static const char *const keys[] = {"sslrootcert", "sslcert", "sslkey",
                                       "sslcrl"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *path = option(options, keys[i]);
        if (*path && !(place->files[n++] = strdup(path)))
            return -1;
    }
    return 0;
}

/* libpq knows the options when it begins to connect, and goes no further. */
static int find(struct postgresql_place *place, PGconn *conn,
                char why[SQL_WHY_BYTES])
{
    struct lists *lists = calloc(1, sizeof(*lists));
    PQconninfoOption *options = PQconninfo(conn);
    int rc = -1;
    snprintf(why, SQL_WHY_BYTES, "%s", strerror(ENOMEM));
    if (!lists || !options || fill(lists, options, why))
        goto done;
    for (size_t i = 0, n = 0; i < lists->n; i++)
        if (*lists->address[i] || !is_local(lists->host[i]))
            place->ports[n++] = lists->port[i];
    place->url = write_url(options, PQpass(conn), lists);
    if (place->url && name_files(place, options) == 0)
        rc = 0;
done:
    PQconninfoFree(options);
    free(lists);
    return rc;
}

int postgresql_find(struct postgresql_place *place, const char *url,
                    char why[SQL_WHY_BYTES])
{
    static const char *const key[] = {"dbname", NULL};
    const char *const value[] = {url, NULL};
    *place = (struct postgresql_place){.url = NULL};
    if (!is_understood(url, why))
        return -1;
    PGconn *conn = PQconnectStartParams(key, value, 1);
    int rc = conn ? find(place, conn, why) : -1;
    PQfinish(conn);
    if (rc)
        postgresql_place_clear(place);
    else
        unsetenv("PGSERVICE"); /* what it stands for is in the URL now */
    return rc;
}

void postgresql_place_clear(struct postgresql_place *place)
{
    free(place->url);
    for (size_t i = 0; i < POSTGRESQL_FILES_MAX; i++)
        free(place->files[i]);
    *place = (struct postgresql_place){.url = NULL};
}
