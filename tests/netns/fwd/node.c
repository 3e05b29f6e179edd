/* SPDX-License-Identifier: Apache-2.0 */
/* See node.h. */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/icmp.h"

#define POOL_BYTES  (16u << 20)
#define KINDS       (HD_REPORT_REPAIRED + 1)
#define OWNER       1
#define SERVE_EVERY 64

enum op {
    OP_OPEN,
    OP_RESTART,
    OP_CLOSE,
    OP_INTERFACE,
    OP_ADJ,
    OP_ADJ_SET,
    OP_GUARD,
    OP_LABEL,
    OP_LABEL_DEL,
    OP_ROUTE,
    OP_ROUTE_DEL,
    OP_ADOPTED,
    OP_SWEEP,
    OP_COUNTER,
    OP_REPORTS,
    OP_UNPRIVILEGED,
};

struct request {
    enum op op;
    uint32_t a, b;
    bool flag;
    char name[32];
    struct hd_adj_value adj;
    struct hd_guard_value guard;
    struct hd_label label;
    struct hd_label_value label_value;
    struct hd_route_key route;
    struct hd_route_value route_value;
    struct hd_repair repair;
};

struct answer {
    int64_t value;
    struct hd_in_report report;
};

/* The process's side. */
struct self {
    unsigned number;
    uint16_t label_prefix;
    enum hd_fwd_backend backend;
    char pin_dir[128];
    struct hd_fwd_setup *setup;
    struct hd_fwd *fwd;
    struct hd_pool *pool;
    struct hd_model model;
    int icmp;
    struct hd_icmp_limiter limiter;
    uint32_t count[KINDS];
    struct hd_in_report last[KINDS];
};

/* --- the process
 * ----------------------------------------------------------------------------------- */

static void on_report(void *user, const struct hd_in_report *r)
{
    struct self *s = user;

    HD_ASSERT(r->kind > 0 && r->kind < KINDS);
    s->count[r->kind]++;
    s->last[r->kind] = *r;
}

static void on_icmp_error(void *user, uint8_t type, uint8_t code, uint32_t value,
                          const uint8_t *packet, uint32_t len)
{
    struct hd_icmp_error e = {.type = type, .code = code, .value = value};
    struct self *s = user;
    int error = hd_icmp_send(s->icmp, &s->limiter, (hd_time)now_ns(), &e, packet, len);

    /* No room: the data plane dropped the error itself, for want of a way back. */
    if (error == HD_ESYS || error == HD_EINVAL)
        fprintf(stderr, "node %u: ICMPv6 error %u: %s (%s)\n", s->number, type,
                hd_error_name(error), strerror(errno));
}

static void fresh_model(struct self *s)
{
    void *region = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    HD_ASSERT(region != MAP_FAILED);
    if (s->pool != NULL)
        munmap(s->pool, POOL_BYTES);
    s->pool = hd_pool_create(region, POOL_BYTES);
    HD_ASSERT(hd_model_init(&s->model, s->pool, 4711) == 0);
}

/* The fast half must live without the set-up half's descriptors: it gets duplicates. */
static int open_fast(struct self *s)
{
    struct hd_fwd_handles h;

    hd_fwd_setup_handles(s->setup, &h);
    for (uint32_t i = 0; i < h.count; i++)
        h.fds[i] = fcntl(h.fds[i], F_DUPFD_CLOEXEC, 3);
    return hd_fwd_open(&s->fwd, &h);
}

static int open_all(struct self *s, bool adopt, const struct hd_fwd_handles *kept)
{
    struct hd_fwd_setup_options o = {.backend = s->backend,
                                     .own_address = node_address(s->number),
                                     .own_id = node_id(s->number),
                                     .node_prefix = HD_KIRA_NODE_PREFIX,
                                     .label_prefix = s->label_prefix,
                                     .pin_dir = s->pin_dir,
                                     .adopt = adopt,
                                     .kept = kept};
    char why[256] = "";
    int error = hd_fwd_setup_open(&s->setup, &o, why);

    if (error != 0) {
        fprintf(stderr, "node %u: %s: %s\n", s->number, hd_error_name(error), why);
        return error;
    }
    fresh_model(s);
    error = open_fast(s);
    if (error == 0 && adopt)
        error = hd_fwd_adopt(s->fwd, &s->model, OWNER);
    if (error == 0 && s->icmp < 0)
        s->icmp = hd_icmp_open(HD_KIRA_LABEL_PREFIX);
    return error != 0 ? error : s->icmp < 0 ? s->icmp : 0;
}

