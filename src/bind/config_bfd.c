/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD as ietf-bfd configures it (RFC 9314, below control-plane-protocol of ietf-routing), with what
 * RFC 9468 and yang/heddle-bfd.yang add. Secrets stand in key chains (RFC 8177): a session names
 * a chain, the core gets a handle, and the secret itself goes past it to whoever signs.
 *
 * What the core would refuse is refused here first, since here it is known where it stands.
 */
#include <string.h>

#include "bind/config_tables.h"
#include "core/bfd/bfd.h"
#include "router/router.h"

#define ROOT                                                                                       \
    "/ietf-routing:routing/control-plane-protocols/control-plane-protocol"                         \
    "/ietf-bfd:bfd"

enum lists { SINGLE, HEADS, MULTIHOP, LISTEN, KEYS };

#define CHAIN_NAME 64
#define SECRET_MAX 64

/* A session as the tree has it: the core takes the first member. */
struct session {
    struct hd_bfd_session_config c;
    uint8_t authenticated, meticulous;
    char chain[CHAIN_NAME];
};

enum algorithm { ALGORITHM_NONE = 0, CLEARTEXT, MD5, SHA1, ALGORITHM_OTHER };

struct key {
    char chain[CHAIN_NAME];
    uint64_t id;
    uint8_t algorithm; /* enum algorithm, or beyond */
    uint8_t len;
    uint8_t secret[SECRET_MAX];
};

static const struct hd_enum_name algorithms[] = {
    [CLEARTEXT] = {"cleartext", NULL, HD_TONE_WARN},
    [MD5] = {"md5", NULL, HD_TONE_PLAIN},
    [SHA1] = {"sha-1", NULL, HD_TONE_PLAIN},
    [ALGORITHM_OTHER] = {"hmac-sha-1", NULL, HD_TONE_PLAIN},
    {"hmac-sha-256", NULL, HD_TONE_PLAIN},
    {"hmac-sha-384", NULL, HD_TONE_PLAIN},
    {"hmac-sha-512", NULL, HD_TONE_PLAIN},
};

/* --- columns -------------------------------------------------------------------------------------
 */

#define S struct session
#define INTERVALS(tx, rx)                                                                          \
    HD_COLUMN(S, tx, UINT, "desired-min-tx-interval"),                                             \
        HD_COLUMN(S, rx, UINT, "required-min-rx-interval"),                                        \
        HD_COLUMN(S, tx, UINT, "min-interval", .aux_offset = offsetof(S, rx),                      \
                  .flags = HD_COL_TWICE)
#define COMMON                                                                                     \
    HD_COLUMN(S, c.multiplier, UINT, "local-multiplier"), INTERVALS(c.tx_us, c.rx_us),             \
        HD_COLUMN(S, c.demand, BOOL, "demand-enabled"),                                            \
        HD_COLUMN(S, c.admin_down, BOOL, "admin-down"),                                            \
        HD_COLUMN(S, authenticated, BOOL, "authentication"),                                       \
        HD_COLUMN(S, chain, CHARS, "authentication/key-chain"),                                    \
        HD_COLUMN(S, meticulous, BOOL, "authentication/meticulous"),                               \
        HD_COLUMN(S, c.passive, BOOL, "heddle-bfd:passive")

static const struct hd_column single_columns[] = {
    HD_COLUMN(S, c.kind, UINT, "kind", .flags = HD_KEY | HD_COL_GIVEN),
    HD_COLUMN(S, c.interface, CHARS, "interface", .flags = HD_KEY),
    HD_COLUMN(S, c.remote, IP6, "dest-addr", .flags = HD_KEY),
    HD_COLUMN(S, c.local, IP6, "source-addr"),
    COMMON,
    HD_COLUMN(S, c.echo_tx_us, UINT, "heddle-bfd:desired-min-echo-tx-interval"),
    HD_COLUMN(S, c.echo_rx_us, UINT, "heddle-bfd:required-min-echo-rx-interval"),
};

