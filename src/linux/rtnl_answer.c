/* SPDX-License-Identifier: Apache-2.0 */
/* See rtnl_answer.h. */
#include "linux/rtnl_answer.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>

struct answer {
    uint32_t sequence;
    unsigned port;
    bool torn;
    int (*each)(const struct nlmsghdr *h, void *user);
    void *user;
};

/* One message: libmnl knows what ends an answer. Its own test for torn dumps would end it early. */
static int take(struct answer *a, struct nlmsghdr *h)
{
    if ((h->nlmsg_flags & NLM_F_DUMP_INTR) != 0) {
        a->torn = true;
        h->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
    }
    return mnl_cb_run(h, h->nlmsg_len, a->sequence, a->port, a->each, a->user);
}

static int take_all(struct answer *a, void *buffer, size_t bytes)
{
    struct nlmsghdr *h = buffer;
    int left = (int)bytes, run = MNL_CB_OK;

    while (run > MNL_CB_STOP && mnl_nlmsg_ok(h, left)) {
        struct nlmsghdr *following = mnl_nlmsg_next(h, &left);
        if (h->nlmsg_seq == a->sequence) {
            run = take(a, h);
        }
        h = following;
    }
    return run;
}

int hd_rtnl_answer(struct mnl_socket *s, uint32_t sequence, void *buffer, size_t size,
                   int (*each)(const struct nlmsghdr *h, void *user), void *user)
{
    struct answer a = {
        .sequence = sequence, .port = mnl_socket_get_portid(s), .each = each, .user = user};
    int run = MNL_CB_OK;

    while (run > MNL_CB_STOP) {
        ssize_t got = mnl_socket_recvfrom(s, buffer, size);
        if (got > 0) {
            run = take_all(&a, buffer, (size_t)got);
        } else if (got == 0 || errno != EINTR) {
            return HD_EAGAIN;
        }
    }
    if (run < MNL_CB_STOP) {
        return HD_ESYS;
    }
    return a.torn ? HD_EAGAIN : 0;
}
