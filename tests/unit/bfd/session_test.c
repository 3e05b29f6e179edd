/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions between two peers, requirement by requirement (vrrp-and-bfd.md, 1.4 and 1.5; R numbers
 * in the names). Each test drives whole routers by their contract and looks at packets, rows and
 * events only.
 */
#include "unit/bfd/rig.h"

static bool lose_all(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p)
{
    return true;
}

static bool lose_from_1(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p)
{
    return from == 1;
}

/* Packets with the final bit never arrive. */
static bool lose_finals(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p)
{
    return (p->bytes[1] & 0x10) != 0;
}

static uint32_t word(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void put_word(uint8_t *b, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        b[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* --- receiving -------------------------------------------------------------------------------- */

struct bad {
    const char *counter;
    uint8_t at, value; /* one byte that is written */
    uint8_t len;       /* bytes that arrive; 0: all */
    uint8_t hop_limit; /* 0: 255 */
};

/* R42, R57: each check drops under its own counter, and a dropped packet is no sign of life. */
static void r42_each_bad_packet_has_its_counter(void **state)
{
    static const struct bad bad[] = {
        {"dropped-version", 0, 0x00, 0, 0},
        {"dropped-version", 0, 0x40, 0, 0},
        {"dropped-short", 3, 23, 0, 0},
        {"dropped-short", 0, 0x20, 3, 0},
        {"dropped-length", 0, 0x20, 23, 0},
        {"dropped-length", 3, 25, 0, 0},
        {"dropped-multiplier", 2, 0, 0, 0},
        {"dropped-multipoint", 1, 0xc1, 0, 0},
        {"dropped-my-discriminator", 4, 0, 0, 0}, /* with the other three zero, see below */
        {"dropped-your-discriminator", 8, 0xee, 0, 0},
        {"dropped-poll-and-final", 1, 0xf0, 0, 0},
        {"dropped-hop-limit", 0, 0x20, 0, 254},
        {"dropped-short", 1, 0xc4, 0, 0}, /* authentication needs 26 */
        {"dropped-auth-unwanted", 1, 0xc4, 28, 0},
        {"dropped-source", 0, 0x20, 0, 1}, /* from another address, see below */
        {"dropped-state-without-discriminator", 8, 0, 0, 2},
    };
    struct rig *g = rig_pair(1);
    struct hd_bfd_row_session before = rig_row(g, 0, 0);
    struct rig_packet good = rig_last(g, 1, 0);

    g->lose = lose_all;
    for (unsigned i = 0; i < HD_ARRAY_LEN(bad); i++) {
        struct rig_packet p = good;
        p.bytes[bad[i].at] = bad[i].value;
        p.len = bad[i].len != 0 ? bad[i].len : p.len;
        p.hop_limit = bad[i].hop_limit > 2 ? bad[i].hop_limit : 255;
        if (bad[i].at == 4)
            put_word(p.bytes + 4, 0);
        if (bad[i].len == 28)
            memcpy(p.bytes + 24, "\1\4\1x", 4), p.bytes[3] = 28;
        if (bad[i].hop_limit == 1)
            p.from.b[15] = 77;
        if (bad[i].hop_limit == 2)
            put_word(p.bytes + 8, 0);
        uint64_t count = rig_counter(g, 0, bad[i].counter);
        rig_inject(g, 0, &p);
        if (rig_counter(g, 0, bad[i].counter) != count + 1)
            fail_msg("case %u: %s did not count", i, bad[i].counter);
        assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
        assert_int_equal(rig_row(g, 0, 0).remote_discr, before.remote_discr);
        rig_run(g, HD_MS(1)); /* in all less than the detection time, but for the last */
    }
    rig_run(g, HD_MS(15));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    rig_free(g);
}

/* R42: without our discriminator a peer is found by its address, in the states that allow it. */
static void r42_a_stranger_finds_nobody(void **state)
{
    struct rig *g = rig_pair(2);
    struct rig_packet p = rig_last(g, 1, 0);

    put_word(p.bytes + 8, 0);
    p.bytes[1] = 0x40; /* Down */
    p.from.b[15] = 77;
    rig_inject(g, 0, &p);
    assert_int_equal(rig_counter(g, 0, "dropped-no-session"), 1);
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    p.from.b[15] = 2;
    rig_inject(g, 0, &p); /* the peer itself, started again */
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    assert_int_equal(rig_row(g, 0, 0).diag, HD_BFD_DIAG_NEIGHBOR_DOWN);
    rig_free(g);
}

/* R43: our discriminator is not 0, random, and nothing depends on the peers' being different. */
static void r43_discriminators(void **state)
{
    struct rig *g = rig_pair(3), *h = rig_pair(4);
    struct hd_bfd_row_session a = rig_row(g, 0, 0), b = rig_row(g, 1, 0);

    assert_true(a.local_discr != 0 && a.local_discr != rig_row(h, 0, 0).local_discr);
    assert_int_equal(a.remote_discr, b.local_discr);
    assert_int_equal(b.remote_discr, a.local_discr);
    rig_free(h);
    rig_free(g);
}

/* R44, R52: the peer's discriminator is kept through Down until a detection time of silence. */
static void r44_remote_discriminator_lives_a_detection_time(void **state)
{
    struct rig *g = rig_pair(5);
    struct rig_packet p = rig_last(g, 1, 0);

    g->lose = lose_all;
    p.bytes[1] = 0x40; /* Down, with our discriminator */
    rig_inject(g, 0, &p);
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    rig_run(g, HD_MS(29));
    assert_true(rig_row(g, 0, 0).remote_discr != 0);
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_row(g, 0, 0).remote_discr, 0);
    rig_free(g);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* R45: not up, no packet says or follows an interval below a second. */
static void r45_slow_until_up(void **state)
{
    struct rig *g = rig_new(2, 6);
    struct rig_config a = rig_one(rig_session(g, 0, 1));

    assert_int_equal(rig_start(g, 0, &a, false), 0);
    rig_run(g, HD_SEC(10));
    struct rig_node *n = &g->node[0];
    assert_int_equal(word(n->last + 12), 1000000);
    assert_int_equal(word(n->last + 16), 10000);
    assert_in_range(n->sent, 9, 15);
    rig_free(g);
}

static void check_pauses(struct rig *g, hd_time from_ns, hd_time to_ns)
{
    struct rig_node *n = &g->node[0];

    n->sent = 0;
    rig_run(g, HD_SEC(1));
    assert_true(n->sent > RIG_LOG / 2);
    hd_time least = HD_NEVER, most = 0;
    for (unsigned i = 1; i < HD_MIN(n->sent, (unsigned)RIG_LOG); i++) {
        unsigned at = (n->sent - i) % RIG_LOG, before = (n->sent - i - 1) % RIG_LOG;
        if (n->sent - i == 0 || at == 0)
            continue;
        hd_time pause = n->sent_at[at] - n->sent_at[before];
        least = HD_MIN(least, pause);
        most = HD_MAX(most, pause);
    }
    assert_true(least >= from_ns && most <= to_ns);
    assert_true(most - least > (to_ns - from_ns) / 2); /* it is spread */
}

/* R46: each pause is drawn from 75 to 100 %, with a multiplier of 1 from 75 to 90 %. */
static void r46_jitter(void **state)
{
    struct rig *g = rig_pair(7);

    check_pauses(g, HD_US(7500), HD_US(10000));
    struct rig_config c = rig_one(rig_session(g, 0, 1));
    c.session[0].multiplier = 1;
    assert_int_equal(rig_configure(g, 0, &c), 0);
    rig_run(g, HD_MS(100));
    g->node[0].sent = 0;
    check_pauses(g, HD_US(7500), HD_US(9000));
    rig_free(g);
}

/* R47, R48: the slower of what both want; the peer's multiplier; no packets when it wants none. */
static void r47_r48_negotiation(void **state)
{
    struct rig *g = rig_new(2, 8);
    struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));

    a.session[0].tx_us = 20000;
    a.session[0].rx_us = 30000;
    b.session[0].tx_us = 40000;
    b.session[0].rx_us = 50000;
    b.session[0].multiplier = 5;
    assert_int_equal(rig_start(g, 0, &a, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(4));
    struct hd_bfd_row_session ra = rig_row(g, 0, 0), rb = rig_row(g, 1, 0);
    assert_int_equal(ra.tx_ns, HD_MS(50));
    assert_int_equal(ra.detect_ns, 5 * HD_MS(40));
    assert_int_equal(rb.tx_ns, HD_MS(40));
    assert_int_equal(rb.detect_ns, 3 * HD_MS(50));
    struct rig_packet p = rig_last(g, 1, 0);
    put_word(p.bytes + 16, 0); /* required-min-rx 0 */
    g->lose = lose_all;
    rig_inject(g, 0, &p);
    assert_int_equal(rig_row(g, 0, 0).tx_ns, 0);
    rig_free(g);
}

/* R48: silence of the detection time after the last packet, not earlier, not later. */
static void r48_detection_time(void **state)
{
    struct rig *g = rig_pair(9);
    struct rig_node *n = &g->node[0];

    for (unsigned round = 0; round < 20; round++) {
        g->lose = lose_from_1;
        n->event_count = 0;
        hd_time last = g->node[1].sent_at[(g->node[1].sent - 1) % RIG_LOG] + g->delay;
        rig_run(g, HD_MS(200));
        assert_true(n->event_count > 0);
        assert_int_equal(n->events[0].state, HD_BFD_DOWN);
        assert_int_equal(n->events[0].diag, HD_BFD_DIAG_EXPIRED);
        assert_int_equal(n->event_at[0] - last, HD_MS(30));
        g->lose = NULL;
        rig_run(g, HD_SEC(4));
        assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
        rig_run(g, HD_MS(round));
    }
    rig_free(g);
}

/* R49: a slower interval is in force only when the peer has answered; a faster one at once. */
static void r49_poll_sequence(void **state)
{
    struct rig *g = rig_pair(10);
    struct rig_config c = rig_one(rig_session(g, 0, 1));

    g->lose = lose_finals;
    c.session[0].tx_us = 50000;
    assert_int_equal(rig_configure(g, 0, &c), 0);
    rig_run(g, HD_MS(100));
    struct hd_bfd_row_session r = rig_row(g, 0, 0);
    assert_true(r.polling && r.tx_ns == HD_MS(10));
    assert_int_equal(word(g->node[0].last + 12), 50000);
    assert_true((g->node[0].last[1] & 0x20) != 0);
    g->lose = NULL;
    rig_run(g, HD_MS(100));
    r = rig_row(g, 0, 0);
    assert_true(!r.polling && r.tx_ns == HD_MS(50));
    assert_int_equal(rig_row(g, 1, 0).detect_ns, HD_MS(150));

    c.session[0].rx_us = 5000; /* the peer shall be faster: expected only after its answer */
    g->lose = lose_finals;
    c.session[0].tx_us = 10000;
    assert_int_equal(rig_configure(g, 0, &c), 0);
    rig_run(g, HD_MS(1));
    r = rig_row(g, 0, 0);
    assert_true(r.polling && r.tx_ns == HD_MS(10) && r.detect_ns == HD_MS(30));
    g->lose = NULL;
    rig_run(g, HD_MS(100));
    assert_int_equal(rig_row(g, 0, 0).downs, 0); /* R76: nothing of this was a flap */
    assert_int_equal(rig_row(g, 1, 0).downs, 0);
    rig_free(g);
}

/* R49: a poll is answered at once, whatever the timer says, and never with a poll. */
static void r49_poll_is_answered_at_once(void **state)
{
    struct rig *g = rig_pair(11);
    struct rig_packet p = rig_last(g, 1, 0);
    unsigned once = g->node[0].once;

    p.bytes[1] |= 0x20;
    rig_inject(g, 0, &p);
    assert_int_equal(g->node[0].once, once + 1);
    assert_int_equal(g->node[0].last[1] & 0x30, 0x10);
    p.bytes[1] = 0x60; /* also in Down: Down with poll */
    rig_inject(g, 0, &p);
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    assert_int_equal(g->node[0].last[1] & 0x30, 0x10);
    rig_free(g);
}

/* R50: a change of state leaves at once, not with the next packet of a slow stream. */
static void r50_changes_are_said_at_once(void **state)
{
    struct rig *g = rig_pair(12);
    struct rig_packet p = rig_last(g, 1, 0);
    unsigned once = g->node[0].once;

    p.bytes[1] = 0x40;
    rig_inject(g, 0, &p);
    assert_int_equal(g->node[0].once, once + 1);
    assert_int_equal(g->node[0].last[1] >> 6, HD_BFD_DOWN);
    assert_int_equal(g->node[0].last[0] & 31, HD_BFD_DIAG_NEIGHBOR_DOWN);
    rig_free(g);
}

/* R51: what is taken out of the configuration says AdminDown for a detection time, then goes. */
static void r51_goodbye_lasts_a_detection_time(void **state)
{
    struct rig *g = rig_pair(13);
    struct rig_config none = {0};

    hd_bfd_config_default(&none.head);
    assert_int_equal(rig_configure(g, 0, &none), 0);
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_ADMIN_DOWN);
    rig_run(g, HD_MS(1));
    struct hd_bfd_row_session peer = rig_row(g, 1, 0);
    assert_int_equal(peer.state, HD_BFD_DOWN);
    assert_int_equal(peer.remote_diag, HD_BFD_DIAG_ADMIN_DOWN);
    rig_run(g, HD_MS(28));
    assert_int_equal(rig_rows(g, 0), 1);
    rig_run(g, HD_SEC(6));
    assert_int_equal(rig_rows(g, 0), 0);
    unsigned sent = g->node[0].sent;
    rig_run(g, HD_SEC(2));
    assert_int_equal(g->node[0].sent, sent);
    rig_free(g);
}

/* admin-down: the peer hears of it, the session stays, and comes back when it may. */
static void admin_down_and_back(void **state)
{
    struct rig *g = rig_pair(14);
    struct rig_config c = rig_one(rig_session(g, 0, 1));

    c.session[0].admin_down = 1;
    assert_int_equal(rig_configure(g, 0, &c), 0);
    rig_run(g, HD_SEC(5));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_ADMIN_DOWN);
    assert_int_equal(rig_row(g, 0, 0).diag, HD_BFD_DIAG_ADMIN_DOWN);
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_DOWN);
    assert_true(rig_counter(g, 0, "dropped-admin-down") > 0);
    c.session[0].admin_down = 0;
    assert_int_equal(rig_configure(g, 0, &c), 0);
    rig_run(g, HD_SEC(4));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    rig_free(g);
}