static const struct hd_column head_session_columns[] = {
    HD_COLUMN(S, c.kind, UINT, "kind", .flags = HD_KEY | HD_COL_GIVEN),
    HD_COLUMN(S, c.interface, CHARS, "interface", .flags = HD_KEY),
    HD_COLUMN(S, c.remote, IP6, "group", .flags = HD_KEY),
    HD_COLUMN(S, c.local, IP6, "source-addr"),
    HD_COLUMN(S, c.multiplier, UINT, "local-multiplier"),
    HD_COLUMN(S, c.tx_us, UINT, "desired-min-tx-interval"),
    HD_COLUMN(S, c.admin_down, BOOL, "admin-down"),
};

static const struct hd_column multihop_columns[] = {
    HD_COLUMN(S, c.local, IP6, "source-addr", .flags = HD_KEY),
    HD_COLUMN(S, c.remote, IP6, "dest-addr", .flags = HD_KEY),
    COMMON,
    HD_COLUMN(S, c.tx_ttl, UINT, "tx-ttl"),
    HD_COLUMN(S, c.rx_ttl, UINT, "rx-ttl"),
};
#undef S

static const struct hd_column listen_columns[] = {
#define S struct hd_bfd_listen_config
    HD_COLUMN(S, interface, CHARS, "interface", .flags = HD_KEY),
    HD_COLUMN(S, unsolicited, BOOL, "ietf-bfd-unsolicited:unsolicited/enabled"),
    HD_COLUMN(S, multiplier, UINT, "ietf-bfd-unsolicited:unsolicited/local-multiplier"),
    HD_COLUMN(S, tx_us, UINT, "ietf-bfd-unsolicited:unsolicited/desired-min-tx-interval"),
    HD_COLUMN(S, rx_us, UINT, "ietf-bfd-unsolicited:unsolicited/required-min-rx-interval"),
    HD_COLUMN(S, tx_us, UINT, "ietf-bfd-unsolicited:unsolicited/min-interval",
              .aux_offset = offsetof(S, rx_us), .flags = HD_COL_TWICE),
    HD_COLUMN(S, tails, BOOL, "heddle-bfd:multipoint-tail"),
#undef S
};

static const struct hd_column key_columns[] = {
#define S struct key
    HD_COLUMN(S, chain, CHARS, "/ietf-key-chain:key-chains/key-chain/name", .flags = HD_KEY),
    HD_COLUMN(S, id, UINT, "key-id", .flags = HD_KEY),
    HD_COLUMN(S, algorithm, ENUM, "crypto-algorithm", HD_NAMES(algorithms)),
    HD_COLUMN(S, secret, SECRET, "key-string/keystring", .aux_offset = offsetof(S, len)),
#undef S
};

#define ROWS(NAME, S, COLUMNS) HD_LIST(HD_CORE_BFD, 0, NAME, "What BFD was told.", S, COLUMNS, 0)

static const struct hd_list single = ROWS("sessions", struct session, single_columns);
static const struct hd_list heads = ROWS("sessions", struct session, head_session_columns);
static const struct hd_list multihop = ROWS("multihop", struct session, multihop_columns);
static const struct hd_list listen = ROWS("listen", struct hd_bfd_listen_config, listen_columns);
static const struct hd_list keys = ROWS("keys", struct key, key_columns);

static const struct hd_column config_columns[] = {
#define S struct hd_bfd_config
    HD_COLUMN(S, floor_us, UINT, "heddle-bfd:shortest-interval"),
#undef S
};

static const struct hd_list config = HD_LIST(HD_CORE_BFD, 0, "config", "What BFD was told.",
                                             struct hd_bfd_config, config_columns, HD_LIST_ONE);

/* --- what no leaf gives --------------------------------------------------------------------------
 */

static void complete(void *row)
{
    hd_bfd_config_default(row);
}

static void complete_single(void *row)
{
    struct session *s = row;

    hd_bfd_session_config_default(&s->c);
    s->c.kind = HD_BFD_SINGLE_HOP;
}

