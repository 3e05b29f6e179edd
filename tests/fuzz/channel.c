/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any datagrams, with any number of descriptors, into the reader of channels between the processes:
 * what is handed on fits the table and can be sent again, and no descriptor stays behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/channel.h"
#include "fuzz/bytes.h"

#define RECORDS_MAX 16
#define FDS_SENT    (HD_CHANNEL_FDS_MAX + 2)

static int open_count(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    FUZZ_CHECK(d != NULL);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* Sends raw bytes with copies of a descriptor, past everything that hd_channel_send checks. */
static bool send_raw(int to, const uint8_t *bytes, size_t len, unsigned nfds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FDS_SENT)];
    } control = {.bytes = {0}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nfds > 0) {
        struct cmsghdr *c = &control.align;

        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        for (unsigned i = 0; i < nfds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &to, sizeof to);
    }
    return sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

/* What was accepted is sent on as it is, and must be accepted again. */
static void pass_on(const int ends[2], const struct hd_message *m, size_t body_len)
{
    static _Alignas(8) uint8_t buf[HD_CHANNEL_MAX];
    struct hd_message again;

    FUZZ_CHECK(
        hd_channel_send_fds(ends[0], m->type, m->body, m->tail, m->tail_len, m->fds, m->nfds) == 0);
    FUZZ_CHECK(hd_channel_receive(ends[1], buf, sizeof buf, &again) == 1);
    FUZZ_CHECK(again.type == m->type && again.tail_len == m->tail_len && again.nfds == m->nfds);
    FUZZ_CHECK(m->tail_len == 0 || memcmp(again.tail, m->tail, m->tail_len) == 0);
    FUZZ_CHECK(body_len < 8 || memcmp(again.body, m->body, body_len - 7) == 0);
    hd_message_close(&again);
}

static void check_record(const int ends[2], struct hd_message *m, const uint8_t *buf, size_t len)
{
    const uint8_t *body = m->body, *tail = m->tail;

    FUZZ_CHECK(m->type >= HD_MSG_HELLO && m->type < HD_MSG_TYPE_END);
    FUZZ_CHECK(m->nfds <= HD_CHANNEL_FDS_MAX && m->tail_len <= HD_CHANNEL_TAIL_MAX);
    FUZZ_CHECK(body == buf + 8 && (tail == NULL || (tail - buf) % 8 == 0));
    FUZZ_CHECK(tail == NULL ? m->tail_len == 0 : tail + m->tail_len == buf + len);
    size_t room = tail != NULL ? (size_t)(tail - body) : len - 8;

    pass_on(ends, m, room);
    (void)!hd_channel_hello_check(m);
}

static void record(struct bytes *b, const int ends[2])
{
    static _Alignas(8) uint8_t raw[HD_CHANNEL_MAX + 64], buf[HD_CHANNEL_MAX];
    struct hd_message m;
    unsigned nfds = byte(b);
    uint16_t len;

    (void)take(b, &len, sizeof len);
    size_t have = take(b, raw, len % sizeof raw);

    /* mostly well-formed heads, or the fuzzer would never find the length of a tail */
    nfds = nfds < 128 ? 0 : nfds < 192 ? 1 : nfds % (FDS_SENT + 1);
    if (have == 0 || !send_raw(ends[0], raw, have, nfds))
        return;
    int got = hd_channel_receive(ends[1], buf, sizeof buf, &m);

    FUZZ_CHECK(got == 1 || got == HD_EMALFORMED);
    if (got == 1)
        check_record(ends, &m, buf, have);
    hd_message_close(&m);
    FUZZ_CHECK(hd_channel_receive(ends[1], buf, sizeof buf, &m) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static int before;
    struct bytes b = {bytes, bytes + len};
    int ends[2];

    if (before == 0)
        before = open_count();
    FUZZ_CHECK(hd_channel_pair(ends) == 0);
    for (unsigned i = 0; i < RECORDS_MAX && b.at < b.end; i++)
        record(&b, ends);
    close(ends[0]);
    close(ends[1]);
    FUZZ_CHECK(open_count() == before);
    return 0;
}
