/* GET /docs: every operation on one page of plain HTML. */
#include "api/openapi.h"
#include "api/operation.h"

#include <math.h>
#include <string.h>

static const char style[] =
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:auto;padding:1em}"
    "code,pre{font-family:monospace;background:#f3f3f3}"
    "pre{padding:.6em;overflow:auto}td,th{text-align:left;"
    "vertical-align:top;padding:.1em 1em .1em 0}"
    "h2{border-bottom:1px solid #bbb;margin-top:2em}h3{margin-top:2em}";

/* Text for HTML, as content or in double quotes. */
static void escaped(struct json_out *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *entity = s[i] == '<'   ? "&lt;"
                             : s[i] == '>' ? "&gt;"
                             : s[i] == '&' ? "&amp;"
                             : s[i] == '"' ? "&quot;"
                                           : NULL;
        if (entity)
            out_bytes(out, entity, strlen(entity));
        else
            out_bytes(out, &s[i], 1);
    }
}

static void text(struct json_out *out, const char *s)
{
    escaped(out, s, strlen(s));
}

static void html(struct json_out *out, const char *s)
{
    out_bytes(out, s, strlen(s));
}

/* <tag>text</tag> */
static void element(struct json_out *out, const char *tag, const char *s)
{
    out_format(out, "<%s>", tag);
    text(out, s);
    out_format(out, "</%s>", tag);
}

/* Text within single quotes of a shell. */
static void shell_quoted(struct json_out *out, const char *s)
{
    html(out, "'");
    for (const char *quote; (quote = strchr(s, '\'')); s = quote + 1) {
        escaped(out, s, (size_t)(quote - s));
        html(out, "'\\''");
    }
    text(out, s);
    html(out, "'");
}

static void port_rows(struct json_out *out, const char *what,
                      const struct op_port *port, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        html(out, "<tr>");
        element(out, "td", what);
        element(out, "th", port[i].name);
        element(out, "td", operation_shape(&port[i]));
        element(out, "td", port[i].optional ? "optional" : "");
        element(out, "td", port[i].doc);
        html(out, "</tr>\n");
    }
}

/* What a parameter may be: its choices, or its bounds. */
static void bounds(struct json_out *out, const struct op_param *p)
{
    if (p->type == OP_BOOLEAN)
        html(out, "true or false");
    for (size_t i = 0; p->type == OP_CHOICE && p->choices[i]; i++) {
        html(out, i ? ", " : "");
        text(out, p->choices[i]);
    }
    if (p->type == OP_NUMBER || p->type == OP_INTEGER)
        out_format(out, "%s %.9g to %.9g", p->open ? "above" : "from", p->min,
                   p->max);
    html(out, p->nullable || isnan(p->fallback) ? ", or null" : "");
}

static void parameter_row(struct json_out *out, const struct op_param *p)
{
    struct json_out value;
    json_out_init(&value, out->mem, false);
    operation_write_param(&value, p, p->fallback);
    out->failed |= value.failed;
    html(out, "<tr><td>parameter</td>");
    element(out, "th", p->name);
    html(out, "<td>");
    bounds(out, p);
    html(out, "</td><td>");
    if (!out->failed)
        escaped(out, value.text, value.len);
    html(out, "</td>");
    element(out, "td", p->doc);
    html(out, "</tr>\n");
}

static void operation(struct json_out *out, const struct op *op)
{
    char name[OPERATION_BYTES];
    operation_name(op, name);
    out_format(out, "<section id=\"%s\">\n", name);
    element(out, "h3", op->title);
    out_format(out, "<p><code>POST /v1/%s</code>", name);
    for (size_t i = 0; op->aliases[i]; i++)
        out_format(out, "%s<code>%s</code>", i ? ", " : ", also called ",
                   op->aliases[i]);
    html(out, "</p>\n");
    element(out, "p", op->summary);
    element(out, "pre", op->formula);
    html(out, "<table>\n<tr><th></th><th>name</th><th>shape or range</th>"
              "<th>default</th><th>meaning</th></tr>\n");
    port_rows(out, "input", op->in, op_inputs(op));
    for (size_t i = 0; i < op_params(op); i++)
        parameter_row(out, &op->param[i]);
    port_rows(out, "output", op->out, op_outputs(op));
    html(out, "</table>\n<p>Source: ");
    text(out, op->source);
    out_format(out,
               "</p>\n<pre>curl -sS $EVALD/v1/%s "
               "-H 'Content-Type: application/json' -d ",
               name);
    shell_quoted(out, op->example);
    html(out, "</pre>\n</section>\n");
}

/* The operations as links, group by group. */
static void contents(struct json_out *out)
{
    const char *group = "";
    const struct op *op;
    html(out, "<nav>");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        if (strcmp(group, op->group) != 0)
            out_format(out, "%s<p><b>%s</b>:\n", i ? "</p>" : "", op->group);
        group = op->group;
        out_format(out, "<a href=\"#%s/%s\">%s</a>\n", op->group, op->name,
                   op->name);
    }
    html(out, "</p></nav>\n");
}

static void paths(struct json_out *out)
{
    html(out, "<h2>Paths</h2>\n<table>\n");
    for (size_t i = 0; i < n_routes; i++) {
        html(out, "<tr>");
        element(out, "th", routes[i].path);
        element(out, "td", route_allow(&routes[i]));
        element(out, "td", route_words(&routes[i])->summary);
        html(out, "</tr>\n");
    }
    html(out, "</table>\n");
}

/* GET /docs */
int openapi_page(struct api_call *call)
{
    struct json_out *out = &call->out;
    const struct op *op;
    out_format(out,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
               "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
               "content=\"width=device-width\">\n<title>evald %s</title>\n"
               "<style>%s</style>\n</head>\n<body>\n<h1>evald %s</h1>\n"
               "<p>For programs: <a href=\"/openapi.json\">/openapi.json</a>, "
               "<a href=\"/v1/operations\">/v1/operations</a>. "
               "The examples need the server's address: "
               "<code>export EVALD=http://127.0.0.1:8080</code></p>\n",
               EVALD_VERSION, style, EVALD_VERSION);
    contents(out);
    paths(out);
    html(out, "<h2>Operations</h2>\n");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        operation(out, op);
    html(out, "</body>\n</html>\n");
    return 0;
}
