/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants sessions and what follows: configuration as a whole or not at all, clients that share,
 * interfaces that come and go, peers that begin by themselves, heads and tails (RFC 8562), and a
 * life in which every allocation fails once.
 */
#include "unit/bfd/rig.h"

static bool lose_all(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p)
{
    return true;
}

/* --- configuration ---------------------------------------------------------------------------- */

/* A configuration with one wrong part changes nothing. */
static void all_or_nothing(void **state)
{
    struct rig *g = rig_pair(1);
    struct rig_config c = rig_one(rig_session(g, 0, 1)), bad;

    c.head.session_count = 2;
    c.session[1] = rig_session(g, 0, 1);
    c.session[1].remote.b[15] = 9;
    for (unsigned i = 0; i < 12; i++) {
        bad = c;
        int want = HD_EINVAL;
        switch (i) {
        case 0:
            bad.session[1].multiplier = 0;
            break;
        case 1:
            bad.session[1].kind = HD_BFD_TAIL;
            break;
        case 2:
            bad.session[1].tx_us = 100;
            break;
        case 3:
            bad.session[1].rx_us = 0;
            break;
        case 4:
            memset(bad.session[1].interface, 'x', HD_IF_NAME); /* without its end */
            break;
        case 5:
            bad.session[1].interface[0] = '\0';
            break;
        case 6:
            memset(&bad.session[1].remote, 0, 16);
            break;
        case 7:
            bad.session[1].local = g->node[0].ip6; /* the other family */
            break;
        case 8:
            bad.session[1].auth.type = HD_AUTH_SHA1; /* no key */
            break;
        case 9:
            bad.session[1].auth.type = HD_AUTH_END;
            break;
        case 10:
            bad.session[1] = bad.session[0];
            want = HD_EEXIST;
            break;
        default:
            bad.session[1].remote = (struct hd_ip6){.b = {[10] = 0xff, 0xff, 224, 0, 0, 18}};
        }
        int error = rig_configure(g, 0, &bad);
        if (error != want)
            fail_msg("case %u: %d", i, error);
        assert_int_equal(rig_rows(g, 0), 1);
        assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    }
    assert_int_equal(rig_configure(g, 0, &c), 0);
    assert_int_equal(rig_rows(g, 0), 2);
    rig_free(g);
}

/* R76: every value that can change while a session is up does, without a flap. */
static void live_changes(void **state)
{
    struct rig *g = rig_pair(2);
    struct rig_config c = rig_one(rig_session(g, 0, 1));

    for (unsigned i = 0; i < 40; i++) {
        c.session[0].tx_us = 5000 + 3000 * (i % 7);
        c.session[0].rx_us = 5000 + 4000 * (i % 5);
        c.session[0].multiplier = (uint8_t)(3 + i % 4);
        c.session[0].passive = i % 2;
        assert_int_equal(rig_configure(g, 0, &c), 0);
        rig_run(g, HD_MS(37));
    }
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_row(g, 0, 0).downs, 0);
    assert_int_equal(rig_row(g, 1, 0).downs, 0);
    assert_int_equal(rig_row(g, 1, 0).remote_multiplier, c.session[0].multiplier);
    rig_free(g);
}

