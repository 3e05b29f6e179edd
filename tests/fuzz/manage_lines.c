/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manage role between a user and a router, neither of whom it may trust: any request lines,
 * and any rows, replies and events in answer. Every line that a client gets is JSON, every request
 * that reaches the router is well-formed, and when all is over nothing stays open.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fuzz/bytes.h"
#include "manage/internal.h"

#define STEPS_MAX 64
#define LINE_MAX_ 512
#define ROWS_MAX  4

struct world {
    struct bytes b;
    struct hd_manage m;
    int router, keeper; /* the other ends */
};

/* Lines of the client so far are JSON; then it has read them. */
static void check_output(struct hd_client *c)
{
    char *at = c->out + c->out_at, *end = c->out + c->out_len;

    while (at < end) {
        char *eol = memchr(at, '\n', (size_t)(end - at));
        json_error_t e;

        FUZZ_CHECK(eol != NULL);
        json_t *root = json_loadb(at, (size_t)(eol - at), JSON_REJECT_DUPLICATES, &e);
        if (root == NULL)
            fprintf(stderr, "no JSON (%s): %.*s\n", e.text, (int)(eol - at), at);
        FUZZ_CHECK(json_is_object(root));
        json_decref(root);
        at = eol + 1;
    }
    c->out_at = c->out_len = 0;
}

static void drain(int fd)
{
    static _Alignas(8) uint8_t buf[HD_CHANNEL_MAX];
    struct hd_message msg;
    int got;

    while ((got = hd_channel_receive(fd, buf, sizeof buf, &msg)) != 0)
        FUZZ_CHECK(got == 1 && msg.nfds == 0);
}

static void settle(struct world *w)
{
    drain(w->router);
    drain(w->keeper);
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        struct hd_client *c = &w->m.clients[i];
        if (c->fd >= 0 && c->out_len > 0)
            check_output(c);
        if (c->fd >= 0 && c->closing)
            hd_client_close(&w->m, c);
    }
}

static struct hd_client *client(struct world *w)
{
    struct hd_client *c = &w->m.clients[pick(&w->b, 2)];

    if (c->fd >= 0)
        return c;
    memset(c, 0, sizeof *c);
    c->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    c->root = pick(&w->b, 2);
    FUZZ_CHECK(c->fd >= 0);
    return c;
}

/* As the loop does it: one request at a time. */
static void line(struct world *w, struct hd_client *c, const char *text, size_t len)
{
    char *copy;

    if (c->busy || len == 0)
        return;
    copy = malloc(len + 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, text, len);
    copy[len] = '\0';
    hd_request_line(&w->m, c, copy, len);
    free(copy);
}

static void free_line(struct world *w)
{
    struct hd_client *c = client(w);
    const uint8_t *eol = memchr(w->b.at, '\n', (size_t)(w->b.end - w->b.at));
    size_t len = eol != NULL ? (size_t)(eol - w->b.at) : (size_t)(w->b.end - w->b.at);
    char text[LINE_MAX_];

    len = take(&w->b, text, len < sizeof text ? len : sizeof text);
    line(w, c, text, len);
    if (eol != NULL && w->b.at == eol)
        w->b.at++;
}

/* A request as the command line makes them, so that every verb is reached from the start. */
static void known_line(struct world *w)
{
    struct hd_client *c = client(w);
    const struct hd_verb *v = hd_verb_at(byte(&w->b) % 24);
    uint32_t list = byte(&w->b), how = byte(&w->b);
    const struct hd_list *l = hd_list_at(list % 24);
    char text[LINE_MAX_];

    int n = snprintf(text, sizeof text,
                     "{\"command\":\"%s\",\"format\":\"%s\",\"wide\":%s,\"max\":%u,\"args\":{"
                     "\"node\":\"%s\",\"core\":\"%s\",\"list\":\"%s\"}%s}",
                     v != NULL ? v->name : "?", how & 1 ? "text" : "json",
                     how & 2 ? "true" : "false", how % 5 + 1, how & 4 ? "fc00:1::2" : "01ab",
                     l != NULL ? hd_list_core_name(l->core) : "?", l != NULL ? l->name : "?",
                     how & 8 ? ",\"cursor\":\"1\"" : "");

    line(w, c, text, (size_t)n);
}

/* The size that is expected, mostly. */
static uint32_t row_size(struct world *w, const struct hd_list *l)
{
    uint32_t size = l != NULL ? l->row_size : 8;

    return pick(&w->b, 16) == 0 ? size + 8 : size;
}

