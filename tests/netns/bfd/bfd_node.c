/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BFD speaker for tests: heddled's parts without heddled. The parent is what the keeper is there:
 * it holds the sender's memory, its sockets and its thread, and starts the router process again
 * when that dies. The child runs the linux driver with the BFD core.
 *
 *   bfd-node [--quiet] [--rows SECONDS] SESSION...
 *
 * SESSION is words joined by commas: KIND,INTERFACE,LOCAL,REMOTE,TX_US,RX_US,MULTIPLIER[,OPTION...]
 * with KIND sh, mh, head, listen; INTERFACE and LOCAL may be "-"; options demand, passive, rx-ttl=N
 * and auth=TYPE:ID:SECRET. A first octet "%" in addresses counts: 10.9.%.1*50 is 50 sessions.
 *
 * Every event is a line: "SECONDS event state=.. diag=.. remote=..", every --rows the sessions.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bfd/bfd.h"
#include "lib/base.h"
#include "linux/driver.h"
#include "linux/sender.h"
#include "linux/sockets.h"

#define SESSIONS_MAX 2048
#define LOOK_EVERY   HD_MS(20) /* at interfaces */

struct config {
    struct hd_bfd_config head;
    struct hd_bfd_session_config sessions[SESSIONS_MAX];
};

struct node {
    struct hd_loop loop;
    struct hd_log log;
    struct hd_driver driver;
    int sockets[3];
    struct hd_in_interface interfaces[8];
    unsigned interface_count;
    unsigned downs;
    bool quiet;
};

static struct config config;
static struct hd_bfd_listen_config listens[4];
static struct {
    uint32_t len;
    uint8_t bytes[HD_SENDER_SECRET];
} secrets[16];
static unsigned secret_count;
static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    stopping = 1;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- arguments ----------------------------------------------------------------------------------
 */

static struct hd_ip6 address(const char *text)
{
    struct hd_ip6 a = {{0}};
    char mapped[96];

    if (strcmp(text, "-") == 0) {
        return a;
    }
    snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') == NULL ? "::ffff:" : "", text);
    if (inet_pton(AF_INET6, mapped, &a) != 1) {
        die(text);
    }
    return a;
}

/* The n-th of addresses like 10.9.%.1 or 2001:db8:%::1. */
static struct hd_ip6 numbered(const char *text, unsigned n)
{
    char out[64], number[16];
    const char *mark = strchr(text, '%');

    if (mark == NULL) {
        return address(text);
    }
    snprintf(number, sizeof number, strchr(text, ':') != NULL ? "%x" : "%u", n);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(mark - text), text, number, mark + 1);
    return address(out);
}

static void option(struct hd_bfd_session_config *s, char *word)
{
    unsigned type, id;
    char secret[32];

    if (strcmp(word, "demand") == 0) {
        s->demand = 1;
    } else if (strcmp(word, "passive") == 0) {
        s->passive = 1;
    } else if (sscanf(word, "rx-ttl=%u", &id) == 1) {
        s->rx_ttl = (uint8_t)id;
    } else if (sscanf(word, "auth=%u:%u:%31s", &type, &id, secret) == 3) {
        s->auth =
            (struct hd_auth){.type = (uint8_t)type, .key_id = (uint8_t)id, .key = ++secret_count};
        secrets[secret_count].len = (uint32_t)strlen(secret);
        memcpy(secrets[secret_count].bytes, secret, strlen(secret));
    } else {
        die(word);
    }
}

static void add_listen(char *words[7])
{
    struct hd_bfd_listen_config *l = &listens[config.head.listen_count++];

    snprintf(l->interface, sizeof l->interface, "%s", words[1]);
    l->tx_us = (uint32_t)atoi(words[4]);
    l->rx_us = (uint32_t)atoi(words[5]);
    l->multiplier = (uint8_t)atoi(words[6]);
    l->unsolicited = l->tails = 1;
}

