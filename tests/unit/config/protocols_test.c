/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VRRP and BFD in the tree: what published models and ours offer becomes what the cores take, what
 * a core would refuse is refused with its place and what was expected, and secrets reach who signs,
 * and nobody else. HEDDLE_YANG_TESTED names folders with published modules; without it ours stand
 * in.
 */
#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/seal.h"
#include "config/session.h"
#include "core/bfd/bfd.h"
#include "core/vrrp/vrrp.h"
#include "router/router.h"
#include "schema_fixture.h"

#define BFD  "/routing/control-plane-protocols/control-plane-protocol=bfdv1,main/bfd"
#define SH   BFD "/ip-sh/sessions/session="
#define MH   BFD "/ip-mh/session-groups/session-group="
#define V4   "/interfaces/interface=eth0/ipv4/vrrp/vrrp-instance="
#define V6   "/interfaces/interface=eth0/ipv6/vrrp/vrrp-instance="
#define ETH0 "set /interfaces/interface=eth0\n"

static int open_tested_schema(void **state)
{
    const char *folders = getenv("HEDDLE_YANG_TESTED");

    return hd_schema_open(&schema, folders ? folders : "", &fault);
}

static struct hd_image image_of(const char *lines)
{
    struct lyd_node *t = tree_of(lines);
    struct hd_image i = {.secret_count = 0};

    if (hd_tree_check(&schema, &t, &fault) != 0 || hd_image_make(&schema, t, &i, &fault) != 0)
        fail_msg("%s: %s", fault.path, fault.message);
    lyd_free_all(t);
    return i;
}

static size_t index_of(uint8_t core)
{
    size_t i = 0;

    while (hd_config_at(i)->core != core)
        i++;
    return i;
}

static const void *part_of(const struct hd_image *i, uint8_t core)
{
    const struct hd_image_part *p = &i->part[index_of(core)];

    assert_true(p->present);
    assert_true(hd_config_well_formed(hd_config_of(core), p->bytes, p->len));
    return p->bytes;
}

static void address_is(const struct hd_ip6 *a, const char *want)
{
    char text[HD_IP6_TEXT];

    assert_string_equal(hd_ip6_format(a, text), want);
}

/* --- VRRP ----------------------------------------------------------------------------------------
 */

static void a_gateway_is_five_lines(void **state)
{
    struct hd_image i =
        image_of("set " V4 "51/version vrrp-v3\n"
                 "set " V4 "51/priority 200\n"
                 "set " V4 "51/virtual-ipv4-addresses/virtual-ipv4-address=10.0.0.1\n");
    const struct hd_vrrp_config *h = part_of(&i, HD_CORE_VRRP);
    const struct hd_vrrp_instance_config *c = (const void *)(h + 1);
    struct hd_vrrp_instance_config want;

    hd_vrrp_instance_config_default(&want);
    strcpy(want.interface, "eth0");
    want.vrid = 51;
    want.priority = 200;
    want.address_count = 1;
    want.addresses[0] = c->addresses[0];
    assert_int_equal(h->instance_count, 1);
    assert_int_equal(h->track_count, 0);
    assert_int_equal(h->notices_per_s, HD_VRRP_NOTICES_PER_S);
    assert_memory_equal(c, &want, sizeof want);
    address_is(&c->addresses[0], "::ffff:10.0.0.1");
    assert_false(i.part[index_of(HD_CORE_BFD)].present);
    hd_image_free(&i);
    i = image_of(ETH0);
    assert_false(i.part[index_of(HD_CORE_VRRP)].present);
    hd_image_free(&i);
}

