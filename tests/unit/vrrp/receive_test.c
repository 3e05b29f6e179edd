/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets by requirement (vrrp-and-bfd.md, 1.1): whatever is wrong with one is counted under its
 * reason and changes nothing (R1 to R15). Formats by vectors, one of them from another program.
 */
#include "rig.h"

/* --- formats -----------------------------------------------------------------------------------
 */

/* Captured from keepalived: VRID 51, priority 200, 1 s, 10.66.0.254, checksum with pseudo header.
 */
static const uint8_t keepalived[] = {0x31, 0x33, 0xc8, 0x01, 0x00, 0x64,
                                     0x10, 0x55, 0x0a, 0x42, 0x00, 0xfe};

static void keepalived_vector(void **state)
{
    struct hd_ip6 vip = rig_ip("10.66.0.254");
    struct vrrp_advert a = {.family = 4,
                            .version = 3,
                            .type = 1,
                            .vrid = 51,
                            .priority = 200,
                            .count = 1,
                            .pseudo = true,
                            .interval_cs = 100,
                            .from = rig_ip("10.66.0.1"),
                            .addresses = &vip};
    uint8_t frame[VRRP_FRAME_MAX];
    struct vrrp_packet p;
    struct vrrp_message m;
    uint32_t len = vrrp_write_advert(frame, &a);

    assert_int_equal(len, 14 + 20 + sizeof keepalived);
    assert_memory_equal(frame + 34, keepalived, sizeof keepalived);
    assert_int_equal(vrrp_read_frame(frame, len, &p), VRRP_FRAME_OK);
    assert_true(vrrp_read_head(&p, &m) && vrrp_read_message(&p, &m));
    assert_true(m.checksum_pseudo && !m.checksum_plain);
    assert_true(m.vrid == 51 && m.priority == 200 && m.count == 1 && m.interval_cs == 100);
    assert_int_equal(p.ttl, 255);
    assert_int_equal(frame[15], 0xc0); /* R17: CS6 */
}

/* R16, R17, R30: the bytes of announcements. */
static void announcement_vectors(void **state)
{
    static const uint8_t arp[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x5e, 0x00, 0x01,
                                  0x33, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
                                  0x00, 0x00, 0x5e, 0x00, 0x01, 0x33, 0x0a, 0x42, 0x00, 0xfe, 0x00,
                                  0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x42, 0x00, 0xfe};
    struct hd_mac mac4 = vrrp_mac(4, 0x33), mac6 = vrrp_mac(6, 0x33);
    struct hd_ip6 vip4 = rig_ip("10.66.0.254"), vip6 = rig_ip("2001:db8::254");
    uint8_t frame[VRRP_FRAME_MAX];

    assert_int_equal(vrrp_write_announcement(frame, 4, &mac4, &vip4), sizeof arp);
    assert_memory_equal(frame, arp, sizeof arp);
    assert_int_equal(vrrp_write_announcement(frame, 6, &mac6, &vip6), 14 + 40 + 32);
    assert_int_equal(frame[54], 136);
    assert_int_equal(frame[58], 0xa0); /* router and override, not solicited */
    assert_memory_equal(frame + 62, vip6.b, 16);
    assert_memory_equal(frame + 80, mac6.b, 6);
}

