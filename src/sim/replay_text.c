/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and effects of a recording as text: see replay.h. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/base.h"
#include "sim/replay.h"

static const char *ip6(const struct hd_ip6 *a, char buf[INET6_ADDRSTRLEN])
{
    return inet_ntop(AF_INET6, a, buf, INET6_ADDRSTRLEN) != NULL ? buf : "?";
}

static const char *core_name(unsigned core)
{
    const struct hd_core_ops *ops = hd_core_ops((uint8_t)core);

    return ops != NULL ? ops->name : "model";
}

static void describe_datagram(const struct hd_in_datagram *d, char *text, size_t size)
{
    char from[INET6_ADDRSTRLEN];

    snprintf(text, size, "datagram of %u bytes from %s, interface %u, %s%s", d->len,
             ip6(&d->from, from), d->ifindex, d->key != 0 ? "signed" : "unsigned",
             d->routed ? ", routed" : "");
}

static void describe_input(const struct hd_input *in, char *text, size_t size)
{
    char a[INET6_ADDRSTRLEN];

    switch (in->type) {
    case HD_IN_DATAGRAM:
        describe_datagram(&in->u.datagram, text, size);
        break;
    case HD_IN_INTERFACE:
        snprintf(text, size, "interface %u %.*s%s%s%s", in->u.interface.ifindex, HD_IF_NAME - 1,
                 in->u.interface.name, in->u.interface.gone ? " gone" : "",
                 in->u.interface.up ? " up" : " down", in->u.interface.usable ? "" : ", left out");
        break;
    case HD_IN_COMMAND:
        snprintf(text, size, "command %u of %s, verb %u%s", in->u.command.id, core_name(in->core),
                 in->u.command.verb, in->u.command.cancel ? ", cancelled" : "");
        break;
    case HD_IN_REPORT:
        snprintf(text, size, "report %u about %s", (unsigned)in->u.report.kind,
                 ip6(&in->u.report.to, a));
        break;
    case HD_IN_MODEL:
        snprintf(text, size, "model object %u of kind %u: %s", in->u.model.index,
                 (unsigned)in->u.model.kind, hd_error_name(in->u.model.error));
        break;
    case HD_IN_SAVED:
        snprintf(text, size, "value %u is saved", in->u.saved.key);
        break;
    case HD_IN_WALL_CLOCK:
        snprintf(text, size, "wall clock");
        break;
    default:
        snprintf(text, size, "input of type %u", (unsigned)in->type);
        break;
    }
}

void hd_sim_replay_describe(const struct hd_recorded_call *c, char *text, size_t size)
{
    switch ((enum hd_record_type)c->type) {
    case HD_RECORD_START:
        snprintf(text, size, "start of %s%s", core_name(c->start.core),
                 c->start.start.resumed ? ", resumed" : "");
        break;
    case HD_RECORD_INPUT:
        describe_input(&c->input, text, size);
        break;
    case HD_RECORD_DUE:
        snprintf(text, size, "timers");
        break;
    case HD_RECORD_WORK:
        snprintf(text, size, "work, %u units", c->units);
        break;
    case HD_RECORD_CONFIGURE:
        snprintf(text, size, "configuration of %s", core_name(c->core));
        break;
    case HD_RECORD_CHANGE:
        snprintf(text, size, "change of the configuration of %s", core_name(c->core));
        break;
    case HD_RECORD_STOP:
        snprintf(text, size, "stop");
        break;
    case HD_RECORD_STOP_CORE:
        snprintf(text, size, "stop of %s", core_name(c->core));
        break;
    default:
        snprintf(text, size, "?");
        break;
    }
}

const char *hd_sim_replay_effect_name(unsigned type)
{
    static const char *const names[] = {
        [HD_FX_OPEN_PORT] = "open port", [HD_FX_CLOSE_PORT] = "close port",
        [HD_FX_SEND] = "send",           [HD_FX_SAVE] = "save",
        [HD_FX_EVENT] = "event",         [HD_FX_REPLY] = "reply",
        [HD_FX_SAMPLE] = "sample",       [HD_FX_LOG] = "log",
        [HD_FX_TRACE] = "trace",
    };

    return type < HD_ARRAY_LEN(names) && names[type] != NULL ? names[type] : "effect";
}

static void print_effect(struct hd_effect *e, FILE *to)
{
    char a[INET6_ADDRSTRLEN];

    fprintf(to, "    %s", hd_sim_replay_effect_name(e->type));
    switch ((enum hd_effect_type)e->type) {
    case HD_FX_OPEN_PORT:
    case HD_FX_CLOSE_PORT:
        fprintf(to, " %u (UDP %u)", e->u.port.port, e->u.port.number);
        break;
    case HD_FX_SEND:
        fprintf(to, " %u bytes to %s, interface %u:", e->u.send.len, ip6(&e->u.send.to, a),
                e->u.send.ifindex);
        for (uint32_t i = 0; i < e->u.send.len && i < 24; i++)
            fprintf(to, "%s%02x", i % 4 == 0 ? " " : "", ((uint8_t *)hd_fx_payload(e))[i]);
        break;
    case HD_FX_SAVE:
        fprintf(to, " %u, %u bytes", e->u.save.key, e->u.save.len);
        break;
    case HD_FX_EVENT:
        fprintf(to, " of list %u", e->u.event.list);
        break;
    case HD_FX_REPLY:
        fprintf(to, " to command %u, %u rows%s", e->u.reply.command, e->u.reply.rows,
                (e->u.reply.flags & HD_REPLY_LAST) != 0 ? ", last" : "");
        break;
    case HD_FX_LOG:
        fprintf(to, " %s", e->u.log.cause);
        break;
    default:
        break;
    }
    fputc('\n', to);
}

void hd_sim_replay_print_effects(const struct hd_player *p, FILE *to)
{
    const struct hd_model *m = hd_router_model(p->router);

    for (struct hd_effect *e = hd_fx_first(&p->fx); e != NULL; e = hd_fx_next(&p->fx, e))
        print_effect(e, to);
    if (p->outcome.o.queued > 0)
        fprintf(to, "    model: %u changes, generation %u\n", p->outcome.o.queued, m->generation);
}
