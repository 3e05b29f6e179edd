/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the router become lines: pages of rows, replies to commands, events. In format "json"
 * a row is an object; in format "text" it is an array of cells, a cell being a string or, where it
 * is good or bad news, [string, "good" | "warn" | "bad"]; the first page then names the columns.
 * The command line aligns and colours cells, and so knows no struct of any core.
 */
#include "manage/internal.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "router/router.h"

static const char *const tones[] = {[HD_TONE_PLAIN] = NULL,
                                    [HD_TONE_GOOD] = "good",
                                    [HD_TONE_WARN] = "warn",
                                    [HD_TONE_BAD] = "bad"};

static struct hd_client *client_of(struct hd_manage *m, uint32_t request)
{
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        struct hd_client *c = &m->clients[i];
        if (c->fd >= 0 && c->busy && c->asked && !c->config_args && c->request == request)
            return c;
    }
    return NULL;
}

void hd_answer_end(struct hd_client *c)
{
    c->busy = false;
    c->asked = false;
    free(c->config_args);
    c->config_args = NULL;
    hd_gather_free(&c->gather);
}

static bool interface_name(const struct hd_column *c, const void *row, char *name)
{
    uint32_t ifindex;

    if (!(c->flags & HD_COL_IFINDEX))
        return false;
    memcpy(&ifindex, (const uint8_t *)row + c->offset, sizeof ifindex);
    return ifindex != 0 && if_indextoname(ifindex, name) != NULL;
}

void hd_answer_row(const struct hd_list *l, const void *row, struct hd_json *j)
{
    char name[IF_NAMESIZE];

    hd_json_object(j);
    hd_row_json_members(l, row, j);
    for (size_t i = 0; i < l->column_count; i++) {
        if (interface_name(&l->columns[i], row, name))
            hd_json_kv_string(j, "interface", name);
    }
    hd_json_end(j);
}

static bool shown(const struct hd_client *c, const struct hd_column *col)
{
    return c->wide || (col->flags & HD_COL_SHOW);
}

static void cell_json(const struct hd_column *col, const void *row, struct hd_json *j)
{
    char text[HD_CELL_MAX];
    enum hd_tone tone = HD_TONE_PLAIN;

    if (!interface_name(col, row, text))
        tone = hd_row_cell(col, row, text);
    if (!tones[tone]) {
        hd_json_string(j, text);
        return;
    }
    hd_json_array(j);
    hd_json_string(j, text);
    hd_json_string(j, tones[tone]);
    hd_json_end(j);
}

static void columns_json(const struct hd_client *c, const struct hd_list *l, struct hd_json *j)
{
    hd_json_key(j, "columns");
    hd_json_array(j);
    for (size_t i = 0; i < l->column_count; i++) {
        if (!shown(c, &l->columns[i]))
            continue;
        hd_json_object(j);
        hd_json_kv_string(j, "heading", l->columns[i].heading);
        hd_json_kv_bool(j, "right",
                        hd_column_is_number(&l->columns[i]) &&
                            !(l->columns[i].flags & HD_COL_IFINDEX));
        hd_json_end(j);
    }
    hd_json_end(j);
}

static void cells_json(const struct hd_client *c, const struct hd_list *l, const void *row,
                       struct hd_json *j)
{
    hd_json_array(j);
    for (size_t i = 0; i < l->column_count; i++) {
        if (shown(c, &l->columns[i]))
            cell_json(&l->columns[i], row, j);
    }
    hd_json_end(j);
}

/* Opens the page and writes its rows; the caller adds what follows and ends it. */
static void page(const struct hd_client *c, const struct hd_list *l, const uint8_t *rows,
                 uint32_t count, struct hd_json *j)
{
    hd_json_init(j);
    hd_json_object(j);
    if (c->text && !c->walk.produced)
        columns_json(c, l, j);
    hd_json_key(j, "rows");
    hd_json_array(j);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = rows + (size_t)i * l->row_size;
        if (c->text)
            cells_json(c, l, row, j);
        else
            hd_answer_row(l, row, j);
    }
    hd_json_end(j);
}

static void list_page(struct hd_client *c, const struct hd_list *l, const struct hd_msg_rows_rsp *r,
                      const uint8_t *rows)
{
    struct hd_source next;
    struct hd_json j;
    bool more;

    page(c, l, rows, r->row_count, &j);
    c->walk.produced = true;
    c->walk.cursor = r->cursor;
    if (r->cursor.end) {
        c->walk.source++;
        memset(&c->walk.cursor, 0, sizeof c->walk.cursor);
    }
    more = hd_request_source(c, &next);
    hd_json_kv_bool(&j, "more", more);
    if (more) {
        char cursor[24];
        snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)++c->serial);
        hd_json_kv_string(&j, "cursor", cursor);
    } else {
        c->serial = 0;
    }
    hd_json_end(&j);
    hd_client_put_json(c, &j);
    hd_answer_end(c);
}

/* The core of this source does not run: the next one, or that was all. */
static void list_absent(struct hd_manage *m, struct hd_client *c, const struct hd_list *l)
{
    static const struct hd_msg_rows_rsp nothing = {.cursor = {.end = true}};
    struct hd_source next;

    c->walk.source++;
    if (hd_request_source(c, &next)) {
        c->asked = false;
        hd_request_send(m, c);
    } else if (c->walk.produced) {
        list_page(c, l, &nothing, NULL);
    } else {
        hd_client_error(c, "not-running", "command", "the router does not run \"%s\"",
                        hd_list_core_name(l->core));
    }
}

