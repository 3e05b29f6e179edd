/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Since when do sampled pairs of a lab's nodes work without a break? heddle-lab reach stops to ask
 * a pair at its first answer; after a failure that is too kind, because a pair may answer over a
 * path that breaks a moment later. Here every pair is asked until the end: every 20 ms while it
 * does not answer, every 250 ms while it does (so that a network in good order is not loaded). A
 * probe without an answer after 500 ms is lost, and a pair works since the first answer to a probe
 * that was sent after its last lost one.
 *
 *   bench-pairs LAB ADDRESSES PAIRS SEED QUIET_MS MAX_MS
 *
 * ADDRESSES has lines "NODE ADDRESS"; pairs are drawn from the nodes it names. Prints "ready" when
 * it asks; the caller then lets something happen and closes our standard input. The end comes when
 * after that all pairs have worked and no probe was lost for QUIET_MS, or after MAX_MS. The last
 * line is JSON; its times are of CLOCK_MONOTONIC, 0 for a pair that does not work.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab/traffic.h"
#include "lib/base.h"
#include "lib/random.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

#define PORT       (HD_LAB_PORT + 2)
#define MAGIC      0x68645072u
#define TICK_NS    HD_MS(5)
#define FAST_NS    HD_MS(20)
#define SLOW_NS    HD_MS(250)
#define DOUBT_NS   HD_MS(60) /* without an answer: ask fast */
#define LOST_NS    HD_MS(500)
#define RING       64 /* probes of a pair: more than LOST_NS / FAST_NS */
#define EVENTS_MAX 128

struct message {
    uint32_t magic;
    uint32_t answer; /* 0: please echo */
    uint32_t pair, number;
    uint32_t run;
};

struct probe {
    hd_time sent, answered; /* 0: not answered */
};

struct pair {
    uint32_t from, to;
    uint32_t next, judged; /* probes [judged, next) may still be answered */
    hd_time ask_at;
    hd_time lost;  /* when the last lost probe was sent */
    hd_time since; /* 0: does not work */
    hd_time first; /* the first answer of all */
    struct probe ring[RING];
};

struct bench {
    struct hd_lab *lab;
    struct hd_lab_addresses addresses;
    struct pair *pairs;
    uint32_t count, run;
    int *sockets; /* by node, -1 */
    int epoll;
    hd_time last_loss; /* of any pair, when noticed */
    uint64_t asked;
};

static hd_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench-pairs: %s\n", what);
    exit(1);
}

/* --- pairs and sockets ---------------------------------------------------------------------------
 */

/* Bound to the node's address, which need not exist yet: so answers leave from it. */
static void open_socket(struct bench *b, uint32_t node)
{
    struct sockaddr_in6 own = {
        .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = b->addresses.of[node]};
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = node};
    int one = 1, bytes = 4 << 20;
    int fd = hd_lab_socket(b->lab, node, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    must(fd >= 0, b->lab->err);
    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    must(bind(fd, (const struct sockaddr *)&own, sizeof own) == 0, "bind");
    must(epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
    b->sockets[node] = fd;
}

static uint32_t list_nodes(const struct bench *b, uint32_t *nodes)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->lab->node_count; i++) {
        if (!IN6_IS_ADDR_UNSPECIFIED(&b->addresses.of[i]))
            nodes[n++] = i;
    }
    return n;
}

/* `want` different ordered pairs, or all when there are no more than that. */
static void draw_pairs(struct bench *b, uint32_t want, uint64_t seed)
{
    uint32_t *nodes = calloc((size_t)b->lab->node_count + 1, sizeof *nodes);
    struct hd_random random;

    must(nodes != NULL, "out of memory");
    uint32_t n = list_nodes(b, nodes), all = n * (n - 1);

    must(n >= 2, "fewer than two nodes have an address");
    bool *taken = calloc(all, sizeof *taken);
    b->count = HD_MIN(want, all);
    b->pairs = calloc(b->count, sizeof *b->pairs);
    must(taken != NULL && b->pairs != NULL, "out of memory");
    hd_random_seed(&random, seed, MAGIC);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t k;

        do
            k = (uint32_t)hd_random_below(&random, all);
        while (taken[k]);
        taken[k] = true;
        uint32_t from = k / (n - 1), to = k % (n - 1);

        b->pairs[i].from = nodes[from];
        b->pairs[i].to = nodes[to + (to >= from)];
    }
    free(taken);
    free(nodes);
}

static void prepare(struct bench *b, char **argv)
{
    static char err[HD_LAB_ERROR];

    must(hd_lab_open(argv[1], &b->lab, err) == 0, err);
    must(hd_lab_addresses_open(b->lab, argv[2], &b->addresses) == 0, err);
    draw_pairs(b, (uint32_t)strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    b->sockets = malloc(((size_t)b->lab->node_count + 1) * sizeof *b->sockets);
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    must(b->sockets != NULL && b->epoll >= 0, "out of memory");
    for (uint32_t i = 0; i < b->lab->node_count; i++)
        b->sockets[i] = -1;
    for (uint32_t i = 0; i < b->count; i++) {
        const uint32_t ends[] = {b->pairs[i].from, b->pairs[i].to};

        for (int k = 0; k < 2; k++) {
            if (b->sockets[ends[k]] < 0)
                open_socket(b, ends[k]);
        }
    }
    b->run = (uint32_t)clock_now() ^ (uint32_t)getpid();
}

/* --- asking and judging --------------------------------------------------------------------------
 */

static void ask(struct bench *b, uint32_t i, hd_time now)
{
    struct pair *p = &b->pairs[i];
    const struct message m = {MAGIC, 0, i, p->next, b->run};
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = b->addresses.of[p->to]};

    p->ring[p->next % RING] = (struct probe){.sent = now};
    p->next++;
    b->asked++;
    /* What the kernel refuses (no route) is lost as what dies on the way. */
    (void)!sendto(b->sockets[p->from], &m, sizeof m, 0, (struct sockaddr *)&to, sizeof to);
}

