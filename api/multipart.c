#include "api/multipart.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char BLANKS[] = " \t";

static enum multipart_event bad(struct multipart *m, const char *why)
{
    m->why = why;
    m->state = MULTIPART_BROKEN;
    return MULTIPART_BAD;
}

/* Ends the text at `end`, and before the blanks there. */
static void cut(const char *text, char *end)
{
    while (end > text && strchr(BLANKS, end[-1]))
        end--;
    *end = '\0';
}

/* Takes the text in quotes out of them, in place; NULL if they stay open. */
static char *unquote(char *text)
{
    char *to = text;
    for (const char *p = text + 1; *p; p++) {
        if (*p == '"') {
            char *rest = text + (p + 1 - text);
            *to = '\0';
            return rest;
        }
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
            p++;
        *to++ = *p;
    }
    return NULL;
}

/* What stands behind the first semicolon, which is cut off; or the end. */
static char *parameters_of(char *value)
{
    char *end = value + strcspn(value, ";");
    char *rest = end + (*end == ';');
    cut(value, end);
    return rest;
}

struct parameter {
    char *key, *value;
};

/*
 * Cuts the next `key=value` off *rest, which stands behind a header's first
 * semicolon.  1, 0 at the end, -1 for what is no parameter.
 */
static int next_parameter(char **rest, struct parameter *p)
{
    char *end;
    p->key = *rest + strspn(*rest, " \t;");
    if (!*p->key)
        return 0;
    end = p->key + strcspn(p->key, "=;\"");
    if (*end != '=' || end == p->key)
        return -1;
    p->value = end + 1 + strspn(end + 1, BLANKS);
    cut(p->key, end);
    if (*p->value == '"') {
        end = unquote(p->value);
        if (!end)
            return -1;
        end += strspn(end, BLANKS);
        *rest = end + (*end == ';');
        return *end && *end != ';' ? -1 : 1;
    }
    *rest = parameters_of(p->value);
    return 1;
}

static int init_failed(struct multipart *m, const char *why)
{
    bad(m, why);
    return -1;
}

static int set_boundary(struct multipart *m, const char *boundary)
{
    static const char bchars[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? ";
    size_t n = strlen(boundary);
    if (n == 0)
        return init_failed(m, "the boundary of Content-Type is empty");
    if (n > MULTIPART_BOUNDARY_MAX)
        return init_failed(m, "the boundary of Content-Type is longer than 70 "
                              "characters");
    if (boundary[strspn(boundary, bchars)] || boundary[n - 1] == ' ')
        return init_failed(m, "the boundary of Content-Type has a character "
                              "that RFC 2046 does not allow there");
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary, n);
    m->delimiter_len = n + 4;
    return 0;
}

/* The delimiter may begin with the end of what is before it. */
static void search(struct multipart *m, enum multipart_state state)
{
    m->state = state;
    m->matched = m->given = 2;
}

int multipart_init(struct multipart *m, const char *content_type)
{
    const char *boundary = NULL;
    struct parameter p;
    int more;
    memset(m, 0, sizeof(*m));
    if (!content_type)
        return init_failed(m, "Content-Type is missing; it must be "
                              "multipart/form-data; boundary=...");
    size_t n = strlen(content_type);
    if (n > MULTIPART_HEAD_MAX)
        return init_failed(m, "Content-Type is longer than 4096 bytes");
    memcpy(m->head, content_type, n + 1);
    char *rest = parameters_of(m->head);
    while ((more = next_parameter(&rest, &p)) > 0) {
        if (strcasecmp(p.key, "boundary") != 0)
            continue;
        if (boundary)
            return init_failed(m, "Content-Type has the parameter boundary "
                                  "twice");
        boundary = p.value;
    }
    if (more < 0)
        return init_failed(m, "the parameters of Content-Type are malformed; "
                              "it must be multipart/form-data; boundary=...");
    if (!boundary)
        return init_failed(m, "Content-Type has no parameter boundary; it must "
                              "be multipart/form-data; boundary=...");
    search(m, MULTIPART_PREAMBLE);
    return set_boundary(m, boundary);
}

/* Sets a name once; NULL, or what is wrong. */
static const char *set_name(const char **name, const char *value)
{
    if (*name)
        return "a part's Content-Disposition has a name or filename twice";
    if (strlen(value) > MULTIPART_NAME_MAX)
        return "a part's name or filename is longer than 256 bytes";
    *name = value;
    return NULL;
}