static void vrrp_takes_every_leaf(void **state)
{
    struct hd_image i = image_of(
        "set /vrrp-options/notifications-per-second 5\n"
        "set /interfaces/interface=swp1/ipv4\nset /interfaces/interface=swp1/ipv6\n"
        /* out of order: the family and the number make it */
        "set " V6 "9/version vrrp-v3\n"
        "set " V6 "9/virtual-ipv6-addresses/virtual-ipv6-address=fe80::9\n"
        "set " V6 "9/virtual-ipv6-addresses/virtual-ipv6-address=2001:db8::9\n"
        "set " V6 "9/unicast-peer fe80::2\n"
        "set " V6 "9/advertise-interval-centi-sec 10\n"
        "set " V6 "9/track/interfaces/interface=swp1/priority-decrement 20\n"
        "set " V4 "7/version vrrp-v3\nset " V4 "7/preempt/enabled false\n"
        "set " V4 "7/preempt/hold-time 30\nset " V4 "7/accept-mode true\n"
        "set " V4 "7/log-state-change true\nset " V4 "7/advertise-interval-centi-sec 25\n"
        "set " V4 "7/sync-group both\nset " V4 "7/own-mac true\nset " V4 "7/checksum-mode auto\n"
        "set " V4 "7/announce-repeat 5\nset " V4 "7/announce-refresh 60\n"
        "set " V4 "7/interop-v2v3 true\nset " V4 "7/v2-auth-accept true\n"
        "set " V4 "7/fast-detection/mode track\nset " V4 "7/fast-detection/min-interval 3300\n"
        "set " V4 "7/fast-detection/multiplier 5\nset " V4 "7/fast-detection/fast-skew 500\n"
        "set " V4 "7/fast-detection/fast-skew-max 900\n"
        "set " V4 "7/track/interfaces/interface=swp1\n"
        "set " V4 "7/track/bfd-session=eth0,10.0.0.7/priority-decrement 50\n"
        "set " V4 "2/version vrrp-v2\nset " V4 "2/advertise-interval-sec 3\n");
    const struct hd_vrrp_config *h = part_of(&i, HD_CORE_VRRP);
    const struct hd_vrrp_instance_config *c = (const void *)(h + 1);
    const struct hd_vrrp_track_config *t = (const void *)(c + 3);

    assert_int_equal(h->notices_per_s, 5);
    assert_int_equal(h->instance_count, 3);
    assert_true(c[0].family == 4 && c[0].vrid == 2 && c[0].version == 2);
    assert_int_equal(c[0].interval_cs, 300);
    assert_true(c[1].family == 4 && c[1].vrid == 7 && c[1].version == 3);
    assert_true(!c[1].preempt && c[1].preempt_hold_s == 30 && c[1].accept && c[1].log_changes);
    assert_true(c[1].interval_cs == 25 && c[1].own_mac && c[1].checksum == HD_VRRP_CHECKSUM_AUTO);
    assert_true(c[1].garp_repeat == 5 && c[1].garp_refresh_s == 60);
    assert_true(c[1].interop && c[1].v2_auth_accept);
    assert_string_equal(c[1].group, "both");
    assert_int_equal(c[1].fast, HD_VRRP_FAST_TRACK);
    assert_true(c[1].fast_interval_us == 3300 && c[1].fast_multiplier == 5);
    assert_true(c[1].fast_skew_us == 500 && c[1].fast_skew_max_us == 900);
    assert_true(c[2].family == 6 && c[2].vrid == 9 && c[2].interval_cs == 10);
    assert_int_equal(c[2].address_count, 2);
    address_is(&c[2].addresses[0], "fe80::9"); /* as configured, not sorted */
    address_is(&c[2].addresses[1], "2001:db8::9");
    assert_int_equal(c[2].unicast_count, 1);

    assert_int_equal(h->track_count, 3);
    assert_true(t[0].instance == 1 && t[0].kind == HD_VRRP_TRACK_INTERFACE);
    assert_true(t[0].decrement == 10 && strcmp(t[0].interface, "swp1") == 0);
    assert_true(t[1].instance == 1 && t[1].kind == HD_VRRP_TRACK_BFD && t[1].decrement == 50);
    address_is(&t[1].address, "::ffff:10.0.0.7");
    assert_true(t[2].instance == 2 && t[2].decrement == 20);
    /* BFD runs for it, though nobody configured it */
    const struct hd_bfd_config *b = part_of(&i, HD_CORE_BFD);
    assert_int_equal(b->session_count, 0);
    hd_image_free(&i);
}