/* Every row has the size of the list's struct, and there are as many as the record says. */
static bool rows_fit(const struct hd_list *l, uint32_t count, uint32_t row_size, size_t tail_len)
{
    return (uint64_t)count * row_size == tail_len && (count == 0 || row_size == l->row_size);
}

static void learn_prefix(struct hd_manage *m, const struct hd_msg_rows_rsp *r, const uint8_t *tail)
{
    const struct hd_list *l = hd_list_named("daemon", "status");
    const struct hd_column *c = hd_column_named(l, "node-prefix");

    if (r->row_count == 1)
        memcpy(&m->node_prefix, tail + c->offset, sizeof m->node_prefix);
}

void hd_answer_rows(struct hd_manage *m, const struct hd_msg_rows_rsp *r, const uint8_t *tail,
                    size_t tail_len)
{
    struct hd_client *c = client_of(m, r->request);
    const struct hd_list *l = hd_list_named("daemon", "status");
    struct hd_source s;

    if (r->request == 0) {
        if (r->error == 0 && rows_fit(l, r->row_count, r->row_size, tail_len))
            learn_prefix(m, r, tail);
        return;
    }
    if (!c || c->walk.verb->kind == HD_VERB_ASK || !hd_request_source(c, &s))
        return;
    l = hd_list_find(s.core, s.list);
    if (r->error == 0 && !rows_fit(l, r->row_count, r->row_size, tail_len))
        hd_client_error(c, "internal", NULL, "the router sent rows of another size");
    else if (r->error != 0 && r->error != HD_ENOENT)
        hd_client_error(c, hd_error_name(r->error), NULL, "the router could not list that");
    else if (c->walk.verb->kind == HD_VERB_GATHER)
        hd_gather_rows(m, c, r, tail);
    else if (r->error == HD_ENOENT)
        list_absent(m, c, l);
    else
        list_page(c, l, r, tail);
}

static void reply_error(struct hd_client *c, int error)
{
    switch (error) {
    case HD_ENOENT:
        hd_client_error(c, "unknown-node", "args/node", "no known node fits that");
        break;
    case HD_EEXIST:
        hd_client_error(c, "ambiguous", "args/node", "several nodes begin like that");
        break;
    case HD_ETIMEOUT:
        hd_client_error(c, "timeout", NULL, "no answer in time");
        break;
    case HD_ELIMIT:
        hd_client_error(c, "limit", NULL, "too many such commands run already");
        break;
    default:
        hd_client_error(c, hd_error_name(error), NULL, "the router refused that");
    }
}

void hd_answer_reply(struct hd_manage *m, const struct hd_msg_reply *r, const uint8_t *tail,
                     size_t tail_len)
{
    struct hd_client *c = client_of(m, r->command);
    bool last = r->flags & HD_REPLY_LAST;
    const struct hd_list *l;
    struct hd_json j;

    if (!c || c->walk.verb->kind != HD_VERB_ASK)
        return;
    if (r->error != 0) {
        reply_error(c, r->error);
        return;
    }
    l = hd_list_find((uint8_t)r->core, r->list);
    if (!l && r->row_count == 0)
        l = hd_list_named("kira", c->walk.verb->name);
    if (!l || !rows_fit(l, r->row_count, r->row_size, tail_len)) {
        hd_client_error(c, "internal", NULL, "the router sent rows of another size");
        return;
    }
    page(c, l, tail, r->row_count, &j);
    hd_json_kv_bool(&j, "more", !last);
    hd_json_end(&j);
    hd_client_put_json(c, &j);
    c->walk.produced = true;
    c->deadline_ms = m->now_ms + c->command.interval_ns / 1000000 +
                     c->command.timeout_ns / 1000000 + 1000 * HD_MANAGE_ROUTER_WAIT_S;
    if (last)
        hd_answer_end(c);
}

static void event_json(const struct hd_list *l, const uint8_t *row, struct hd_json *j)
{
    struct timespec now;
    struct tm tm;
    char date[32], stamp[48];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp, sizeof stamp, "%s.%03ldZ", date, now.tv_nsec / 1000000);
    hd_json_object(j);
    hd_json_key(j, "event");
    hd_json_object(j);
    hd_json_kv_string(j, "time", stamp);
    hd_json_kv_string(j, "core", hd_list_core_name(l->core));
    hd_json_key(j, "row");
    hd_answer_row(l, row, j);
    hd_json_end(j);
    hd_json_end(j);
}

static void event_to(struct hd_client *c, const char *text, size_t len)
{
    if (c->out_len - c->out_at + len > HD_MANAGE_OUT_MAX) {
        /* A reader this slow has lost events already; a cut connection tells it so. */
        c->closing = true;
        c->monitor = false;
        c->out_len = c->out_at = 0;
        return;
    }
    hd_client_put(c, text, len);
}

void hd_answer_event(struct hd_manage *m, const struct hd_msg_event *e, const uint8_t *tail,
                     size_t tail_len)
{
    const struct hd_list *l = hd_list_find((uint8_t)e->core, e->list);
    struct hd_json j;

    if (!l || e->row_size != l->row_size || tail_len != l->row_size)
        return;
    hd_json_init(&j);
    event_json(l, tail, &j);
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX && !j.failed; i++) {
        if (m->clients[i].fd >= 0 && m->clients[i].monitor)
            event_to(&m->clients[i], j.text, j.len);
    }
    hd_json_free(&j);
}