static void complete_head(void *row)
{
    struct session *s = row;

    hd_bfd_session_config_default(&s->c);
    s->c.kind = HD_BFD_HEAD;
}

static void complete_multihop(void *row)
{
    struct session *s = row;

    hd_bfd_session_config_default(&s->c);
    s->c.kind = HD_BFD_MULTIHOP;
}

static void complete_listen(void *row)
{
    struct hd_bfd_listen_config *l = row;

    l->tx_us = l->rx_us = HD_BFD_INTERVAL_US;
    l->multiplier = HD_BFD_MULTIPLIER;
}

/* --- authentication ------------------------------------------------------------------------------
 */

/* The one key of a chain; NULL: there is none, or several, and the reason is filled in. */
static const struct key *key_of(struct hd_config_rows *r, int list, uint32_t row, const char *chain)
{
    const struct key *k = r->lists[KEYS].v, *found = NULL;
    unsigned count = 0;

    for (uint32_t i = 0; i < r->lists[KEYS].count; i++) {
        if (strcmp(k[i].chain, chain) == 0 && count++ == 0)
            found = &k[i];
    }
    if (count == 1)
        return found;
    (void)hd_config_wrong(r, list, row, "authentication/key-chain",
                          "the key chain \"%s\" has %u keys; expected: one (keys of BFD do not "
                          "take turns here)",
                          chain, count);
    return NULL;
}

/* The same for as long as chain and number are; what they stand for may change. */
static uint32_t handle_of(const struct key *k)
{
    uint32_t h = 0x811c9dc5u ^ (uint32_t)k->id;

    for (const char *c = k->chain; *c != '\0'; c++)
        h = (h ^ (uint8_t)*c) * 0x01000193u;
    return h != 0 ? h : 1;
}

static int type_of(const struct key *k, bool meticulous)
{
    switch (k->algorithm) {
    case CLEARTEXT:
        return meticulous ? -1 : HD_AUTH_SIMPLE;
    case MD5:
        return meticulous ? HD_AUTH_METICULOUS_MD5 : HD_AUTH_MD5;
    case SHA1:
        return meticulous ? HD_AUTH_METICULOUS_SHA1 : HD_AUTH_SHA1;
    default:
        return -1;
    }
}

static int note_secret(struct hd_config_rows *r, int list, uint32_t row, const struct key *k,
                       uint32_t handle)
{
    for (uint32_t i = 0; i < r->secret_count; i++) {
        struct hd_config_secret *s = &r->secrets[i];
        if (s->handle == handle && s->len == k->len && memcmp(s->bytes, k->secret, k->len) == 0)
            return 0;
        if (s->handle == handle)
            return hd_config_wrong(r, list, row, "authentication/key-chain",
                                   "another key chain looks the same to us: rename \"%s\"",
                                   k->chain);
    }
    if (r->secret_count == HD_CONFIG_SECRETS_MAX)
        return hd_config_wrong(r, list, row, "authentication/key-chain",
                               "there may be %u keys in use", HD_CONFIG_SECRETS_MAX);
    struct hd_config_secret *s = &r->secrets[r->secret_count++]; /* zeroed */
    s->handle = handle;
    s->len = k->len;
    memcpy(s->bytes, k->secret, k->len);
    return 0;
}

static int check_key(struct hd_config_rows *r, int list, uint32_t row, const struct key *k)
{
    static const char leaf[] = "authentication/key-chain";
    unsigned most = k->algorithm == SHA1 ? 20 : 16;

    if (k->algorithm == ALGORITHM_NONE || k->algorithm >= ALGORITHM_OTHER)
        return hd_config_wrong(r, list, row, leaf,
                               "the key of \"%s\" has an algorithm that BFD has not; expected: "
                               "cleartext, md5 or sha-1",
                               k->chain);
    if (k->id > UINT8_MAX)
        return hd_config_wrong(r, list, row, leaf,
                               "the key-id of \"%s\" does not fit in BFD; expected: 0 to 255",
                               k->chain);
    if (k->len == 0 || k->len > most)
        return hd_config_wrong(r, list, row, leaf,
                               "the secret of \"%s\" has %u characters; expected: 1 to %u",
                               k->chain, k->len, most);
    return 0;
}

