/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records over SOCK_SEQPACKET (channel.h). A record is a head of eight bytes, the body whose size
 * its type fixes, and for some types a tail. Whatever differs from the table below is consumed, its
 * descriptors are closed, and the receiver learns HD_EMALFORMED: one process may be in the hands of
 * an attacker, and the other must not trust its lengths.
 */
#include "daemon/channel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base.h"

struct head {
    uint16_t type;
    uint16_t zero;
    uint32_t tail_len;
};

struct row {
    uint16_t body;
    uint8_t fds_min, fds_max;
    uint8_t tail;
};

#define BODY(type) (uint16_t)sizeof(struct type)

static const struct row table[HD_MSG_TYPE_END] = {
    [HD_MSG_HELLO] = {BODY(hd_msg_hello), 0, 0, 0},
    [HD_MSG_PEER] = {BODY(hd_msg_peer), 1, 1, 0},
    [HD_MSG_READY] = {0, 0, 0, 0},
    [HD_MSG_FATAL] = {0, 0, 0, 1},
    [HD_MSG_STOP] = {BODY(hd_msg_stop), 0, 0, 0},
    [HD_MSG_DEPOSIT] = {BODY(hd_msg_name), 0, HD_CHANNEL_FDS_MAX, 0},
    [HD_MSG_DEPOSITED] = {BODY(hd_msg_name), 0, HD_CHANNEL_FDS_MAX, 0},
    [HD_MSG_CONTROL] = {BODY(hd_msg_control), 0, 0, 0},
    [HD_MSG_PROCESSES] = {0, 0, 0, 1},
    [HD_MSG_SENDER] = {0, 1, 1, 0},
    [HD_MSG_RECALL] = {0, 1, 1, 0},
    [HD_MSG_BEGIN] = {BODY(hd_msg_begin), 0, 0, 0},
    [HD_MSG_KEY] = {BODY(hd_msg_key), 0, 0, 0},
    [HD_MSG_SAVED] = {BODY(hd_msg_value), 0, 0, 1},
    [HD_MSG_FORWARDING] = {BODY(hd_msg_forwarding), 0, HD_CHANNEL_FDS_MAX, 0},
    [HD_MSG_ICMP] = {0, 1, 1, 0},
    [HD_MSG_INTERFACE] = {BODY(hd_msg_interface), 0, 0, 0},
    [HD_MSG_ADDRESS] = {BODY(hd_msg_address), 0, 0, 0},
    [HD_MSG_KEPT_PORT] = {BODY(hd_msg_port), 1, 2, 0},
    [HD_MSG_FOUND] = {BODY(hd_msg_virtual), 0, 0, 0},
    [HD_MSG_FOREIGN] = {BODY(hd_msg_foreign), 0, 0, 1},
    [HD_MSG_SYNCED] = {0, 0, 0, 0},
    [HD_MSG_PORT] = {BODY(hd_msg_port_opened), 0, 2, 0},
    [HD_MSG_SAVE_DONE] = {BODY(hd_msg_value), 0, 0, 0},
    [HD_MSG_VIRTUAL_DONE] = {BODY(hd_msg_virtual), 0, 0, 0},
    [HD_MSG_OPEN_PORT] = {BODY(hd_msg_port), 0, 0, 0},
    [HD_MSG_CLOSE_PORT] = {BODY(hd_msg_port), 0, 0, 0},
    [HD_MSG_SAVE] = {BODY(hd_msg_value), 0, 0, 1},
    [HD_MSG_ROUTE_MTU] = {BODY(hd_msg_route_mtu), 0, 0, 0},
    [HD_MSG_VIRTUAL] = {BODY(hd_msg_virtual), 0, 0, 0},
    [HD_MSG_ROWS_REQ] = {BODY(hd_msg_rows_req), 0, 0, 0},
    [HD_MSG_COMMAND] = {BODY(hd_msg_command), 0, 0, 1},
    [HD_MSG_SUBSCRIBE] = {BODY(hd_msg_subscribe), 0, 0, 0},
    [HD_MSG_ROWS_RSP] = {BODY(hd_msg_rows_rsp), 0, 0, 1},
    [HD_MSG_REPLY] = {BODY(hd_msg_reply), 0, 0, 1},
    [HD_MSG_EVENT] = {BODY(hd_msg_event), 0, 0, 1},
    [HD_MSG_CONFIG_ASK] = {BODY(hd_msg_config_ask), 0, 0, 1},
    [HD_MSG_CONFIG_SAY] = {BODY(hd_msg_config_say), 0, 0, 1},
    [HD_MSG_CONFIG_BEGIN] = {BODY(hd_msg_config_begin), 0, 0, 0},
    [HD_MSG_CONFIG_PART] = {BODY(hd_msg_config_part), 0, 0, 1},
    [HD_MSG_CONFIG_END] = {BODY(hd_msg_config_end), 0, 0, 0},
    [HD_MSG_CONFIG_DONE] = {BODY(hd_msg_config_done), 0, 0, 0},
};

/* Tails start at a multiple of eight, so that rows in them may be read in place. */
static size_t body_room(const struct row *r)
{
    return ((size_t)r->body + 7) & ~(size_t)7;
}

static bool known(unsigned type)
{
    return type >= HD_MSG_HELLO && type < HD_MSG_TYPE_END;
}

int hd_channel_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0
               ? 0
               : HD_ESYS;
}

static int send_result(ssize_t n)
{
    if (n >= 0) {
        return 0;
    }
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ETOOMANYREFS:
        return HD_EAGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return HD_ENOENT;
    default:
        return HD_ESYS;
    }
}

