/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that sends (sender.h).
 *
 * One round: look at slots that have changed, send what is to be sent once, send what is due, sleep
 * until the next departure or the bell. A departure is drawn from the periodic's jitter range; what
 * is due within the same quarter of a millisecond leaves in one system call, which is how hundreds
 * of sessions cost a fraction of a core. Departures follow each other on the time line, not on the
 * clock: a round that was late does not make the following ones late.
 *
 * Both sockets are raw, so that each session can have the source port that RFC 5881 asks for
 * without a socket of its own. They hear nothing: a filter refuses every packet.
 */
#include "linux/sender.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/pool.h"
#include "lib/random.h"
#include "lib/timerq.h"
#include "linux/bfd_auth.h"
#include "linux/event_loop.h"

#define BATCH       64
#define GATHER      HD_US(250) /* leaves together */
#define POOL_BYTES  ((size_t)256 << 10)
#define UDP_HEAD    8
#define PACKET_MAX  (UDP_HEAD + HD_PERIODIC_BYTES + HD_BFD_AUTH_BYTES)
#define CONTROL_MAX 128
#define PORT_FIRST  49152

/* The thread's own view of a slot. */
struct line {
    struct hd_timer timer;
    bool on;
    bool known;
    struct hd_periodic_value v;
};

struct packet {
    struct iovec iov;
    union {
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } to;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_MAX];
    uint32_t slot;
    uint8_t bytes[PACKET_MAX];
};

struct queue { /* of one family */
    int fd;
    unsigned count;
    struct mmsghdr m[BATCH];
    struct packet p[BATCH];
};

struct hd_sender {
    struct hd_sender_table *table;
    pthread_t thread;
    _Atomic bool stop;
    struct hd_random random;
    uint32_t tokens;   /* single packets that may leave now */
    hd_time tokens_at; /* when they became more last */
    hd_time once_at;   /* when the rest of the queue may go on; HD_NEVER: nothing waits */
    uint32_t rounds;   /* since rounds_at */
    hd_time rounds_at;
    struct hd_timerq timers;
    struct hd_pool *pool;
    void *region;          /* of the pool */
    struct queue queue[2]; /* IPv4, IPv6 */
    struct line lines[HD_SENDER_SLOTS];
};

/* --- sockets ------------------------------------------------------------------------------------
 */

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static bool deafen(int fd)
{
    struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &none};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

int hd_sender_sockets(int fds[2])
{
    fds[0] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    fds[1] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    if (fds[0] >= 0 && fds[1] >= 0 && deafen(fds[0]) && deafen(fds[1]) &&
        set(fds[1], IPPROTO_IPV6, IPV6_CHECKSUM, 6) &&
        set(fds[0], IPPROTO_IP, IP_MULTICAST_LOOP, 0) &&
        set(fds[1], IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)) {
        (void)set(fds[0], SOL_SOCKET, SO_PRIORITY, 6);
        (void)set(fds[1], SOL_SOCKET, SO_PRIORITY, 6);
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
        fds[i] = -1;
    }
    return HD_ESYS;
}

/* --- what may be sent ----------------------------------------------------------------------------
 */

static bool is_ip4(const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

static bool is_zero(const struct hd_ip6 *a)
{
    static const struct hd_ip6 zero;
    return hd_ip6_equal(a, &zero);
}

bool hd_sender_allows(const struct hd_periodic_value *v)
{
    return (v->to_port == 3784 || v->to_port == 4784) && v->from_port >= PORT_FIRST &&
           v->len == 24 && (v->interval_ns == 0 || v->interval_ns >= HD_SENDER_INTERVAL_MIN) &&
           v->interval_ns <= HD_SEC(86400) && v->jitter_from <= v->jitter_to &&
           v->jitter_to <= 100 && v->jitter_from >= 50 && is_zero(&v->via) && !is_zero(&v->to) &&
           (is_zero(&v->from) || is_ip4(&v->from) == is_ip4(&v->to));
}

/* --- packets ------------------------------------------------------------------------------------
 */

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint32_t sum16(uint32_t sum, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    }
    return len % 2 != 0 ? sum + ((uint32_t)bytes[len - 1] << 8) : sum;
}