/* What is written is read again as it was, for every version, family and number of addresses. */
static void round_trips(void **state)
{
    struct hd_random r;
    struct hd_ip6 list[16];
    uint8_t frame[VRRP_FRAME_MAX];

    hd_random_seed(&r, test_seed("round_trips"), 1);
    for (unsigned n = 0; n < 2000; n++) {
        struct vrrp_advert a = {.family = n % 2 == 0 ? 4 : 6, .version = 3, .type = 1};
        if (a.family == 4 && hd_random_below(&r, 2) == 0)
            a.version = 2;
        a.pseudo = hd_random_below(&r, 2) == 0;
        a.vrid = (uint8_t)hd_random_below(&r, 256);
        a.priority = (uint8_t)hd_random_below(&r, 256);
        a.count = (uint8_t)hd_random_below(&r, 17);
        a.interval_cs = a.version == 2 ? (uint16_t)(100 * (1 + hd_random_below(&r, 254)))
                                       : (uint16_t)(1 + hd_random_below(&r, 4095));
        a.from = rig_host(1, a.family, 7);
        a.addresses = list;
        for (unsigned k = 0; k < a.count; k++)
            list[k] = rig_host(2, a.family, (unsigned)hd_random_below(&r, 255));
        struct vrrp_packet p;
        struct vrrp_message m;
        uint32_t len = vrrp_write_advert(frame, &a);
        assert_int_equal(vrrp_read_frame(frame, len, &p), VRRP_FRAME_OK);
        assert_true(vrrp_read_head(&p, &m) && vrrp_read_message(&p, &m));
        assert_true(m.version == a.version && m.type == 1 && m.vrid == a.vrid);
        assert_true(m.priority == a.priority && m.count == a.count);
        assert_int_equal(m.interval_cs, a.interval_cs);
        bool pseudo = a.family == 6 || (a.version == 3 && a.pseudo);
        assert_true(pseudo ? m.checksum_pseudo : m.checksum_plain);
        for (unsigned k = 0; k < a.count; k++) {
            struct hd_ip6 got = vrrp_list_address(&p, &m, k);
            assert_true(hd_ip6_equal(&got, &list[k]));
        }
    }
}

/* --- what is refused ----------------------------------------------------------------------------
 */

struct fixture {
    struct rig *g;
    struct rig_node *n;
    struct vrrp_advert better;
    uint8_t frame[VRRP_FRAME_MAX + 64];
    uint32_t len;
};

/* An Active of priority 100, and a packet that would make it a Backup. */
static struct fixture fixture(uint8_t family, uint8_t version)
{
    struct fixture f = {.g = rig_new(1)};

    f.n = rig_node(f.g, 1);
    rig_add(f.n, 1, family, 51, 100)->version = version;
    assert_int_equal(rig_apply(f.g, f.n), 0);
    rig_run(f.g, HD_SEC(10));
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_ACTIVE);
    f.better = rig_advert(1, family, 51, 200, 9, &f.n->config.instances[0]);
    f.len = vrrp_write_advert(f.frame, &f.better);
    return f;
}

/* It was counted under this name alone, and the state is what it was. */
static void refused(struct fixture *f, const char *counter)
{
    rig_run(f->g, HD_MS(110)); /* a flood is another test */
    struct hd_vrrp_row_router before = rig_router(f->g, f->n, 0);
    uint64_t count = rig_counter(f->g, f->n, counter);

    rig_frame(f->g, f->n, 1, f->frame, f->len);
    struct hd_vrrp_row_router after = rig_router(f->g, f->n, 0);
    assert_int_equal(rig_counter(f->g, f->n, counter), count + 1);
    assert_int_equal(after.state, HD_VRRP_ACTIVE);
    assert_int_equal(after.received, before.received);
    assert_int_equal(after.sent, before.sent);
    f->len = vrrp_write_advert(f->frame, &f->better);
}

