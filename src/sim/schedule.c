/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedule of a scenario: faults and probes, each an event that queues its successor, so that
 * long schedules do not fill the queue.
 */
#include "sim/engine.h"

static void queue_event(struct hd_sim *s, uint32_t number)
{
    if (number < s->sc->event_count)
        sim_push(s, HD_MAX(s->sc->events[number].at_ns, s->now), WORLD, WORLD, false, EV_SCHEDULE,
                 NULL, number);
}

/* A probe is its source's own: it sends and queues its next packet on the source's worker. */
static void queue_probe(struct worker *w, uint32_t number, hd_time at)
{
    uint32_t from = w->s->sc->probes[number].from;
    worker_push(w, at, from, from, false, EV_PROBE, NULL, number);
}

void schedule_start(struct hd_sim *s)
{
    queue_event(s, 0);
    for (uint32_t i = 0; i < s->sc->probe_count; i++) {
        const struct hd_scenario_probe *p = &s->sc->probes[i];
        (void)hd_sim_add_flow(s, p->from, p->to);
        if (sim_is_here(s, p->from))
            queue_probe(sim_enter(s, p->from), i, p->start_ns);
    }
}

void schedule_probe(struct worker *w, uint64_t number)
{
    const struct hd_scenario_probe *p = &w->s->sc->probes[number];
    hd_time next = w->now + HD_MAX(p->interval_ns, HD_US(1));
    packet_probe(w, p->from, p->to, p->size + 48, (uint32_t)number);
    if (next < p->stop_ns)
        queue_probe(w, (uint32_t)number, next);
}

static void restart(struct hd_sim *s, const struct hd_scenario_event *e)
{
    node_die(s, e->node, e->resumed ? HD_SIM_DEATH_PROCESS : HD_SIM_DEATH_SILENT);
    node_start(s, e->node);
}

static void act(struct hd_sim *s, const struct hd_scenario_event *e)
{
    switch (e->action) {
    case HD_SCENARIO_CUT:
        hd_sim_cut(s, e->link);
        break;
    case HD_SCENARIO_SILENT:
        hd_sim_silence(s, e->link, 3);
        break;
    case HD_SCENARIO_HEAL:
        hd_sim_heal(s, e->link);
        break;
    case HD_SCENARIO_CHANGE:
        hd_sim_change_link(s, e->link, &e->change, e->fields);
        break;
    case HD_SCENARIO_KILL:
        node_die(s, e->node, s->o.kill_is_power_off ? HD_SIM_DEATH_POWER : HD_SIM_DEATH_SILENT);
        break;
    case HD_SCENARIO_START:
        node_start(s, e->node);
        break;
    case HD_SCENARIO_RESTART:
        restart(s, e);
        break;
    case HD_SCENARIO_STOP:
        hd_sim_stop(s, e->node);
        break;
    }
}

void schedule_event(struct hd_sim *s, uint64_t number)
{
    act(s, &s->sc->events[number]);
    queue_event(s, (uint32_t)number + 1);
}
