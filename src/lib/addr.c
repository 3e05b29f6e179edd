/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of addresses. The C library's inet_ntop and inet_pton follow RFC 5952 and RFC 4291 and
 * make no system call, so they serve here too.
 */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "lib/base.h"

char *hd_ip6_format(const struct hd_ip6 *a, char *buf)
{
    HD_ASSERT(inet_ntop(AF_INET6, a->b, buf, HD_IP6_TEXT) != NULL);
    return buf;
}

int hd_ip6_parse(const char *text, struct hd_ip6 *a)
{
    return inet_pton(AF_INET6, text, a->b) == 1 ? 0 : HD_EMALFORMED;
}

char *hd_mac_format(const struct hd_mac *m, char *buf)
{
    snprintf(buf, HD_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2], m->b[3],
             m->b[4], m->b[5]);
    return buf;
}
