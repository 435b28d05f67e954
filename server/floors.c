#include "server/floors.h"

#include "api/number.h"
#include "api/suggest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

bool store_floor(void *to, const char *value)
{
    struct floors *floors = to;
    const char *equals = strchr(value, '=');
    if (!equals || floors->n == FLOORS_MAX)
        return false;
    struct floor *f = &floors->floor[floors->n];
    size_t n = (size_t)(equals - value);
    char *end;
    if (n == 0 || n >= sizeof(f->name))
        return false;
    memcpy(f->name, value, n);
    f->name[n] = '\0';
    f->value = strtod(equals + 1, &end);
    floors->n++;
    return end != equals + 1 && *end == '\0' && isfinite(f->value);
}

/* Says that a floor names no number; the nearest if one is near. */
static int unknown(const struct coco_protocol *p, const char *name)
{
    char names[COCO_VALUES_MAX][sizeof(((struct coco_number *)0)->name)];
    const char *list[COCO_VALUES_MAX];
    size_t n = coco_number_count(p);
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "%s", coco_number(p, i).name);
        list[i] = names[i];
    }
    const char *near = suggest(name, list, n);
    fprintf(stderr, "evald eval: --fail-under: no number %s; %s%s\n", name,
            near ? "did you mean "
                 : "they are those of "
                   "\"summary\" in --json",
            near ? near : "");
    return EX_USAGE;
}

static int check(const struct floor *floor, const struct detection_report *rep)
{
    const struct coco_protocol *p = &rep->req->protocol;
    char is[NUMBER_BYTES], least[NUMBER_BYTES];
    size_t n = coco_number_count(p), i = 0;
    while (i < n && strcmp(coco_number(p, i).name, floor->name) != 0)
        i++;
    if (i == n)
        return unknown(p, floor->name);
    double x = rep->value[i];
    if (x > -1 && x >= floor->value)
        return EX_OK;
    number_write(x, is);
    number_write(floor->value, least);
    fprintf(stderr, "evald eval: %s is %s, under %s\n", floor->name,
            x > -1 ? is : "undefined", least);
    return EXIT_FAILURE;
}

int floors_check(const struct floors *floors,
                 const struct detection_report *rep)
{
    int code = EX_OK;
    for (size_t i = 0; i < floors->n; i++) {
        int one = check(&floors->floor[i], rep);
        if (code == EX_OK || one == EX_USAGE)
            code = one;
    }
    return code;
}