/* R2 of the house: rows page by page, counters, clearing. */
static void thousand_sessions_are_one_configuration(void **state)
{
    enum { N = 1000 };
    struct rig *g = rig_new(1, 3);
    size_t size = sizeof(struct hd_bfd_config) + N * sizeof(struct hd_bfd_session_config);
    struct hd_bfd_config *c = calloc(1, size);
    struct hd_bfd_session_config *s = (void *)(c + 1);

    hd_bfd_config_default(c);
    c->session_count = N;
    for (unsigned i = 0; i < N; i++) {
        s[i] = rig_session(g, 0, 0);
        s[i].kind = HD_BFD_MULTIHOP;
        s[i].interface[0] = '\0';
        s[i].passive = 1;
        s[i].local = g->node[0].ip4;
        s[i].remote.b[14] = (uint8_t)(i >> 8);
        s[i].remote.b[15] = (uint8_t)i;
        s[i].remote.b[13] = 1;
    }
    struct hd_router_start start = {.seed = 3};
    struct rig_node *n = &g->node[0];
    n->region = test_region(8 << 20);
    n->r = hd_router_create(n->region, 8 << 20, &start);
    struct hd_router_core core = {.core = HD_CORE_BFD};
    core.start.config = c;
    core.start.config_len = (uint32_t)size;
    assert_int_equal(hd_router_start_core(n->r, &core, g->now, &n->fx), 0);
    unsigned calls = 0;
    while (hd_router_work(n->r, 100, g->now, &n->fx).pending != HD_PENDING_NONE) {
        assert_int_equal(n->fx.lost, 0);
        hd_fx_clear(&n->fx);
        calls++;
    }
    assert_in_range(calls, 9, 10); /* as many units as it was given, no more */
    struct hd_row_cursor cursor = {0};
    struct hd_bfd_row_summary sum;
    assert_int_equal(
        hd_router_rows(n->r, HD_CORE_BFD, HD_BFD_LIST_SUMMARY, &cursor, &sum, 1, g->now), 1);
    assert_true(sum.sessions == N && sum.down == N);
    size_t each = hd_router_pool(n->r)->live / N;
    printf("%zu bytes for each session, model and indices included\n", each);
    assert_true(each <= 1536);
    free(c);
    rig_free(g);
}

/* --- clients ---------------------------------------------------------------------------------- */

static struct hd_bfd_request request(const struct rig *g, uint32_t handle)
{
    return (struct hd_bfd_request){.op = HD_BFD_OPEN,
                                   .kind = HD_BFD_SINGLE_HOP,
                                   .handle = handle,
                                   .ifindex = 1,
                                   .tx_us = 10000,
                                   .rx_us = 10000,
                                   .remote = g->node[1].ip4};
}