/* R53: demand is asked for when both are up; the peer is silent then, and asked now and then. */
static void r53_demand(void **state)
{
    struct rig *g = rig_pair(15);
    struct rig_config c = rig_one(rig_session(g, 0, 1));

    c.session[0].demand = 1;
    assert_int_equal(rig_configure(g, 0, &c), 0);
    rig_run(g, HD_SEC(1));
    struct hd_bfd_row_session r = rig_row(g, 0, 0);
    assert_true(r.demand && r.state == HD_BFD_UP && r.detect_ns == 0);
    unsigned silent = g->node[1].sent;
    rig_run(g, HD_SEC(2));
    assert_in_range(g->node[1].sent - silent, 0, 3); /* answers only */
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_UP); /* it hears us all the time */
    g->lose = lose_from_1;
    rig_run(g, HD_SEC(6)); /* a poll without an answer */
    assert_true(rig_row(g, 0, 0).downs == 1);
    rig_free(g);
}

/* R54: echoes only when up and allowed, not faster than allowed; their loss is diagnosis 2. */
static void r54_echo(void **state)
{
    struct rig *g = rig_new(2, 16);
    struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));

    a.session[0].echo_tx_us = 5000;
    assert_int_equal(rig_start(g, 0, &a, false), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(4));
    assert_int_equal(rig_row(g, 0, 0).echo_tx_ns, 0); /* the peer does not allow it */
    b.session[0].echo_rx_us = 7000;
    assert_int_equal(rig_configure(g, 1, &b), 0);
    rig_run(g, HD_SEC(1));
    struct hd_bfd_row_session r = rig_row(g, 0, 0);
    assert_int_equal(r.echo_tx_ns, HD_MS(7));
    assert_int_equal(r.rx_ns, HD_SEC(1)); /* 6.8.9: control packets may be slow now */
    assert_int_equal(r.state, HD_BFD_UP);
    g->node[1].echoes = false;
    g->node[0].event_count = 0;
    rig_run(g, HD_MS(25)); /* control packets do come: it begins again at once */
    assert_true(g->node[0].event_count > 0);
    assert_int_equal(g->node[0].events[0].state, HD_BFD_DOWN);
    assert_int_equal(g->node[0].events[0].diag, HD_BFD_DIAG_ECHO_FAILED);
    rig_free(g);
}