/* --- BFD -----------------------------------------------------------------------------------------
 */

static void bfd_takes_every_leaf(void **state)
{
    struct hd_image i = image_of(
        ETH0
        "set " BFD "/shortest-interval 2000\n"
        "set " SH "eth0,10.0.0.2/min-interval 10000\nset " SH "eth0,10.0.0.2/local-multiplier 5\n"
        "set " SH "eth0,fe80::2/desired-min-tx-interval 20000\n"
        "set " SH "eth0,fe80::2/required-min-rx-interval 30000\n"
        "set " SH "eth0,fe80::2/source-addr fe80::1\nset " SH "eth0,fe80::2/demand-enabled true\n"
        "set " SH "eth0,fe80::2/admin-down true\nset " SH "eth0,fe80::2/passive true\n"
        "set " SH "eth0,fe80::2/desired-min-echo-tx-interval 40000\n"
        "set " SH "eth0,fe80::2/required-min-echo-rx-interval 50000\n"
        "set " MH "2001:db8::1,2001:db8::2/rx-ttl 250\n"
        "set " MH "2001:db8::1,2001:db8::2/tx-ttl 64\n"
        "set " BFD "/ip-p2mp/heads/head=eth0,224.0.0.18/desired-min-tx-interval 5000\n"
        "set " BFD "/ip-sh/interfaces=eth0/unsolicited/enabled true\n"
        "set " BFD "/ip-sh/interfaces=eth0/unsolicited/min-interval 6000\n"
        "set " BFD "/ip-sh/interfaces=eth0/unsolicited/local-multiplier 7\n"
        "set " BFD "/ip-sh/interfaces=eth0/multipoint-tail true\n");
    const struct hd_bfd_config *h = part_of(&i, HD_CORE_BFD);
    const struct hd_bfd_session_config *s = (const void *)(h + 1), *m = s + 3;
    const struct hd_bfd_listen_config *l = (const void *)(s + 4);

    assert_int_equal(h->floor_us, 2000);
    assert_true(h->session_count == 3 && h->multihop_count == 1 && h->listen_count == 1);
    address_is(&s[0].remote, "::ffff:10.0.0.2");
    assert_true(s[0].kind == HD_BFD_SINGLE_HOP && s[0].tx_us == 10000 && s[0].rx_us == 10000);
    assert_int_equal(s[0].multiplier, 5);
    address_is(&s[1].local, "fe80::1");
    assert_true(s[1].tx_us == 20000 && s[1].rx_us == 30000 && s[1].demand && s[1].admin_down);
    assert_true(s[1].passive && s[1].echo_tx_us == 40000 && s[1].echo_rx_us == 50000);
    assert_true(s[2].kind == HD_BFD_HEAD && s[2].tx_us == 5000);
    assert_true(m->kind == HD_BFD_MULTIHOP && m->rx_ttl == 250 && m->tx_ttl == 64);
    assert_true(l->unsolicited && l->tails && l->tx_us == 6000 && l->rx_us == 6000);
    assert_int_equal(l->multiplier, 7);
    hd_image_free(&i);
}

#define KEY(chain, algorithm, secret)                                                              \
    "set /key-chains/key-chain=" chain "/key=7/crypto-algorithm " algorithm "\n"                   \
    "set /key-chains/key-chain=" chain "/key=7/key-string/keystring \"" secret "\"\n"
#define AUTH(peer, chain, more) "set " SH "eth0," peer "/authentication/key-chain " chain "\n" more