/* Of IPv4, where the source is known: a checksum of 0 says that there is none. */
static uint32_t ip4_checksum(const struct hd_periodic_value *v, const uint8_t *udp, uint32_t len)
{
    if (is_zero(&v->from)) {
        return 0;
    }
    uint32_t sum = sum16(0, v->from.b + 12, 4) + sum16(0, v->to.b + 12, 4) + IPPROTO_UDP + len;
    sum = sum16(sum, udp, len);
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum == 0xffff ? 0xffff : ~sum & 0xffff;
}

static void add_control(struct msghdr *h, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)h->msg_control + h->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    h->msg_controllen += CMSG_SPACE(len);
}

static void address_ip4(struct packet *p, struct msghdr *h, const struct hd_periodic_value *v)
{
    struct in_pktinfo info = {.ipi_ifindex = (int)v->ifindex};
    int ttl = v->hop_limit, tos = v->traffic_class;

    p->to.ip4 = (struct sockaddr_in){.sin_family = AF_INET};
    memcpy(&p->to.ip4.sin_addr, v->to.b + 12, 4);
    if (!is_zero(&v->from)) {
        memcpy(&info.ipi_spec_dst, v->from.b + 12, 4);
    }
    h->msg_namelen = sizeof p->to.ip4;
    add_control(h, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    add_control(h, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    add_control(h, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
}

static void address_ip6(struct packet *p, struct msghdr *h, const struct hd_periodic_value *v)
{
    struct in6_pktinfo info = {.ipi6_ifindex = v->ifindex};
    int hops = v->hop_limit, tclass = v->traffic_class;

    p->to.ip6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
    memcpy(&p->to.ip6.sin6_addr, &v->to, 16);
    memcpy(&info.ipi6_addr, &v->from, 16);
    if (hd_ip6_is_link_local(&v->to) || v->to.b[0] == 0xff) {
        p->to.ip6.sin6_scope_id = v->ifindex;
    }
    h->msg_namelen = sizeof p->to.ip6;
    add_control(h, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    add_control(h, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
    add_control(h, IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof tclass);
}

/* UDP header, packet, authentication: the length, or an hd_error. */
static int compose(struct hd_sender *s, uint32_t slot, const struct hd_periodic_value *v,
                   const uint8_t *bytes, uint32_t len, uint8_t *out)
{
    int body = (int)len;

    memcpy(out + UDP_HEAD, bytes, len);
    if (v->auth.type != HD_AUTH_NONE) {
        const struct hd_sender_key *found = hd_sender_key_find(s->table, v->auth.key);
        if (found == NULL) {
            return HD_ENOENT;
        }
        struct hd_sender_key key = *found;
        uint32_t sequence = atomic_fetch_add(&s->table->slots[slot].sequence, 1) + 1;
        body = hd_bfd_auth_sign(out + UDP_HEAD, &v->auth, key.secret,
                                HD_MIN(key.len, (uint32_t)HD_SENDER_SECRET), sequence);
        explicit_bzero(&key, sizeof key);
    }
    if (body < 0) {
        return body;
    }
    uint32_t total = UDP_HEAD + (uint32_t)body;
    put16(out, v->from_port);
    put16(out + 2, v->to_port);
    put16(out + 4, total);
    put16(out + 6, 0);
    if (is_ip4(&v->to)) {
        put16(out + 6, ip4_checksum(v, out, total));
    }
    return (int)total;
}

static void count(struct hd_sender *s, uint32_t slot, bool sent)
{
    struct hd_sender_slot *t = &s->table->slots[slot];
    atomic_fetch_add_explicit(sent ? &t->sent : &t->failed, 1, memory_order_relaxed);
}

/* Sends what is queued; a packet that is refused costs its followers another call, not a loss. */
static void flush(struct hd_sender *s, struct queue *q)
{
    for (unsigned done = 0; done < q->count;) {
        int n = sendmmsg(q->fd, q->m + done, q->count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) {
            count(s, q->p[done++].slot, false);
            continue;
        }
        for (unsigned i = 0; i < (unsigned)n; i++) {
            count(s, q->p[done + i].slot, true);
        }
        done += (unsigned)n;
    }
    q->count = 0;
}

static void enqueue(struct hd_sender *s, uint32_t slot, const struct hd_periodic_value *v,
                    const uint8_t *bytes, uint32_t len)
{
    struct queue *q = &s->queue[is_ip4(&v->to) ? 0 : 1];
    struct packet *p = &q->p[q->count];
    struct msghdr *h = &q->m[q->count].msg_hdr;
    int total = compose(s, slot, v, bytes, len, p->bytes);

    if (total < 0) {
        count(s, slot, false);
        return;
    }
    p->slot = slot;
    p->iov = (struct iovec){p->bytes, (size_t)total};
    *h = (struct msghdr){
        .msg_name = &p->to, .msg_iov = &p->iov, .msg_iovlen = 1, .msg_control = p->control};
    if (is_ip4(&v->to)) {
        address_ip4(p, h, v);
    } else {
        address_ip6(p, h, v);
    }
    if (++q->count == BATCH) {
        flush(s, q);
    }
}

/* --- the rounds ----------------------------------------------------------------------------------
 */

static hd_time pause_of(struct hd_sender *s, const struct hd_periodic_value *v)
{
    hd_time least = v->interval_ns * v->jitter_from / 100 + HD_MIN(GATHER, v->interval_ns / 32);
    hd_time most = v->interval_ns * v->jitter_to / 100;

    return least + (hd_time)hd_random_below(&s->random, (uint64_t)HD_MAX(most - least, 0) + 1);
}

static void arm(struct hd_sender *s, struct line *l, hd_time at)
{
    int error = hd_timer_arm(&s->timers, s->pool, &l->timer, at);
    HD_ASSERT(error == 0); /* room for all was reserved at the start */
}

static void read_slot(struct hd_sender *s, uint32_t i, hd_time now)
{
    struct line *l = &s->lines[i];
    struct hd_periodic_value v;
    bool used = hd_sender_read(s->table, i, &v);
    hd_time old = l->on ? l->v.interval_ns : 0;

    if (used && !hd_sender_allows(&v)) {
        atomic_fetch_add(&s->table->refused, 1);
        used = false;
    }
    if (used) {
        l->v = v;
        l->known = true;
    }
    l->on = used && v.interval_ns != 0;
    if (!l->on) {
        hd_timer_stop(&s->timers, &l->timer); /* what it was is kept for a last word */
    } else if (v.interval_ns != old || !hd_timer_armed(&l->timer)) {
        hd_time next = now + pause_of(s, &l->v);
        arm(s, l, old != 0 && hd_timer_armed(&l->timer) ? HD_MIN(l->timer.at, next) : next);
    }
}

static void read_changes(struct hd_sender *s, hd_time now)
{
    for (unsigned w = 0; w < HD_SENDER_WORDS; w++) {
        if (atomic_load_explicit(&s->table->changed[w], memory_order_relaxed) == 0) {
            continue;
        }
        uint64_t bits = atomic_exchange(&s->table->changed[w], 0);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits);
            if (i != 0 && i < HD_SENDER_SLOTS) {
                read_slot(s, i, now);
            }
        }
    }
}

static void refill(struct hd_sender *s, hd_time now)
{
    hd_time ms = (now - s->tokens_at) / HD_MS(1);

    if (ms > HD_SENDER_ONCE / HD_SENDER_ONCE_PER_MS) {
        s->tokens = HD_SENDER_ONCE;
        s->tokens_at = now;
    } else {
        s->tokens =
            HD_MIN(s->tokens + (uint32_t)ms * HD_SENDER_ONCE_PER_MS, (uint32_t)HD_SENDER_ONCE);
        s->tokens_at += ms * HD_MS(1);
    }
}

static void send_once(struct hd_sender *s, hd_time now)
{
    uint32_t head = atomic_load(&s->table->once_head);
    uint32_t waiting = HD_MIN(atomic_load(&s->table->once_tail) - head, (uint32_t)HD_SENDER_ONCE);

    refill(s, now);
    s->once_at = waiting > s->tokens ? s->tokens_at + HD_MS(1) : HD_NEVER;
    waiting = HD_MIN(waiting, s->tokens);
    s->tokens -= waiting;
    for (uint32_t n = 0; n < waiting; n++, head++) {
        struct hd_sender_once o = s->table->once[head % HD_SENDER_ONCE];
        if (o.slot > 0 && o.slot < HD_SENDER_SLOTS && o.len == 24 && s->lines[o.slot].known) {
            enqueue(s, o.slot, &s->lines[o.slot].v, o.bytes, o.len);
        }
    }
    atomic_store(&s->table->once_head, head);
}

static void send_due(struct hd_sender *s, hd_time now)
{
    hd_time alive = atomic_load(&s->table->alive_at);
    struct hd_timer *t;

    while ((t = hd_timerq_pop(&s->timers, now + GATHER)) != NULL) {
        struct line *l = HD_CONTAINER_OF(t, struct line, timer);
        hd_time at = t->at, late = now - at;
        if (late > 0 && (uint64_t)late > atomic_load(&s->table->late_ns_max)) {
            atomic_store(&s->table->late_ns_max, (uint64_t)late);
        }
        if (now - alive <= l->v.lease_ns) {
            enqueue(s, (uint32_t)(l - s->lines), &l->v, l->v.bytes, l->v.len);
        }
        arm(s, l, (late > l->v.interval_ns ? now : at) + pause_of(s, &l->v));
    }
}

static void wait_until(struct hd_sender *s, uint32_t bell, hd_time at)
{
    struct timespec t = {.tv_sec = at / HD_SEC(1), .tv_nsec = at % HD_SEC(1)};
    /* Absolute, by the monotonic clock; shared between processes, hence not private. */
    syscall(SYS_futex, &s->table->bell, FUTEX_WAIT_BITSET, bell, at != HD_NEVER ? &t : NULL, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

/* Whoever rings all the time is heard every millisecond. */
static void rest(struct hd_sender *s)
{
    hd_time now = hd_clock_now();

    if (now - s->rounds_at >= HD_MS(1)) {
        s->rounds_at = now;
        s->rounds = 0;
    }
    if (++s->rounds <= HD_SENDER_ROUNDS_PER_MS) {
        return;
    }
    hd_time until = s->rounds_at + HD_MS(1);
    struct timespec t = {.tv_sec = until / HD_SEC(1), .tv_nsec = until % HD_SEC(1)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void *run(void *user)
{
    struct hd_sender *s = user;
    struct sched_param param = {.sched_priority = HD_SENDER_PRIORITY};

    prctl(PR_SET_NAME, "sender");
    prctl(PR_SET_TIMERSLACK, 1);
    int failed = pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
    atomic_store(&s->table->realtime, failed == 0);
    while (!atomic_load(&s->stop)) {
        uint32_t bell = atomic_load(&s->table->bell);
        read_changes(s, hd_clock_now());
        send_once(s, hd_clock_now());
        send_due(s, hd_clock_now());
        flush(s, &s->queue[0]);
        flush(s, &s->queue[1]);
        rest(s);
        wait_until(s, bell, hd_time_min(hd_timerq_next(&s->timers), s->once_at));
    }
    return NULL;
}

/* --- start and stop ------------------------------------------------------------------------------
 */

int hd_sender_start(struct hd_sender **out, struct hd_sender_table *t, const int fds[2])
{
    struct hd_sender *s = calloc(1, sizeof *s);
    /* Zero without being touched: without sessions the thread costs no memory. */
    void *region =
        mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *out = NULL;
    if (s == NULL || region == MAP_FAILED) {
        if (region != MAP_FAILED) {
            munmap(region, POOL_BYTES);
        }
        free(s);
        return HD_ENOMEM;
    }
    s->pool = hd_pool_create(region, POOL_BYTES);
    s->region = region;
    s->table = t;
    s->queue[0].fd = fds[0];
    s->queue[1].fd = fds[1];
    hd_random_seed(&s->random, (uint64_t)hd_clock_now(), (uint64_t)getpid());
    int error = hd_timerq_reserve(&s->timers, s->pool, HD_SENDER_SLOTS);
    bool told = error == 0 && atomic_load(&t->bell) != 0;
    for (uint32_t i = 1; told && i < HD_SENDER_SLOTS; i++) {
        read_slot(s, i, hd_clock_now()); /* what was there before us goes on */
    }
    if (error == 0 && pthread_create(&s->thread, NULL, run, s) != 0) {
        error = HD_ESYS;
    }
    if (error != 0) {
        munmap(region, POOL_BYTES);
        free(s);
        return error;
    }
    *out = s;
    return 0;
}

void hd_sender_stop(struct hd_sender *s)
{
    if (s == NULL) {
        return;
    }
    atomic_store(&s->stop, true);
    atomic_fetch_add(&s->table->bell, 1);
    syscall(SYS_futex, &s->table->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    pthread_join(s->thread, NULL);
    munmap(s->region, POOL_BYTES);
    free(s);
}
