/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of the control socket. One table names the verbs; most of them are lists, and a list is
 * nothing but the names of its sources, so that showing a new protocol needs no code here.
 *
 *   {"command": "contacts", "args": {...}, "format": "json", "max": 100, "cursor": "7"}
 */
#include "manage/internal.h"

#include <stdio.h>
#include <string.h>

#include "core/bfd/bfd.h"
#include "core/vrrp/vrrp.h"
#include "daemon/driver_rows.h"
#include "lib/base.h"
#include "router/router.h"

static const struct hd_source interfaces[] = {{HD_CORE_KIRA, HD_KIRA_LIST_INTERFACES}};
static const struct hd_source neighbours[] = {{HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS}};
static const struct hd_source contacts[] = {{HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS}};
static const struct hd_source vicinity[] = {{HD_CORE_KIRA, HD_KIRA_LIST_VICINITY}};
static const struct hd_source labels[] = {{HD_CORE_MODEL, HD_LIST_LABELS}};
static const struct hd_source routes[] = {{HD_CORE_MODEL, HD_LIST_ROUTES}};
static const struct hd_source adjacencies[] = {{HD_CORE_MODEL, HD_LIST_ADJS}};
static const struct hd_source processes[] = {{HD_CORE_DRIVER, HD_DRIVER_LIST_PROCESSES}};
static const struct hd_source sockets[] = {{HD_CORE_DRIVER, HD_DRIVER_LIST_SOCKETS}};
static const struct hd_source counters[] = {
    {HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_COUNTERS},
};
static const struct hd_source status[] = {
    {HD_CORE_KIRA, HD_KIRA_LIST_STATUS},        {HD_CORE_DRIVER, HD_DRIVER_LIST_STATUS},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_PROCESSES}, {HD_CORE_DRIVER, HD_DRIVER_LIST_INTERFACES},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_FOREIGN},
};
static const struct hd_source metrics[] = {
    {HD_CORE_KIRA, HD_KIRA_LIST_STATUS},      {HD_CORE_KIRA, HD_KIRA_LIST_INTERFACES},
    {HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS},  {HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_STATUS},  {HD_CORE_DRIVER, HD_DRIVER_LIST_PROCESSES},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_SOCKETS}, {HD_CORE_DRIVER, HD_DRIVER_LIST_COUNTERS},
    {HD_CORE_BFD, HD_BFD_LIST_SUMMARY},       {HD_CORE_BFD, HD_BFD_LIST_SESSIONS},
    {HD_CORE_BFD, HD_BFD_LIST_COUNTERS},      {HD_CORE_VRRP, HD_VRRP_LIST_SUMMARY},
    {HD_CORE_VRRP, HD_VRRP_LIST_ROUTERS},     {HD_CORE_VRRP, HD_VRRP_LIST_PEERS},
    {HD_CORE_VRRP, HD_VRRP_LIST_COUNTERS},
};

#define SOURCES(a) .source_count = HD_ARRAY_LEN(a), .sources = (a)
#define LIST(n, what)                                                                              \
    {                                                                                              \
#n, what, HD_VERB_LIST, SOURCES(n)                                                         \
    }

static const struct hd_verb verbs[] = {
    {"status", "state of the node and its processes", HD_VERB_GATHER, SOURCES(status),
     .compose = hd_gather_status},
    LIST(interfaces, "interfaces, used or left out, and why"),
    LIST(neighbours, "physical neighbours, one row per link"),
    LIST(contacts, "entries of the routing table"),
    LIST(vicinity, "nodes within two hops"),
    LIST(labels, "label entries of the data plane"),
    {"forwarding", "routes to nodes of the fabric", HD_VERB_LIST, SOURCES(routes)},
    LIST(adjacencies, "neighbours as packets leave to them"),
    LIST(counters, "what was sent, heard and dropped"),
    LIST(processes, "the processes of heddled"),
    LIST(sockets, "sockets of the router process"),
    {"show", "any list of any core, or which there are: args core, list", HD_VERB_SHOW,
     .root = false},
    {"ping", "asks a node for answers: args node, count, interval-ms, timeout-ms", HD_VERB_ASK,
     .core = HD_CORE_KIRA, .core_verb = HD_KIRA_PING},
    {"path", "the nodes on the way to one: args node, timeout-ms", HD_VERB_ASK,
     .core = HD_CORE_KIRA, .core_verb = HD_KIRA_PATH},
    {"monitor", "events as they happen", HD_VERB_MONITOR, .root = false},
    {"metrics", "counters and states as OpenMetrics", HD_VERB_GATHER, SOURCES(metrics),
     .compose = hd_gather_metrics},
    {"restart", "starts all processes anew, traffic goes on", HD_VERB_CONTROL, .root = true,
     .control = HD_CONTROL_RESTART},
    {"down", "ends heddled and removes what it put into the kernel", HD_VERB_CONTROL, .root = true,
     .control = HD_CONTROL_DOWN},
    {"config", "the configuration: args do (show, set, apply, ...), see the manual", HD_VERB_CONFIG,
     .root = false},
    {"help", "names of all commands", HD_VERB_HELP, .root = false},
};

