/* GET /docs: every operation on one page of plain HTML. */
#include "api/html.h"
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

/* Text within single quotes of a shell. */
static void shell_quoted(struct json_out *out, const char *s)
{
    html_raw(out, "'");
    for (const char *quote; (quote = strchr(s, '\'')); s = quote + 1) {
        html_bytes(out, s, (size_t)(quote - s));
        html_raw(out, "'\\''");
    }
    html_text(out, s);
    html_raw(out, "'");
}

static void port_rows(struct json_out *out, const char *what,
                      const struct op_port *port, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        html_raw(out, "<tr>");
        html_element(out, "td", what);
        html_element(out, "th", port[i].name);
        html_element(out, "td", operation_shape(&port[i]));
        html_element(out, "td", port[i].optional ? "optional" : "");
        html_element(out, "td", port[i].doc);
        html_raw(out, "</tr>\n");
    }
}

/* What a parameter may be: its choices, or its bounds. */
static void bounds(struct json_out *out, const struct op_param *p)
{
    if (p->type == OP_BOOLEAN)
        html_raw(out, "true or false");
    for (size_t i = 0; p->type == OP_CHOICE && p->choices[i]; i++) {
        html_raw(out, i ? ", " : "");
        html_text(out, p->choices[i]);
    }
    if (p->type == OP_NUMBER || p->type == OP_INTEGER)
        out_format(out, "%s %.9g to %.9g", p->open ? "above" : "from", p->min,
                   p->max);
    html_raw(out, p->nullable || isnan(p->fallback) ? ", or null" : "");
}

static void parameter_row(struct json_out *out, const struct op_param *p)
{
    struct json_out value;
    json_out_init(&value, out->mem, false);
    operation_write_param(&value, p, p->fallback);
    out->failed |= value.failed;
    html_raw(out, "<tr><td>parameter</td>");
    html_element(out, "th", p->name);
    html_raw(out, "<td>");
    bounds(out, p);
    html_raw(out, "</td><td>");
    if (!out->failed)
        html_bytes(out, value.text, value.len);
    html_raw(out, "</td>");
    html_element(out, "td", p->doc);
    html_raw(out, "</tr>\n");
}

static void operation(struct json_out *out, const struct op *op)
{
    char name[OPERATION_BYTES];
    operation_name(op, name);
    out_format(out, "<section id=\"%s\">\n", name);
    html_element(out, "h3", op->title);
    out_format(out, "<p><code>POST /v1/%s</code>", name);
    for (size_t i = 0; op->aliases[i]; i++)
        out_format(out, "%s<code>%s</code>", i ? ", " : ", also called ",
                   op->aliases[i]);
    html_raw(out, "</p>\n");
    html_element(out, "p", op->summary);
    html_element(out, "pre", op->formula);
    html_raw(out, "<table>\n<tr><th></th><th>name</th><th>shape or range</th>"
                  "<th>default</th><th>meaning</th></tr>\n");
    port_rows(out, "input", op->in, op_inputs(op));
    for (size_t i = 0; i < op_params(op); i++)
        parameter_row(out, &op->param[i]);
    port_rows(out, "output", op->out, op_outputs(op));
    html_raw(out, "</table>\n<p>Source: ");
    html_text(out, op->source);
    out_format(out,
               "</p>\n<pre>curl -sS $EVALD/v1/%s "
               "-H 'Content-Type: application/json' -d ",
               name);
    shell_quoted(out, op->example);
    html_raw(out, "</pre>\n</section>\n");
}

/* The operations as links, group by group. */
static void contents(struct json_out *out)
{
    const char *group = "";
    const struct op *op;
    html_raw(out, "<nav>");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++) {
        if (strcmp(group, op->group) != 0)
            out_format(out, "%s<p><b>%s</b>:\n", i ? "</p>" : "", op->group);
        group = op->group;
        out_format(out, "<a href=\"#%s/%s\">%s</a>\n", op->group, op->name,
                   op->name);
    }
    html_raw(out, "</p></nav>\n");
}

static void paths(struct json_out *out)
{
    char methods[ALLOW_BYTES];
    html_raw(out, "<h2>Paths</h2>\n<table>\n");
    for (size_t i = 0; i < n_routes; i++) {
        html_raw(out, "<tr>");
        html_element(out, "th", routes[i].path);
        html_element(out, "td", route_methods(&routes[i], methods));
        html_element(out, "td", route_words(&routes[i])->summary);
        html_raw(out, "</tr>\n");
    }
    html_raw(out, "</table>\n");
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
    html_raw(out, "<h2>Operations</h2>\n");
    for (size_t i = 0; (op = op_row(i, OP_FLOAT64, OP_BASE)); i++)
        operation(out, op);
    html_raw(out, "</body>\n</html>\n");
    return 0;
}
