/* SPDX-License-Identifier: Apache-2.0 */
/* What driver.c (the turn) and driver_effects.c (what comes of a call) need of each other. */
#ifndef HD_LINUX_DRIVER_INTERNAL_H
#define HD_LINUX_DRIVER_INTERNAL_H

#include "linux/driver.h"
#include "model/liveness.h"
#include "model/virtual.h"

/* Hands one input to the router at d->now, and realises what comes of it. */
void hd_driver_deliver(struct hd_driver *d, const struct hd_input *in);

/* Puts model changes into force, then performs the effects, in order; clears the buffer. */
void hd_driver_realise(struct hd_driver *d);

/* The calls into the router, with their recording (driver_calls.c). */
HD_MUST_USE int hd_driver_call_start(struct hd_driver *d, const struct hd_router_core *c);
struct hd_answer hd_driver_call_input(struct hd_driver *d, const struct hd_input *in);
struct hd_answer hd_driver_call_due(struct hd_driver *d);
struct hd_answer hd_driver_call_work(struct hd_driver *d);
void hd_driver_call_stop(struct hd_driver *d);
HD_MUST_USE int hd_driver_call_configure(struct hd_driver *d, uint8_t core, const void *config,
                                         uint32_t len);
/* What differs, as bytes (model/config_delta.h). */
HD_MUST_USE int hd_driver_call_change(struct hd_driver *d, uint8_t core, const void *delta,
                                      uint32_t len);
void hd_driver_call_stop_core(struct hd_driver *d, uint8_t core);
/*
 * Changes of the model outside of calls, recorded: the functions of model/liveness.h and
 * model/virtual.h with the same names. A driver uses no others.
 */
bool hd_driver_periodic_pull(struct hd_driver *d, struct hd_periodic_change *c);
void hd_driver_periodic_done(struct hd_driver *d, uint32_t index, int error);
void hd_driver_periodic_count(struct hd_driver *d, uint32_t index, uint64_t sent, uint64_t failed);
void hd_driver_periodics_lost(struct hd_driver *d);
void hd_driver_periodic_sweep(struct hd_driver *d);
void hd_driver_watch_seen(struct hd_driver *d, uint32_t index, hd_time at);
bool hd_driver_virtual_pull(struct hd_driver *d, struct hd_virtual_change *c);
bool hd_driver_virtual_done(struct hd_driver *d, uint32_t index, const struct hd_virtual_value *v,
                            int error);
void hd_driver_virtuals_repeat(struct hd_driver *d);
void hd_driver_virtual_sweep(struct hd_driver *d, uint8_t owner);
/* Puts the model's changes into force by the data plane; what it refuses is recorded. */
void hd_driver_call_apply(struct hd_driver *d, struct hd_model *m);
/* Where a router's region shall lie, as a hint for mmap. */
void *hd_driver_region_hint(void);

struct hd_driver_port *hd_driver_port_find(struct hd_driver *d, uint16_t core, uint16_t port);
void hd_driver_port_close(struct hd_driver *d, struct hd_driver_port *p);

/* Tells owners of objects that the data plane refused. */
void hd_driver_tell_refused(struct hd_driver *d);

/* Compares the MTUs of routes with what the host was told. */
void hd_driver_check_mtus(struct hd_driver *d);

/* Frames and virtual interfaces (driver_virtual.c). */
void hd_driver_apply_virtuals(struct hd_driver *d);
void hd_driver_virtual_turn(struct hd_driver *d);
HD_MUST_USE int hd_driver_frame_port(struct hd_driver *d, struct hd_driver_port *p);
void hd_driver_send_frame(struct hd_driver *d, struct hd_driver_port *p, const struct hd_fx_send *s,
                          const uint8_t *bytes);
/* Reads those that have something, or before deadlines are served all of them. */
void hd_driver_drain_frames(struct hd_driver *d, bool all);

/* Signs of life (driver_liveness.c). */
void hd_driver_apply_periodics(struct hd_driver *d);
void hd_driver_send_once(struct hd_driver *d, const struct hd_fx_send_once *o, const void *bytes);
hd_time hd_driver_sender_deadline(const struct hd_driver *d);
void hd_driver_sender_turn(struct hd_driver *d);
void hd_driver_sender_free(struct hd_driver *d);
uint32_t hd_driver_check_auth(const struct hd_driver *d, const struct hd_in_datagram *g);

#endif
