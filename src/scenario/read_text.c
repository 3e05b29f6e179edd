/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topologies in plain text: Repetita's .graph (a NODES block, an EDGES block with one line per
 * direction), edge lists (two names per line, '#' begins a comment), and CAIDA's AS relationships
 * (serial-1 "A|B|RELATION" and serial-2 with "|SOURCE" behind it, relation -1 from a provider to
 * its customer, 0 between peers), told by their bars. Both directions of a pair make one link.
 * Labels of the file become node names, made fit for files and namespaces.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/internal.h"

struct reader {
    struct hd_scenario *s;
    struct hd_scenario *labels; /* nodes of the same index, under the names the file gives */
    struct hd_scn_pairs pairs;
    const struct hd_scn_err *e;
    const char *path;
    FILE *file;
    char *line;
    size_t size;
    unsigned number;
    bool values;
};

#define BLANK " \t\r\n"

/* Next line that says something; false at the end. */
static bool next_line(struct reader *r)
{
    while (getline(&r->line, &r->size, r->file) >= 0) {
        r->number++;
        char *first = r->line + strspn(r->line, BLANK);

        if (*first != '\0' && *first != '#' && *first != '%')
            return true;
    }
    return false;
}

static int fail(const struct reader *r, const char *expected)
{
    return hd_scn_fail(r->e, HD_EMALFORMED, "%s: line %u: expected %s", r->path, r->number,
                       expected);
}

/* Adds a node under the file's label, or HD_EEXIST. */
static int add_label(struct reader *r, const char *label)
{
    char name[HD_SCENARIO_NAME_MAX];

    if (strlen(label) >= HD_SCENARIO_NAME_MAX)
        return HD_ELIMIT;
    if (hd_scenario_find_node(r->labels, label) != HD_SCENARIO_NONE)
        return HD_EEXIST;
    hd_scn_name_from_label(r->s, label, name);
    if (hd_scenario_add_node(r->labels, label) == NULL || hd_scenario_add_node(r->s, name) == NULL)
        return HD_ENOMEM;
    return 0;
}

/* The link of a pair; NULL in *link when the pair has one or is a loop. */
static int add_pair(struct reader *r, uint32_t a, uint32_t b, struct hd_scenario_link **link)
{
    *link = NULL;
    if (a == b)
        return 0;
    int rc = hd_scn_pairs_add(&r->pairs, a, b);

    if (rc <= 0)
        return rc;
    *link = hd_scenario_add_link(r->s, a, b);
    return *link == NULL ? HD_ENOMEM : 0;
}

/* --- edge list -----------------------------------------------------------------------------------
 */

static int edge_end(struct reader *r, const char *label, uint32_t *node)
{
    *node = hd_scenario_find_node(r->labels, label);
    if (*node != HD_SCENARIO_NONE)
        return 0;
    *node = r->labels->node_count;
    int rc = add_label(r, label);

    return rc == HD_ELIMIT ? fail(r, "names below 48 characters") : rc;
}

static bool number_only(const char *word)
{
    return word != NULL && *word != '\0' && word[strspn(word, "0123456789")] == '\0';
}

/* The two ends of a line of AS relationships; the relation does not change what a link is here. */
static bool relation(char *line, char **from, char **to)
{
    char *save, *kind;

    *from = strtok_r(line, "|", &save);
    *to = strtok_r(NULL, "|", &save);
    kind = strtok_r(NULL, "|" BLANK, &save);
    return number_only(*from) && number_only(*to) && kind != NULL &&
           (strcmp(kind, "-1") == 0 || strcmp(kind, "0") == 0 || strcmp(kind, "1") == 0 ||
            strcmp(kind, "2") == 0);
}

static int read_edges(struct reader *r)
{
    bool relations = false;

    while (next_line(r)) {
        struct hd_scenario_link *link;
        uint32_t a, b;
        char *save, *from = NULL, *to = NULL;

        relations = relations || strchr(r->line, '|') != NULL;
        if (relations && !relation(r->line, &from, &to))
            return fail(r, "AS|AS|RELATION with two numbers and -1, 0, 1 or 2");
        if (!relations)
            from = strtok_r(r->line, BLANK ",;", &save);
        if (!relations)
            to = strtok_r(NULL, BLANK ",;", &save);
        if (from == NULL || to == NULL)
            return fail(r, "two node names");
        int rc = edge_end(r, from, &a);

        if (rc == 0)
            rc = edge_end(r, to, &b);
        if (rc == 0)
            rc = add_pair(r, a, b, &link);
        if (rc < 0)
            return rc;
    }
    return r->s->node_count > 0 ? 0 : fail(r, "at least one line with two node names");
}

