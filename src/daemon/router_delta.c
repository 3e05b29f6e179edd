/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of a change that comes as what differs (model/config_delta.h). It stands on the
 * configuration in force, which lies in the memory of router_recall.c: by its digest, and by every
 * row that it replaces or takes away. Where it does not (we are new, and that memory was not valid;
 * another heddle-config spoke in between) nothing is changed and the whole is asked for.
 *
 * A core that takes changes is given this one as it is. Any other is given the whole, which is made
 * here of the old one and the delta: its lists are short.
 */
#include <stdlib.h>
#include <string.h>

#include "bind/config.h"
#include "daemon/router.h"
#include "lib/base.h"

static int stale(struct hd_router_role *r)
{
    r->config.stale = true;
    return HD_EMALFORMED;
}

/* Old bytes and the delta become the whole that the core is given. */
static int make_whole(struct hd_router_config_part *p, const struct hd_config *c,
                      const struct hd_recalled *is)
{
    size_t room = is->len + p->total; /* all rows of a delta are in its bytes */
    uint8_t *bytes = malloc(HD_MAX(room, (size_t)1));
    if (bytes == NULL) {
        return HD_ENOMEM;
    }
    memcpy(bytes, is->bytes, is->len);
    p->total = p->have = (uint32_t)hd_config_delta_apply(c, bytes, is->len, &p->edit);
    free(p->bytes);
    p->bytes = bytes;
    p->delta = false;
    return 0;
}

int hd_router_delta_ready(struct hd_router_role *r, unsigned core)
{
    struct hd_router_config_part *p = &r->config.part[core];
    const struct hd_config *c = hd_config_of((uint8_t)core);
    bool runs = hd_router_core_state(r->driver.router, (uint8_t)core) != NULL;
    struct hd_recalled is;
    if (p->have != p->total || hd_config_delta_read(p->bytes, p->total, &p->edit) != 0) {
        return HD_EMALFORMED;
    }
    /* KIRA is configured also where another core runs in its place. */
    if (c == NULL || !hd_router_recall_part(r, core, &is) || is.digest != p->base ||
        (!runs && core != HD_CORE_KIRA) || !hd_config_delta_suits(c, is.bytes, is.len, &p->edit) ||
        hd_config_delta_digest(c, is.bytes, is.digest, &p->edit) != p->becomes) {
        return stale(r);
    }
    return runs && hd_core_ops((uint8_t)core)->change != NULL ? 0 : make_whole(p, c, &is);
}