/* After a loss: the first answer to what was sent later, as far as there is one already. */
static void lose(struct bench *b, struct pair *p, hd_time sent, hd_time now)
{
    p->lost = sent;
    p->since = 0;
    b->last_loss = now;
    for (uint32_t k = p->judged; k != p->next; k++) {
        const struct probe *r = &p->ring[k % RING];

        if (r->answered != 0 && (p->since == 0 || r->answered < p->since))
            p->since = r->answered;
    }
}

static void judge(struct bench *b, struct pair *p, hd_time now)
{
    while (p->judged != p->next) {
        const struct probe *r = &p->ring[p->judged % RING];

        if (now - r->sent < LOST_NS && p->next - p->judged < RING)
            return;
        p->judged++;
        if (r->answered == 0)
            lose(b, p, r->sent, now);
    }
}

static bool is_in_doubt(const struct pair *p, hd_time now)
{
    for (uint32_t k = p->judged; k != p->next; k++) {
        if (p->ring[k % RING].answered == 0 && now - p->ring[k % RING].sent > DOUBT_NS)
            return true;
    }
    return p->since == 0;
}

static void take_answer(struct bench *b, const struct message *m, uint32_t node)
{
    if (m->run != b->run || m->pair >= b->count)
        return;
    struct pair *p = &b->pairs[m->pair];
    struct probe *r = &p->ring[m->number % RING];

    if (p->from != node || m->number - p->judged >= p->next - p->judged || r->answered != 0)
        return;
    r->answered = clock_now();
    if (p->first == 0)
        p->first = r->answered;
    if (p->since == 0 && r->sent > p->lost)
        p->since = r->answered;
}

static void serve_socket(struct bench *b, uint32_t node)
{
    for (;;) {
        struct sockaddr_in6 from;
        socklen_t len = sizeof from;
        struct message m;
        ssize_t n = recvfrom(b->sockets[node], &m, sizeof m, 0, (struct sockaddr *)&from, &len);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            continue; /* an ICMP error about an earlier packet */
        if (n < 0)
            return;
        if (n != (ssize_t)sizeof m || m.magic != MAGIC)
            continue;
        if (m.answer != 0) {
            take_answer(b, &m, node);
            continue;
        }
        m.answer = 1;
        (void)!sendto(b->sockets[node], &m, sizeof m, 0, (struct sockaddr *)&from, len);
    }
}

static void tick(struct bench *b, hd_time now)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct pair *p = &b->pairs[i];

        judge(b, p, now);
        if (p->next > 0 && is_in_doubt(p, now))
            p->ask_at = HD_MIN(p->ask_at, p->ring[(p->next - 1) % RING].sent + FAST_NS);
        if (now < p->ask_at)
            continue;
        ask(b, i, now);
        p->ask_at = now + (p->since == 0 ? FAST_NS : SLOW_NS);
    }
}

static bool all_work(const struct bench *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->pairs[i].since == 0)
            return false;
    }
    return true;
}

/* --- run -----------------------------------------------------------------------------------------
 */

static void run(struct bench *b, hd_time quiet_ns, hd_time max_ns)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    struct epoll_event events[EVENTS_MAX];
    hd_time start = clock_now(), happened = 0, next = start;

    for (uint32_t i = 0; i < b->count; i++) /* not all at the same moment */
        b->pairs[i].ask_at = start + (hd_time)i * FAST_NS / b->count;
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        hd_time now = clock_now();

        if (now >= next) {
            tick(b, now);
            next = now + TICK_NS;
        }
        if (happened == 0 && poll(&input, 1, 0) > 0)
            happened = now;
        if (happened != 0 && (now - happened > max_ns ||
                              (now - HD_MAX(happened, b->last_loss) > quiet_ns && all_work(b))))
            return;
        int n = epoll_wait(b->epoll, events, EVENTS_MAX, 1);

        for (int i = 0; i < n; i++)
            serve_socket(b, events[i].data.u32);
    }
}

static void print_list(const struct bench *b, const char *name, bool first)
{
    printf(",\"%s\":[", name);
    for (uint32_t i = 0; i < b->count; i++)
        printf("%s%lld", i > 0 ? "," : "",
               (long long)(first ? b->pairs[i].first : b->pairs[i].since));
    printf("]");
}

int main(int argc, char **argv)
{
    struct bench b = {.epoll = -1};

    if (argc != 7) {
        fprintf(stderr, "usage: bench-pairs LAB ADDRESSES PAIRS SEED QUIET_MS MAX_MS\n");
        return 2;
    }
    prepare(&b, argv);
    run(&b, HD_MS(strtoll(argv[5], NULL, 10)), HD_MS(strtoll(argv[6], NULL, 10)));
    printf("{\"pairs\":%u,\"asked\":%llu", b.count, (unsigned long long)b.asked);
    print_list(&b, "since", false);
    print_list(&b, "first", true);
    printf("}\n");
    return 0;
}
