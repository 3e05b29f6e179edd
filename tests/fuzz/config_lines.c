/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a configuration: as lines and as JSON, through libyang, to an image of structs. What
 * is accepted comes out as lines that are accepted again and mean the same.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define TEXT_MAX 4096 /* what is hard to parse is short */

static void round_trip(const struct hd_schema *s, struct lyd_node *t)
{
    struct hd_text once = {0}, twice = {0};
    struct lyd_node *again = NULL;
    struct hd_fault f;

    hd_tree_print_lines(s, t, &once);
    FUZZ_CHECK(hd_tree_lines(s, &again, once.v, &f) == 0);
    hd_tree_print_lines(s, again, &twice);
    FUZZ_CHECK(strlen(once.v) == strlen(twice.v));
    hd_text_free(&once);
    hd_text_free(&twice);
    lyd_free_all(again);
}

static void use(const struct hd_schema *s, struct lyd_node *t, bool read)
{
    struct hd_image i;
    struct hd_fault f;

    if (read && hd_tree_check(s, &t, &f) == 0 && hd_image_make(s, t, &i, &f) == 0) {
        for (size_t k = 0; hd_config_at(k); k++)
            FUZZ_CHECK(hd_config_well_formed(hd_config_at(k), i.part[k].bytes, i.part[k].len));
        hd_image_free(&i);
        round_trip(s, t);
    }
    lyd_free_all(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hd_schema schema;
    struct hd_completion c[4];
    struct lyd_node *t = NULL;
    struct hd_fault f;
    char *text;

    if (!schema.ctx && hd_schema_open(&schema, "", &f) != 0)
        abort();
    if (size > TEXT_MAX)
        return 0;
    text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    bool read = hd_tree_lines(&schema, &t, text, &f) == 0;
    use(&schema, t, read);
    read = hd_tree_read(&schema, text, &t, &f) == 0;
    use(&schema, t, read);
    hd_complete_path(&schema, NULL, text, c, 4);
    free(text);
    return 0;
}