static void add(char *text)
{
    char *words[8] = {NULL}, *star = strchr(text, '*');
    unsigned count = 1, n = 0;

    if (star != NULL) {
        *star = '\0';
        count = (unsigned)atoi(star + 1);
    }
    for (char *w; n < 7 && (w = strsep(&text, ",")) != NULL;) {
        words[n++] = w;
    }
    if (n < 7) {
        die("session");
    }
    if (strcmp(words[0], "listen") == 0) {
        add_listen(words);
        return;
    }
    struct hd_bfd_session_config s;
    hd_bfd_session_config_default(&s);
    s.kind = strcmp(words[0], "mh") == 0     ? HD_BFD_MULTIHOP
             : strcmp(words[0], "head") == 0 ? HD_BFD_HEAD
                                             : HD_BFD_SINGLE_HOP;
    if (strcmp(words[1], "-") != 0) {
        snprintf(s.interface, sizeof s.interface, "%s", words[1]);
    }
    s.tx_us = (uint32_t)atoi(words[4]);
    s.rx_us = (uint32_t)atoi(words[5]);
    s.multiplier = (uint8_t)atoi(words[6]);
    for (char *w; text != NULL && (w = strsep(&text, ",")) != NULL;) {
        option(&s, w);
    }
    for (unsigned i = 0; i < count; i++) {
        s.local = numbered(words[2], i);
        s.remote = numbered(words[3], i);
        if (config.head.session_count < SESSIONS_MAX) {
            config.sessions[config.head.session_count++] = s;
        }
    }
}

/* --- the router process --------------------------------------------------------------------------
 */

static void open_port(void *user, uint16_t core, const struct hd_fx_port *p)
{
    struct node *n = user;
    int fd = dup(n->sockets[p->port - 1]);

    if (p->kind != HD_PORT_UDP || hd_driver_port_opened(&n->driver, core, p->port, fd, -1) < 0) {
        die("port");
    }
}

static void close_port(void *user, uint16_t core, const struct hd_fx_port *p)
{
}

static void save(void *user, uint16_t core, uint16_t key, const void *bytes, uint32_t len)
{
}

static double seconds(hd_time at)
{
    return (double)at / 1e9;
}

static const char *plain(const struct hd_ip6 *a, char *buf)
{
    const char *text = hd_ip6_format(a, buf);
    return strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;
}

static void event(void *user, uint16_t core, uint16_t list, const void *row, uint32_t len)
{
    struct node *n = user;
    const struct hd_bfd_row_event *e = row;
    char remote[HD_IP6_TEXT];

    if (list != HD_BFD_LIST_EVENT) {
        return;
    }
    n->downs += e->old_state == HD_BFD_UP;
    if (!n->quiet) {
        printf("%.6f event state=%u old=%u diag=%u remote=%s\n", seconds(hd_clock_now()), e->state,
               e->old_state, e->diag, plain(&e->remote, remote));
    }
}

static void reply(void *user, uint16_t core, const struct hd_fx_reply *r, const void *rows)
{
}

static void route_mtu(void *user, const struct hd_ip6 *prefix, uint32_t len, uint32_t mtu)
{
}

static void print_session(const struct hd_bfd_row_session *r)
{
    char remote[HD_IP6_TEXT];

    printf("row kind=%u state=%u remote-state=%u diag=%u local-discr=%u remote-discr=%u tx-us=%lld "
           "detect-us=%lld ups=%llu downs=%llu sent=%llu received=%llu invalid=%llu late=%llu "
           "polling=%u demand=%u remote=%s\n",
           r->kind, r->state, r->remote_state, r->diag, r->local_discr, r->remote_discr,
           (long long)r->tx_ns / 1000, (long long)r->detect_ns / 1000, (unsigned long long)r->ups,
           (unsigned long long)r->downs, (unsigned long long)r->sent,
           (unsigned long long)r->received, (unsigned long long)r->invalid,
           (unsigned long long)r->late, r->polling, r->demand, plain(&r->remote, remote));
}

