/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and routes of others that appear inside our prefixes while we run: the data plane cuts
 * them off, and their owner should hear of it. At the start they are refused (system_kernel.c);
 * later each look at the kernel collects them anew, the log says them, and the router gets the
 * first few and the number of all, for `heddle status`.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/system.h"
#include "lib/base.h"
#include "linux/log.h"

void hd_system_foreign_begin(struct hd_system *s)
{
    s->foreign_count = 0;
}

void hd_system_foreign_failed(struct hd_system *s)
{
    s->foreign_count = s->foreign_told_count;
    memcpy(s->foreign, s->foreign_told, sizeof s->foreign);
}

static bool is_known(const struct hd_system *s, const struct hd_row_foreign *f)
{
    for (uint32_t i = 0; i < HD_MIN(s->foreign_count, (uint32_t)HD_FOREIGN_MAX); i++) {
        if (memcmp(&s->foreign[i], f, sizeof *f) == 0) {
            return true;
        }
    }
    return false;
}

void hd_system_foreign_seen(struct hd_system *s, enum hd_foreign_kind kind,
                            const struct hd_ip6 *prefix, uint8_t len, uint32_t ifindex)
{
    const struct hd_interface *i = hd_interfaces_find(&s->interfaces, ifindex);
    struct hd_row_foreign f;
    char text[HD_IP6_TEXT];
    memset(&f, 0, sizeof f); /* compared as bytes */
    f.kind = (uint8_t)kind;
    snprintf(f.interface, sizeof f.interface, "%s", i != NULL ? i->link.name : "");
    snprintf(f.prefix, sizeof f.prefix, "%s/%u", hd_ip6_format(prefix, text), len);
    hd_log_line(&s->log, HD_LOG_WARNING,
                kind == HD_FOREIGN_ADDRESS ? "foreign-address" : "foreign-route",
                "prefix=%s interface=%s effect=\"cut off\"", f.prefix,
                i != NULL ? f.interface : "no interface");
    if (is_known(s, &f)) {
        return;
    }
    if (s->foreign_count < HD_FOREIGN_MAX) {
        s->foreign[s->foreign_count] = f;
    }
    s->foreign_count++;
}

void hd_system_foreign_tell(struct hd_system *s)
{
    uint32_t n = HD_MIN(s->foreign_count, (uint32_t)HD_FOREIGN_MAX);
    size_t bytes = n * sizeof s->foreign[0];
    if (s->foreign_count == s->foreign_told_count &&
        memcmp(s->foreign, s->foreign_told, bytes) == 0) {
        return;
    }
    s->foreign_told_count = s->foreign_count;
    memcpy(s->foreign_told, s->foreign, bytes);
    hd_system_router_tell_foreign(s);
}