static void close_all(struct self *s, bool keep)
{
    hd_fwd_close(s->fwd);
    s->fwd = NULL;
    hd_fwd_setup_close(s->setup, keep);
    s->setup = NULL;
}

/* Like the keeper, which holds duplicates meanwhile. */
static int restart(struct self *s)
{
    struct hd_fwd_handles kept;

    hd_fwd_setup_handles(s->setup, &kept);
    for (uint32_t i = 0; i < kept.count; i++)
        kept.fds[i] = fcntl(kept.fds[i], F_DUPFD_CLOEXEC, 3);
    close_all(s, true);
    int error = open_all(s, true, &kept);
    for (uint32_t i = 0; i < kept.count; i++)
        close(kept.fds[i]);
    return error;
}

static int64_t counter(struct self *s, const char *name)
{
    struct hd_fwd_counter c[64];
    uint32_t n = hd_fwd_counters(s->fwd, c, HD_ARRAY_LEN(c));

    for (uint32_t i = 0; i < n; i++)
        if (strcmp(c[i].name, name) == 0)
            return (int64_t)c[i].value;
    return -1;
}

static uint32_t count_adopted(const struct self *s, enum hd_object_kind kind)
{
    uint32_t n = 0;

    for (uint32_t i = 0; (i = hd_model_next(&s->model, kind, i)) != 0;)
        n += kind == HD_OBJ_ADJ     ? hd_model_adj(&s->model, i)->o.adopted
             : kind == HD_OBJ_GUARD ? hd_model_guard(&s->model, i)->o.adopted
             : kind == HD_OBJ_LABEL ? hd_model_label_at(&s->model, i)->o.adopted
                                    : hd_model_route_at(&s->model, i)->o.adopted;
    return n;
}

static int64_t edit(struct self *s, const struct request *q)
{
    struct hd_label_entry *e;

    switch (q->op) {
    case OP_ADJ:
        return hd_model_adj_add(&s->model, OWNER, &q->adj);
    case OP_GUARD:
        return hd_model_guard_add(&s->model, OWNER, &q->guard);
    case OP_ADJ_SET:
        hd_model_adj_set(&s->model, q->a, &q->adj);
        return 0;
    case OP_LABEL:
        e = hd_model_label_set(&s->model, OWNER, &q->label, &q->label_value);
        return e == NULL ? HD_ENOMEM : hd_model_label_repair(&s->model, e, &q->repair);
    case OP_LABEL_DEL:
        hd_model_label_del(&s->model, &q->label);
        return 0;
    case OP_ROUTE:
        if (hd_model_route_set(&s->model, OWNER, &q->route, &q->route_value) != 0)
            return HD_ENOMEM;
        return hd_model_route_repair(&s->model, hd_model_route_find(&s->model, &q->route),
                                     &q->repair);
    case OP_ROUTE_DEL:
        hd_model_route_del(&s->model, &q->route);
        return 0;
    default:
        hd_model_sweep(&s->model, OWNER);
        return 0;
    }
}

static int use_interface(struct self *s, const struct request *q)
{
    char why[256] = "";
    int error = hd_fwd_setup_interface(s->setup, q->a, q->b, q->flag, why);

    if (error != 0)
        fprintf(stderr, "node %u: %s: %s\n", s->number, hd_error_name(error), why);
    return error;
}

