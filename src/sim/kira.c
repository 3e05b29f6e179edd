/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator knows about KIRA: the configuration of a node. The engine itself knows no
 * protocol. */
#include "core/kira/kira.h"
#include "sim/engine.h"

void *hd_sim_kira_config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len)
{
    if (core != HD_CORE_KIRA)
        return NULL;
    struct hd_kira_config *c = hd_sim_alloc(1, sizeof *c);
    hd_kira_config_default(c);
    c->id = s->nodes[node].id;
    c->end_system = s->sc->nodes[node].end_system;
    c->require_key = s->nodes[node].key_count > 0;
    /* no program answers echoes below the router here */
    c->no_reflector = true;
    *len = sizeof *c;
    return c;
}