/* R55: every type of authentication, with a window that no old packet passes. */
static void r55_authentication(void **state)
{
    for (uint8_t type = HD_AUTH_SIMPLE; type < HD_AUTH_END; type++) {
        struct rig *g = rig_new(2, 17u + type);
        struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));
        a.session[0].auth = b.session[0].auth =
            (struct hd_auth){.type = type, .key_id = 7, .key = 3};
        assert_int_equal(rig_start(g, 0, &a, false), 0);
        assert_int_equal(rig_start(g, 1, &b, false), 0);
        rig_run(g, HD_SEC(3));
        assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
        assert_int_equal(rig_row(g, 0, 0).auth, type);
        struct rig_packet old = rig_last(g, 1, 0), p = old;
        rig_run(g, HD_SEC(1)); /* a hundred packets later */
        rig_inject(g, 0, &old);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-sequence"), type != HD_AUTH_SIMPLE);
        p = rig_last(g, 1, 0);
        p.bytes[p.len - 4] ^= 1; /* another key's digest */
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-wrong"), 1);
        p = rig_last(g, 1, 0);
        p.bytes[26] ^= 1; /* key id */
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-type"), 1);
        p = rig_last(g, 1, 0);
        p.bytes[25]++; /* its length */
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-format"), 1);
        p = rig_last(g, 1, 0);
        p.len = 24;
        p.bytes[1] &= (uint8_t)~0x04;
        p.bytes[3] = 24;
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-missing"), 1);
        assert_int_equal(rig_row(g, 0, 0).downs, 0);
        rig_free(g);
    }
}