static void drop_all(void)
{
    HD_ASSERT(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    HD_ASSERT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    HD_ASSERT(socket(AF_PACKET, SOCK_RAW, 0) < 0); /* they are gone */
}

static int work_unprivileged(struct self *s)
{
    struct hd_label_value v = {.act = HD_LABEL_DECAP};
    struct hd_label l = {{0x77}};
    struct hd_label_entry *e;

    drop_all();
    fresh_model(s);
    if (open_fast(s) != 0)
        return 1;
    if (hd_fwd_adopt(s->fwd, &s->model, OWNER) != 0 || count_adopted(s, HD_OBJ_ADJ) == 0)
        return 2;
    e = hd_model_label_set(&s->model, OWNER, &l, &v);
    hd_fwd_apply(s->fwd, &s->model);
    if (e == NULL || (e = hd_model_label_find(&s->model, &l)) == NULL || !e->o.installed)
        return 3;
    hd_model_label_del(&s->model, &l);
    hd_fwd_apply(s->fwd, &s->model);
    if (hd_model_label_find(&s->model, &l) != NULL)
        return 4;
    /* The counters of eBPF are in the kernel. */
    return s->backend == HD_FWD_TUN || counter(s, "forward.swapped") > 0 ? 0 : 5;
}

static int unprivileged(struct self *s)
{
    fflush(NULL);
    pid_t pid = fork();

    HD_ASSERT(pid >= 0);
    if (pid == 0)
        _exit(work_unprivileged(s));
    return wait_for(pid);
}

static void serve(struct self *s, const struct request *q, struct answer *a)
{
    switch (q->op) {
    case OP_OPEN:
        a->value = open_all(s, q->flag, NULL);
        break;
    case OP_RESTART:
        s->label_prefix = (uint16_t)q->a;
        a->value = restart(s);
        break;
    case OP_CLOSE:
        close_all(s, false);
        break;
    case OP_INTERFACE:
        a->value = use_interface(s, q);
        break;
    case OP_UNPRIVILEGED:
        a->value = unprivileged(s);
        break;
    case OP_ADOPTED:
        a->value = count_adopted(s, (enum hd_object_kind)q->a);
        break;
    case OP_COUNTER:
        a->value = counter(s, q->name);
        break;
    case OP_REPORTS:
        a->value = s->count[q->a];
        a->report = s->last[q->a];
        s->count[q->a] = 0;
        break;
    default:
        a->value = edit(s, q);
        hd_fwd_apply(s->fwd, &s->model);
        break;
    }
}

static void drain(struct self *s)
{
    struct hd_fwd_sink sink = {s, on_report, on_icmp_error};
    struct hd_ip6 own = node_address(s->number);
    struct hd_in_report r;

    if (s->fwd != NULL)
        hd_fwd_poll(s->fwd, &s->model, &sink, SERVE_EVERY);
    while (s->icmp >= 0) {
        int error = hd_icmp_receive(s->icmp, &own, HD_KIRA_LABEL_PREFIX, &r);
        if (error == 0)
            on_report(s, &r);
        else if (error != HD_EMALFORMED)
            break;
    }
}

static void loop(struct self *s, int channel)
{
    struct request q;

    for (;;) {
        struct pollfd p[3] = {
            {.fd = channel, .events = POLLIN},
            {.fd = s->fwd != NULL ? hd_fwd_poll_fd(s->fwd) : -1, .events = POLLIN},
            {.fd = s->icmp, .events = POLLIN}};
        poll(p, 3, -1);
        drain(s);
        if (p[0].revents == 0)
            continue;
        if (recv(channel, &q, sizeof q, 0) != sizeof q)
            break;
        struct answer a = {.value = 0};
        serve(s, &q, &a);
        drain(s);
        if (send(channel, &a, sizeof a, MSG_NOSIGNAL) != sizeof a)
            break;
    }
}

static void child(unsigned number, enum hd_fwd_backend backend, int channel)
{
    struct self s = {
        .number = number, .label_prefix = HD_KIRA_LABEL_PREFIX, .backend = backend, .icmp = -1};
    char ready = 1;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Mounts of its own as well: the pins go with the process, however it ends. */
    HD_ASSERT(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0);
    HD_ASSERT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    /* No waiting for duplicate address detection on links. */
    HD_ASSERT(shell(0, "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; "
                       "echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad; ip link set lo up") == 0);
    snprintf(s.pin_dir, sizeof s.pin_dir, "/tmp/hd-fwd-test-%d", (int)getpid());
    hd_icmp_limiter_init(&s.limiter, 1);
    HD_ASSERT(send(channel, &ready, 1, 0) == 1);
    loop(&s, channel);
    if (s.setup != NULL)
        close_all(&s, false);
    rmdir(s.pin_dir);
    _exit(0);
}

/* --- the test's side
 * --------------------------------------------------------------------------------- */

static struct answer ask(struct node *n, const struct request *q)
{
    struct answer a = {.value = HD_ESYS};

    HD_ASSERT(send(n->channel, q, sizeof *q, MSG_NOSIGNAL) == sizeof *q);
    HD_ASSERT(recv(n->channel, &a, sizeof a, 0) == sizeof a);
    return a;
}

void node_start(struct node *n, unsigned number, enum hd_fwd_backend backend)
{
    int pair[2];
    char ready;

    HD_ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    fflush(NULL);
    n->number = number;
    n->pid = fork();
    HD_ASSERT(n->pid >= 0);
    if (n->pid == 0) {
        close(pair[0]);
        child(number, backend, pair[1]);
    }
    close(pair[1]);
    n->channel = pair[0];
    HD_ASSERT(recv(n->channel, &ready, 1, 0) == 1);
}

void node_stop(struct node *n)
{
    close(n->channel);
    HD_ASSERT(wait_for(n->pid) == 0);
}

int node_open(struct node *n, bool adopt)
{
    return (int)ask(n, &(struct request){.op = OP_OPEN, .flag = adopt}).value;
}

int node_restart(struct node *n)
{
    return node_restart_as(n, HD_KIRA_LABEL_PREFIX);
}

int node_restart_as(struct node *n, uint16_t label_prefix)
{
    return (int)ask(n, &(struct request){.op = OP_RESTART, .a = label_prefix}).value;
}

int node_unprivileged(struct node *n)
{
    return (int)ask(n, &(struct request){.op = OP_UNPRIVILEGED}).value;
}

void node_close(struct node *n)
{
    ask(n, &(struct request){.op = OP_CLOSE});
}

int node_interface(struct node *n, uint32_t ifindex, uint32_t mtu, bool use)
{
    struct request q = {.op = OP_INTERFACE, .a = ifindex, .b = mtu, .flag = use};

    return (int)ask(n, &q).value;
}

uint32_t node_adj(struct node *n, const struct hd_adj_value *v)
{
    int64_t adj = ask(n, &(struct request){.op = OP_ADJ, .adj = *v}).value;

    HD_ASSERT(adj > 0);
    return (uint32_t)adj;
}

uint16_t node_guard(struct node *n, const struct hd_guard_value *v)
{
    int64_t guard = ask(n, &(struct request){.op = OP_GUARD, .guard = *v}).value;

    HD_ASSERT(guard > 0);
    return (uint16_t)guard;
}

static struct hd_repair repair;

void node_repairs(const struct hd_repair *r)
{
    repair = *r;
}

void node_adj_set(struct node *n, uint32_t adj, const struct hd_adj_value *v)
{
    ask(n, &(struct request){.op = OP_ADJ_SET, .a = adj, .adj = *v});
}

void node_label(struct node *n, const struct hd_label *key, const struct hd_label_value *v)
{
    struct request q = {.op = OP_LABEL, .label = *key, .label_value = *v, .repair = repair};

    HD_ASSERT(ask(n, &q).value == 0);
}

void node_label_del(struct node *n, const struct hd_label *key)
{
    ask(n, &(struct request){.op = OP_LABEL_DEL, .label = *key});
}

void node_route(struct node *n, const struct hd_ip6 *to, uint8_t len,
                const struct hd_route_value *v)
{
    struct request q = {.op = OP_ROUTE, .route = {*to, len}, .route_value = *v, .repair = repair};

    HD_ASSERT(ask(n, &q).value == 0);
}

void node_route_del(struct node *n, const struct hd_ip6 *to, uint8_t len)
{
    ask(n, &(struct request){.op = OP_ROUTE_DEL, .route = {*to, len}});
}

uint32_t node_adopted(struct node *n, enum hd_object_kind kind)
{
    return (uint32_t)ask(n, &(struct request){.op = OP_ADOPTED, .a = kind}).value;
}

void node_sweep(struct node *n)
{
    ask(n, &(struct request){.op = OP_SWEEP});
}

uint64_t node_counter(struct node *n, const char *name)
{
    struct request q = {.op = OP_COUNTER};

    snprintf(q.name, sizeof q.name, "%s", name);
    int64_t value = ask(n, &q).value;
    HD_ASSERT(value >= 0); /* the name exists */
    return (uint64_t)value;
}

uint32_t node_reports(struct node *n, enum hd_report_kind kind, struct hd_in_report *last)
{
    struct answer a = ask(n, &(struct request){.op = OP_REPORTS, .a = kind});

    if (last != NULL)
        *last = a.report;
    return (uint32_t)a.value;
}