static int resolve_auth(struct hd_config_rows *r, int list, uint32_t row, struct session *s)
{
    const struct key *k;
    int type, error;

    if (!s->authenticated)
        return 0;
    if (s->chain[0] == '\0')
        return hd_config_wrong(r, list, row, "authentication", "the key-chain is missing");
    k = key_of(r, list, row, s->chain);
    error = k != NULL ? check_key(r, list, row, k) : HD_EINVAL;
    if (error != 0)
        return error;
    type = type_of(k, s->meticulous != 0);
    if (type < 0)
        return hd_config_wrong(r, list, row, "authentication/meticulous",
                               "a password in clear text has no sequence number; expected: false");
    s->c.auth =
        (struct hd_auth){.type = (uint8_t)type, .key_id = (uint8_t)k->id, .key = handle_of(k)};
    return note_secret(r, list, row, k, s->c.auth.key);
}

/* --- checks --------------------------------------------------------------------------------------
 */

static int check_interval(struct hd_config_rows *r, int list, uint32_t row, const char *leaf,
                          uint32_t us)
{
    const struct hd_bfd_config *h = r->head;

    if (us >= h->floor_us && us <= HD_BFD_INTERVAL_MAX_US)
        return 0;
    return hd_config_wrong(r, list, row, leaf,
                           "%u us; expected: %u (shortest-interval) to %u microseconds", us,
                           h->floor_us, HD_BFD_INTERVAL_MAX_US);
}

static int check_path(struct hd_config_rows *r, int list, uint32_t row, const struct session *s)
{
    static const struct hd_ip6 none;
    bool head = s->c.kind == HD_BFD_HEAD, chosen = hd_ip6_equal(&s->c.local, &none);

    if (hd_config_is_group(&s->c.remote) != head || hd_ip6_equal(&s->c.remote, &none))
        return hd_config_wrong(r, list, row, head ? "group" : "dest-addr",
                               head ? "expected: a multicast address"
                                    : "expected: the address of one machine");
    if (!chosen && (!hd_config_is_unicast(&s->c.local) ||
                    hd_config_is_ip4(&s->c.local) != hd_config_is_ip4(&s->c.remote)))
        return hd_config_wrong(r, list, row, "source-addr",
                               "expected: an address of this machine, of the same family as the "
                               "peer's");
    if (chosen && s->c.kind == HD_BFD_MULTIHOP)
        return hd_config_wrong(r, list, row, "source-addr", "expected: an address of this machine");
    return 0;
}

static int check_session(struct hd_config_rows *r, int list, uint32_t row, struct session *s)
{
    int error = check_path(r, list, row, s);

    if (error == 0)
        error = check_interval(r, list, row, "desired-min-tx-interval", s->c.tx_us);
    if (error == 0 && s->c.kind != HD_BFD_HEAD)
        error = check_interval(r, list, row, "required-min-rx-interval", s->c.rx_us);
    if (error == 0 && s->c.echo_tx_us != 0)
        error = check_interval(r, list, row, "desired-min-echo-tx-interval", s->c.echo_tx_us);
    if (error == 0 && s->c.echo_rx_us != 0)
        error = check_interval(r, list, row, "required-min-echo-rx-interval", s->c.echo_rx_us);
    return error == 0 ? resolve_auth(r, list, row, s) : error;
}

static bool same_path(const struct session *a, const struct session *b)
{
    return a->c.kind == b->c.kind && strcmp(a->c.interface, b->c.interface) == 0 &&
           hd_ip6_equal(&a->c.remote, &b->c.remote) &&
           (a->c.kind != HD_BFD_MULTIHOP || hd_ip6_equal(&a->c.local, &b->c.local));
}