/* Each reads one header's value; NULL, or what is wrong. */
static const char *read_disposition(struct multipart *m, char *value)
{
    const char *why = NULL;
    struct parameter p;
    int more;
    if (m->name)
        return "a part has Content-Disposition twice";
    char *rest = parameters_of(value);
    if (strcasecmp(value, "form-data") != 0)
        return "a part's Content-Disposition is not form-data";
    while (!why && (more = next_parameter(&rest, &p)) != 0) {
        if (more < 0)
            return "a part's Content-Disposition is malformed; it must be as "
                   "in form-data; name=\"x\"";
        if (strcasecmp(p.key, "name") == 0)
            why = set_name(&m->name, p.value);
        else if (strcasecmp(p.key, "filename") == 0)
            why = set_name(&m->filename, p.value);
    }
    if (!why && !m->name)
        why = "a part's Content-Disposition has no name";
    return why;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as its neighbours */
static const char *read_type(struct multipart *m, char *value)
{
    if (m->content_type)
        return "a part has Content-Type twice";
    m->content_type = value;
    return NULL;
}

static const char *read_encoding(struct multipart *m, char *value)
{
    static const char *const plain[] = {"7bit", "8bit", "binary"};
    if (m->encoded)
        return "a part has Content-Transfer-Encoding twice";
    m->encoded = true;
    for (size_t i = 0; i < COUNT(plain); i++)
        if (strcasecmp(value, plain[i]) == 0)
            return NULL;
    return "a part's Content-Transfer-Encoding is none of 7bit, 8bit and "
           "binary; send it as it is";
}

static const struct {
    const char *name;
    const char *(*read)(struct multipart *m, char *value);
} headers[] = {
    {"Content-Disposition", read_disposition},
    {"Content-Type", read_type},
    {"Content-Transfer-Encoding", read_encoding},
};

/* One header, without its line end; those that are not known are skipped. */
static const char *read_header(struct multipart *m, char *line)
{
    char *colon = strchr(line, ':');
    size_t n = strcspn(line, ": \t");
    if (!colon || n == 0 || line + n != colon)
        return "a line of a part's headers is not a name, a colon and a value";
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, BLANKS);
    cut(value, value + strlen(value));
    for (size_t i = 0; i < COUNT(headers); i++)
        if (strcasecmp(line, headers[i].name) == 0)
            return headers[i].read(m, value);
    return NULL;
}

/* The end of a header; lines that begin with a blank go on with it. */
static char *header_end(char *line)
{
    char *end = strstr(line, "\r\n");
    while (strchr(BLANKS, end[2]) && end[2]) {
        end[0] = end[1] = ' ';
        end = strstr(end, "\r\n");
    }
    return end;
}

/* The headers of a part, which end with an empty line. */
static enum multipart_event read_head(struct multipart *m)
{
    const char *why = NULL;
    char *line = m->head;
    m->name = m->filename = m->content_type = NULL;
    m->encoded = false;
    m->head[m->head_len] = '\0';
    while (!why && *line != '\r') {
        char *end = header_end(line);
        *end = '\0';
        why = read_header(m, line);
        line = end + 2;
    }
    if (!why && !m->name)
        why = "a part has no Content-Disposition";
    if (why)
        return bad(m, why);
    search(m, MULTIPART_CONTENT);
    return MULTIPART_PART;
}

/*
 * Each step reads some of a piece that is not empty: it says what it has come
 * to, or MORE if that is nothing to tell.
 */
typedef enum multipart_event step(struct multipart *m, const char **at,
                                  const char *end, struct span *data);

static enum multipart_event step_head(struct multipart *m, const char **at,
                                      const char *end, struct span *data)
{
    (void)data;
    while (*at < end) {
        char c = *(*at)++;
        bool after_cr = m->head_len && m->head[m->head_len - 1] == '\r';
        if (m->head_len == MULTIPART_HEAD_MAX)
            return bad(m, "a part's headers are longer than 4096 bytes");
        if (c == '\0')
            return bad(m, "a part's headers have a NUL byte");
        if ((c == '\n') != after_cr)
            return bad(m, "a line of a part's headers ends with CR or LF "
                          "alone, must end with CR LF");
        m->head[m->head_len++] = c;
        if (c == '\n' &&
            (m->head_len == 2 ||
             (m->head_len > 3 && m->head[m->head_len - 3] == '\n')))
            return read_head(m);
    }
    return MULTIPART_MORE;
}

