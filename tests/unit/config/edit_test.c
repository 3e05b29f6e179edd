/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edits: what an image by touched places says is what the whole says, byte for byte, whatever was
 * edited in whatever order; and what is sent of it makes the same of the old bytes, with the same
 * digest. Random lines over all models, one seed per run.
 */
#include "support/test.h"

#include <stdlib.h>

#include "config/config.h"
#include "config/rows.h"
#include "router/router.h"
#include "schema_fixture.h"

#define ROUNDS 250

/* --- random lines --------------------------------------------------------------------------------
 */

#define BFD   "/routing/control-plane-protocols/control-plane-protocol=bfdv1,main/bfd"
#define ETH   "set /interfaces/interface=eth@\n"
#define VR4   "/interfaces/interface=eth@/ipv4/vrrp/vrrp-instance=#"
#define VR6   "/interfaces/interface=eth@/ipv6/vrrp/vrrp-instance=#"
#define SH    BFD "/ip-sh/sessions/session=eth@,fe80::#"
#define MH    BFD "/ip-mh/session-groups/session-group=10.0.0.@,10.0.9.#"
#define CHAIN "/key-chains/key-chain=chain@/key=1"

/* What everything else refers to. */
#define BASE                                                                                       \
    "set /interfaces/interface=eth1\nset /interfaces/interface=eth2\n"                             \
    "set /interfaces/interface=eth3\nset /interfaces/interface=eth4\n"

/* '@', '#' and '~' are small numbers. Most are of lists; those at the end take much away. */
static const char *const edits[] = {
    "set /sample/object=@/weight #",
    "set /sample/object=@#/weight ~",
    "set /sample/object=@/address fd5a::#",
    "delete /sample/object=@",
    "delete /sample/object=@#",
    "delete /sample/object=@/weight",
    "delete /sample/object=@/address",
    "set /sample/hello-interval 1@0",
    "delete /sample/hello-interval",
    "set /sample/number 1@",
    "set /kira/interface=eth@",
    "delete /kira/interface=eth@",
    "set /kira/bucket-size 3@",
    "delete /kira/bucket-size",
    "set /kira/shallow-bucket-size 2@",
    ETH "set " VR4 "/version vrrp-v3",
    ETH "set " VR4 "/version vrrp-v3\nset " VR4 "/priority 10~",
    ETH "set " VR4 "/version vrrp-v2",
    "set " VR4 "/virtual-ipv4-addresses/virtual-ipv4-address=10.0.0.~\nset " VR4 "/version vrrp-v3",
    "delete " VR4 "/virtual-ipv4-addresses/virtual-ipv4-address=10.0.0.~",
    "set " VR4 "/track/interfaces/interface=eth~/priority-decrement 7\nset " VR4 "/version vrrp-v3",
    "set " VR4 "/track/interfaces/interface=eth~/priority-decrement @\nset " VR4 "/version vrrp-v3",
    "delete " VR4 "/track/interfaces/interface=eth~",
    "delete " VR4 "/track",
    "set " VR4 "/heddle-vrrp:unicast-peer=10.0.1.~\nset " VR4 "/version vrrp-v3",
    "delete " VR4,
    "delete " VR4,
    ETH "set " VR6 "/version vrrp-v3",
    "set " VR6 "/track/bfd-session=eth~,fe80::9/priority-decrement @\nset " VR6 "/version vrrp-v3",
    "set " VR6 "/track/interfaces/interface=eth~\nset " VR6 "/version vrrp-v3",
    "set " VR6 "/fast-detection/mode track\nset " VR6 "/version vrrp-v3",
    "delete " VR6,
    "delete " VR6 "/track",
    "delete /interfaces/interface=eth@/ipv4/vrrp",
    "set /vrrp-options/notifications-per-second 1@",
    "delete /vrrp-options",
    ETH "set " SH "/local-multiplier ~",
    "set " SH "/source-addr fe80::a~",
    "set " CHAIN "/crypto-algorithm md5\nset " CHAIN "/key-string/keystring secret#",
    "set " CHAIN "/crypto-algorithm sha-1\nset " CHAIN "/key-string/keystring secret#",
    ETH "set " SH "/authentication/key-chain chain@\nset " CHAIN "/crypto-algorithm md5\n"
        "set " CHAIN "/key-string/keystring secret~",
    "set " SH "/authentication/key-chain chain~",
    "set " SH "/authentication/meticulous true",
    "delete " SH "/authentication",
    "delete " SH,
    "set " MH "/tx-ttl 25~\nset " MH "/rx-ttl 25~\nset " MH "/source-addr 10.0.0.@",
    "delete " MH,
    "set " BFD "/ip-sh/interfaces=eth@/unsolicited/enabled true",
    "delete " BFD "/ip-sh/interfaces=eth@",
    "set " BFD "/heddle-bfd:shortest-interval 400@",
    "delete " BFD "/heddle-bfd:shortest-interval",
    "delete " CHAIN,
    "delete /interfaces/interface=eth@",
    "delete " BFD,
    "delete /sample",
    "delete /sample/object",
};
#define RARE 5