static void fix_ip_checksum(uint8_t *frame)
{
    uint32_t sum = 0;

    frame[24] = frame[25] = 0;
    for (unsigned i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
}

static void fix_checksum(uint8_t *m, uint32_t len)
{
    uint32_t sum = 0;

    m[6] = m[7] = 0;
    for (uint32_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)m[i] << 8 | m[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    m[6] = (uint8_t)(sum >> 8);
    m[7] = (uint8_t)sum;
}

static void the_packet_itself_is_taken(void **state)
{
    for (unsigned k = 0; k < 3; k++) {
        struct fixture f = fixture(k == 2 ? 6 : 4, k == 1 ? 2 : 3);
        rig_frame(f.g, f.n, 1, f.frame, f.len);
        assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
        rig_free(f.g);
    }
}

static void frames_and_ip(void **state)
{
    struct fixture f = fixture(4, 3);

    for (uint32_t len = 0; len < f.len; len++) {
        if (len == 14) /* a whole Ethernet header says what it is */
            continue;
        uint32_t whole = f.len;
        f.len = len;
        refused(&f, "drop-frame-length");
        assert_int_equal(f.len, whole);
    }
    f.frame[14] = 0x55;
    refused(&f, "drop-frame-length");
    f.frame[14] = 0x41;
    refused(&f, "drop-frame-length");
    f.frame[23] = 17;
    refused(&f, "drop-other-protocol");
    f.frame[20] = 0x20;
    refused(&f, "drop-fragment");
    f.frame[21] = 0x01;
    refused(&f, "drop-fragment");
    f.frame[24] ^= 1;
    refused(&f, "drop-ip-checksum");
    f.better.from = rig_host(1, 4, 1); /* R15 */
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-own");
    rig_free(f.g);
}

/* R1 to R6, R17. */
static void heads(void **state)
{
    struct fixture f = fixture(4, 3);

    f.frame[22] = 254;
    fix_ip_checksum(f.frame);
    refused(&f, "drop-ttl");
    assert_int_equal(f.n->errors[HD_VRRP_ERR_TTL], 1);
    for (unsigned version = 0; version < 16; version++) {
        f.frame[34] = (uint8_t)(version << 4 | 1);
        if (version != 3)
            refused(&f, "drop-version");
    }
    rig_run(f.g, HD_SEC(2));
    f.len = vrrp_write_advert(f.frame, &f.better);
    for (unsigned type = 0; type < 16; type++) {
        f.frame[34] = (uint8_t)(3 << 4 | type);
        if (type != 1)
            refused(&f, "drop-type");
    }
    assert_int_equal(rig_router(f.g, f.n, 0).invalid_type, 15);
    f.len = vrrp_write_advert(f.frame, &f.better);
    f.frame[37] = 2; /* one address more than there is room for */
    refused(&f, "drop-length");
    f.frame[37] = 255;
    refused(&f, "drop-length");
    assert_int_equal(rig_router(f.g, f.n, 0).length_errors, 2);
    f.frame[40] ^= 0x10;
    refused(&f, "drop-checksum");
    f.better.pseudo = true; /* R12: strict */
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-checksum");
    f.better.pseudo = false;
    f.better.vrid = 52;
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-vrid");
    f.better.vrid = 51;
    f.better.to = rig_host(1, 4, 1);
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-destination");
    rig_free(f.g);
}

/* R7, R9. */
static void contents(void **state)
{
    struct fixture f = fixture(4, 3);

    f.better.count = 0;
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-no-address");
    f.better.count = 1;
    f.better.interval_cs = 0;
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-zero-interval");
    f.frame[38] = 0xf0; /* what is reserved does not count */
    fix_checksum(f.frame + 34, 12);
    refused(&f, "drop-zero-interval");
    rig_free(f.g);
}

/* R8, R17: IPv6. */
static void version_six(void **state)
{
    struct fixture f = fixture(6, 3);
    struct hd_ip6 global = rig_ip("2001:db8::254");

    f.better.addresses = &global;
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-not-link-local");
    f.better.addresses = f.n->config.instances[0].addresses;
    f.better.from = rig_ip("2001:db8::9");
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-source");
    f.better.from = rig_host(1, 6, 9);
    f.len = vrrp_write_advert(f.frame, &f.better);
    f.frame[20] = 0; /* a hop-by-hop header before it */
    refused(&f, "drop-other-protocol");
    f.frame[21] = 254;
    refused(&f, "drop-ttl");
    f.frame[60] ^= 1;
    refused(&f, "drop-checksum");
    f.frame[54] = 0x21;
    refused(&f, "drop-version");
    rig_free(f.g);
}

/* R10, R11: noted with version 3. */
static void differences_are_noted(void **state)
{
    struct fixture f = fixture(4, 3);
    struct hd_ip6 other = rig_ip("10.1.0.253");

    f.better.interval_cs = 50;
    rig_hear(f.g, f.n, 1, &f.better);
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
    assert_int_equal(rig_router(f.g, f.n, 0).interval_errors, 1);
    f.better.addresses = &other;
    rig_hear(f.g, f.n, 1, &f.better);
    assert_int_equal(rig_router(f.g, f.n, 0).address_errors, 1);
    assert_int_equal(rig_router(f.g, f.n, 0).received, 2);
    assert_int_equal(f.n->errors[HD_VRRP_ERR_INTERVAL], 2);
    assert_int_equal(f.n->errors[HD_VRRP_ERR_ADDRESS_LIST], 1);
    rig_free(f.g);
}

/* R10, R11, R13: version 2 is strict, except towards an owner. */
static void version_two_is_strict(void **state)
{
    struct fixture f = fixture(4, 2);
    struct hd_ip6 other = rig_ip("10.1.0.253");

    f.better.interval_cs = 200;
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-interval");
    assert_int_equal(rig_router(f.g, f.n, 0).interval_errors, 1);
    f.better.interval_cs = 100;
    f.better.addresses = &other;
    f.len = vrrp_write_advert(f.frame, &f.better);
    refused(&f, "drop-address-list");
    f.better.addresses = f.n->config.instances[0].addresses;
    f.len = vrrp_write_advert(f.frame, &f.better);
    f.frame[38] = 1;
    fix_checksum(f.frame + 34, 20);
    refused(&f, "drop-authentication");
    f.frame[37] = 2; /* the eight bytes at the end are no address */
    refused(&f, "drop-length");
    f.n->config.instances[0].v2_auth_accept = 1;
    assert_int_equal(rig_apply(f.g, f.n), 0);
    f.frame[38] = 1;
    fix_checksum(f.frame + 34, 20);
    rig_frame(f.g, f.n, 1, f.frame, f.len);
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
    rig_free(f.g);

    f = fixture(4, 2);
    f.better.priority = 255;
    f.better.addresses = &other;
    rig_hear(f.g, f.n, 1, &f.better);
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
    rig_free(f.g);
}

/* R14: bytes after the list are somebody's extension, inside of the checksum or not. */
static void extensions_are_ignored(void **state)
{
    for (unsigned inside = 0; inside < 2; inside++) {
        struct fixture f = fixture(4, 3);
        memset(f.frame + f.len, 0xa5, 28);
        f.len += 28;
        f.frame[17] = (uint8_t)(f.len - 14);
        fix_ip_checksum(f.frame);
        if (inside)
            fix_checksum(f.frame + 34, f.len - 34);
        rig_frame(f.g, f.n, 1, f.frame, f.len);
        assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
        rig_free(f.g);
    }
}

/* R6 with erratum 8298: two owners decide by election. */
static void two_owners(void **state)
{
    struct fixture f = fixture(4, 3);

    rig_address(f.g, f.n, 1, "10.1.0.254", false);
    rig_run(f.g, HD_SEC(5));
    assert_true(rig_router(f.g, f.n, 0).owner);
    f.better.priority = 255;
    f.better.from = rig_ip("10.1.0.255");
    rig_hear(f.g, f.n, 1, &f.better);
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
    rig_free(f.g);
}

/* R12: `auto` takes both forms, `pseudo` one. */
static void checksum_forms(void **state)
{
    for (unsigned mode = 0; mode <= HD_VRRP_CHECKSUM_AUTO; mode++) {
        for (unsigned pseudo = 0; pseudo < 2; pseudo++) {
            struct fixture f = fixture(4, 3);
            f.n->config.instances[0].checksum = (uint8_t)mode;
            assert_int_equal(rig_apply(f.g, f.n), 0);
            f.better.pseudo = pseudo != 0;
            rig_hear(f.g, f.n, 1, &f.better);
            bool taken = mode == HD_VRRP_CHECKSUM_AUTO || pseudo == mode;
            assert_int_equal(rig_state(f.g, f.n, 0), taken ? HD_VRRP_BACKUP : HD_VRRP_ACTIVE);
            rig_free(f.g);
        }
    }
}

/* A flood is counted before all of it is read, and stops nobody else's advertisements for long. */
static void floods_are_bounded(void **state)
{
    struct fixture f = fixture(4, 3);

    for (unsigned i = 0; i < 1000; i++) {
        f.frame[40] ^= 0x10;
        rig_frame(f.g, f.n, 1, f.frame, f.len);
        f.len = vrrp_write_advert(f.frame, &f.better);
    }
    assert_true(rig_counter(f.g, f.n, "drop-rate") > 900);
    assert_true(rig_counter(f.g, f.n, "drop-checksum") < 100);
    rig_run(f.g, HD_MS(200));
    rig_frame(f.g, f.n, 1, f.frame, f.len);
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
    rig_free(f.g);
}

/* What could not come from a router of ours uses up nothing: the real one is heard among it. */
static void strangers_use_up_nothing(void **state)
{
    struct fixture f = fixture(4, 3);

    for (unsigned i = 0; i < 1000; i++) {
        f.frame[22] = 250; /* R1 */
        fix_ip_checksum(f.frame);
        rig_frame(f.g, f.n, 1, f.frame, f.len);
        f.better.to = rig_host(1, 4, 1);
        f.len = vrrp_write_advert(f.frame, &f.better);
        rig_frame(f.g, f.n, 1, f.frame, f.len);
        f.better.to = vrrp_group(4);
        f.better.vrid = 52;
        f.len = vrrp_write_advert(f.frame, &f.better);
        rig_frame(f.g, f.n, 1, f.frame, f.len);
        f.better.vrid = 51;
        f.len = vrrp_write_advert(f.frame, &f.better);
    }
    assert_int_equal(rig_counter(f.g, f.n, "drop-ttl"), 1000);
    assert_int_equal(rig_counter(f.g, f.n, "drop-destination"), 1000);
    assert_int_equal(rig_counter(f.g, f.n, "drop-vrid"), 1000);
    assert_int_equal(rig_counter(f.g, f.n, "drop-rate"), 0);
    rig_frame(f.g, f.n, 1, f.frame, f.len);
    assert_int_equal(rig_state(f.g, f.n, 0), HD_VRRP_BACKUP);
    rig_free(f.g);
}

/* --- configurations ----------------------------------------------------------------------------
 */

static void bad_configurations_change_nothing(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);
    struct hd_vrrp_instance_config good = *rig_add(n, 1, 4, 51, 100);
    struct hd_vrrp_instance_config *c = &n->config.instances[0];

    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(10));
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        change;                                                                                    \
        assert_int_equal(rig_check(g, n), HD_EINVAL);                                              \
        assert_int_equal(rig_apply(g, n), HD_EINVAL);                                              \
        *c = good;                                                                                 \
    } while (0)
    REFUSED(c->vrid = 0);
    REFUSED(c->priority = 0);
    REFUSED(c->priority = 255);
    REFUSED(c->interval_cs = 0);
    REFUSED(c->interval_cs = 4096);
    REFUSED(c->family = 5);
    REFUSED(c->version = 4);
    REFUSED((c->version = 2, c->interval_cs = 150));
    REFUSED((c->version = 2, c->fast = HD_VRRP_FAST_P2P));
    REFUSED(c->checksum = 3);
    REFUSED(c->fast = 4);
    REFUSED(c->address_count = 17);
    REFUSED(c->unicast_count = 9);
    REFUSED(c->interface[0] = '\0');
    REFUSED(memset(c->interface, 'x', sizeof c->interface));
    REFUSED(c->addresses[0] = rig_ip("224.0.0.1"));
    REFUSED(c->addresses[0] = rig_ip("fe80::1"));
    REFUSED((c->address_count = 2, c->addresses[1] = c->addresses[0]));
    REFUSED((c->family = 6, c->addresses[0] = rig_ip("2001:db8::1")));