const struct hd_verb *hd_verb_at(size_t i)
{
    return i < HD_ARRAY_LEN(verbs) ? &verbs[i] : NULL;
}

const struct hd_verb *hd_verb_find(const char *name)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

bool hd_request_source(const struct hd_client *c, struct hd_source *s)
{
    const struct hd_verb *v = c->walk.verb;

    if (v->kind == HD_VERB_SHOW) {
        *s = c->walk.one;
        return c->walk.source == 0;
    }
    if (c->walk.source >= v->source_count)
        return false;
    *s = v->sources[c->walk.source];
    return true;
}

static int send_rows(struct hd_manage *m, struct hd_client *c)
{
    struct hd_source s = {0};
    const struct hd_list *l;

    if (!hd_request_source(c, &s))
        return HD_EINVAL;
    l = hd_list_find(s.core, s.list);
    struct hd_msg_rows_req r = {
        .request = c->request,
        .core = s.core,
        .list = s.list,
        .max = HD_MIN(c->max, (uint32_t)(HD_CHANNEL_TAIL_MAX / l->row_size)),
        .row_size = l->row_size,
        .cursor = c->walk.cursor,
    };
    return hd_channel_send(m->router_fd, HD_MSG_ROWS_REQ, &r, NULL, 0);
}

static int send_command(struct hd_manage *m, struct hd_client *c)
{
    struct hd_msg_command r = {
        .id = c->request, .core = c->walk.verb->core, .verb = c->walk.verb->core_verb};

    return hd_channel_send(m->router_fd, HD_MSG_COMMAND, &r, &c->command, sizeof c->command);
}

void hd_request_send(struct hd_manage *m, struct hd_client *c)
{
    int error;

    if (c->walk.verb->kind == HD_VERB_CONFIG)
        return; /* config.c asks when it has its turn */
    if (m->router_fd < 0 || !m->router_known)
        return;
    if (c->walk.verb->kind == HD_VERB_ASK)
        error = send_command(m, c);
    else
        error = send_rows(m, c);
    if (error == 0)
        c->asked = true;
    else if (error == HD_EINVAL || error == HD_ESYS)
        hd_client_error(c, hd_error_name(error), NULL, "the router could not be asked");
}

void hd_request_cancel(struct hd_manage *m, struct hd_client *c)
{
    const struct hd_verb *v = c->walk.verb;

    if (!c->busy || !c->asked || v->kind != HD_VERB_ASK || m->router_fd < 0)
        return;
    struct hd_msg_command cancel = {
        .id = c->request, .core = v->core, .verb = v->core_verb, .cancel = 1};
    /* Without room the router finishes a command that nobody waits for. */
    (void)!hd_channel_send(m->router_fd, HD_MSG_COMMAND, &cancel, NULL, 0);
}

void hd_request_subscribe(struct hd_manage *m)
{
    struct hd_msg_subscribe s = {.on = 0};

    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++)
        s.on |= m->clients[i].fd >= 0 && m->clients[i].monitor;
    if (m->subscribed == (s.on != 0) || m->router_fd < 0 || !m->router_known)
        return;
    if (hd_channel_send(m->router_fd, HD_MSG_SUBSCRIBE, &s, NULL, 0) == 0)
        m->subscribed = s.on != 0;
}

/* A member of args as an integer within bounds; def when it is absent. */
static bool arg_int(struct hd_client *c, json_t *args, const char *name, int64_t least,
                    int64_t most, int64_t def, int64_t *out)
{
    json_t *v = json_object_get(args, name);
    char path[64];

    *out = def;
    if (!v)
        return true;
    *out = json_integer_value(v);
    if (json_is_integer(v) && *out >= least && *out <= most)
        return true;
    snprintf(path, sizeof path, "args/%s", name);
    hd_client_error(c, "invalid", path, "%s is a whole number from %lld to %lld", name,
                    (long long)least, (long long)most);
    return false;
}