static void clients_share_a_session(void **state)
{
    struct rig *g = rig_new(2, 4);
    struct rig_config b = rig_one(rig_session(g, 1, 0));
    struct rig_node *n = &g->node[0];

    assert_int_equal(rig_start(g, 0, NULL, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    struct hd_bfd_request q = request(g, 5), r = request(g, 6);
    q.tx_us = 50000;
    rig_request(g, 0, &q);
    assert_int_equal(n->notice_count, 1); /* within the request */
    assert_int_equal(n->notices[0].handle, 5);
    assert_int_equal(n->notices[0].client, RIG_CLIENT);
    assert_true(n->notices[0].local_discr != 0 && n->notices[0].state == HD_BFD_DOWN);
    r.multiplier = 5;
    rig_request(g, 0, &r);
    assert_int_equal(rig_rows(g, 0), 1);
    rig_run(g, HD_SEC(3));
    struct hd_bfd_row_session row = rig_row(g, 0, 0);
    assert_int_equal(row.clients, 2);
    assert_int_equal(row.tx_ns, HD_MS(10)); /* the shortest, the largest */
    assert_int_equal(row.multiplier, 5);
    n->notice_count = 0;
    g->node[1].gone = true;
    rig_run(g, HD_MS(100));
    assert_int_equal(n->notice_count, 2); /* both hear */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(n->notices[i].state, HD_BFD_DOWN);
        assert_int_equal(n->notices[i].old_state, HD_BFD_UP);
        assert_int_equal(n->notices[i].diag, HD_BFD_DIAG_EXPIRED);
        assert_true(n->notices[i].was_up && !n->notices[i].remote_down);
    }
    g->node[1].gone = false;
    rig_run(g, HD_SEC(4));
    r.op = HD_BFD_CLOSE;
    rig_request(g, 0, &r);
    rig_run(g, HD_SEC(1));
    row = rig_row(g, 0, 0);
    assert_true(row.state == HD_BFD_UP && row.clients == 1 && row.tx_ns == HD_MS(50));
    assert_int_equal(row.downs, 1);
    q.op = HD_BFD_CLOSE;
    rig_request(g, 0, &q);
    rig_run(g, HD_SEC(10));
    assert_int_equal(rig_rows(g, 0), 0);
    rig_free(g);
}

/* R65: a peer that is disabled is no failure, and the client can see that. */
static void r65_admin_down_is_told_apart(void **state)
{
    struct rig *g = rig_new(2, 5);
    struct rig_config b = rig_one(rig_session(g, 1, 0));
    struct rig_node *n = &g->node[0];
    struct hd_bfd_request q = request(g, 1);

    assert_int_equal(rig_start(g, 0, NULL, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_request(g, 0, &q);
    rig_run(g, HD_SEC(3));
    b.session[0].admin_down = 1;
    assert_int_equal(rig_configure(g, 1, &b), 0);
    rig_run(g, HD_MS(1));
    struct hd_bfd_notice last = n->notices[n->notice_count - 1];
    assert_true(last.state == HD_BFD_DOWN && last.remote_down && last.was_up);
    rig_free(g);
}

static void wrong_requests_are_answered(void **state)
{
    struct rig *g = rig_new(2, 6);
    struct rig_node *n = &g->node[0];
    struct hd_bfd_request q = request(g, 1);

    assert_int_equal(rig_start(g, 0, NULL, false), 0);
    q.ifindex = 4;
    rig_request(g, 0, &q);
    assert_int_equal(n->notices[0].error, HD_ENOENT);
    q = request(g, 1);
    q.tx_us = 1;
    rig_request(g, 0, &q);
    assert_int_equal(n->notices[1].error, HD_EINVAL);
    for (uint32_t i = 1; i <= HD_BFD_CLIENTS_MAX + 1; i++) {
        q = request(g, i);
        n->notice_count = 0;
        rig_request(g, 0, &q);
        assert_int_equal(n->notices[0].error, i <= HD_BFD_CLIENTS_MAX ? 0 : HD_ELIMIT);
    }
    assert_int_equal(rig_counter(g, 0, "requests-refused"), 3);
    rig_free(g);
}

/* --- interfaces ------------------------------------------------------------------------------- */

static void interfaces_come_and_go(void **state)
{
    struct rig *g = rig_pair(7);
    struct rig_node *n = &g->node[0];

    n->event_count = 0;
    rig_interface(g, 0, false, false);
    assert_int_equal(n->events[0].state, HD_BFD_DOWN); /* at once, not after a detection time */
    assert_int_equal(n->events[0].diag, HD_BFD_DIAG_PATH_DOWN);
    rig_interface(g, 0, true, false);
    rig_run(g, HD_SEC(4));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    rig_interface(g, 0, false, true);
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    assert_int_equal(rig_row(g, 0, 0).ifindex, 0);
    unsigned sent = n->sent;
    rig_run(g, HD_SEC(3));
    assert_int_equal(n->sent, sent);
    rig_interface(g, 0, true, false);
    rig_run(g, HD_SEC(4));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    rig_free(g);
}

/* --- peers that begin by themselves (RFC 9468) -------------------------------------------------
 */

static struct rig_config listening(bool unsolicited, bool tails)
{
    struct rig_config c = {0};

    hd_bfd_config_default(&c.head);
    c.head.listen_count = 1;
    c.listen[0] = (struct hd_bfd_listen_config){.interface = "eth0",
                                                .tx_us = 20000,
                                                .rx_us = 20000,
                                                .multiplier = 3,
                                                .unsolicited = unsolicited,
                                                .tails = tails};
    return c;
}

static unsigned count_up(struct rig *g, unsigned node)
{
    unsigned up = 0;

    for (unsigned i = 0; i < rig_rows(g, node); i++)
        up += rig_row(g, node, i).state == HD_BFD_UP;
    return up;
}

static void unsolicited_sessions(void **state)
{
    struct rig *g = rig_new(2, 8);
    struct rig_config a = listening(true, false), b = rig_one(rig_session(g, 1, 0));

    assert_int_equal(rig_start(g, 0, &a, false), 0);
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_rows(g, 0), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(3));
    struct hd_bfd_row_session r = rig_row(g, 0, 0);
    assert_true(r.state == HD_BFD_UP && r.unsolicited && r.tx_ns == HD_MS(20));
    struct rig_packet p = rig_last(g, 1, 0);
    memset(p.bytes + 8, 0, 4);
    p.bytes[1] = 0x40;
    for (unsigned i = 0; i < 200; i++) { /* as many as there is room for, and some in turn */
        p.from.b[14] = 1;
        p.from.b[15] = (uint8_t)i;
        rig_inject(g, 0, &p);
    }
    assert_int_equal(rig_rows(g, 0), 64);
    assert_int_equal(rig_counter(g, 0, "dropped-limit"), 200 - 63 - 64);
    assert_int_equal(count_up(g, 0), 1);
    g->node[1].gone = true;
    rig_run(g, HD_SEC(8)); /* each goes with its detection time */
    assert_int_equal(rig_rows(g, 0), 0);
    rig_free(g);
}

/* Invented peers that ask to be waited for twelve days hold no place against a real one. */
static void invented_peers_give_way(void **state)
{
    struct rig *g = rig_new(3, 13);
    struct rig_config a = listening(true, false);
    struct rig_config b = rig_one(rig_session(g, 1, 0)), late = rig_one(rig_session(g, 2, 0));

    assert_int_equal(rig_start(g, 0, &a, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(3));
    struct rig_packet p = rig_last(g, 1, 0);
    p.bytes[1] = 0x40;
    p.bytes[2] = 255;
    memset(p.bytes + 8, 0, 4);
    memset(p.bytes + 12, 0xff, 4);
    for (unsigned i = 0; i < 64; i++) {
        p.from.b[14] = 1;
        p.from.b[15] = (uint8_t)i;
        rig_inject(g, 0, &p);
    }
    assert_int_equal(rig_rows(g, 0), 64);
    assert_int_equal(rig_start(g, 2, &late, false), 0);
    rig_run(g, HD_SEC(3));
    assert_int_equal(rig_row(g, 2, 0).state, HD_BFD_UP);
    assert_int_equal(count_up(g, 0), 2);
    assert_int_equal(rig_rows(g, 0), 64);
    rig_run(g, HD_SEC(58)); /* nor for a minute longer than they were heard */
    assert_int_equal(rig_rows(g, 0), 2);
    assert_int_equal(count_up(g, 0), 2);
    assert_int_equal(rig_row(g, 2, 0).downs, 0);
    rig_free(g);
}

/* One that came up and then was silent keeps its place until somebody needs it. */
static void silent_peers_give_way(void **state)
{
    struct rig *g = rig_new(3, 14);
    struct rig_config a = listening(true, false);
    struct rig_config b = rig_one(rig_session(g, 1, 0)), late = rig_one(rig_session(g, 2, 0));

    b.session[0].tx_us = 100000000; /* it is waited for five minutes */
    assert_int_equal(rig_start(g, 0, &a, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(250));
    assert_int_equal(count_up(g, 0), 1);
    g->node[1].gone = true;
    rig_run(g, HD_SEC(61) + HD_SEC(100));
    assert_int_equal(count_up(g, 0), 1);
    struct rig_packet p = rig_last(g, 1, 0);
    p.bytes[1] = 0x40;
    p.bytes[2] = 3;
    memset(p.bytes + 8, 0, 4);
    for (unsigned i = 0; i < 63; i++) {
        p.from.b[14] = 1;
        p.from.b[15] = (uint8_t)i;
        rig_inject(g, 0, &p);
    }
    assert_int_equal(count_up(g, 0), 1);
    assert_int_equal(rig_start(g, 2, &late, false), 0);
    rig_run(g, HD_SEC(3));
    assert_int_equal(rig_row(g, 2, 0).state, HD_BFD_UP);
    assert_int_equal(count_up(g, 0), 1);
    rig_free(g);
}

/* --- heads and tails ---------------------------------------------------------------------------
 */

static struct hd_bfd_session_config head(const struct rig *g)
{
    struct hd_bfd_session_config s = rig_session(g, 0, 1);

    s.kind = HD_BFD_HEAD;
    s.remote = (struct hd_ip6){.b = {[10] = 0xff, 0xff, 224, 0, 0, 18}};
    return s;
}

/* R60, R61: one head, two tails, which say nothing. */
static void r60_r61_head_and_tails(void **state)
{
    struct rig *g = rig_new(3, 9);
    struct rig_config h = rig_one(head(g)), t = listening(false, true);

    assert_int_equal(rig_start(g, 1, &t, false), 0);
    assert_int_equal(rig_start(g, 2, &t, false), 0);
    assert_int_equal(rig_start(g, 0, &h, false), 0);
    rig_run(g, HD_MS(20)); /* R60: down for a detection time first */
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    rig_run(g, HD_MS(60));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    const uint8_t *b = g->node[0].last;
    assert_int_equal(b[1] & 0x3b, 0x0b); /* C, D, M */
    static const uint8_t zero[8];
    assert_memory_equal(b + 8, zero, 4);
    assert_memory_equal(b + 16, zero, 8);
    for (unsigned i = 1; i < 3; i++) {
        struct hd_bfd_row_session r = rig_row(g, i, 0);
        assert_true(r.kind == HD_BFD_TAIL && r.state == HD_BFD_UP);
        assert_int_equal(r.detect_ns, HD_MS(30));
        assert_int_equal(g->node[i].sent, 0);
    }
    struct rig_packet p = rig_last(g, 0, 1);
    p.bytes[11] = 1; /* R61: M with a discriminator of ours */
    rig_inject(g, 1, &p);
    assert_int_equal(rig_counter(g, 1, "dropped-multipoint"), 1);
    p = rig_last(g, 0, 1);
    p.hop_limit = 254; /* R63 */
    rig_inject(g, 1, &p);
    assert_int_equal(rig_counter(g, 1, "dropped-hop-limit"), 1);
    p = rig_last(g, 0, 1);
    p.bytes[1] = 0x80 | 0x0b; /* Init is never legal */
    rig_inject(g, 1, &p);
    assert_int_equal(rig_counter(g, 1, "dropped-state-without-discriminator"), 1);
    g->node[0].gone = true;
    g->node[1].event_count = 0;
    rig_run(g, HD_MS(31));
    assert_int_equal(g->node[1].events[0].state, HD_BFD_DOWN);
    assert_int_equal(g->node[1].events[0].diag, HD_BFD_DIAG_EXPIRED);
    rig_run(g, HD_MS(40)); /* a detection time later it is forgotten */
    assert_int_equal(rig_rows(g, 1), 0);
    rig_free(g);
}

/* R60: a head that is taken away says so; R62: one that gets slower, before it does. */
static void r62_head_changes(void **state)
{
    struct rig *g = rig_new(2, 10);
    struct rig_config h = rig_one(head(g)), t = listening(false, true), none = {0};

    assert_int_equal(rig_start(g, 1, &t, false), 0);
    assert_int_equal(rig_start(g, 0, &h, false), 0);
    rig_run(g, HD_SEC(1));
    h.session[0].tx_us = 50000;
    assert_int_equal(rig_configure(g, 0, &h), 0);
    rig_run(g, HD_MS(5));
    assert_true((g->node[0].last[1] & 0x20) != 0);
    assert_int_equal(rig_row(g, 0, 0).tx_ns, HD_MS(10)); /* as fast as before */
    assert_int_equal(rig_row(g, 1, 0).detect_ns, HD_MS(150));
    rig_run(g, HD_MS(100));
    assert_int_equal(rig_row(g, 0, 0).tx_ns, HD_MS(50));
    assert_true((g->node[0].last[1] & 0x20) == 0);
    assert_int_equal(g->node[1].sent, 0); /* a tail answers no poll */
    assert_int_equal(rig_row(g, 1, 0).downs, 0);
    hd_bfd_config_default(&none.head);
    assert_int_equal(rig_configure(g, 0, &none), 0);
    rig_run(g, HD_MS(1));
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_DOWN);
    assert_int_equal(rig_row(g, 1, 0).diag, HD_BFD_DIAG_NEIGHBOR_DOWN);
    rig_run(g, HD_SEC(2));
    assert_int_equal(rig_rows(g, 0), 0);
    rig_free(g);
}

/* A head that was silent for a while is up again with its next packet, the same as before. */
static void tails_hear_again(void **state)
{
    struct rig *g = rig_new(2, 15);
    struct rig_config h = rig_one(head(g)), t = listening(false, true);

    assert_int_equal(rig_start(g, 1, &t, false), 0);
    assert_int_equal(rig_start(g, 0, &h, false), 0);
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_UP);
    g->lose = lose_all;
    rig_run(g, HD_MS(45));
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_DOWN);
    g->lose = NULL;
    rig_run(g, HD_MS(100));
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_UP);
    assert_int_equal(rig_row(g, 1, 0).detect_ns, HD_MS(30));
    rig_free(g);
}

