/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of the `tun` back-end (fwd_tun.h): a queue of pieces that goes out in one system call, and
 * the way up into kira0. Payload is never copied: a piece is headers of its own and a part of the
 * buffer in which the packet came, so the queue is flushed before a buffer is used again.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/fwd_tun.h"

#define QUEUE_MAX 64

struct hd_tun_output {
    uint32_t count;
    struct hd_tun_piece piece[QUEUE_MAX];
    struct iovec part[QUEUE_MAX][2];
    struct sockaddr_ll to[QUEUE_MAX];
    struct mmsghdr message[QUEUE_MAX];
};

int hd_tun_output_make(struct hd_tun *t)
{
    t->out = calloc(1, sizeof *t->out);
    return t->out == NULL ? HD_ENOMEM : HD_OK;
}

void hd_tun_output_free(struct hd_tun *t)
{
    free(t->out);
    t->out = NULL;
}

void hd_tun_flush(struct hd_tun *t)
{
    struct hd_tun_output *o = t->out;
    for (uint32_t done = 0; done < o->count;) {
        int n = sendmmsg(t->send, o->message + done, o->count - done, MSG_DONTWAIT);
        if (n > 0) {
            done += (uint32_t)n;
        } else if (errno != EINTR) {
            /* This one cannot go (queue full, link down...); the others are tried. */
            t->counters[HD_TUN_DROP_FAILED]++;
            done++;
        }
    }
    o->count = 0;
}

/* The next free piece; the caller fills it in and calls queue_piece. */
static struct hd_tun_piece *next_piece(struct hd_tun *t)
{
    if (t->out->count == QUEUE_MAX) {
        hd_tun_flush(t);
    }
    return &t->out->piece[t->out->count];
}

static void queue_piece(struct hd_tun_output *o, const struct hd_adj_value *to)
{
    uint32_t i = o->count++;
    struct hd_tun_piece *p = &o->piece[i];
    o->part[i][0] = (struct iovec){.iov_base = p->head, .iov_len = p->head_len};
    o->part[i][1] = (struct iovec){.iov_base = (void *)(uintptr_t)p->payload, .iov_len = p->len};
    o->to[i] = (struct sockaddr_ll){
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_IPV6),
        .sll_ifindex = (int)to->ifindex,
        .sll_halen = sizeof to->mac.b,
    };
    memcpy(o->to[i].sll_addr, to->mac.b, sizeof to->mac.b);
    o->message[i].msg_hdr = (struct msghdr){
        .msg_name = &o->to[i],
        .msg_namelen = sizeof o->to[i],
        .msg_iov = o->part[i],
        .msg_iovlen = 2,
    };
}

static bool send_segments(struct hd_tun *t, const struct hd_adj_value *to,
                          const struct hd_tun_packet *p, uint32_t inner)
{
    struct hd_tun_cutter cutter;
    if (hd_tun_cut_begin(&cutter, p, inner) != HD_OK) {
        t->counters[HD_TUN_DROP_FAILED]++;
        return false;
    }
    struct hd_tun_piece *piece = next_piece(t);
    while (hd_tun_cut_next(&cutter, piece)) {
        queue_piece(t->out, to);
        t->counters[HD_TUN_SEGMENTED]++;
        piece = next_piece(t);
    }
    return true;
}

bool hd_tun_send(struct hd_tun *t, const struct hd_adj_value *to, const uint8_t *head,
                 uint32_t head_len, struct hd_tun_packet *p, uint32_t inner)
{
    /* Super-packets come from links only, with their outer header; kira0 gives none (set-up). */
    if (hd_tun_is_gso(p)) {
        HD_ASSERT(head_len == 0);
        return send_segments(t, to, p, inner);
    }
    hd_tun_finish_checksum(p);
    struct hd_tun_piece *piece = next_piece(t);
    if (head_len > 0) {
        memcpy(piece->head, head, head_len);
    }
    piece->head_len = head_len;
    piece->payload = p->bytes;
    piece->len = p->len;
    queue_piece(t->out, to);
    return true;
}

void hd_tun_deliver(struct hd_tun *t, struct hd_tun_packet *p)
{
    struct iovec part[2] = {
        {.iov_base = &p->vnet, .iov_len = sizeof p->vnet},
        {.iov_base = p->bytes, .iov_len = p->len},
    };
    if (writev(t->device, part, 2) < 0) {
        t->counters[HD_TUN_DROP_FAILED]++;
    } else {
        t->counters[HD_TUN_DELIVERED]++;
    }
}