/* R55: keyed takes the same number again, meticulous does not. */
static void r55_window_edges(void **state)
{
    for (uint8_t type = HD_AUTH_MD5; type <= HD_AUTH_METICULOUS_MD5; type++) {
        struct rig *g = rig_new(2, 30u + type);
        struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));
        a.session[0].auth = b.session[0].auth =
            (struct hd_auth){.type = type, .key_id = 7, .key = 3};
        assert_int_equal(rig_start(g, 0, &a, false), 0);
        assert_int_equal(rig_start(g, 1, &b, false), 0);
        rig_run(g, HD_SEC(3));
        g->lose = lose_all;
        struct rig_packet p = rig_last(g, 1, 0);
        uint32_t seq = word(p.bytes + 28);
        rig_inject(g, 0, &p);
        uint64_t drops = rig_counter(g, 0, "dropped-auth-sequence");
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-sequence") - drops,
                         type == HD_AUTH_METICULOUS_MD5);
        put_word(p.bytes + 28, seq + 9); /* 3 x multiplier is the last that is in */
        drops = rig_counter(g, 0, "dropped-auth-sequence");
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-sequence"), drops);
        put_word(p.bytes + 28, seq + 9 + 10);
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-sequence"), drops + 1);
        rig_run(g, HD_MS(61)); /* two detection times of silence: anything goes */
        rig_inject(g, 0, &p);
        assert_int_equal(rig_counter(g, 0, "dropped-auth-sequence"), drops + 1);
        rig_free(g);
    }
}