static void start_ask(struct hd_manage *m, struct hd_client *c, json_t *args)
{
    const char *node = json_string_value(json_object_get(args, "node"));
    int64_t count, interval_ms, timeout_ms;
    char why[128];

    if (!node) {
        hd_client_error(c, "missing", "args/node", "which node is missing");
        return;
    }
    memset(&c->command, 0, sizeof c->command);
    if (hd_node_parse(node, m->node_prefix, &c->command, why) != 0) {
        hd_client_error(c, "invalid", "args/node", "%s", why);
        return;
    }
    if (!arg_int(c, args, "count", 1, 1000000, 4, &count) ||
        !arg_int(c, args, "interval-ms", c->root ? 1 : 10, 3600000, 1000, &interval_ms) ||
        !arg_int(c, args, "timeout-ms", 1, 60000, 2000, &timeout_ms))
        return;
    c->command.count = (uint32_t)count;
    c->command.interval_ns = HD_MS(interval_ms);
    c->command.timeout_ns = HD_MS(timeout_ms);
    c->deadline_ms = m->now_ms + interval_ms + timeout_ms + 1000 * HD_MANAGE_ROUTER_WAIT_S;
    hd_request_send(m, c);
}

/* The next list that can be shown, of this core or (NULL) of any; *i: where to go on. */
static const struct hd_list *next_list(const char *core, size_t *i)
{
    const struct hd_list *l;

    while ((l = hd_list_at((*i)++)) != NULL) {
        if (!(l->flags & (HD_LIST_REPLY | HD_LIST_EVENTS)) &&
            (!core || strcmp(hd_list_core_name(l->core), core) == 0))
            return l;
    }
    return NULL;
}

/* Names what there is instead. */
static void no_list(struct hd_client *c, const char *core, const char *list)
{
    const struct hd_list *l;
    char known[320] = "", last[32] = "";
    size_t i = 0, len = 0;
    bool is_core = next_list(core, &i) != NULL;

    i = 0;
    while ((l = next_list(is_core ? core : NULL, &i)) != NULL && len < sizeof known) {
        const char *word = is_core ? l->name : hd_list_core_name(l->core);
        if (strcmp(word, last) == 0)
            continue;
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", word);
        snprintf(last, sizeof last, "%s", word);
    }
    if (is_core)
        hd_client_error(c, "unknown-list", "args/list", "%s has no list \"%.64s\"; it has %s", core,
                        list, known);
    else
        hd_client_error(c, "unknown-list", "args/core",
                        "no core \"%.64s\" has lists; these have: %s", core, known);
}

/* Around rows that are known here and fit into one answer. */
static void rows_begin(struct hd_json *j)
{
    hd_json_init(j);
    hd_json_object(j);
    hd_json_key(j, "rows");
    hd_json_array(j);
}

static void rows_end(struct hd_client *c, struct hd_json *j)
{
    hd_json_end(j);
    hd_json_kv_bool(j, "more", false);
    hd_json_end(j);
    hd_client_put_json(c, j);
    hd_answer_end(c);
}

static bool start_lists(struct hd_client *c, const char *core)
{
    const struct hd_list *l;
    struct hd_json j;
    size_t i = 0;

    if (core && !next_list(core, &i)) {
        no_list(c, core, "");
        return false;
    }
    rows_begin(&j);
    for (i = 0; (l = next_list(core, &i)) != NULL;) {
        hd_json_object(&j);
        hd_json_kv_string(&j, "core", hd_list_core_name(l->core));
        hd_json_kv_string(&j, "list", l->name);
        hd_json_kv_string(&j, "what", l->what);
        hd_json_end(&j);
    }
    rows_end(c, &j);
    return false;
}

/* True when rows are to be asked for; without a list, its answer is which there are. */
static bool start_show(struct hd_client *c, json_t *args)
{
    const char *core = json_string_value(json_object_get(args, "core"));
    const char *list = json_string_value(json_object_get(args, "list"));
    const struct hd_list *l = core && list ? hd_list_named(core, list) : NULL;

    if (!list)
        return start_lists(c, core);
    if (!l || (l->flags & (HD_LIST_REPLY | HD_LIST_EVENTS))) {
        no_list(c, core ? core : "", list);
        return false;
    }
    c->walk.one = (struct hd_source){l->core, l->list};
    return true;
}

static void start_help(struct hd_client *c)
{
    struct hd_json j;

    rows_begin(&j);
    for (size_t i = 0; i < HD_ARRAY_LEN(verbs); i++) {
        hd_json_object(&j);
        hd_json_kv_string(&j, "command", verbs[i].name);
        hd_json_kv_string(&j, "what", verbs[i].what);
        hd_json_kv_bool(&j, "root", verbs[i].root);
        hd_json_end(&j);
    }
    rows_end(c, &j);
}

