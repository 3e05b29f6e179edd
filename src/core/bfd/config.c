/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants which session: the configuration, clients of the router, and packets of peers that may
 * begin by themselves. A session exists while anybody wants it; what is in force is the strictest
 * of all wants.
 *
 * A configuration is checked as a whole, then the sessions that it adds are made, which may fail
 * and is undone; from there on nothing can fail. What follows for each session (objects of the
 * model, goodbyes, events) is put on the work list, since a configuration may have thousands.
 */
#include <string.h>

#include "core/bfd/state.h"
#include "lib/base.h"

void hd_bfd_config_default(struct hd_bfd_config *c)
{
    *c = (struct hd_bfd_config){.floor_us = HD_BFD_FLOOR_US};
}

void hd_bfd_session_config_default(struct hd_bfd_session_config *s)
{
    *s = (struct hd_bfd_session_config){
        .tx_us = HD_BFD_INTERVAL_US, .rx_us = HD_BFD_INTERVAL_US, .multiplier = HD_BFD_MULTIPLIER};
}

/* --- interfaces ------------------------------------------------------------------------------ */

struct bfd_interface *bfd_interface_find(struct bfd *b, uint32_t ifindex)
{
    for (uint32_t i = 0; i < b->interfaces.len; i++)
        if (b->interfaces.v[i].ifindex == ifindex)
            return &b->interfaces.v[i];
    return NULL;
}

struct bfd_interface *bfd_interface_named(struct bfd *b, const char *name)
{
    for (uint32_t i = 0; i < b->interfaces.len; i++)
        if (strcmp(b->interfaces.v[i].name, name) == 0)
            return &b->interfaces.v[i];
    return NULL;
}

static void find_listen(const struct bfd *b, struct bfd_interface *f)
{
    f->listens = false;
    for (uint32_t i = 0; i < b->listen_count; i++) {
        if (strcmp(b->listen[i].interface, f->name) == 0) {
            f->listen = b->listen[i];
            f->listens = true;
        }
    }
}

static void touch_interface(struct bfd *b, const char *name)
{
    for (uint32_t i = 1; i < b->sessions.len; i++)
        if (b->sessions.v[i] != NULL && strcmp(b->sessions.v[i]->interface, name) == 0)
            bfd_session_touch(b, b->sessions.v[i]);
}

static void forget_interface(struct bfd *b, struct bfd_interface *f)
{
    char name[HD_IF_NAME];

    memcpy(name, f->name, sizeof name);
    hd_vec_remove_swap(&b->interfaces, (uint32_t)(f - b->interfaces.v));
    touch_interface(b, name);
}

void bfd_on_interface(struct bfd *b, struct hd_ctx *c, const struct hd_in_interface *in)
{
    struct bfd_interface *f = bfd_interface_find(b, in->ifindex);
    char name[HD_IF_NAME];

    memcpy(name, in->name, sizeof name);
    name[HD_IF_NAME - 1] = '\0';
    if (f != NULL && (in->gone || strcmp(f->name, name) != 0)) {
        forget_interface(b, f);
        f = NULL;
    }
    if (in->gone || name[0] == '\0' || in->ifindex == 0)
        return;
    if (f == NULL) {
        struct bfd_interface *same = bfd_interface_named(b, name);
        if (same != NULL) /* the name moved to another device before we heard that it was free */
            forget_interface(b, same);
        struct bfd_interface new = {.ifindex = in->ifindex};
        memcpy(new.name, name, sizeof name);
        find_listen(b, &new);
        if (b->interfaces.len >= BFD_INTERFACES_MAX ||
            hd_vec_push(c->pool, &b->interfaces, new) != 0) {
            b->lost_memory++;
            return;
        }
        f = &b->interfaces.v[b->interfaces.len - 1];
    }
    f->up = in->up;
    f->link_local = in->link_local;
    touch_interface(b, name);
}

/* --- wants ----------------------------------------------------------------------------------- */

bool bfd_wanted(const struct bfd_session *s)
{
    bool wanted = s->configured;

    for (unsigned i = 0; i < HD_BFD_CLIENTS_MAX; i++)
        wanted = wanted || s->clients[i].core != 0;
    return wanted;
}

struct wants {
    uint32_t tx_us, rx_us;
    uint8_t multiplier;
    bool passive, any;
};

static void add_want(struct wants *w, uint32_t tx_us, uint32_t rx_us, uint8_t multiplier,
                     bool passive)
{
    if (!w->any) {
        *w = (struct wants){tx_us, rx_us, multiplier, passive, true};
        return;
    }
    w->tx_us = HD_MIN(w->tx_us, tx_us);
    w->rx_us = HD_MIN(w->rx_us, rx_us);
    w->multiplier = HD_MAX(w->multiplier, multiplier);
    w->passive = w->passive && passive;
}