/* R56: passive says nothing before it has heard; the common intervals; none below the floor. */
static void r56_passive_and_intervals(void **state)
{
    static const uint32_t common[] = {3300, 10000, 20000, 50000, 100000, 1000000, 10000000};
    struct rig *g = rig_new(2, 40);
    struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));

    a.session[0].passive = 1;
    assert_int_equal(rig_start(g, 0, &a, false), 0);
    rig_run(g, HD_SEC(5));
    assert_int_equal(g->node[0].sent, 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(3));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    for (unsigned i = 0; i < HD_ARRAY_LEN(common); i++) {
        a.session[0].tx_us = a.session[0].rx_us = common[i];
        assert_int_equal(rig_configure(g, 0, &a), 0);
        rig_run(g, HD_MS(100));
        assert_int_equal(rig_row(g, 0, 0).tx_ns, HD_US(HD_MAX(common[i], 10000u)));
    }
    a.session[0].tx_us = 3299;
    assert_int_equal(rig_configure(g, 0, &a), HD_EINVAL);
    rig_free(g);
}

/* --- multihop --------------------------------------------------------------------------------- */

/* R58: both addresses are the key; a smallest TTL; no echo. */
static void r58_multihop(void **state)
{
    struct rig *g = rig_new(2, 41);
    struct rig_config a = rig_one(rig_session(g, 0, 1)), b = rig_one(rig_session(g, 1, 0));

    g->hops = 3;
    a.session[0].kind = b.session[0].kind = HD_BFD_MULTIHOP;
    a.session[0].interface[0] = b.session[0].interface[0] = '\0';
    assert_int_equal(rig_start(g, 0, NULL, false), 0);
    assert_int_equal(rig_configure(g, 0, &a), HD_EINVAL); /* without a local address */
    a.session[0].local = g->node[0].ip4;
    b.session[0].local = g->node[1].ip4;
    a.session[0].rx_ttl = 252;
    assert_int_equal(rig_configure(g, 0, &a), 0);
    assert_int_equal(rig_start(g, 1, &b, false), 0);
    rig_run(g, HD_SEC(3));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_UP);
    assert_int_equal(rig_row(g, 0, 0).remote_port, HD_BFD_MULTIHOP_PORT);
    g->hops = 4;
    rig_run(g, HD_SEC(1));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    assert_true(rig_counter(g, 0, "dropped-hop-limit") > 0);
    a.session[0].echo_tx_us = 10000;
    assert_int_equal(rig_configure(g, 0, &a), HD_EINVAL);
    rig_free(g);
}

