/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The own state sequence number (kira.md 2.4): it steps with each change that others read in our
 * list, and is saved ahead, so that a crash never repeats one.
 *
 * A number that has come to its end cannot go on at 1: whoever knows the old one would take every
 * new list for an old one. So the node leaves and rests, for longer than anybody within two hops
 * remembers it, and begins at 1 with the identity that it had (doc/decisions/0021). At one change
 * per second that is once in 136 years.
 */
#include "core/kira/state.h"

/* Numbers are saved ahead in steps of 1024. The last one saved means: rest first. */
static void kira_save_sequence(struct kira_call *x)
{
    struct kira *k = x->k;
    uint8_t b[4];
    struct hd_writer w = hd_writer_make(b, sizeof b);

    k->ssn_ceiling = HD_KIRA_SSN_LAST - k->ssn < 1024 ? HD_KIRA_SSN_LAST : k->ssn + 1024;
    hd_write_u32(&w, k->ssn_ceiling);
    kira_save(x, HD_KIRA_SAVED_SEQUENCE, b, sizeof b);
}

void kira_sequence_start(struct kira_call *x, const struct hd_saved_value *saved)
{
    struct kira *k = x->k;
    uint32_t n = 0;

    if (saved != NULL) {
        struct hd_reader r = hd_reader_make(saved->bytes, saved->len);
        n = hd_read_u32(&r);
    }
    k->ssn = HD_MIN(HD_MAX(n, 1u), HD_KIRA_SSN_LAST);
    if (k->ssn == HD_KIRA_SSN_LAST)
        kira_arm(x, &k->rest, KIRA_T_REST, x->c->now);
    kira_save_sequence(x);
}

void kira_sequence_next(struct kira_call *x)
{
    struct kira *k = x->k;

    if (k->ssn >= HD_KIRA_SSN_LAST)
        return; /* rests, or is about to */
    k->ssn++;
    if (k->ssn >= k->ssn_ceiling)
        kira_save_sequence(x);
    if (k->ssn == HD_KIRA_SSN_LAST) /* the caller is in the middle of something */
        kira_arm(x, &k->rest, KIRA_T_REST, x->c->now);
    kira_hubs_told(k);
    kira_hello_all(x, HD_KIRA_HELLO_GAP);
    kira_save_neighbours(x);
}

void kira_sequence_step(struct kira_call *x, bool gained)
{
    kira_sequence_next(x);
    kira_join_soon(x, gained);
}

/* --- rest ---------------------------------------------------------------------------------------
 */

/*
 * Goodbye: the capabilities of a last ULNDiscRsp say that we leave (messages.c adds them), and our
 * neighbours take us out at once instead of after a silence.
 */
void kira_goodbye(struct kira_call *x)
{
    struct kira *k = x->k;
    struct kira_out o;

    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_uln *u = k->ulns.v[i];
        const struct kira_link *l = kira_uln_best(u);
        if (l == NULL && u->links_len > 0)
            l = u->links[0]; /* down already: said again */
        if (l != NULL &&
            kira_out_begin(x, &o, HD_KIRA_DISC_RSP, 0, kira_id(x, u->node), kira_msg_id(x), 64))
            kira_out_to_link(x, &o, l);
    }
}

static void kira_rest_begin(struct kira_call *x)
{
    struct kira *k = x->k;

    kira_log_node(x, HD_LOG_WARNING, "sequence-number-worn-out", k->self, "rests-s",
                  HD_KIRA_REST / HD_SEC(1));
    k->resting = true;
    k->ssn = HD_KIRA_SSN_LAST;
    k->rest_until = x->c->now + HD_KIRA_REST;
    kira_goodbye(x);
    for (uint32_t i = 0; i < k->interfaces.len; i++)
        kira_links_of_interface_down(x, k->interfaces.v[i]->ifindex);
    kira_save_no_neighbours(x);
}

static void kira_rest_end(struct kira_call *x)
{
    struct kira *k = x->k;

    k->resting = false;
    k->ssn = 1;
    kira_save_sequence(x);
    kira_log_node(x, HD_LOG_NOTICE, "sequence-number-begins-anew", k->self, NULL, 0);
    for (uint32_t i = 0; i < k->interfaces.len; i++)
        kira_hello_restart(x, k->interfaces.v[i]->ifindex);
}

/* Says goodbye again for a while: the neighbours' kernels answer echoes, so they ask nobody else.
 */
void kira_rest_due(struct kira_call *x)
{
    struct kira *k = x->k;

    if (!k->resting)
        kira_rest_begin(x);
    else if (x->c->now >= k->rest_until)
        kira_rest_end(x);
    else
        kira_goodbye(x);
    if (!k->resting)
        return;
    bool again = k->rest_until - x->c->now > HD_KIRA_REST - HD_KIRA_REST_GOODBYES;
    kira_arm(x, &k->rest, KIRA_T_REST, again ? x->c->now + HD_SEC(1) : k->rest_until);
}
