/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a recording. The input holds a head without its fixed parts and then records; it is
 * put into the image of a small ring. Every record is read to the end, or refused with a sentence;
 * what is read lies inside of the image.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/base.h"
#include "replay/reader.h"

#define SEGMENT ((size_t)4096)
#define IMAGE   (HD_RECORDING_HEAD + HD_RECORDING_SEGMENTS * SEGMENT)

static uint8_t *make_image(const uint8_t *bytes, size_t len)
{
    uint8_t *image = calloc(1, IMAGE);
    struct hd_recording_head *h = (struct hd_recording_head *)(void *)image;

    FUZZ_CHECK(image != NULL);
    memcpy(h->magic, HD_RECORDING_MAGIC, sizeof h->magic);
    h->version = HD_RECORDING_VERSION;
    h->segment_count = HD_RECORDING_SEGMENTS;
    h->segment_bytes = SEGMENT;
    h->region_address = (uint64_t)1 << 45;
    h->region_bytes = 1 << 20;
    h->fx_bytes = HD_FX_ROOM_BYTES;
    /* Four bytes of the input: which segments hold how much. */
    for (unsigned i = 0; i < HD_RECORDING_SEGMENTS && len > 0; i++) {
        h->segments[i].number = bytes[0] % 8u;
        h->segments[i].used = (bytes[0] / 8u + 1) * 128u;
        bytes++;
        len--;
    }
    memcpy(image + HD_RECORDING_HEAD, bytes, HD_MIN(len, IMAGE - HD_RECORDING_HEAD));
    return image;
}

static void check_inside(const uint8_t *image, const void *at, size_t len)
{
    const uint8_t *b = at;

    FUZZ_CHECK(at == NULL || (b >= image && len <= IMAGE && b + len <= image + IMAGE));
}

static void check_call(const uint8_t *image, const struct hd_recorded_call *c)
{
    FUZZ_CHECK(c->type > 0 && c->type < HD_RECORD_TYPE_END);
    if (c->type == HD_RECORD_INPUT && c->input.type == HD_IN_DATAGRAM)
        check_inside(image, c->input.u.datagram.bytes, c->input.u.datagram.len);
    if (c->type == HD_RECORD_INPUT && c->input.type == HD_IN_COMMAND)
        check_inside(image, c->input.u.command.args, c->input.u.command.len);
    if (c->type == HD_RECORD_START)
        for (uint32_t i = 0; i < c->start.start.saved_count; i++)
            check_inside(image, c->saved[i].bytes, c->saved[i].len);
    check_inside(image, c->config, c->config_len);
    check_inside(image, c->outcome, sizeof *c->outcome);
    if (c->outcome != NULL)
        check_inside(image, c->effects, c->outcome->listed * sizeof *c->effects);
    check_inside(image, c->refused, sizeof *c->refused);
}

static void read_all(const uint8_t *image, size_t size)
{
    struct hd_recording_cursor cursor = {0};
    struct hd_recorded_call call;
    struct hd_recording r;
    const char *why = NULL;
    unsigned records = 0;
    int got = hd_recording_open(&r, image, size, &why);

    if (got != 0) {
        FUZZ_CHECK(got == HD_EMALFORMED && why != NULL);
        return;
    }
    while ((got = hd_recording_next(&r, &cursor, &call, &why)) == 1) {
        FUZZ_CHECK(++records <= IMAGE / sizeof(struct hd_record));
        check_call(image, &call);
    }
    FUZZ_CHECK(got == 0 || (got == HD_EMALFORMED && why != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t *image = make_image(bytes, len);

    read_all(image, IMAGE);
    if (len > 0)
        read_all(image, IMAGE - len % 64); /* cut off */
    free(image);
    /* The same bytes as they are, head and all. */
    void *raw = malloc(HD_MAX(len, (size_t)1));
    FUZZ_CHECK(raw != NULL);
    if (len > 0)
        memcpy(raw, bytes, len);
    read_all(raw, len);
    free(raw);
    return 0;
}