/* --- lateness --------------------------------------------------------------------------------- */

static bool lose_most_to_0(struct rig *g, unsigned from, unsigned to, const struct rig_packet *p)
{
    return to == 0 && hd_random_below(&g->random, 10) != 0;
}

/* A7: whoever stood still longer than a quarter of an interval declares nobody dead for it. */
static void late_timers_grant_one_more_interval(void **state)
{
    struct rig *g = rig_pair(42);

    for (unsigned i = 0; i < 50; i++) {
        g->node[0].stopped_until = g->now + HD_MS(50 + 7 * i);
        g->lose = lose_most_to_0; /* what it would have had to read overflowed */
        rig_run(g, g->node[0].stopped_until - g->now - HD_US(1));
        g->lose = NULL;
        rig_run(g, HD_SEC(2));
        assert_int_equal(rig_row(g, 0, 0).downs, 0);
    }
    assert_true(rig_row(g, 0, 0).late > 0);
    rig_free(g);
}

/* The grant is for one interval: a peer that is dead indeed is found dead. */
static void late_timers_do_not_grant_two(void **state)
{
    struct rig *g = rig_pair(43);

    g->lose = lose_all;
    g->node[0].stopped_until = g->now + HD_MS(100);
    hd_time back = g->node[0].stopped_until;
    g->node[0].event_count = 0;
    rig_run(g, HD_SEC(1));
    assert_int_equal(g->node[0].event_count, 1);
    assert_int_equal(g->node[0].event_at[0], back + HD_US(12500));
    rig_free(g);
}