static void random_edit(struct hd_random *rnd, char *to, size_t size)
{
    bool any = hd_random_below(rnd, 15) == 0;
    const char *from = edits[hd_random_below(rnd, HD_ARRAY_LEN(edits) - (any ? 0 : RARE))];
    char v[3];

    for (size_t i = 0; i < 3; i++)
        v[i] = (char)('1' + hd_random_below(rnd, 4));
    for (; *from != '\0' && size > 1; from++, size--)
        *to++ = *from == '@' ? v[0] : *from == '#' ? v[1] : *from == '~' ? v[2] : *from;
    *to = '\0';
}

/* --- comparison ----------------------------------------------------------------------------------
 */

static void assert_same(const struct hd_image *a, const struct hd_image *b)
{
    for (size_t k = 0; hd_config_at(k); k++) {
        assert_int_equal(a->part[k].present, b->part[k].present);
        assert_int_equal(a->part[k].len, b->part[k].len);
        assert_memory_equal(a->part[k].bytes, b->part[k].bytes, a->part[k].len);
        const struct hd_sheet *x = &a->sheets[k], *y = &b->sheets[k];
        assert_int_equal(x->present, y->present);
        assert_int_equal(x->roots, y->roots);
        for (uint32_t n = 0; n < hd_config_at(k)->list_count; n++) {
            assert_int_equal(x->rows[n].count, y->rows[n].count);
            if (x->rows[n].count > 0)
                assert_memory_equal(x->rows[n].v, y->rows[n].v,
                                    x->rows[n].count * hd_config_at(k)->lists[n].rows->row_size);
        }
    }
    assert_true(hd_image_same_secrets(a, b));
}

/* What is sent makes the new bytes of the old ones. */
static unsigned check_deltas(struct hd_image *was, struct hd_image *is)
{
    unsigned made = 0;

    for (size_t k = 0; hd_config_at(k); k++) {
        const struct hd_config *c = hd_config_at(k);
        uint8_t *delta, *bytes;
        struct hd_config_delta d;
        size_t len;
        if (!hd_image_delta(k, was, is, &delta, &len))
            continue;
        const struct hd_image_part *a = &was->part[k], *b = &is->part[k];
        assert_int_equal(hd_config_delta_read(delta, len, &d), 0);
        assert_true(hd_config_delta_suits(c, a->bytes, a->len, &d));
        bytes = malloc(a->len + len);
        assert_non_null(bytes);
        memcpy(bytes, a->bytes, a->len);
        assert_int_equal(hd_config_delta_apply(c, bytes, a->len, &d), b->len);
        assert_memory_equal(bytes, b->bytes, b->len);
        assert_int_equal(hd_config_digest(c, b->bytes), b->digest);
        if (d.edit_count > 0 && hd_config_digest(c, a->bytes) != b->digest)
            assert_false(
                hd_config_delta_suits(c, b->bytes, b->len, &d)); /* twice is once too often */
        free(bytes);
        free(delta);
        made++;
    }
    return made;
}