#undef REFUSED
    (void)rig_add(n, 1, 4, 51, 100);
    assert_int_equal(rig_apply(g, n), HD_EEXIST);
    n->config.head.instance_count = 1;
    rig_track(n, 1, HD_VRRP_TRACK_INTERFACE, 10);
    assert_int_equal(rig_apply(g, n), HD_EINVAL);
    n->config.head.track_count = 0;
    assert_int_equal(rig_state(g, n, 0), HD_VRRP_ACTIVE);
    assert_int_equal(rig_router(g, n, 0).transitions, 1);
    rig_free(g);
}

/* R76: new values are taken in flight; only another name is another virtual router. */
static void changes_do_not_restart(void **state)
{
    struct rig *g = rig_new(1);
    struct rig_node *n = rig_node(g, 1);
    struct hd_vrrp_instance_config *c = rig_add(n, 1, 4, 51, 100);

    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_SEC(10));
    unsigned events = n->event_count, announced = n->announcements;
    c->priority = 150;
    c->interval_cs = 10;
    c->preempt = 0;
    assert_int_equal(rig_apply(g, n), 0);
    unsigned adverts = n->adverts;
    rig_run(g, HD_SEC(1));
    assert_int_equal(n->adverts, adverts + 10);
    assert_int_equal(n->announcements, announced);
    c->addresses[c->address_count++] = rig_ip("10.1.0.253");
    assert_int_equal(rig_apply(g, n), 0);
    rig_run(g, HD_MS(10));
    assert_int_equal(n->announcements, announced + 2 * 3);
    assert_int_equal(rig_virtual(n, 51)->count, 2);
    assert_int_equal(n->event_count, events);
    assert_int_equal(rig_router(g, n, 0).transitions, 1);
    c->vrid = 52;
    assert_int_equal(rig_apply(g, n), 0);
    assert_null(rig_virtual(n, 51));
    assert_true(n->zero_adverts == 1 && n->event_count > events);
    rig_free(g);
}