static void all_types_of_authentication(void **state)
{
    struct hd_image i = image_of(
        ETH0 KEY("a", "cleartext", "plain 1") KEY("b", "md5", "digest") KEY(
            "c", "sha-1", "twenty characters ..") AUTH("10.0.0.1", "a", "") AUTH("10.0.0.2", "b",
                                                                                 "")
            AUTH("10.0.0.3", "b", "set " SH "eth0,10.0.0.3/authentication/meticulous true\n") AUTH(
                "10.0.0.4", "c", "set " SH "eth0,10.0.0.4/authentication/meticulous false\n")
                AUTH("10.0.0.5", "c", "set " SH "eth0,10.0.0.5/authentication/meticulous true\n"));
    const struct hd_bfd_config *h = part_of(&i, HD_CORE_BFD);
    const struct hd_bfd_session_config *s = (const void *)(h + 1);

    assert_int_equal(h->session_count, 5);
    for (unsigned k = 0; k < 5; k++) {
        const struct hd_config_secret *found = NULL;
        assert_int_equal(s[k].auth.type, HD_AUTH_SIMPLE + k);
        assert_int_equal(s[k].auth.key_id, 7);
        for (uint32_t n = 0; n < i.secret_count; n++)
            found = i.secrets[n].handle == s[k].auth.key ? &i.secrets[n] : found;
        assert_non_null(found);
        if (k == 0)
            assert_memory_equal(found->bytes, "plain 1", found->len);
        if (k == 4)
            assert_memory_equal(found->bytes, "twenty characters ..", found->len);
    }
    assert_int_equal(i.secret_count, 3);

    struct hd_image other =
        image_of(ETH0 KEY("a", "cleartext", "plain 2") AUTH("10.0.0.1", "a", ""));
    struct hd_image same =
        image_of(ETH0 KEY("a", "cleartext", "plain 1") AUTH("10.0.0.1", "a", ""));
    assert_int_equal(other.part[index_of(HD_CORE_BFD)].len, same.part[index_of(HD_CORE_BFD)].len);
    assert_memory_equal(other.part[index_of(HD_CORE_BFD)].bytes,
                        same.part[index_of(HD_CORE_BFD)].bytes,
                        same.part[index_of(HD_CORE_BFD)].len); /* no core sees a secret */
    assert_false(hd_image_same_secrets(&other, &same));
    hd_image_free(&i);
    hd_image_free(&other);
    hd_image_free(&same);
}

/* --- refusals ------------------------------------------------------------------------------------
 */