/* Rows are sorted by what must differ: two that do not are neighbours. */
static int check_sessions(struct hd_config_rows *r, int list)
{
    struct session *s = r->lists[list].v;
    int error = 0;

    for (uint32_t i = 0; i < r->lists[list].count && error == 0; i++) {
        error = check_session(r, list, i, &s[i]);
        if (error == 0 && i > 0 && same_path(&s[i - 1], &s[i]))
            error = hd_config_wrong(r, list, i, NULL, "this session is there twice");
    }
    return error;
}

static int check_listen(struct hd_config_rows *r)
{
    const struct hd_bfd_listen_config *l = r->lists[LISTEN].v;
    int error = 0;

    for (uint32_t i = 0; i < r->lists[LISTEN].count && error == 0; i++) {
        if (!l[i].unsolicited)
            continue;
        error = check_interval(r, LISTEN, i, "unsolicited/desired-min-tx-interval", l[i].tx_us);
        if (error == 0)
            error =
                check_interval(r, LISTEN, i, "unsolicited/required-min-rx-interval", l[i].rx_us);
    }
    return error;
}

static int finish(struct hd_config_rows *r)
{
    int error;

    if (r->roots > 1)
        return hd_config_wrong(r, -1, 0, NULL, "there may be one control-plane-protocol of bfdv1");
    if (r->lists[SINGLE].count + r->lists[MULTIHOP].count > HD_BFD_SESSIONS_MAX)
        return hd_config_wrong(r, -1, 0, NULL, "there may be %u sessions", HD_BFD_SESSIONS_MAX);
    if (r->lists[LISTEN].count > HD_BFD_LISTEN_MAX)
        return hd_config_wrong(r, -1, 0, NULL, "there may be %u interfaces", HD_BFD_LISTEN_MAX);
    error = check_sessions(r, SINGLE);
    if (error == 0)
        error = check_sessions(r, MULTIHOP);
    return error == 0 ? check_listen(r) : error;
}

/* --- the table -----------------------------------------------------------------------------------
 */

#define IP_SH         ROOT "/ietf-bfd-ip-sh:ip-sh"
#define COUNT(member) .count_offset = offsetof(struct hd_bfd_config, member)

static const struct hd_config_list lists[] = {
    [SINGLE] = {.path = IP_SH "/sessions/session",
                .rows = &single,
                .complete = complete_single,
                .keep = sizeof(struct hd_bfd_session_config),
                COUNT(session_count)},
    [HEADS] = {.path = ROOT "/heddle-bfd:ip-p2mp/heads/head",
               .rows = &heads,
               .complete = complete_head,
               .into = 1 + SINGLE},
    [MULTIHOP] = {.path = ROOT "/ietf-bfd-ip-mh:ip-mh/session-groups/session-group",
                  .rows = &multihop,
                  .complete = complete_multihop,
                  .keep = sizeof(struct hd_bfd_session_config),
                  COUNT(multihop_count)},
    [LISTEN] = {.path = IP_SH "/interfaces",
                .rows = &listen,
                .complete = complete_listen,
                COUNT(listen_count)},
    [KEYS] = {.path = "/ietf-key-chain:key-chains/key-chain/key",
              .rows = &keys,
              .keep = HD_CONFIG_KEEP_NONE},
};

static const struct hd_config_module published[] = {
    {.name = "ietf-bfd-types",
     .features = {"single-minimum-interval", "authentication", "demand-mode", "echo-mode"}},
    {.name = "ietf-key-chain", .features = {"cleartext"}},
    {.name = "ietf-bfd-unsolicited", .features = {"unsolicited-params-per-interface"}},
    {.name = NULL},
};

const struct hd_config hd_config_bfd = {
    .core = HD_CORE_BFD,
    .module = "heddle-bfd",
    .published = published,
    .root = ROOT,
    .head = &config,
    .list_count = HD_ARRAY_LEN(lists),
    .lists = lists,
    .complete = complete,
    .finish = finish,
};