void bfd_merge_wants(struct bfd *b, struct bfd_session *s)
{
    const struct bfd_interface *f = bfd_interface_named(b, s->interface);
    struct wants w = {0};

    if (s->configured)
        add_want(&w, s->want.tx_us, s->want.rx_us, s->want.multiplier, s->want.passive);
    for (unsigned i = 0; i < HD_BFD_CLIENTS_MAX; i++) {
        const struct bfd_client *k = &s->clients[i];
        if (k->core != 0)
            add_want(&w, k->tx_us, k->rx_us, k->multiplier, k->passive);
    }
    if (!w.any && s->heard && f != NULL && f->listens)
        add_want(&w, f->listen.tx_us, f->listen.rx_us, f->listen.multiplier, true);
    if (!w.any) /* nobody any more: it says goodbye with what it had */
        return;
    s->tx_us = w.tx_us;
    s->rx_us = w.rx_us;
    s->multiplier = w.multiplier;
    s->passive = w.passive;
    s->demand = s->configured && s->want.demand;
    s->admin_down = s->configured && s->want.admin_down;
    s->auth = s->configured ? s->want.auth : (struct hd_auth){0};
}

/* --- checks ---------------------------------------------------------------------------------- */

static const struct hd_ip6 any;

static bool is_ip4(const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

static bool is_group(const struct hd_ip6 *a)
{
    return is_ip4(a) ? a->b[12] >= 224 && a->b[12] < 240 : a->b[0] == 0xff;
}

static bool addresses_fit(uint8_t kind, const struct hd_ip6 *local, const struct hd_ip6 *remote)
{
    bool chosen = hd_ip6_equal(local, &any);

    if (hd_ip6_equal(remote, &any) || is_group(local) || (kind == HD_BFD_MULTIHOP && chosen) ||
        (kind == HD_BFD_HEAD) != is_group(remote))
        return false;
    return chosen || is_ip4(local) == is_ip4(remote);
}

static bool interval_fits(uint32_t us, uint32_t floor_us)
{
    return us >= floor_us && us <= BFD_INTERVAL_MAX_US;
}

static bool name_fits(const char name[HD_IF_NAME], bool needed)
{
    return name[HD_IF_NAME - 1] == '\0' && (name[0] != '\0') == needed;
}

static bool auth_fits(const struct hd_auth *a)
{
    return a->type < HD_AUTH_END && (a->type == HD_AUTH_NONE) == (a->key == 0);
}

static bool session_fits(const struct hd_bfd_session_config *s, uint32_t floor_us)
{
    bool multihop = s->kind == HD_BFD_MULTIHOP;

    return s->kind >= HD_BFD_SINGLE_HOP && s->kind <= HD_BFD_HEAD && s->multiplier != 0 &&
           name_fits(s->interface, !multihop) && addresses_fit(s->kind, &s->local, &s->remote) &&
           interval_fits(s->tx_us, floor_us) && interval_fits(s->rx_us, floor_us) &&
           auth_fits(&s->auth) && (s->kind != HD_BFD_HEAD || s->auth.type == HD_AUTH_NONE) &&
           (s->echo_tx_us == 0 ||
            (s->kind == HD_BFD_SINGLE_HOP && interval_fits(s->echo_tx_us, floor_us))) &&
           (s->echo_rx_us == 0 ||
            (s->kind == HD_BFD_SINGLE_HOP && interval_fits(s->echo_rx_us, floor_us)));
}

static bool listen_fits(const struct hd_bfd_listen_config *l, uint32_t floor_us)
{
    return name_fits(l->interface, true) &&
           (!l->unsolicited || (l->multiplier != 0 && interval_fits(l->tx_us, floor_us) &&
                                interval_fits(l->rx_us, floor_us)));
}

/* --- configuration --------------------------------------------------------------------------- */

struct parts {
    uint32_t floor_us;
    uint32_t session_count, listen_count;
    const struct hd_bfd_session_config *sessions;
    const struct hd_bfd_listen_config *listen;
};

static bool same_path(const struct hd_bfd_session_config *a, const struct hd_bfd_session_config *b)
{
    return a->kind == b->kind && strcmp(a->interface, b->interface) == 0 &&
           (a->kind == HD_BFD_SINGLE_HOP || hd_ip6_equal(&a->local, &b->local)) &&
           hd_ip6_equal(&a->remote, &b->remote);
}

static int take_apart(const void *config, uint32_t len, struct parts *p)
{
    const struct hd_bfd_config *head = config;

    if (len < sizeof *head)
        return HD_EINVAL;
    if (head->session_count > HD_BFD_SESSIONS_MAX || head->multihop_count > HD_BFD_SESSIONS_MAX ||
        head->session_count + head->multihop_count > HD_BFD_SESSIONS_MAX ||
        head->listen_count > HD_BFD_LISTEN_MAX)
        return HD_ELIMIT;
    if (len != hd_bfd_config_bytes(head))
        return HD_EINVAL;
    p->floor_us = head->floor_us != 0 ? head->floor_us : HD_BFD_FLOOR_US;
    p->session_count = head->session_count + head->multihop_count;
    p->listen_count = head->listen_count;
    p->sessions = (const void *)(head + 1);
    p->listen = (const void *)(p->sessions + p->session_count);
    for (uint32_t i = 0; i < p->session_count; i++)
        if (!session_fits(&p->sessions[i], p->floor_us))
            return HD_EINVAL;
    for (uint32_t i = 0; i < p->listen_count; i++)
        if (!listen_fits(&p->listen[i], p->floor_us))
            return HD_EINVAL;
    return 0;
}

/* Whether all of it would be accepted; memory apart, nothing else is left to refuse it later. */
int bfd_check(const void *config, uint32_t len)
{
    struct parts p;
    int error = take_apart(config, len, &p);

    for (uint32_t i = 0; error == 0 && i < p.session_count; i++)
        for (uint32_t k = 0; error == 0 && k < i; k++)
            if (same_path(&p.sessions[i], &p.sessions[k]))
                error = HD_EEXIST;
    return error;
}

static struct bfd_session *find_configured(struct bfd *b, const struct hd_bfd_session_config *w)
{
    return bfd_session_find(b, w->kind, w->interface, &w->local, &w->remote);
}

/* Frees the sessions that a configuration made, which failed later. */
static void unmake(struct bfd *b, struct hd_ctx *c, const struct parts *p, uint32_t made)
{
    for (uint32_t i = 0; i < made; i++) {
        struct bfd_session *s = find_configured(b, &p->sessions[i]);
        if (s != NULL && !bfd_wanted(s) && !s->heard && !s->leaving && s->periodic == 0)
            bfd_session_free(b, c, s);
    }
}

/* Makes what is not there; a path that is named twice is found by its mark. */
static int make_sessions(struct bfd *b, struct hd_ctx *c, const struct parts *p)
{
    struct hd_map seen;
    int error = 0;
    uint32_t i;

    hd_map_init(&seen, b->salt);
    for (i = 0; i < p->session_count && error == 0; i++) {
        const struct hd_bfd_session_config *w = &p->sessions[i];
        struct bfd_session *s = find_configured(b, w);
        uint32_t other;
        if (s == NULL)
            s = bfd_session_new(b, c, w->kind, w->interface, &w->local, &w->remote);
        if (s == NULL)
            error = b->count >= HD_BFD_SESSIONS_MAX ? HD_ELIMIT : HD_ENOMEM;
        else if (hd_map_get(&seen, s->slot, &other))
            error = HD_EEXIST;
        else
            error = hd_map_set(&seen, c->pool, s->slot, i);
    }
    hd_map_free(&seen, c->pool);
    if (error != 0)
        unmake(b, c, p, i);
    return error;
}

static int copy_listen(struct hd_ctx *c, const struct parts *p, struct hd_bfd_listen_config **out)
{
    size_t size = p->listen_count * sizeof **out;

    *out = NULL;
    if (size == 0)
        return 0;
    *out = hd_pool_alloc(c->pool, size);
    if (*out == NULL)
        return HD_ENOMEM;
    memcpy(*out, p->listen, size);
    return 0;
}

static void put_listen(struct bfd *b, struct hd_ctx *c, struct hd_bfd_listen_config *listen,
                       uint32_t count)
{
    hd_pool_free(c->pool, b->listen, b->listen_count * sizeof *b->listen);
    b->listen = listen;
    b->listen_count = count;
    for (uint32_t i = 0; i < b->interfaces.len; i++)
        find_listen(b, &b->interfaces.v[i]);
}

int bfd_configure(struct bfd *b, struct hd_ctx *c, const void *config, uint32_t len)
{
    struct hd_bfd_listen_config *listen;
    struct parts p;
    int error = take_apart(config, len, &p);

    if (error == 0)
        error = copy_listen(c, &p, &listen);
    if (error != 0)
        return error;
    error = make_sessions(b, c, &p);
    if (error != 0) {
        hd_pool_free(c->pool, listen, p.listen_count * sizeof *listen);
        return error;
    }
    b->floor_us = p.floor_us;
    put_listen(b, c, listen, p.listen_count);
    for (uint32_t i = 1; i < b->sessions.len; i++)
        if (b->sessions.v[i] != NULL)
            b->sessions.v[i]->configured = false;
    for (uint32_t i = 0; i < p.session_count; i++) {
        struct bfd_session *s = find_configured(b, &p.sessions[i]);
        s->want = p.sessions[i];
        s->configured = true;
    }
    for (uint32_t i = 1; i < b->sessions.len; i++)
        if (b->sessions.v[i] != NULL)
            bfd_session_touch(b, b->sessions.v[i]);
    return 0;
}

/* --- clients --------------------------------------------------------------------------------- */

static struct bfd_client *client_in(struct bfd_session *s, uint8_t core, uint32_t handle)
{
    for (unsigned i = 0; i < HD_BFD_CLIENTS_MAX; i++)
        if (s->clients[i].core == core && (core == 0 || s->clients[i].handle == handle))
            return &s->clients[i];
    return NULL;
}

static void close_request(struct bfd *b, struct hd_ctx *c, uint8_t core, uint32_t handle,
                          const struct bfd_session *but)
{
    for (uint32_t i = 1; i < b->sessions.len; i++) {
        struct bfd_session *s = b->sessions.v[i];
        struct bfd_client *k = s != NULL && s != but ? client_in(s, core, handle) : NULL;
        if (k == NULL)
            continue;
        *k = (struct bfd_client){0};
        bfd_session_touch(b, s);
    }
}

static bool request_fits(const struct bfd *b, const struct hd_bfd_request *q)
{
    return q->handle != 0 && q->kind >= HD_BFD_SINGLE_HOP && q->kind <= HD_BFD_TAIL &&
           addresses_fit(q->kind, &q->local, &q->remote) &&
           (q->tx_us == 0 || interval_fits(q->tx_us, b->floor_us)) &&
           (q->rx_us == 0 || interval_fits(q->rx_us, b->floor_us));
}

/* Finds or makes the session of a request: 0 or an hd_error. */
static int session_for(struct bfd *b, struct hd_ctx *c, const struct hd_bfd_request *q,
                       struct bfd_session **out)
{
    const struct bfd_interface *f = bfd_interface_find(b, q->ifindex);
    const char *name = q->kind == HD_BFD_MULTIHOP ? "" : f != NULL ? f->name : NULL;
    const struct hd_ip6 *local = q->kind == HD_BFD_TAIL ? &any : &q->local;

    if (!request_fits(b, q))
        return HD_EINVAL;
    if (name == NULL)
        return HD_ENOENT;
    *out = bfd_session_find(b, q->kind, name, local, &q->remote);
    if (*out == NULL)
        *out = bfd_session_new(b, c, q->kind, name, local, &q->remote);
    if (*out == NULL)
        return b->count >= HD_BFD_SESSIONS_MAX ? HD_ELIMIT : HD_ENOMEM;
    return 0;
}

static int open_request(struct bfd *b, struct hd_ctx *c, uint8_t core,
                        const struct hd_bfd_request *q)
{
    struct bfd_session *s;
    int error = session_for(b, c, q, &s);

    if (error != 0)
        return error;
    close_request(b, c, core, q->handle, s);
    struct bfd_client *k = client_in(s, core, q->handle);
    if (k == NULL)
        k = client_in(s, 0, 0);
    if (k == NULL)
        return HD_ELIMIT; /* eight wait for it already: it is not new */
    *k = (struct bfd_client){.core = core,
                             .handle = q->handle,
                             .multiplier = q->multiplier != 0 ? q->multiplier : HD_BFD_MULTIPLIER,
                             .passive = q->passive,
                             .tx_us = q->tx_us != 0 ? q->tx_us : HD_BFD_INTERVAL_US,
                             .rx_us = q->rx_us != 0 ? q->rx_us : HD_BFD_INTERVAL_US};
    if (s->kind == HD_BFD_TAIL)
        s->ifindex = q->ifindex;
    bfd_session_settle(b, c, s);
    bfd_tell_client(c, s, k, s->state, 0);
    return 0;
}

void bfd_on_request(struct bfd *b, struct hd_ctx *c, uint8_t client, const struct hd_bfd_request *q)
{
    struct bfd_client refused = {.core = client, .handle = q->handle};

    if (q->op == HD_BFD_CLOSE) {
        close_request(b, c, client, q->handle, NULL);
        return;
    }
    int error = q->op == HD_BFD_OPEN ? open_request(b, c, client, q) : HD_EINVAL;
    if (error != 0) {
        b->refused++;
        bfd_tell_client(c, NULL, &refused, HD_BFD_DOWN, error);
    }
}
