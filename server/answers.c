/*
 * libmicrohttpd answers what it cannot parse by itself, with pages in HTML,
 * and after a malformed Content-Length goes on to build its answer twice.
 * It queues these pages as everybody does, by MHD_queue_response; so ours
 * comes before the library's: the dynamic linker lets a program's function
 * take the place of a shared library's.  What comes from this program goes
 * on to the library.  What comes from the library itself is answered here,
 * and refused, so that it closes the connection.
 *
 * Where a linker binds the library to itself its own pages go out: no harm,
 * but a test fails.
 */
#include "server/answers.h"

#include "server/loop.h"

#include <dlfcn.h>
#include <string.h>

typedef enum MHD_Result queue_response(struct MHD_Connection *connection,
                                       unsigned status,
                                       struct MHD_Response *response);

static queue_response *library(void)
{
    static _Atomic(queue_response *) found;
    queue_response *function = found;
    if (!function) {
        void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");
        memcpy(&function, &symbol, sizeof(symbol));
        found = function;
    }
    return function;
}

struct connection *answers_connection(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

enum MHD_Result answers_queue(struct MHD_Connection *connection,
                              unsigned status, struct MHD_Response *response)
{
    return library()(connection, status, response);
}

static const struct {
    unsigned status;
    enum problem kind;
    const char *detail;
} rows[] = {
    {MHD_HTTP_CONTENT_TOO_LARGE, PROBLEM_BODY_TOO_LARGE,
     "Content-Length is beyond all limits"},
    {MHD_HTTP_URI_TOO_LONG, PROBLEM_URI_TOO_LONG,
     "the request line does not fit into 16 KiB"},
    {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, PROBLEM_HEAD_TOO_LARGE,
     "the head does not fit into 16 KiB"},
    {MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED, PROBLEM_VERSION,
     "only HTTP/1.1 and HTTP/1.0 are spoken here"},
    {MHD_HTTP_INTERNAL_SERVER_ERROR, PROBLEM_INTERNAL,
     "the request could not be read"},
    {0, PROBLEM_MALFORMED_REQUEST,
     "the request is not HTTP as RFC 9112 has it: check the request line, "
     "Host, Content-Length, the lines of the head and the sizes of chunks"},
};

/* Instead of a page of the library. */
static void answer(struct connection *c, unsigned status)
{
    size_t i = 0;
    while (rows[i].status && rows[i].status != status)
        i++;
    struct api_refusal why = {.kind = rows[i].kind};
    memcpy(why.detail, rows[i].detail, strlen(rows[i].detail) + 1);
    cut_unread(c->http, c, &why);
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection,
                                   unsigned status,
                                   struct MHD_Response *response)
{
    struct connection *c = answers_connection(connection);
    (void)response;
    if (c)
        answer(c, status);
    return MHD_NO;
}
