/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PathIDs (kira.md 2.3): the label under which packets travel along a path is the start of the
 * SHA-1 over the identifiers of its nodes, from the next receiver to the destination. Every node on
 * the path computes the same label without anybody telling it.
 */
#include "core/kira/wire.h"
#include "lib/hash.h"

void hd_kira_path_label(const struct hd_id *const *path, uint32_t len, uint8_t label[HD_ID_BYTES])
{
    struct hd_sha1 sha;
    uint8_t digest[20];

    hd_sha1_start(&sha);
    for (uint32_t i = 0; i < len; i++)
        hd_sha1_add(&sha, path[i]->b, HD_ID_BYTES);
    hd_sha1_end(&sha, digest);
    memcpy(label, digest, HD_ID_BYTES);
}