static void refusals_say_where_and_what(void **state)
{
    static const struct {
        const char *lines, *path, *says;
    } v[] = {
        {"set " V4 "1/priority 7", "ipv4/vrrp/vrrp-instance/version", "vrrp-v2, vrrp-v3"},
        {"set " V6 "1/version vrrp-v2", "vrrp-instance", "vrrp-v3"},
        {"set " V4 "1/version vrrp-v2\nset " V4 "1/fast-detection/mode p2p",
         V4 "1/fast-detection/mode", "vrrp-v3"},
        {"set " V4 "1/version vrrp-v2\nset " V4 "1/accept-mode true", V4 "1/accept-mode", "hen"},
        {"set " V4 "1/version vrrp-v3\nset " V4
         "1/virtual-ipv4-addresses/virtual-ipv4-address=224.0.0.1",
         V4 "1/virtual-ipv4-addresses",
         "address 1 is no IPv4 address of one machine; expected: 1.0.0.0 to 223.255.255.255"},
        {"set " V6 "1/version vrrp-v3\nset " V6
         "1/virtual-ipv6-addresses/virtual-ipv6-address=2001:db8::1",
         V6 "1/virtual-ipv6-addresses", "link-local"},
        {"set " V4 "1/version vrrp-v3\nset " V4 "1/unicast-peer 255.1.1.1", V4 "1/unicast-peer",
         "peer 1"},
        {"set " V4 "1/version vrrp-v3\nset " V4 "1/track/interfaces/interface=swp9", "interface",
         "swp9"},
        {"set " V4 "1/version vrrp-v3\nset " V4 "1/track/bfd-session=eth0,224.0.0.9",
         V4 "1/track/bfd-session=eth0,224.0.0.9/address", "one machine"},
        {"set /interfaces/interface=a-name-of-more-than-15/ipv4/vrrp/vrrp-instance=1/version "
         "vrrp-v3",
         "/interfaces/interface=a-name-of-more-than-15/name", "more than can be kept"},
        {ETH0 "set " SH "eth0,10.0.0.2/min-interval 100",
         SH "eth0,10.0.0.2/desired-min-tx-interval", "3300"},
        {ETH0 "set " SH "eth0,224.0.0.2", SH "eth0,224.0.0.2/dest-addr", "one machine"},
        {ETH0 "set " SH "eth0,10.0.0.2/source-addr fe80::1", SH "eth0,10.0.0.2/source-addr",
         "same family"},
        {ETH0 "set " SH "eth0,fe80::1\nset " SH "eth0,fe80::1%25eth0", SH "eth0,fe80::1%25eth0",
         "twice"},
        {ETH0 "set " BFD "/ip-p2mp/heads/head=eth0,10.0.0.1",
         BFD "/ip-p2mp/heads/head=eth0,10.0.0.1/group", "multicast"},
        {"set " MH "10.0.0.1,10.0.0.2", "/session-group/rx-ttl", "1 to 255"},
        {ETH0 "set " SH "eth0,10.0.0.2/authentication", SH "eth0,10.0.0.2/authentication",
         "missing"},
        {ETH0 KEY("k", "hmac-sha-256", "x") AUTH("10.0.0.2", "k", ""),
         SH "eth0,10.0.0.2/authentication/key-chain", "cleartext, md5 or sha-1"},
        {ETH0 KEY("k", "md5", "seventeen letters") AUTH("10.0.0.2", "k", ""),
         SH "eth0,10.0.0.2/authentication/key-chain", "1 to 16"},
        {ETH0 "set /key-chains/key-chain=k\n" AUTH("10.0.0.2", "k", ""),
         SH "eth0,10.0.0.2/authentication/key-chain", "0 keys"},
        {ETH0
         "set /key-chains/key-chain=k/key=300/crypto-algorithm md5\n"
         "set /key-chains/key-chain=k/key=300/key-string/keystring x\n" AUTH("10.0.0.2", "k", ""),
         SH "eth0,10.0.0.2/authentication/key-chain", "0 to 255"},
        {ETH0 KEY("k", "cleartext", "x")
             AUTH("10.0.0.2", "k", "set " SH "eth0,10.0.0.2/authentication/meticulous true\n"),
         SH "eth0,10.0.0.2/authentication/meticulous", "false"},
        {"set /routing/control-plane-protocols/control-plane-protocol=bfdv1,a\n"
         "set /routing/control-plane-protocols/control-plane-protocol=bfdv1,b",
         "", "one control-plane-protocol"},
    };

    for (size_t n = 0; n < HD_ARRAY_LEN(v); n++) {
        struct lyd_node *t = tree_of(v[n].lines);
        struct hd_image i;
        if (hd_tree_check(&schema, &t, &fault) == 0 && hd_image_make(&schema, t, &i, &fault) == 0)
            fail_msg("accepted: %s", v[n].lines);
        if (!strstr(fault.path, v[n].path) || !strstr(fault.message, v[n].says))
            fail_msg("%s\n  %s: %s", v[n].lines, fault.path, fault.message);
        lyd_free_all(t);
    }
}

/* --- secrets -------------------------------------------------------------------------------------
 */