/* Every allocation of a life fails in turn: nothing breaks, and the next try does it. */
static void survives_each_failure(void **state)
{
    for (unsigned fail = 0; fail < 60; fail++) {
        struct rig *g = rig_new(1);
        struct rig_node *n = rig_node(g, 1);
        struct hd_pool *pool = hd_router_pool(n->r);
        snprintf(rig_add(n, 1, 4, 51, 100)->group, HD_VRRP_GROUP_NAME, "g");
        snprintf(rig_add(n, 2, 6, 52, 100)->group, HD_VRRP_GROUP_NAME, "g");
        n->config.instances[0].fast = HD_VRRP_FAST_P2P;
        rig_track(n, 0, HD_VRRP_TRACK_BFD, 10)->address = rig_host(3, 4, 9);
        snprintf(n->config.tracks[0].interface, HD_IF_NAME, "eth3");
        pool->fail_after = fail;
        int error = rig_apply(g, n);
        rig_run(g, HD_SEC(5));
        pool->fail_after = UINT64_MAX;
        if (error != 0) {
            assert_int_equal(error, HD_ENOMEM);
            assert_int_equal(rig_apply(g, n), 0);
        }
        rig_link(g, n, 1, false);
        rig_link(g, n, 1, true);
        assert_int_equal(rig_apply(g, n), 0);
        rig_run(g, HD_SEC(10));
        assert_int_equal(rig_actives(g, 0) + rig_actives(g, 1), 2);
        size_t live = pool->live;
        n->config.head = (struct hd_vrrp_config){0};
        assert_int_equal(rig_apply(g, n), 0);
        assert_true(pool->live < live);
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keepalived_vector),
        cmocka_unit_test(announcement_vectors),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(the_packet_itself_is_taken),
        cmocka_unit_test(frames_and_ip),
        cmocka_unit_test(heads),
        cmocka_unit_test(contents),
        cmocka_unit_test(version_six),
        cmocka_unit_test(differences_are_noted),
        cmocka_unit_test(version_two_is_strict),
        cmocka_unit_test(extensions_are_ignored),
        cmocka_unit_test(two_owners),
        cmocka_unit_test(checksum_forms),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(strangers_use_up_nothing),
        cmocka_unit_test(bad_configurations_change_nothing),
        cmocka_unit_test(changes_do_not_restart),
        cmocka_unit_test(survives_each_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
