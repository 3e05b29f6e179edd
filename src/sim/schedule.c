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

void schedule_start(struct hd_sim *s)
{
    queue_event(s, 0);
    for (uint32_t i = 0; i < s->sc->probe_count; i++) {
        const struct hd_scenario_probe *p = &s->sc->probes[i];
        (void)hd_sim_add_flow(s, p->from, p->to);
        sim_push(s, p->start_ns, p->from, WORLD, false, EV_PROBE, NULL, i);
    }
}

void schedule_probe(struct hd_sim *s, uint64_t number)
{
    const struct hd_scenario_probe *p = &s->sc->probes[number];
    hd_time next = s->now + HD_MAX(p->interval_ns, HD_US(1));
    hd_sim_send_packet(s, p->from, p->to, p->size + 48, (uint32_t)number);
    if (next < p->stop_ns)
        sim_push(s, next, p->from, WORLD, false, EV_PROBE, NULL, number);
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