/* --- Repetita ------------------------------------------------------------------------------------
 */

static int block_size(struct reader *r, const char *keyword, uint32_t *count)
{
    const char *end;
    uint64_t n;
    size_t len = strlen(keyword);

    if (!next_line(r) || strncmp(r->line, keyword, len) != 0 || r->line[len] != ' ' ||
        hd_scn_decimal(r->line + len + 1, 0, &n, &end) < 0 || n > HD_SCENARIO_LINKS_MAX)
        return hd_scn_fail(r->e, HD_EMALFORMED, "%s: line %u: expected \"%s\" and their number",
                           r->path, r->number, keyword);
    if (!next_line(r)) /* the line of column headings */
        return fail(r, "column headings");
    *count = (uint32_t)n;
    return 0;
}

static int read_repetita_nodes(struct reader *r)
{
    uint32_t count = 0;
    int rc = block_size(r, "NODES", &count);

    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        char name[HD_SCENARIO_NAME_MAX], *save, *label;

        label = next_line(r) ? strtok_r(r->line, BLANK, &save) : NULL;
        if (label == NULL)
            return fail(r, "a node line: label x y");
        hd_scn_name_from_label(r->s, label, name);
        if (hd_scenario_add_node(r->s, name) == NULL)
            return HD_ENOMEM;
    }
    return rc;
}

/* label src dest weight bandwidth (kbit/s) delay (ms) */
static int read_repetita_edge(struct reader *r)
{
    struct hd_scenario_link *link;
    uint64_t v[5];
    char *save;

    strtok_r(r->line, BLANK, &save);
    for (int i = 0; i < 5; i++) {
        const char *end, *word = strtok_r(NULL, BLANK, &save);

        if (word == NULL || hd_scn_decimal(word, 0, &v[i], &end) < 0)
            return fail(r, "an edge line: label src dest weight bandwidth delay");
    }
    if (v[0] >= r->s->node_count || v[1] >= r->s->node_count)
        return fail(r, "src and dest below the number of nodes");
    int rc = add_pair(r, (uint32_t)v[0], (uint32_t)v[1], &link);

    if (rc == 0 && link != NULL && r->values) {
        link->rate_bps = v[3] < UINT32_MAX ? v[3] * 1000 : 0;
        link->delay_ns = v[4] < 100000 ? HD_MS(v[4]) : 0;
    }
    return rc;
}

static int read_repetita(struct reader *r)
{
    uint32_t count = 0;
    int rc = read_repetita_nodes(r);

    if (rc == 0)
        rc = block_size(r, "EDGES", &count);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        rc = next_line(r) ? read_repetita_edge(r) : fail(r, "as many edge lines as EDGES says");
    return rc;
}

/* --- by ending -----------------------------------------------------------------------------------
 */

static int read_plain(struct hd_scenario *s, const char *path, bool repetita, bool values,
                      const struct hd_scn_err *e)
{
    struct reader r = {.s = s, .e = e, .path = path, .values = values};

    r.file = fopen(path, "re");
    if (r.file == NULL)
        return hd_scn_fail(e, HD_ESYS, "%s: %s", path, strerror(errno));
    r.labels = hd_scenario_new(path);
    int rc = r.labels == NULL ? HD_ENOMEM : repetita ? read_repetita(&r) : read_edges(&r);

    hd_scenario_free(r.labels);
    hd_scn_pairs_free(&r.pairs);
    free(r.line);
    fclose(r.file);
    return rc;
}

int hd_scn_read_topology(struct hd_scenario *s, const char *path, bool values,
                         const struct hd_scn_err *e)
{
    const char *dot = strrchr(path, '.');
    int rc;

    if (dot != NULL && strcmp(dot, ".graphml") == 0)
        rc = hd_scn_read_graphml(s, path, values, e);
    else
        rc = read_plain(s, path, dot != NULL && strcmp(dot, ".graph") == 0, values, e);
    return rc == 0 ? hd_scn_keep_largest(s) : rc;
}
