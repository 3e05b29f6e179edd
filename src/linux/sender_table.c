/* SPDX-License-Identifier: Apache-2.0 */
/* The memory between the router process and the thread that sends (sender.h): the router's side. */
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/sender.h"

#define READ_TRIES 16

int hd_sender_table_make(void)
{
    int fd = memfd_create("heddle-sender", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return HD_ESYS;
    }
    const uint64_t layout = HD_SENDER_LAYOUT;
    if (ftruncate(fd, sizeof(struct hd_sender_table)) < 0 ||
        pwrite(fd, &layout, sizeof layout, 0) != sizeof layout ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        close(fd);
        return HD_ESYS;
    }
    return fd;
}

struct hd_sender_table *hd_sender_table_map(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size != sizeof(struct hd_sender_table)) {
        return NULL;
    }
    void *p = mmap(NULL, sizeof(struct hd_sender_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct hd_sender_table *t = p != MAP_FAILED ? p : NULL;
    if (t != NULL && t->layout != HD_SENDER_LAYOUT) {
        hd_sender_table_unmap(t);
        t = NULL;
    }
    return t;
}

void hd_sender_table_unmap(struct hd_sender_table *t)
{
    munmap(t, sizeof *t);
}

static void ring(struct hd_sender_table *t)
{
    atomic_fetch_add(&t->bell, 1);
    syscall(SYS_futex, &t->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void put(struct hd_sender_table *t, uint32_t index, const struct hd_periodic_value *v)
{
    struct hd_sender_slot *s = &t->slots[index];
    uint32_t version = atomic_load(&s->version) | 1; /* may be odd: a predecessor died in here */

    atomic_store(&s->version, version);
    atomic_thread_fence(memory_order_seq_cst);
    s->used = v != NULL;
    if (v != NULL) {
        s->v = *v;
    }
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(&s->version, version + 1);
    atomic_fetch_or(&t->changed[index / 64], 1ULL << index % 64);
    ring(t);
}

void hd_sender_set(struct hd_sender_table *t, uint32_t index, const struct hd_periodic_value *v)
{
    HD_ASSERT(index > 0 && index < HD_SENDER_SLOTS);
    put(t, index, v);
}

void hd_sender_del(struct hd_sender_table *t, uint32_t index)
{
    HD_ASSERT(index > 0 && index < HD_SENDER_SLOTS);
    put(t, index, NULL);
}

int hd_sender_once(struct hd_sender_table *t, uint32_t index, const void *bytes, uint32_t len)
{
    uint32_t tail = atomic_load(&t->once_tail);

    if (index == 0 || index >= HD_SENDER_SLOTS || len > HD_PERIODIC_BYTES) {
        return HD_EINVAL;
    }
    if (tail - atomic_load(&t->once_head) >= HD_SENDER_ONCE) {
        return HD_EAGAIN;
    }
    struct hd_sender_once *o = &t->once[tail % HD_SENDER_ONCE];
    o->slot = index;
    o->len = len;
    memcpy(o->bytes, bytes, len);
    atomic_store(&t->once_tail, tail + 1);
    ring(t);
    return 0;
}

const struct hd_sender_key *hd_sender_key_find(const struct hd_sender_table *t, uint32_t handle)
{
    for (unsigned i = 0; handle != 0 && i < HD_SENDER_KEYS; i++) {
        if (t->keys[i].handle == handle) {
            return &t->keys[i];
        }
    }
    return NULL;
}

int hd_sender_key_set(struct hd_sender_table *t, uint32_t handle, const void *secret, uint32_t len)
{
    struct hd_sender_key *k = (struct hd_sender_key *)(uintptr_t)hd_sender_key_find(t, handle);

    if (handle == 0 || len > HD_SENDER_SECRET) {
        return HD_EINVAL;
    }
    for (unsigned i = 0; k == NULL && i < HD_SENDER_KEYS; i++) {
        k = t->keys[i].handle == 0 ? &t->keys[i] : NULL;
    }
    if (k == NULL) {
        return HD_ELIMIT;
    }
    explicit_bzero(k, sizeof *k);
    if (len > 0) {
        memcpy(k->secret, secret, len);
        k->len = len;
        k->handle = handle;
    }
    return 0;
}

void hd_sender_alive(struct hd_sender_table *t, hd_time now)
{
    atomic_store(&t->alive_at, now);
}

bool hd_sender_read(const struct hd_sender_table *t, uint32_t index, struct hd_periodic_value *v)
{
    const struct hd_sender_slot *s = &t->slots[index];

    for (unsigned i = 0; i < READ_TRIES; i++) {
        uint32_t before = atomic_load(&s->version);
        atomic_thread_fence(memory_order_seq_cst);
        bool used = s->used != 0;
        *v = s->v;
        atomic_thread_fence(memory_order_seq_cst);
        if ((before & 1) == 0 && atomic_load(&s->version) == before) {
            return used;
        }
    }
    return false;
}
