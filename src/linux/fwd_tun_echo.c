/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo reflector of the `tun` back-end (fwd_tun.h). A neighbour asks for it several times a
 * second and takes silence for death, so the answer must not wait for the cores: it is sent in the
 * same round in which the request was read. Link-local on both ends, like all that neighbours say
 * to each other.
 */
#include <string.h>

#include "linux/checksum.h"
#include "linux/fwd_tun.h"

#define UDP  HD_IP6_BYTES
#define ECHO (UDP + 8)

/* Addresses, ports and type turned round; the whole checksum made anew. */
static void turn(struct hd_tun_packet *p)
{
    uint8_t *ip = p->bytes;
    struct hd_ip6 from, to;
    uint8_t port[2];
    memcpy(from.b, ip + 8, sizeof from.b);
    memcpy(to.b, ip + 24, sizeof to.b);
    memcpy(ip + 8, to.b, sizeof to.b);
    memcpy(ip + 24, from.b, sizeof from.b);
    memcpy(port, ip + UDP, sizeof port);
    memcpy(ip + UDP, ip + UDP + 2, sizeof port);
    memcpy(ip + UDP + 2, port, sizeof port);
    ip[ECHO] = HD_TUN_ECHO_REPLY >> 8;
    ip[ECHO + 1] = HD_TUN_ECHO_REPLY & 0xff;

    memset(ip + UDP + 6, 0, 2);
    uint64_t sum = hd_checksum_pseudo(&to, &from, HD_TUN_ECHO_UDP, IPPROTO_UDP);
    uint16_t check = hd_checksum_end(hd_checksum_add(sum, ip + UDP, HD_TUN_ECHO_UDP));
    check = check == 0 ? 0xffff : check; /* zero would mean "none" */
    memcpy(ip + UDP + 6, &check, sizeof check);
    memset(&p->vnet, 0, sizeof p->vnet);
}

/* A request with a checksum that is right, or that never left this machine. */
static bool is_sound(const struct hd_tun_packet *p)
{
    const uint8_t *ip = p->bytes;
    struct hd_ip6 from, to;
    memcpy(from.b, ip + 8, sizeof from.b);
    memcpy(to.b, ip + 24, sizeof to.b);
    if (!hd_ip6_is_link_local(&from) || !hd_ip6_is_link_local(&to) || hd_tun_is_gso(p) ||
        p->len != UDP + HD_TUN_ECHO_UDP) {
        return false;
    }
    uint64_t sum = hd_checksum_pseudo(&from, &to, HD_TUN_ECHO_UDP, IPPROTO_UDP);
    return p->vnet.flags != 0 ||
           hd_checksum_end(hd_checksum_add(sum, ip + UDP, HD_TUN_ECHO_UDP)) == 0;
}

void hd_tun_reflect(struct hd_tun *t, struct hd_tun_packet *p, uint32_t ifindex,
                    const struct hd_mac *from)
{
    if (hd_tun_mtu(t, ifindex) == 0 || hd_tun_normalise(p) != HD_OK || !is_sound(p) ||
        !hd_tun_may_reflect(t->reports, ifindex, from, t->now)) {
        return; /* no loss: the request itself is in the kernel's hands */
    }
    turn(p);
    struct hd_adj_value back = {.ifindex = ifindex, .mac = *from};
    if (hd_tun_send(t, &back, NULL, 0, p, 0)) {
        t->counters[HD_TUN_REFLECTED]++;
    }
}
