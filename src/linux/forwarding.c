/* SPDX-License-Identifier: Apache-2.0 */
/* The switch between the forwarding back-ends: see fwd_backend.h. */
#include "linux/forwarding.h"

#include <stdarg.h>
#include <stdio.h>

#include "linux/fwd_backend.h"

int hd_fwd_why(char *why, int error, const char *format, ...)
{
    va_list args;

    if (why != NULL) {
        va_start(args, format);
        vsnprintf(why, HD_FWD_WHY_SIZE, format, args);
        va_end(args);
    }
    return error;
}

static const struct hd_fwd_backend_ops *backend_ops(uint32_t backend)
{
    switch (backend) {
    case HD_FWD_EBPF:
        return &hd_fwd_ebpf_ops;
    case HD_FWD_TUN:
        return &hd_fwd_tun_ops;
    default:
        return NULL;
    }
}

int hd_fwd_setup_open(struct hd_fwd_setup **s, const struct hd_fwd_setup_options *o, char *why)
{
    const struct hd_fwd_backend_ops *ops = backend_ops(o->backend);

    if (ops == NULL)
        return hd_fwd_why(why, HD_EINVAL, "there is no forwarding back-end %d", (int)o->backend);
    return ops->setup_open(s, o, why);
}

void hd_fwd_setup_handles(const struct hd_fwd_setup *s, struct hd_fwd_handles *h)
{
    s->ops->setup_handles(s, h);
}

int hd_fwd_setup_interface(struct hd_fwd_setup *s, uint32_t ifindex, uint32_t mtu, bool use,
                           char *why)
{
    return s->ops->setup_interface(s, ifindex, mtu, use, why);
}

bool hd_fwd_setup_intact(struct hd_fwd_setup *s)
{
    return s->ops->setup_intact(s);
}

bool hd_fwd_setup_has_xdp(const struct hd_fwd_setup *s, uint32_t program)
{
    return s->ops->setup_has_xdp != NULL && s->ops->setup_has_xdp(s, program);
}

void hd_fwd_setup_close(struct hd_fwd_setup *s, bool keep)
{
    if (s != NULL)
        s->ops->setup_close(s, keep);
}

int hd_fwd_open(struct hd_fwd **f, const struct hd_fwd_handles *h)
{
    const struct hd_fwd_backend_ops *ops = backend_ops(h->backend);

    return ops == NULL ? HD_EINVAL : ops->open(f, h);
}

void hd_fwd_close(struct hd_fwd *f)
{
    if (f != NULL)
        f->ops->close(f);
}

int hd_fwd_adopt(struct hd_fwd *f, struct hd_model *m, uint8_t owner)
{
    return f->ops->adopt(f, m, owner);
}

void hd_fwd_apply(struct hd_fwd *f, struct hd_model *m)
{
    f->ops->apply(f, m);
}

int hd_fwd_poll_fd(const struct hd_fwd *f)
{
    return f->ops->poll_fd(f);
}

int hd_fwd_poll(struct hd_fwd *f, struct hd_model *m, const struct hd_fwd_sink *sink,
                unsigned budget)
{
    return f->ops->poll(f, m, sink, budget);
}

bool hd_fwd_police(struct hd_fwd *f, struct hd_model *m, uint32_t ifindex,
                   const struct hd_mac *from, hd_time now)
{
    return f->ops->police == NULL || f->ops->police(f, m, ifindex, from, now);
}

uint32_t hd_fwd_counters(struct hd_fwd *f, struct hd_fwd_counter *out, uint32_t max)
{
    return f->ops->counters(f, out, max);
}