/* --- the property --------------------------------------------------------------------------------
 */

struct world {
    struct lyd_node *running, *candidate;
    struct hd_touched touched;
    struct hd_image image;
    unsigned edited, whole, deltas;
    unsigned rows[HD_CONFIGS_MAX]; /* that were there, round by round */
};

static void begin_edit(struct world *w)
{
    lyd_free_all(w->candidate);
    hd_touched_free(&w->touched);
    w->candidate = NULL;
    if (w->running)
        assert_int_equal(lyd_dup_siblings(w->running, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS,
                                          &w->candidate),
                         LY_SUCCESS);
}

static void edit_lines(struct world *w, struct hd_random *rnd, unsigned count)
{
    char text[1000];

    while (count-- > 0) {
        random_edit(rnd, text, sizeof text);
        (void)!hd_tree_edit(&schema, &w->candidate, text, &w->touched, &fault);
    }
}

/* The image of the candidate both ways; false: it is refused. */
static bool images(struct world *w, struct hd_image *is)
{
    struct hd_image whole;
    bool refused = hd_tree_recheck(&schema, &w->candidate, &w->touched, &fault) != 0 ||
                   hd_image_make(&schema, w->candidate, &whole, &fault) != 0;

    if (refused && fault.code[0] == '\0')
        fail_msg("a fault says nothing");
    int error = hd_image_edit(&schema, w->running, &w->image, w->candidate, &w->touched, is);
    if (error == 0 && refused) /* what libyang refuses is not looked at */
        hd_image_free(is);
    if (refused)
        return false;
    if (error != 0 && !w->touched.all)
        fail_msg("it could not be said by what was touched");
    if (error == 0)
        assert_same(is, &whole);
    w->edited += error == 0;
    w->whole += error != 0;
    if (error == 0)
        hd_image_free(&whole);
    else
        *is = whole;
    return true;
}

static void one_round(struct world *w, struct hd_random *rnd)
{
    unsigned tries = 1 + (unsigned)hd_random_below(rnd, 4);
    struct hd_image is;

    begin_edit(w);
    while (tries-- > 0) { /* what is refused is edited on */
        edit_lines(w, rnd, 1 + (unsigned)hd_random_below(rnd, 5));
        if (!images(w, &is))
            continue;
        w->deltas += check_deltas(&w->image, &is);
        struct lyd_node *old = w->running;
        w->running = w->candidate;
        w->candidate = old;
        hd_image_free(&w->image);
        w->image = is;
        for (size_t k = 0; hd_config_at(k); k++) {
            for (uint32_t n = 0; n < hd_config_at(k)->list_count; n++)
                w->rows[k] += (unsigned)is.sheets[k].rows[n].count;
        }
        return;
    }
}

static void edits_make_what_the_whole_makes(void **state)
{
    struct hd_random rnd;
    struct world w = {.edited = 0};

    hd_random_seed(&rnd, test_seed(__func__), 1);
    assert_int_equal(hd_tree_lines(&schema, &w.running, BASE, &fault), 0);
    assert_int_equal(hd_tree_check(&schema, &w.running, &fault), 0);
    assert_int_equal(hd_image_make(&schema, w.running, &w.image, &fault), 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(&w, &rnd);
    print_message("%u by edit, %u whole, %u deltas\n", w.edited, w.whole, w.deltas);
    for (size_t k = 0; hd_config_at(k); k++) {
        print_message("%s: %u rows\n", hd_config_at(k)->module, w.rows[k]);
        assert_true(w.rows[k] > 0 || hd_config_at(k)->list_count == 0);
    }
    assert_true(w.edited > ROUNDS / 4 && w.edited > 4 * w.whole && w.deltas > ROUNDS / 2);
    lyd_free_all(w.running);
    lyd_free_all(w.candidate);
    hd_touched_free(&w.touched);
    hd_image_free(&w.image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_make_what_the_whole_makes),
    };

    return cmocka_run_group_tests(tests, open_schema, close_schema);
}
