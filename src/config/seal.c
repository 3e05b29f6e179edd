/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing (seal.h): authenticated encryption whose nonce is a keyed hash of the secret, so that the
 * same secret always has the same form and a text that is loaded twice shows no difference.
 */
#include "config/seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "config/store.h"
#include "lib/base.h"

#define MARK     "$heddle$1$"
#define KEY_FILE "secret-key"
#define VARIANT  sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define NONCE    crypto_secretbox_NONCEBYTES
#define TAG      crypto_secretbox_MACBYTES
#define BOX_MAX  (NONCE + TAG + HD_SEAL_MAX)

/* --- the key -------------------------------------------------------------------------------------
 */

static bool read_key(struct hd_seal *seal)
{
    char *text = NULL;
    size_t len = 0;

    if (hd_store_read(seal->dir, KEY_FILE, &text) != 0)
        return false;
    seal->known =
        sodium_hex2bin(seal->key, sizeof seal->key, text, strlen(text), "\n", &len, NULL) == 0 &&
        len == sizeof seal->key;
    sodium_memzero(text, strlen(text));
    free(text);
    return seal->known;
}

static bool make_key(struct hd_seal *seal)
{
    char text[2 * HD_SEAL_KEY + 2];

    randombytes_buf(seal->key, sizeof seal->key);
    sodium_bin2hex(text, sizeof text, seal->key, sizeof seal->key);
    text[2 * HD_SEAL_KEY] = '\n';
    seal->known = hd_store_write(seal->dir, KEY_FILE, text, 2 * HD_SEAL_KEY + 1) == 0;
    sodium_memzero(text, sizeof text);
    return seal->known;
}

static bool have_key(struct hd_seal *seal, bool make)
{
    char *text = NULL;

    if (seal->known)
        return true;
    if (sodium_init() < 0)
        return false;
    if (read_key(seal))
        return true;
    /* One that is there and cannot be read is not written over. */
    return make && hd_store_read(seal->dir, KEY_FILE, &text) == HD_ENOENT && make_key(seal);
}

/* --- one secret ----------------------------------------------------------------------------------
 */

bool hd_seal_is_sealed(const char *text)
{
    return strncmp(text, MARK, strlen(MARK)) == 0;
}

void hd_seal_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

char *hd_seal_make(struct hd_seal *seal, const char *secret)
{
    uint8_t box[BOX_MAX];
    size_t len = strlen(secret), size;
    char *out;

    if (len > HD_SEAL_MAX || !have_key(seal, true))
        return NULL;
    crypto_generichash(box, NONCE, (const uint8_t *)secret, len, seal->key, sizeof seal->key);
    crypto_secretbox_easy(box + NONCE, (const uint8_t *)secret, len, box, seal->key);
    size = strlen(MARK) + sodium_base64_encoded_len(NONCE + TAG + len, VARIANT);
    out = malloc(size);
    if (!out)
        return NULL;
    memcpy(out, MARK, sizeof MARK);
    sodium_bin2base64(out + strlen(MARK), size - strlen(MARK), box, NONCE + TAG + len, VARIANT);
    return out;
}

bool hd_seal_open(struct hd_seal *seal, const char *text, uint8_t *bytes, size_t *len)
{
    uint8_t box[BOX_MAX];
    const char *coded;

    *len = strlen(text);
    if (!hd_seal_is_sealed(text)) {
        if (*len > HD_SEAL_MAX)
            return false;
        memcpy(bytes, text, *len);
        return true;
    }
    coded = text + strlen(MARK);
    if (!seal || !have_key(seal, false) ||
        sodium_base642bin(box, sizeof box, coded, strlen(coded), NULL, len, NULL, VARIANT) != 0 ||
        *len < NONCE + TAG)
        return false;
    *len -= NONCE + TAG;
    return crypto_secretbox_open_easy(bytes, box + NONCE, TAG + *len, box, seal->key) == 0;
}

/* --- a whole tree --------------------------------------------------------------------------------
 */

static int seal_leaf(const struct hd_schema *s, struct lyd_node *n, struct hd_fault *f)
{
    const char *secret = lyd_get_value(n);
    char path[512], *sealed;

    if (!secret || hd_seal_is_sealed(secret))
        return 0;
    sealed = hd_seal_make(s->seal, secret);
    if (sealed && lyd_change_term(n, sealed) == LY_SUCCESS) {
        free(sealed);
        return 0;
    }
    free(sealed);
    hd_config_path_write(s, n, path, sizeof path);
    return hd_fault_set(f, "system", path, "the secret cannot be sealed, so it is not kept");
}

static int seal_nodes(const struct hd_schema *s, struct lyd_node *n, struct hd_fault *f)
{
    int error = 0;

    for (; n && error == 0; n = n->next) {
        const struct hd_bound *b = n->schema->priv;
        if (n->schema->nodetype & (LYS_CONTAINER | LYS_LIST))
            error = seal_nodes(s, lyd_child(n), f);
        else if (b && b->column && b->column->type == HD_COL_SECRET)
            error = seal_leaf(s, n, f);
    }
    return error;
}

int hd_seal_tree(const struct hd_schema *s, struct lyd_node *tree, struct hd_fault *f)
{
    int error = 0;

    for (; s->seal && tree && error == 0; tree = tree->next) {
        if (strcmp(tree->schema->name, "key-chains") == 0) /* other trees may be long */
            error = seal_nodes(s, lyd_child(tree), f);
    }
    return error;
}