/* An answer that says nothing but yes. */
static void accepted(struct hd_client *c, const char *key)
{
    struct hd_json j;

    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_bool(&j, key, true);
    hd_json_end(&j);
    hd_client_put_json(c, &j);
    hd_answer_end(c);
}

static void start_control(struct hd_manage *m, struct hd_client *c)
{
    struct hd_msg_control control = {.action = c->walk.verb->control};

    if (hd_channel_send(m->keeper_fd, HD_MSG_CONTROL, &control, NULL, 0) != 0)
        hd_client_error(c, "again", NULL, "the keeper does not listen just now");
    else
        accepted(c, "accepted");
}

/* heddle-config judges what is asked, and who may ask it. */
static void start_config(struct hd_manage *m, struct hd_client *c, json_t *args)
{
    if (m->config.dir < 0) {
        hd_client_error(c, "unsupported", "command", "heddle-config is not installed");
        return;
    }
    c->config_args = json_dumps(args, JSON_COMPACT);
    c->deadline_ms = m->now_ms + 1000 * HD_MANAGE_CONFIG_WAIT_S;
    if (!c->config_args)
        hd_client_error(c, "missing", "args", "what to do is missing");
}

static void start(struct hd_manage *m, struct hd_client *c, json_t *args)
{
    c->deadline_ms = m->now_ms + 1000 * HD_MANAGE_ROUTER_WAIT_S;
    switch (c->walk.verb->kind) {
    case HD_VERB_ASK:
        start_ask(m, c, args);
        break;
    case HD_VERB_MONITOR:
        c->monitor = true;
        accepted(c, "subscribed");
        hd_request_subscribe(m);
        break;
    case HD_VERB_CONTROL:
        start_control(m, c);
        break;
    case HD_VERB_HELP:
        start_help(c);
        break;
    case HD_VERB_CONFIG:
        start_config(m, c, args);
        break;
    case HD_VERB_SHOW:
        if (start_show(c, args))
            hd_request_send(m, c);
        break;
    default:
        hd_request_send(m, c);
    }
}

/* Goes on with the walk that the client's last page belongs to. */
static void resume(struct hd_manage *m, struct hd_client *c, const struct hd_verb *v,
                   const char *cursor)
{
    char expected[24];

    snprintf(expected, sizeof expected, "%llu", (unsigned long long)c->serial);
    if (c->serial == 0 || c->walk.verb != v || strcmp(cursor, expected) != 0) {
        hd_client_error(c, "cursor", "cursor", "not the cursor of the last page here: begin anew");
        return;
    }
    c->deadline_ms = m->now_ms + 1000 * HD_MANAGE_ROUTER_WAIT_S;
    hd_request_send(m, c);
}

static void dispatch(struct hd_manage *m, struct hd_client *c, json_t *root)
{
    const char *name = json_string_value(json_object_get(root, "command"));
    const char *format = json_string_value(json_object_get(root, "format"));
    const char *cursor = json_string_value(json_object_get(root, "cursor"));
    const struct hd_verb *v = name ? hd_verb_find(name) : NULL;
    int64_t max;

    if (!v) {
        hd_client_error(c, "unknown-command", "command", "there is no command \"%s\"",
                        name ? name : "");
        return;
    }
    if (v->root && !c->root) {
        hd_client_error(c, "permission", "command", "only root may do that");
        return;
    }
    c->text = format && strcmp(format, "text") == 0;
    c->wide = json_is_true(json_object_get(root, "wide"));
    if (!arg_int(c, root, "max", 1, 4096, 256, &max))
        return;
    c->max = (uint32_t)max;
    /* 0 is our own question for the prefix. */
    c->request = ++m->next_request ? m->next_request : ++m->next_request;
    if (cursor) {
        resume(m, c, v, cursor);
        return;
    }
    memset(&c->walk, 0, sizeof c->walk);
    c->walk.verb = v;
    c->serial = 0;
    start(m, c, json_object_get(root, "args"));
}

void hd_request_line(struct hd_manage *m, struct hd_client *c, const char *line, size_t len)
{
    json_error_t e;
    json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);

    c->busy = true;
    c->asked = false;
    if (!root)
        hd_client_error(c, "malformed", NULL, "not JSON: %s (byte %d)", e.text, e.position);
    else if (!json_is_object(root))
        hd_client_error(c, "malformed", NULL, "a request is a JSON object");
    else
        dispatch(m, c, root);
    json_decref(root);
}