/* R61: the table of tails is bounded. */
static void r61_tails_are_bounded(void **state)
{
    struct rig *g = rig_new(2, 11);
    struct rig_config h = rig_one(head(g)), t = listening(false, true);

    assert_int_equal(rig_start(g, 1, &t, false), 0);
    assert_int_equal(rig_start(g, 0, &h, false), 0);
    rig_run(g, HD_MS(100));
    struct rig_packet p = rig_last(g, 0, 1);
    g->lose = lose_all;
    for (unsigned i = 0; i < 100; i++) {
        p.from.b[14] = 1;
        p.from.b[15] = (uint8_t)i;
        rig_inject(g, 1, &p);
    }
    assert_int_equal(rig_rows(g, 1), HD_BFD_TAILS_MAX);
    assert_int_equal(rig_counter(g, 1, "dropped-limit"), 100 + 1 - HD_BFD_TAILS_MAX);
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_rows(g, 1), 0);
    p.bytes[1] = 0x40 | 0x0b; /* down, and to be remembered for twelve days: they give way */
    p.bytes[2] = 255;
    memset(p.bytes + 12, 0xff, 4);
    for (unsigned i = 0; i < 100; i++) {
        p.from.b[15] = (uint8_t)i;
        rig_inject(g, 1, &p);
    }
    assert_int_equal(rig_rows(g, 1), HD_BFD_TAILS_MAX);
    assert_int_equal(rig_counter(g, 1, "dropped-limit"), 100 + 1 - HD_BFD_TAILS_MAX);
    rig_run(g, HD_SEC(61));
    assert_int_equal(rig_rows(g, 1), 0);
    rig_free(g);
}