static void secrets_are_sealed(void **state)
{
    static const char path[] = "/key-chains/key-chain=k/key=7/key-string/keystring";
    char folder[] = "/tmp/config-seal.XXXXXX", line[200], *sealed, *again, *json;
    struct lyd_node *t = NULL;
    struct hd_text text = {0};
    struct hd_image i;

    assert_non_null(mkdtemp(folder));
    int dir = open(folder, O_RDONLY | O_DIRECTORY);
    struct hd_seal seal = {.dir = dir}, other = {.dir = dir};
    schema.seal = &seal;
    snprintf(line, sizeof line, "set %s \"loom & shuttle\"", path);
    assert_int_equal(hd_tree_seal_line(&schema, line, &sealed, &fault), 0);
    assert_non_null(sealed);
    assert_null(strstr(sealed, "loom"));
    assert_int_equal(hd_tree_seal_line(&schema, line, &again, &fault), 0);
    assert_string_equal(sealed, again); /* no difference where there is none */
    free(again);
    assert_int_equal(hd_tree_seal_line(&schema, sealed, &again, &fault), 0);
    assert_null(again); /* it is sealed */
    assert_int_equal(hd_tree_seal_line(&schema, "set " V4 "1/priority 5", &again, &fault), 0);
    assert_null(again); /* it holds none */

    /* one that comes in a whole text is sealed there */
    t = tree_of(ETH0 KEY("k", "md5", "loom & shuttle") AUTH("10.0.0.2", "k", ""));
    assert_int_equal(hd_seal_tree(&schema, t, &fault), 0);
    hd_tree_print_lines(&schema, t, &text);
    json = hd_tree_print(t);
    assert_null(strstr(text.v, "loom"));
    assert_null(strstr(json, "loom"));
    assert_non_null(strstr(text.v, sealed));

    /* and opened for who signs, also by the next process */
    schema.seal = &other;
    assert_int_equal(hd_tree_check(&schema, &t, &fault), 0);
    assert_int_equal(hd_image_make(&schema, t, &i, &fault), 0);
    assert_int_equal(i.secret_count, 1);
    assert_memory_equal(i.secrets[0].bytes, "loom & shuttle", i.secrets[0].len);
    hd_image_free(&i);

    /* but not on another machine */
    assert_int_equal(unlinkat(dir, "secret-key", 0), 0);
    memset(&other, 0, sizeof other);
    other.dir = dir;
    assert_int_equal(hd_image_make(&schema, t, &i, &fault), HD_EINVAL);
    assert_string_equal(fault.path, path);
    assert_non_null(strstr(fault.message, "another machine"));
    schema.seal = NULL;
    lyd_free_all(t);
    hd_text_free(&text);
    free(json);
    free(sealed);
    close(dir);
    rmdir(folder);
}

/* --- state ---------------------------------------------------------------------------------------
 *
 * What rows show has the names of the model's nodes, and what the model has is shown; both
 * exceptions are listed, so that neither grows unseen.
 */

struct named {
    const char *core, *list, *path;
    const char *ours;    /* columns that no model has, between blanks */
    const char *missing; /* nodes that no column shows: what is said elsewhere, or not kept */
    const char *renamed; /* "column=node" */
};

static bool among(const char *words, const char *word)
{
    char padded[80];

    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(words, padded) != NULL;
}

/* The node's name for a column: times are counted back from now in rows. */
static const char *node_name(const struct named *n, const char *column, char *buf, size_t size)
{
    char key[80];
    const char *at;
    size_t len;

    snprintf(key, sizeof key, " %s=", column);
    at = strstr(n->renamed, key);
    if (at)
        snprintf(buf, size, "%.*s", (int)strcspn(at + strlen(key), " "), at + strlen(key));
    else
        snprintf(buf, size, "%s", column);
    len = strlen(buf);
    if (!at && len > 3 && strcmp(buf + len - 3, "-ms") == 0)
        buf[len - 3] = '\0';
    return buf;
}

static bool has_leaf(const struct lysc_node *n, const char *name)
{
    for (const struct lysc_node *c = NULL; (c = hd_schema_next(&schema, n, c)) != NULL;) {
        if (c->nodetype & (LYS_LEAF | LYS_LEAFLIST)) {
            if (strcmp(c->name, name) == 0)
                return true;
        } else if (has_leaf(c, name)) {
            return true;
        }
    }
    return false;
}

static bool has_column(const struct named *n, const struct hd_list *l, const char *leaf)
{
    char buf[80];

    for (size_t i = 0; i < l->column_count; i++) {
        if (strcmp(node_name(n, l->columns[i].name, buf, sizeof buf), leaf) == 0)
            return true;
    }
    return false;
}

static void each_node_is_shown(const struct named *n, const struct hd_list *l,
                               const struct lysc_node *at)
{
    for (const struct lysc_node *c = NULL; (c = hd_schema_next(&schema, at, c)) != NULL;) {
        bool state = (c->flags & LYS_CONFIG_R) || !(c->flags & LYS_CONFIG_MASK);
        if (!(c->nodetype & (LYS_LEAF | LYS_LEAFLIST)))
            each_node_is_shown(n, l, c);
        else if (state && !has_column(n, l, c->name) && !among(n->missing, c->name))
            fail_msg("no column of %s %s shows %s", n->core, n->list, c->name);
    }
}