static size_t rows(struct world *w, uint32_t count, uint32_t size, uint8_t *to)
{
    static const uint8_t fills[] = {0, 0xff, 0x80, 'a'};
    size_t len = (size_t)count * size;
    uint8_t fill = fills[pick(&w->b, 4)];

    memset(to, fill, len);
    for (uint32_t i = pick(&w->b, 32); i > 0 && len > 0; i--) {
        uint8_t high = byte(&w->b), low = byte(&w->b);
        size_t at = ((size_t)high << 8 | low) % len;

        to[at] = byte(&w->b);
    }
    return pick(&w->b, 16) == 0 && len > 0 ? len - 1 : len;
}

static int answer_error(struct world *w)
{
    static const int errors[] = {0, 0, 0, 0, 0, 0, HD_ENOENT, HD_EINVAL, HD_ETIMEOUT, -9999};

    return errors[pick(&w->b, 10)];
}

static void answer(struct world *w)
{
    static _Alignas(8) uint8_t tail[(HD_ROW_MAX + 8) * ROWS_MAX];
    struct hd_client *c = client(w);
    struct hd_source s = {0};
    const struct hd_list *l = NULL;
    struct hd_msg_rows_rsp r = {.request = c->request};

    if (c->busy && c->asked && c->walk.verb->kind != HD_VERB_ASK && hd_request_source(c, &s))
        l = hd_list_find(s.core, s.list);
    if (pick(&w->b, 16) == 0)
        r.request = pick(&w->b, 4);
    if (r.request == 0)
        l = hd_list_named("daemon", "status");
    r.error = answer_error(w);
    r.row_count = pick(&w->b, ROWS_MAX + 1);
    r.row_size = row_size(w, l);
    r.cursor.end = pick(&w->b, 2);
    size_t len = rows(w, r.row_count, r.row_size, tail);

    hd_answer_rows(&w->m, &r, tail, len);
}

static void reply(struct world *w)
{
    static _Alignas(8) uint8_t tail[(HD_ROW_MAX + 8) * ROWS_MAX];
    struct hd_client *c = client(w);
    const struct hd_list *l = hd_list_at(byte(&w->b) % 24);
    struct hd_msg_reply r = {.command = c->request};

    r.core = l != NULL ? l->core : 77;
    r.list = l != NULL ? l->list : 77;
    r.error = answer_error(w);
    r.flags = pick(&w->b, 2) ? HD_REPLY_LAST : 0;
    r.row_count = pick(&w->b, ROWS_MAX + 1);
    r.row_size = row_size(w, l);
    size_t len = rows(w, r.row_count, r.row_size, tail);

    hd_answer_reply(&w->m, &r, tail, len);
}

static void event(struct world *w)
{
    static _Alignas(8) uint8_t tail[HD_ROW_MAX + 8];
    const struct hd_list *l = hd_list_at(byte(&w->b) % 24);
    struct hd_msg_event e = {.core = l != NULL ? l->core : 77, .list = l != NULL ? l->list : 77};

    e.row_size = row_size(w, l);
    size_t len = rows(w, 1, e.row_size, tail);

    hd_answer_event(&w->m, &e, tail, len);
}

static void step(struct world *w)
{
    uint8_t op = byte(&w->b) % 16;

    if (op < 3)
        free_line(w);
    else if (op < 7)
        known_line(w);
    else if (op < 11)
        answer(w);
    else if (op < 13)
        reply(w);
    else if (op < 14)
        event(w);
    else if (op < 15)
        hd_client_close(&w->m, client(w));
    else
        w->m.now_ms += byte(&w->b) * 100;
    settle(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct world w;
    int router[2], keeper[2];

    FUZZ_CHECK(hd_channel_pair(router) == 0 && hd_channel_pair(keeper) == 0);
    memset(&w, 0, sizeof w);
    w.b = (struct bytes){bytes, bytes + len};
    w.router = router[1];
    w.keeper = keeper[1];
    w.m.router_fd = router[0];
    w.m.keeper_fd = keeper[0];
    w.m.listen_fd = -1;
    w.m.router_known = w.m.keeper_known = true;
    w.m.node_prefix = 0xfc00;
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++)
        w.m.clients[i].fd = -1;
    for (unsigned i = 0; i < STEPS_MAX && w.b.at < w.b.end; i++)
        step(&w);
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        if (w.m.clients[i].fd >= 0)
            hd_client_close(&w.m, &w.m.clients[i]);
    }
    for (int i = 0; i < 2; i++) {
        close(router[i]);
        close(keeper[i]);
    }
    return 0;
}
