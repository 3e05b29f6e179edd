/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a join token and as a key file. What is accepted is a token that says the same when
 * it is written out again, and both ways to read it agree; what is refused gets a sentence.
 */
#include "linux/keys.h"
#include "fuzz/scratch.h"

#define TEXT_MAX 4096

static void check_sentence(const char *why)
{
    size_t len = strnlen(why, HD_KEYS_WHY_SIZE);

    FUZZ_CHECK(len > 0 && len < HD_KEYS_WHY_SIZE);
}

static int check_token(const char *text, struct hd_key *key)
{
    char why[HD_KEYS_WHY_SIZE] = "", again[HD_TOKEN_TEXT];
    struct hd_key second;
    int error = hd_token_parse(text, key, why);

    if (error != 0) {
        FUZZ_CHECK(error == HD_EMALFORMED);
        check_sentence(why);
        return error;
    }
    hd_token_format(key, again);
    FUZZ_CHECK(hd_token_parse(again, &second, why) == 0);
    FUZZ_CHECK(hd_key_equal(key, &second));
    return 0;
}

static int check_file(const uint8_t *bytes, size_t len, struct hd_key *key)
{
    char why[HD_KEYS_WHY_SIZE] = "", path[PATH_MAX];

    scratch_write("fabric.key", bytes, len, path);
    int error = hd_key_load(path, key, why);

    (void)unlink(path);
    FUZZ_CHECK(error == 0 || error == HD_EMALFORMED);
    if (error != 0)
        check_sentence(why);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct hd_key from_text = {{0}}, from_file = {{0}};

    if (len > TEXT_MAX || hd_keys_init() != 0)
        return 0;
    char *text = malloc(len + 1);

    FUZZ_CHECK(text != NULL);
    if (len > 0)
        memcpy(text, bytes, len);
    text[len] = '\0';
    int text_error = check_token(text, &from_text);
    int file_error = check_file(bytes, len, &from_file);

    free(text);
    /* A file is one token and nothing else: short, and without a zero byte. */
    if (file_error == 0)
        FUZZ_CHECK(text_error == 0 && hd_key_equal(&from_text, &from_file));
    if (text_error == 0 && len < 100 && memchr(bytes, 0, len) == NULL)
        FUZZ_CHECK(file_error == 0);
    return 0;
}