static void attach_fds(struct msghdr *msg, void *control, const int *fds, unsigned nfds)
{
    struct cmsghdr *c = control;
    msg->msg_control = control;
    msg->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
    memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
}

int hd_channel_send_fds(int fd, enum hd_message_type type, const void *body, const void *tail,
                        size_t tail_len, const int *fds, unsigned nfds)
{
    static const uint8_t padding[8];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * HD_CHANNEL_FDS_MAX)];
    } control;
    if (!known(type) || tail_len > HD_CHANNEL_TAIL_MAX || nfds > HD_CHANNEL_FDS_MAX) {
        return HD_EINVAL;
    }
    const struct row *r = &table[type];
    struct head h = {.type = (uint16_t)type, .tail_len = (uint32_t)tail_len};
    struct iovec iov[4] = {
        {.iov_base = &h, .iov_len = sizeof h},
        {.iov_base = (void *)(uintptr_t)body, .iov_len = r->body},
        {.iov_base = (void *)(uintptr_t)padding, .iov_len = body_room(r) - r->body},
        {.iov_base = (void *)(uintptr_t)tail, .iov_len = tail_len},
    };
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 4};
    if (nfds > 0 && fds != NULL) {
        memset(&control, 0, sizeof control);
        attach_fds(&msg, control.bytes, fds, nfds);
    }
    return send_result(sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));
}

int hd_channel_send(int fd, enum hd_message_type type, const void *body, const void *tail,
                    size_t tail_len)
{
    return hd_channel_send_fds(fd, type, body, tail, tail_len, NULL, 0);
}

int hd_channel_send_wait(int fd, enum hd_message_type type, const void *body, const void *tail,
                         size_t tail_len, int timeout_ms)
{
    int error = hd_channel_send(fd, type, body, tail, tail_len);
    if (error == HD_EAGAIN) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, timeout_ms) > 0) {
            error = hd_channel_send(fd, type, body, tail, tail_len);
        }
    }
    return error;
}

static void take_fds(struct msghdr *msg, struct hd_message *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < n && m->nfds < HD_CHANNEL_FDS_MAX; i++) {
            memcpy(&m->fds[m->nfds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        }
    }
}

static int check(const struct msghdr *msg, size_t got, const void *buf, struct hd_message *m)
{
    struct head h;
    if (got < sizeof h || (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return HD_EMALFORMED;
    }
    memcpy(&h, buf, sizeof h);
    if (!known(h.type) || h.zero != 0) {
        return HD_EMALFORMED;
    }
    const struct row *r = &table[h.type];
    size_t room = body_room(r);
    if (h.tail_len > HD_CHANNEL_TAIL_MAX || got != sizeof h + room + h.tail_len ||
        (h.tail_len > 0 && r->tail == 0) || m->nfds < r->fds_min || m->nfds > r->fds_max) {
        return HD_EMALFORMED;
    }
    m->type = h.type;
    m->body = (const uint8_t *)buf + sizeof h;
    m->tail_len = h.tail_len;
    m->tail = r->tail != 0 ? (const uint8_t *)buf + sizeof h + room : NULL;
    return 1;
}

int hd_channel_receive(int fd, void *buf, size_t size, struct hd_message *m)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * HD_CHANNEL_FDS_MAX)];
    } control;
    struct iovec iov = {.iov_base = buf, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    memset(m, 0, sizeof *m);
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : HD_ENOENT;
    }
    take_fds(&msg, m);
    if (n == 0) {
        hd_message_close(m);
        return HD_ENOENT;
    }
    int result = check(&msg, (size_t)n, buf, m);
    if (result < 0) {
        hd_message_close(m);
    }
    return result;
}

void hd_message_close(struct hd_message *m)
{
    for (unsigned i = 0; i < m->nfds; i++) {
        if (m->fds[i] >= 0) {
            close(m->fds[i]);
        }
    }
    m->nfds = 0;
}

/* --- build id ------------------------------------------------------------------------------------
 */

static int find_note(struct dl_phdr_info *info, size_t size, void *out)
{
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_NOTE) {
            continue;
        }
        const uint8_t *at = (const uint8_t *)(info->dlpi_addr + p->p_vaddr);
        const uint8_t *end = at + p->p_memsz;
        while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
            ElfW(Nhdr) n;
            memcpy(&n, at, sizeof n);
            size_t name = (n.n_namesz + 3u) & ~3u, desc = (n.n_descsz + 3u) & ~3u;
            if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4) {
                memcpy(out, at + sizeof n + name, HD_MIN((size_t)n.n_descsz, HD_BUILD_ID));
                return 1;
            }
            at += sizeof n + name + desc;
        }
    }
    return 1; /* the first object is the program: look no further */
}

const uint8_t *hd_build_id(void)
{
    static uint8_t id[HD_BUILD_ID];
    static bool known_id;
    if (!known_id) {
        dl_iterate_phdr(find_note, id);
        known_id = true;
    }
    return id;
}

int hd_channel_hello(int fd, enum hd_role own)
{
    struct hd_msg_hello h = {.role = own, .pid = (uint32_t)getpid()};
    memcpy(h.build_id, hd_build_id(), HD_BUILD_ID);
    return hd_channel_send(fd, HD_MSG_HELLO, &h, NULL, 0);
}

int hd_channel_hello_check(const struct hd_message *m)
{
    const struct hd_msg_hello *h = m->body;
    return m->type == HD_MSG_HELLO && memcmp(h->build_id, hd_build_id(), HD_BUILD_ID) == 0
               ? 0
               : HD_EPERM;
}

const char *hd_role_name(enum hd_role role)
{
    static const char *const names[HD_ROLE_COUNT] = {"keeper", "system", "router", "manage"};
    return role < HD_ROLE_COUNT ? names[role] : "?";
}
