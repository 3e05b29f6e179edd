/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Liveness of links (kira.md 5.7, doc/decisions/0003).
 *
 * A link in use is asked by a 16-byte echo after 300 ms of silence. The peer's
 * kernel answers, so a busy or restarting peer is not taken for a dead one. The first unanswered
 * echo makes the next ones follow quickly: a dead link is noticed at most 700 ms after its last
 * sign of life, while a healthy one costs one exchange per 300 ms. A miss is an echo that was
 * really sent and did not come back; a timer that was served late grants another wait. Of the two
 * ends the one with the smaller identifier asks a little earlier, and its question is a sign of
 * life for the other: one exchange serves both. Spare parallel links are asked every 10 s, foreign
 * neighbours by ProbeReq.
 */
#include "core/kira/state.h"

/* Anything heard from the neighbour proves the link. */
void kira_link_alive(struct kira_call *x, struct kira_link *l, hd_time arrived)
{
    (void)x;
    if (arrived > l->last_heard)
        l->last_heard = arrived;
    l->misses = 0;
    l->state = HD_KIRA_LINK_UP;
}

/*
 * Does the link carry labels or data? Others may use any of its two-hop labels without our knowing,
 * so every link in use does; only spare parallel ones are idle.
 */
bool kira_link_watched(struct kira_call *x, const struct kira_link *l)
{
    const struct kira_uln *u = kira_uln_find(x->k, l->node);

    return u != NULL && kira_uln_best(u) == l;
}

/* A hub does not ask hundreds of neighbours three times a second: the sum of its questions is
 * bounded. */
static hd_time kira_echo_interval(const struct kira *k)
{
    uint32_t share = 1 + k->ulns.len / (HD_KIRA_ECHO_LINKS + 1);

    return HD_KIRA_ECHO_INTERVAL * (hd_time)share;
}

static hd_time kira_link_interval(struct kira_call *x, const struct kira_link *l,
                                  const struct kira_uln *u)
{
    bool first = hd_id_compare(&x->k->id, kira_id(x, l->node)) < 0;

    if (!kira_link_watched(x, l))
        return HD_KIRA_IDLE_INTERVAL;
    if ((u->capabilities & HD_KIRA_CAN_ECHO) == 0)
        return HD_KIRA_CHECK_INTERVAL;
    hd_time interval = kira_echo_interval(x->k);
    return first ? interval : interval * 11 / 10;
}

static hd_time kira_link_wait(const struct kira_link *l, const struct kira_uln *u)
{
    if ((u->capabilities & HD_KIRA_CAN_ECHO) == 0)
        return HD_KIRA_CHECK_WAIT;
    if ((u->capabilities & HD_KIRA_FAST_ECHO) == 0)
        return HD_KIRA_ECHO_SLOW;
    hd_time wait = l->misses <= 1 ? HD_KIRA_ECHO_WAIT_FIRST : HD_KIRA_ECHO_WAIT_NEXT;
    return HD_MAX(wait, 2 * l->rtt);
}

/*
 * How many unanswered echoes mean a dead link: three, and more where echoes get lost anyway, so
 * that a bad link is not taken for a dead one again and again. `loss` is the smoothed share of lost
 * echoes in 1/256.
 */
static uint8_t kira_link_misses(const struct kira_link *l)
{
    if (l->loss >= 40)
        return HD_KIRA_ECHO_MISSES + 6;
    if (l->loss >= 20)
        return HD_KIRA_ECHO_MISSES + 4;
    if (l->loss >= 8)
        return HD_KIRA_ECHO_MISSES + 2;
    return l->loss >= 3 ? HD_KIRA_ECHO_MISSES + 1 : HD_KIRA_ECHO_MISSES;
}

/* An answer came after `asked` questions: all but the last were lost on a link that works. */
static void kira_link_note_loss(struct kira_link *l, uint8_t asked)
{
    for (uint8_t i = 1; i < asked; i++)
        l->loss = (uint8_t)(l->loss + (256 - l->loss) / 32);
    l->loss = (uint8_t)(l->loss - (l->loss + 31) / 32);
}

/* Starts or renews the watch of a link that has just come up. */
void kira_link_watch(struct kira_call *x, struct kira_link *l)
{
    const struct kira_uln *u = kira_uln_find(x->k, l->node);

    if (u == NULL || l->dead)
        return;
    hd_time wait =
        l->state == HD_KIRA_LINK_ADOPTED ? 0 : kira_jitter(x, kira_link_interval(x, l, u) / 2);
    kira_arm(x, &l->timer, KIRA_T_LINK, x->c->now + wait);
}

static void kira_echo_send(struct kira_call *x, struct kira_link *l, uint8_t type, uint32_t tag,
                           uint64_t nonce)
{
    struct hd_kira_echo e = {.type = type, .tag = tag, .nonce = nonce};
    struct hd_effect *fx = hd_fx_append(x->c->fx, x->c->core, HD_FX_SEND, HD_KIRA_ECHO_LEN);

    if (fx == NULL)
        return;
    fx->u.send = (struct hd_fx_send){.port = 1,
                                     .traffic_class = 0xc0,
                                     .ifindex = l->ifindex,
                                     .to = l->link_local,
                                     .len = HD_KIRA_ECHO_LEN};
    struct hd_writer w = hd_writer_make(hd_fx_payload(fx), HD_KIRA_ECHO_LEN);
    hd_kira_echo_write(&w, &e);
    x->k->echo_bytes += HD_KIRA_ECHO_LEN;
}