static void state_has_the_names_of_the_model(void **state)
{
    static const char instance[] =
        "/ietf-interfaces:interfaces/interface/ietf-ip:ipv4/ietf-vrrp:vrrp/vrrp-instance";
    static const char session[] =
        "/ietf-routing:routing/control-plane-protocols/control-plane-protocol/ietf-bfd:bfd/"
        "ietf-bfd-ip-sh:ip-sh/sessions/session";
    static const struct named v[] = {
        {"vrrp", "routers", instance,
         " family state-since-ms bfd-state installed ifindex mac primary-address"
         " virtual-address virtual-addresses active-interval-ms late-max-ms two-actives"
         " bfd-switches bfd-false-switches ",
         " ",
         " preempt=enabled fast-detection=mode checksum=checksum-mode addresses=ipv4-address"
         " advertise-interval-ms=advertise-interval-centi-sec up-ms=up-datetime"
         " counting-ms=discontinuity-datetime "},
        {"bfd", "sessions", session,
         " ifindex since-ms polling clients configured unsolicited up-count late-count ",
         /* create-time: with the first up; an index of its own: the discriminator; always true, or
            follows from others: ip-encapsulation, demand-capability, remote-authenticated,
            detection-mode; role: unsolicited */
         " create-time session-index ip-encapsulation demand-capability remote-authenticated"
         " detection-mode send-failed-packet-count role ",
         " demand=demand-enabled authentication=remote-authentication-type"
         " echo-tx-interval-ms=echo-tx-interval-in-use last-up-ms=last-up-time"
         " last-down-ms=last-down-time "},
        {"vrrp", "summary", "/ietf-vrrp:vrrp", " active backup initialize ",
         /* counters by name: the list `counters` */
         " discontinuity-datetime checksum-errors version-errors vrid-errors ip-ttl-errors ", " "},
        {"bfd", "summary",
         "/ietf-routing:routing/control-plane-protocols/control-plane-protocol/ietf-bfd:bfd/"
         "summary",
         " ", " ", " "},
        {"vrrp", "events", "/ietf-vrrp:vrrp-new-active-event",
         " interface family vrid old-state state last-event priority ", " ", " "},
        {"bfd", "events", "/ietf-bfd-ip-sh:singlehop-notification", " ifindex old-state ",
         /* who hears it knows when; the interface by its number */
         " time-of-last-state-change session-index interface echo-enabled ", " "},
    };

    if (getenv("HEDDLE_YANG_TESTED"))
        skip(); /* RFC 8347 has older words for some of them */
    for (size_t i = 0; i < HD_ARRAY_LEN(v); i++) {
        const struct hd_list *l = hd_list_named(v[i].core, v[i].list);
        const struct lysc_node *n = lys_find_path(schema.ctx, NULL, v[i].path, 0);
        char buf[80];
        assert_non_null(l);
        if (!n)
            fail_msg("the model has no %s", v[i].path);
        for (size_t k = 0; k < l->column_count; k++) {
            const char *name = l->columns[k].name;
            bool known = has_leaf(n, node_name(&v[i], name, buf, sizeof buf));
            if (known == among(v[i].ours, name))
                fail_msg("%s %s: %s is %s", v[i].core, v[i].list, name,
                         known ? "in the model, too" : "in no model");
        }
        each_node_is_shown(&v[i], l, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_is_five_lines),
        cmocka_unit_test(vrrp_takes_every_leaf),
        cmocka_unit_test(bfd_takes_every_leaf),
        cmocka_unit_test(all_types_of_authentication),
        cmocka_unit_test(refusals_say_where_and_what),
        cmocka_unit_test(state_has_the_names_of_the_model),
        cmocka_unit_test(secrets_are_sealed),
    };

    return cmocka_run_group_tests(tests, open_tested_schema, close_schema);
}