/* A client waits for a head that it knows by its address; and for its successor. */
static void a_client_waits_for_a_head(void **state)
{
    struct rig *g = rig_new(2, 12);
    struct rig_config h = rig_one(head(g));
    struct hd_bfd_request q = {.op = HD_BFD_OPEN, .kind = HD_BFD_TAIL, .handle = 3, .ifindex = 1};
    struct rig_node *n = &g->node[1];

    assert_int_equal(rig_start(g, 1, NULL, false), 0);
    q.remote = g->node[0].ip4;
    rig_request(g, 1, &q);
    assert_int_equal(n->notices[0].error, 0);
    assert_int_equal(rig_start(g, 0, &h, false), 0);
    rig_run(g, HD_MS(200));
    assert_int_equal(n->notices[n->notice_count - 1].state, HD_BFD_UP);
    g->node[0].gone = true;
    rig_run(g, HD_MS(100));
    assert_int_equal(n->notices[n->notice_count - 1].state, HD_BFD_DOWN);
    assert_int_equal(rig_rows(g, 1), 1);
    free(g->node[0].region); /* its successor has another discriminator */
    memset(g->node[0].slots, 0, sizeof g->node[0].slots);
    g->node[0].gone = false;
    assert_int_equal(rig_start(g, 0, &h, false), 0);
    rig_run(g, HD_MS(200));
    assert_int_equal(n->notices[n->notice_count - 1].state, HD_BFD_UP);
    rig_free(g);
}