/* Asks the link's other end, by echo or, where that is not spoken, by ProbeReq over the one hop. */
static void kira_link_ask(struct kira_call *x, struct kira_link *l, const struct kira_uln *u)
{
    l->misses++;
    l->echo_sent = x->c->now;
    if (l->misses > 1)
        l->state = l->state == HD_KIRA_LINK_ADOPTED ? l->state : HD_KIRA_LINK_CHECKING;
    if ((u->capabilities & HD_KIRA_CAN_ECHO) != 0) {
        l->nonce = hd_random_u64(x->c->random);
        kira_echo_send(x, l, HD_KIRA_ECHO_REQUEST, l->adj, l->nonce);
        kira_count(x, KIRA_N_ECHO_SENT);
        return;
    }
    struct kira_request *r = kira_request_new(x, KIRA_REQ_CHECK, l->node, HD_KIRA_CHECK_WAIT);
    if (r != NULL) {
        hd_node path[1] = {l->node};
        r->ifindex = l->ifindex;
        kira_probe_path(x, r, path, 1);
    }
}

/*
 * When the link is asked next. The asking end rounds down to a common beat, so that all its links
 * are asked, and answer, in one wake of the process.
 */
static hd_time kira_link_next(struct kira_call *x, const struct kira_link *l,
                              const struct kira_uln *u)
{
    hd_time interval = kira_link_interval(x, l, u);
    hd_time at = l->last_heard + interval;

    if (interval % HD_KIRA_ECHO_BEAT == 0)
        at -= at % HD_KIRA_ECHO_BEAT;
    return HD_MAX(at, x->c->now + HD_MS(1));
}

void kira_link_due(struct kira_call *x, struct kira_link *l, hd_time armed_for)
{
    struct kira_uln *u = kira_uln_find(x->k, l->node);
    hd_time now = x->c->now;

    if (u == NULL || l->dead)
        return;
    hd_time next = kira_link_next(x, l, u);
    hd_time wait = kira_link_wait(l, u);
    if (l->misses == 0 && next > now + HD_KIRA_ECHO_BEAT && l->state != HD_KIRA_LINK_ADOPTED) {
        kira_arm(x, &l->timer, KIRA_T_LINK, next);
        return;
    }
    /* our own lateness is no evidence against the neighbour */
    bool late = l->misses > 0 && now - armed_for > wait / 2;
    if (l->misses >= kira_link_misses(l) && !late) {
        kira_count(x, KIRA_N_LINK_SILENT);
        kira_log_node(x, HD_LOG_NOTICE, "link-silent", l->node, "ifindex", l->ifindex);
        kira_link_down(x, u, l);
        return;
    }
    if (l->misses < kira_link_misses(l))
        kira_link_ask(x, l, u);
    kira_arm(x, &l->timer, KIRA_T_LINK, now + kira_link_wait(l, u));
}

static void kira_link_rtt(struct kira_call *x, struct kira_link *l, hd_time arrived)
{
    hd_time rtt = HD_MAX(arrived - l->echo_sent, HD_US(1));

    (void)x;
    l->rtt = l->rtt == 0 ? rtt : (7 * l->rtt + rtt) / 8;
}

void kira_on_echo(struct kira_call *x, const struct hd_kira_echo *e, const struct hd_in_datagram *d)
{
    struct kira_uln *u = NULL;
    struct kira_link *l = kira_link_of(x->k, d->ifindex, &d->from, &u);

    if (l == NULL) {
        kira_drop(x, KIRA_DROP_STRANGER);
        return;
    }
    bool answer =
        e->type == HD_KIRA_ECHO_REPLY && l->nonce != 0 && e->nonce == l->nonce && e->tag == l->adj;
    /* echoes carry no key: whoever floods us with them must not hide the answer that we wait for */
    if (!answer && !kira_take_token(x, &l->rate[KIRA_CLASS_ECHO], HD_KIRA_RATE_ECHO)) {
        kira_drop(x, KIRA_DROP_RATE);
        return;
    }
    if (e->type == HD_KIRA_ECHO_REPLY) {
        if (!answer) {
            kira_drop(x, KIRA_DROP_NO_REQUEST);
            return;
        }
        l->nonce = 0;
        kira_link_note_loss(l, l->misses);
        kira_count(x, KIRA_N_ECHO_REPLY);
        kira_link_rtt(x, l, x->c->now);
    }
    if (l->dead) { /* it answers again: discovery decides, so that both ends agree */
        kira_hello_all(x, HD_KIRA_HELLO_GAP);
        return;
    }
    if (e->type == HD_KIRA_ECHO_REQUEST && x->k->cfg.no_reflector)
        kira_echo_send(x, l, HD_KIRA_ECHO_REPLY, e->tag, e->nonce);
    kira_link_alive(x, l, x->c->now);
    kira_arm(x, &l->timer, KIRA_T_LINK, kira_link_next(x, l, u)); /* spares a wake for nothing */
}