/* Loss that leaves one packet of any three is no failure, and does not look like one. */
static void loss_below_the_multiplier_is_no_failure(void **state)
{
    uint64_t seed = test_seed("loss_below_the_multiplier_is_no_failure");
    struct rig *g = rig_pair(seed);

    g->delay = HD_MS(2);
    rig_run(g, HD_MS(100)); /* packets that are late by the step of the delay are not lost ones */
    g->loss = 500;
    g->at_most = 2;
    rig_run(g, HD_SEC(60)); /* some 6,800 packets each way; three of seven are lost */
    for (unsigned i = 0; i < 2; i++) {
        assert_true(g->node[i].lost_all > 2000);
        assert_int_equal(rig_row(g, i, 0).downs, 0);
    }
    g->at_most = 3;
    rig_run(g, HD_SEC(60));
    assert_true(rig_row(g, 0, 0).downs > 0 && rig_row(g, 1, 0).downs > 0);
    rig_free(g);
}

/* --- restart of the process --------------------------------------------------------------------
 */

/* The router process dies and is replaced while its packets go on: the peer sees nothing. */
static void replaced_process_goes_on(void **state)
{
    struct rig *g = rig_pair(44);
    struct rig_config c = rig_one(rig_session(g, 0, 1));
    struct hd_bfd_row_session before = rig_row(g, 0, 0);

    for (unsigned i = 0; i < 5; i++) {
        g->node[0].deaf = true;
        rig_run(g, HD_MS(500));
        assert_int_equal(rig_row(g, 1, 0).state, HD_BFD_UP);
        g->packet_count = 0;
        rig_replace(g, 0, &c);
        rig_run(g, HD_SEC(1));
        struct hd_bfd_row_session after = rig_row(g, 0, 0);
        assert_int_equal(after.state, HD_BFD_UP);
        assert_int_equal(after.local_discr, before.local_discr);
        assert_int_equal(after.remote_discr, before.remote_discr);
        assert_int_equal(after.downs, 0);
        assert_int_equal(rig_row(g, 1, 0).downs, 0);
    }
    g->node[1].gone = true; /* and it still notices */
    rig_run(g, HD_MS(50));
    assert_int_equal(rig_row(g, 0, 0).state, HD_BFD_DOWN);
    rig_free(g);
}

/* What the successor does not want falls silent. */
static void unclaimed_packets_are_silenced(void **state)
{
    struct rig *g = rig_pair(45);
    struct rig_config none = {0};

    hd_bfd_config_default(&none.head);
    rig_replace(g, 0, &none);
    rig_run(g, HD_SEC(25));
    unsigned sent = g->node[0].sent;
    rig_run(g, HD_SEC(2));
    assert_int_equal(g->node[0].sent, sent);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r42_each_bad_packet_has_its_counter),
        cmocka_unit_test(r42_a_stranger_finds_nobody),
        cmocka_unit_test(r43_discriminators),
        cmocka_unit_test(r44_remote_discriminator_lives_a_detection_time),
        cmocka_unit_test(r45_slow_until_up),
        cmocka_unit_test(r46_jitter),
        cmocka_unit_test(r47_r48_negotiation),
        cmocka_unit_test(r48_detection_time),
        cmocka_unit_test(r49_poll_sequence),
        cmocka_unit_test(r49_poll_is_answered_at_once),
        cmocka_unit_test(r50_changes_are_said_at_once),
        cmocka_unit_test(r51_goodbye_lasts_a_detection_time),
        cmocka_unit_test(admin_down_and_back),
        cmocka_unit_test(r53_demand),
        cmocka_unit_test(r54_echo),
        cmocka_unit_test(r55_authentication),
        cmocka_unit_test(r55_window_edges),
        cmocka_unit_test(r56_passive_and_intervals),
        cmocka_unit_test(r58_multihop),
        cmocka_unit_test(late_timers_grant_one_more_interval),
        cmocka_unit_test(late_timers_do_not_grant_two),
        cmocka_unit_test(loss_below_the_multiplier_is_no_failure),
        cmocka_unit_test(replaced_process_goes_on),
        cmocka_unit_test(unclaimed_packets_are_silenced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