/* --- memory ------------------------------------------------------------------------------------
 */

static void live_a_life(struct rig *g, struct hd_pool *pool, uint64_t fail_after)
{
    struct rig_config c = rig_one(rig_session(g, 0, 1)), h;
    struct hd_bfd_request q = request(g, 1);

    pool->fail_after = fail_after;
    c.session[0].echo_tx_us = 10000;
    (void)!rig_configure(g, 0, &c);
    rig_request(g, 0, &q);
    rig_run(g, HD_SEC(2));
    h = listening(true, true);
    h.head.session_count = 2;
    h.session[0] = c.session[0];
    h.session[1] = head(g);
    (void)!rig_configure(g, 0, &h);
    rig_run(g, HD_MS(300));
    rig_interface(g, 0, false, true);
    rig_interface(g, 0, true, false);
    rig_run(g, HD_MS(200));
    pool->fail_after = UINT64_MAX;
}

/* Allocations of a whole life fail from the first, the second, ... on; then all is well again. */
static void survives_each_failure(void **state)
{
    for (uint64_t fail = 0; fail < 120; fail++) {
        struct rig *g = rig_new(2, 13);
        struct rig_config b = rig_one(rig_session(g, 1, 0)), c = rig_one(rig_session(g, 0, 1));
        b.session[0].echo_rx_us = 10000;
        assert_int_equal(rig_start(g, 1, &b, false), 0);
        assert_int_equal(rig_start(g, 0, NULL, false), 0);
        live_a_life(g, hd_router_pool(g->node[0].r), fail);
        assert_int_equal(rig_configure(g, 0, &c), 0);
        rig_interface(g, 0, false, true);
        rig_interface(g, 0, true, false);
        rig_run(g, HD_SEC(8));
        struct hd_bfd_row_session r = rig_row(g, 0, 0);
        assert_int_equal(r.state, HD_BFD_UP);
        hd_router_stop(g->node[0].r, g->now, &g->node[0].fx);
        const struct hd_model *m = hd_router_model(g->node[0].r);
        assert_int_equal(hd_model_periodic_next(m, 0), 0);
        assert_true(m->live == NULL || m->live->watch_count == 0);
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(live_changes),
        cmocka_unit_test(thousand_sessions_are_one_configuration),
        cmocka_unit_test(clients_share_a_session),
        cmocka_unit_test(r65_admin_down_is_told_apart),
        cmocka_unit_test(wrong_requests_are_answered),
        cmocka_unit_test(interfaces_come_and_go),
        cmocka_unit_test(unsolicited_sessions),
        cmocka_unit_test(invented_peers_give_way),
        cmocka_unit_test(silent_peers_give_way),
        cmocka_unit_test(r60_r61_head_and_tails),
        cmocka_unit_test(r62_head_changes),
        cmocka_unit_test(tails_hear_again),
        cmocka_unit_test(r61_tails_are_bounded),
        cmocka_unit_test(a_client_waits_for_a_head),
        cmocka_unit_test(survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
