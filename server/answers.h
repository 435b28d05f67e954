/* Answers on their way to libmicrohttpd. */
#ifndef EVALD_SERVER_ANSWERS_H
#define EVALD_SERVER_ANSWERS_H

#include <microhttpd.h>

struct connection;

/* What is kept of one of libmicrohttpd's connections; NULL before its start. */
struct connection *answers_connection(struct MHD_Connection *connection);

/* As MHD_queue_response, which is for libmicrohttpd's own pages here. */
enum MHD_Result answers_queue(struct MHD_Connection *connection,
                              unsigned status, struct MHD_Response *response);

#endif