static void print_rows(struct node *n, const struct hd_sender_table *t)
{
    struct hd_router *router = n->driver.router;
    struct hd_bfd_row_summary sum = {0};
    struct hd_row_cursor cursor = {0};
    struct hd_bfd_row_session row;
    struct rusage use;
    uint64_t late = 0;

    (void)hd_router_rows(router, HD_CORE_BFD, HD_BFD_LIST_SUMMARY, &cursor, &sum, 1, n->driver.now);
    cursor = (struct hd_row_cursor){0};
    while (!cursor.end) {
        uint32_t got = hd_router_rows(router, HD_CORE_BFD, HD_BFD_LIST_SESSIONS, &cursor, &row, 1,
                                      n->driver.now);
        late += got != 0 ? row.late : 0;
        if (got != 0 && !n->quiet) {
            print_session(&row);
        }
    }
    cursor = (struct hd_row_cursor){0};
    while (!n->quiet && !cursor.end) {
        struct hd_bfd_row_counter c;
        if (hd_router_rows(router, HD_CORE_BFD, HD_BFD_LIST_COUNTERS, &cursor, &c, 1,
                           n->driver.now) != 0 &&
            c.value != 0) {
            printf("counter %s=%llu\n", c.name, (unsigned long long)c.value);
        }
    }
    getrusage(RUSAGE_SELF, &use);
    printf("%.6f summary sessions=%u up=%u downs=%u late=%llu sender-late-us=%llu realtime=%u "
           "router-cpu=%ld.%06ld\n",
           seconds(hd_clock_now()), sum.sessions, sum.up, n->downs, (unsigned long long)late,
           (unsigned long long)atomic_load(&t->late_ns_max) / 1000, atomic_load(&t->realtime),
           use.ru_utime.tv_sec + use.ru_stime.tv_sec +
               (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000000,
           (use.ru_utime.tv_usec + use.ru_stime.tv_usec) % 1000000);
}

/* Tells interfaces that came, went or changed. */
static void look_at_interfaces(struct node *n)
{
    for (unsigned i = 0; i < n->interface_count; i++) {
        struct hd_in_interface *f = &n->interfaces[i];
        struct ifreq r;
        memset(&r, 0, sizeof r);
        snprintf(r.ifr_name, sizeof r.ifr_name, "%.15s", f->name);
        bool there = ioctl(n->sockets[0], SIOCGIFFLAGS, &r) == 0;
        bool up = there && (r.ifr_flags & IFF_RUNNING) != 0 && (r.ifr_flags & IFF_UP) != 0;
        uint32_t ifindex = there ? if_nametoindex(f->name) : f->ifindex;
        if (ifindex == 0 || (ifindex == f->ifindex && up == f->up && there == !f->gone)) {
            continue;
        }
        f->ifindex = ifindex;
        f->up = f->usable = up;
        f->gone = !there;
        struct hd_input in = {.type = HD_IN_INTERFACE, .u.interface = *f};
        hd_driver_input(&n->driver, &in);
    }
}

static void add_interface(struct node *n, const char *name)
{
    for (unsigned i = 0; i < n->interface_count; i++) {
        if (strcmp(n->interfaces[i].name, name) == 0) {
            return;
        }
    }
    if (name[0] != '\0' && n->interface_count < HD_ARRAY_LEN(n->interfaces)) {
        struct hd_in_interface *f = &n->interfaces[n->interface_count++];
        snprintf(f->name, sizeof f->name, "%s", name);
        f->gone = true;
    }
}

static void start(struct node *n, int table, bool again)
{
    struct hd_driver_host host = {.user = n,
                                  .open_port = open_port,
                                  .close_port = close_port,
                                  .save = save,
                                  .event = event,
                                  .reply = reply,
                                  .route_mtu = route_mtu};
    struct hd_driver_options o = {.loop = &n->loop, .log = &n->log, .host = &host};
    uint32_t size = hd_bfd_config_bytes(&config.head);
    uint8_t *flat = calloc(1, size);
    struct hd_start s = {.config = flat, .config_len = size, .resumed = again};

    memcpy(flat, &config, size - config.head.listen_count * sizeof listens[0]);
    memcpy(flat + size - config.head.listen_count * sizeof listens[0], listens,
           config.head.listen_count * sizeof listens[0]);
    o.core = HD_CORE_BFD;
    o.seed = (uint64_t)hd_clock_now();
    if (hd_loop_init(&n->loop) < 0 || hd_driver_init(&n->driver, &o) < 0 ||
        hd_driver_sender(&n->driver, dup(table), HD_CORE_BFD, again) < 0) {
        die("driver");
    }
    for (uint32_t i = 1; i <= secret_count; i++) {
        if (hd_driver_secret(&n->driver, i, secrets[i].bytes, secrets[i].len) < 0) {
            die("secret");
        }
    }
    if (hd_driver_start(&n->driver, HD_CORE_BFD, &s) < 0) {
        fprintf(stderr, "the core refuses this configuration\n");
        exit(2);
    }
    for (uint32_t i = 0; i < config.head.session_count; i++) {
        add_interface(n, config.sessions[i].interface);
    }
    for (uint32_t i = 0; i < config.head.listen_count; i++) {
        add_interface(n, listens[i].interface);
    }
}

static void be_router(int table, const int sockets[3], bool again, bool quiet, hd_time rows_every)
{
    static struct node n;
    struct sched_param param = {.sched_priority = 40};
    hd_time look_at = 0, rows_at = hd_clock_now() + rows_every;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sched_setscheduler(0, SCHED_FIFO, &param);
    memcpy(n.sockets, sockets, sizeof n.sockets);
    n.quiet = quiet;
    hd_log_init(&n.log, "bfd-node", HD_LOG_NOTICE);
    start(&n, table, again);
    const struct hd_sender_table *t = hd_sender_table_map(table);
    while (!stopping) {
        hd_driver_turn(&n.driver);
        hd_time now = hd_clock_now();
        if (now >= look_at) {
            look_at_interfaces(&n);
            look_at = now + LOOK_EVERY;
        }
        if (rows_every != 0 && now >= rows_at) {
            print_rows(&n, t);
            rows_at = now + rows_every;
        }
        hd_loop_wait(&n.loop, hd_time_min(look_at, hd_driver_deadline(&n.driver)));
    }
    print_rows(&n, t);
    hd_driver_stop(&n.driver);
    hd_driver_free(&n.driver);
    exit(0);
}

/* --- the keeper
 * ----------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const uint16_t numbers[3] = {HD_BFD_PORT, HD_BFD_MULTIHOP_PORT, HD_BFD_ECHO_PORT};
    int sockets[3], raw[2], at = 1;
    bool quiet = false;
    hd_time rows_every = 0;
    struct hd_sender *sender;

    hd_bfd_config_default(&config.head);
    for (; at < argc && argv[at][0] == '-'; at++) {
        quiet = quiet || strcmp(argv[at], "--quiet") == 0;
        if (strcmp(argv[at], "--rows") == 0 && at + 1 < argc) {
            rows_every = HD_MS(atoi(argv[++at]) * 1000LL);
        }
    }
    for (; at < argc; at++) {
        add(argv[at]);
    }
    int table = hd_sender_table_make();
    struct hd_sender_table *t = table >= 0 ? hd_sender_table_map(table) : NULL;
    for (unsigned i = 0; i < 3; i++) {
        sockets[i] = hd_udp_open(numbers[i]);
    }
    if (t == NULL || hd_sender_sockets(raw) < 0 || sockets[0] < 0 || sockets[1] < 0) {
        die("sockets");
    }
    struct sigaction stop = {.sa_handler = on_stop};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    if (hd_sender_start(&sender, t, raw) < 0) {
        die("sender");
    }
    for (bool again = false; !stopping; again = true) {
        pid_t child = fork();
        if (child == 0) {
            be_router(table, sockets, again, quiet, rows_every);
        }
        printf("router %d\n", (int)child);
        fflush(stdout);
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
            kill(child, SIGTERM);
        }
        if (WIFEXITED(status)) {
            break;
        }
    }
    usleep(50000); /* the goodbye leaves */
    hd_sender_stop(sender);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("sender-cpu=%ld.%06ld\n", use.ru_utime.tv_sec + use.ru_stime.tv_sec,
           use.ru_utime.tv_usec + use.ru_stime.tv_usec);
    return 0;
}