/* The line of a delimiter, behind it. */
static enum multipart_event step_line(struct multipart *m, const char **at,
                                      const char *end, struct span *data)
{
    char c = *(*at)++;
    (void)end;
    (void)data;
    if (m->state == MULTIPART_DASH && c == '-') {
        m->state = MULTIPART_EPILOGUE;
        return MULTIPART_END;
    }
    if (m->state == MULTIPART_LINE_END && c == '\n') {
        m->state = MULTIPART_HEAD;
        m->head_len = 0;
        return MULTIPART_MORE;
    }
    if (c == '\n')
        return bad(m, "the line of a boundary ends with LF alone, must end "
                      "with CR LF");
    if (m->state == MULTIPART_DASH || m->state == MULTIPART_LINE_END)
        return bad(m, "a boundary is followed by neither CR LF nor --");
    if (m->state == MULTIPART_DELIMITED && c == '-')
        m->state = MULTIPART_DASH;
    else if (c == '\r')
        m->state = MULTIPART_LINE_END;
    else if (c == ' ' || c == '\t')
        m->state = MULTIPART_PADDING;
    else
        return bad(m, "a boundary is followed by neither CR LF nor --");
    return MULTIPART_MORE;
}

/*
 * Where a delimiter, or as much of one as there is room for, begins.  A CR is
 * nowhere in it but in front, so each byte is compared twice at most.
 */
static const char *candidate(const struct multipart *m, const char *p,
                             const char *end)
{
    for (; p < end && (p = memchr(p, '\r', (size_t)(end - p))); p++) {
        size_t n = (size_t)(end - p);
        if (n > 1 && p[1] != '\n')
            continue;
        if (n > m->delimiter_len)
            n = m->delimiter_len;
        if (memcmp(p, m->delimiter, n) == 0)
            return p;
    }
    return end;
}

/* Goes on with a delimiter that has begun. */
static enum multipart_event match(struct multipart *m, const char **at,
                                  const char *end, struct span *data)
{
    while (*at < end && **at == m->delimiter[m->matched]) {
        ++*at;
        if (++m->matched == m->delimiter_len) {
            m->state = MULTIPART_DELIMITED;
            return MULTIPART_END_OF_PART;
        }
    }
    if (*at == end)
        return MULTIPART_MORE;
    *data = (struct span){m->delimiter + m->given, m->matched - m->given};
    m->matched = m->given = 0;
    return data->len ? MULTIPART_DATA : MULTIPART_MORE;
}

static enum multipart_event step_content(struct multipart *m, const char **at,
                                         const char *end, struct span *data)
{
    if (m->matched)
        return match(m, at, end, data);
    const char *stop = candidate(m, *at, end);
    *data = (struct span){*at, (size_t)(stop - *at)};
    *at = stop;
    if (stop < end) {
        m->matched = 1;
        ++*at;
    }
    return data->len ? MULTIPART_DATA : MULTIPART_MORE;
}

/* As content that nobody wants. */
static enum multipart_event step_preamble(struct multipart *m, const char **at,
                                          const char *end, struct span *data)
{
    (void)step_content(m, at, end, data);
    return MULTIPART_MORE;
}

static enum multipart_event step_epilogue(struct multipart *m, const char **at,
                                          const char *end, struct span *data)
{
    (void)m;
    (void)data;
    *at = end;
    return MULTIPART_MORE;
}

enum multipart_event multipart_next(struct multipart *m, const char **at,
                                    const char *end, struct span *data)
{
    static step *const steps[] = {
        [MULTIPART_PREAMBLE] = step_preamble,
        [MULTIPART_DELIMITED] = step_line,
        [MULTIPART_DASH] = step_line,
        [MULTIPART_PADDING] = step_line,
        [MULTIPART_LINE_END] = step_line,
        [MULTIPART_HEAD] = step_head,
        [MULTIPART_CONTENT] = step_content,
        [MULTIPART_EPILOGUE] = step_epilogue,
    };
    enum multipart_event event = MULTIPART_MORE;
    if (m->state == MULTIPART_BROKEN)
        return MULTIPART_BAD;
    while (event == MULTIPART_MORE && *at < end)
        event = steps[m->state](m, at, end, data);
    return event;
}

const char *multipart_unfinished(const struct multipart *m)
{
    switch (m->state) {
    case MULTIPART_EPILOGUE:
        return NULL;
    case MULTIPART_PREAMBLE:
        return "the body has no line with the boundary of Content-Type";
    case MULTIPART_BROKEN:
        return m->why;
    case MULTIPART_HEAD:
        return "the body ends within the headers of a part";
    default:
        return "the body ends before the boundary that closes it";
    }
}
