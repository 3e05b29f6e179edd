/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets of the configuration. What somebody sets is sealed at once with a key of this machine,
 * and only the sealed form is kept, shown, exported and compared: as "$heddle$1$...", which can be
 * loaded again here, and nowhere else. It is opened on the way to whoever signs with it.
 *
 * This keeps secrets out of screens, logs and copies of files. Who may read the folder of the
 * configuration may also read the key: it is for root and heddled.
 */
#ifndef HD_CONFIG_SEAL_H
#define HD_CONFIG_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define HD_SEAL_KEY 32
#define HD_SEAL_MAX 256 /* bytes of a secret */

struct hd_seal {
    int dir; /* of the file with the key, which is made when it is first needed */
    bool known;
    uint8_t key[HD_SEAL_KEY];
};

bool hd_seal_is_sealed(const char *text);
/* The sealed form, the same for the same secret, for the caller to free; NULL: no key, no memory.
 */
char *hd_seal_make(struct hd_seal *seal, const char *secret);
/* Into HD_SEAL_MAX bytes; what is not sealed is taken as it is. False: not ours, or too long. */
bool hd_seal_open(struct hd_seal *seal, const char *text, uint8_t *bytes, size_t *len);
void hd_seal_wipe(void *bytes, size_t len);

/* Seals the secrets of a whole tree that are not sealed yet: 0, or HD_EINVAL with the fault. */
HD_MUST_USE int hd_seal_tree(const struct hd_schema *s, struct lyd_node *tree, struct hd_fault *f);

#endif
