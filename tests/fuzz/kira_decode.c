/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes into KIRA's decoder. What it accepts must survive: encoded again and decoded again it
 * is the same message, and a third time gives the same bytes.
 */
#include <stdlib.h>

#include "core/kira/wire.h"
#include "fuzz/fuzz.h"

#define BUF 65535

static void same_header(const struct hd_kira_header *a, const struct hd_kira_header *b)
{
    FUZZ_CHECK(a->type == b->type && a->flags == b->flags && a->domain == b->domain);
    FUZZ_CHECK(a->msg_id == b->msg_id && a->ssn == b->ssn && a->degree == b->degree);
    FUZZ_CHECK(hd_id_equal(&a->dest, &b->dest) && hd_id_equal(&a->source, &b->source));
}

static void same_bytes(bool has_a, const struct hd_reader *a, bool has_b, const struct hd_reader *b)
{
    FUZZ_CHECK(has_a == has_b && hd_reader_left(a) == hd_reader_left(b));
    FUZZ_CHECK(hd_reader_left(a) == 0 || memcmp(a->at, b->at, hd_reader_left(a)) == 0);
}

static void same_private(const struct hd_kira_msg *a, const struct hd_kira_msg *b)
{
    FUZZ_CHECK(a->has_capabilities == b->has_capabilities && a->capabilities == b->capabilities);
    FUZZ_CHECK(a->has_mac == b->has_mac && a->mac_key == b->mac_key);
    FUZZ_CHECK(a->mac_counter == b->mac_counter);
    FUZZ_CHECK(!a->has_mac || memcmp(a->bytes + a->mac_offset, b->bytes + b->mac_offset,
                                     HD_KIRA_MAC_OBJECT_LEN) == 0);
    same_bytes(a->has_overlay_hops, &a->overlay_hops, b->has_overlay_hops, &b->overlay_hops);
}

static void same_message(const struct hd_kira_msg *a, const struct hd_kira_msg *b)
{
    same_header(&a->h, &b->h);
    FUZZ_CHECK(a->has_route == b->has_route && a->index == b->index);
    FUZZ_CHECK(a->route.count == b->route.count);
    FUZZ_CHECK(!a->has_route ||
               memcmp(a->route.bytes, b->route.bytes, (size_t)a->route.count * HD_ID_BYTES) == 0);
    FUZZ_CHECK(!a->has_route || a->bytes + a->index_offset + 2 == a->route.bytes);
    same_bytes(a->has_not_via, &a->not_via, b->has_not_via, &b->not_via);
    same_bytes(a->has_contacts, &a->contacts, b->has_contacts, &b->contacts);
    same_bytes(a->has_rtable, &a->rtable, b->has_rtable, &b->rtable);
    same_bytes(a->has_update, &a->update, b->has_update, &b->update);
    same_bytes(a->has_data, &a->data, b->has_data, &b->data);
    FUZZ_CHECK(a->data_type == b->data_type);
    FUZZ_CHECK(a->has_rtable_req == b->has_rtable_req);
    FUZZ_CHECK(a->rtable_req_type == b->rtable_req_type);
    FUZZ_CHECK(a->rtable_req_radius == b->rtable_req_radius);
    FUZZ_CHECK(a->has_error == b->has_error && a->error_kind == b->error_kind);
    FUZZ_CHECK(hd_id_equal(&a->error_reporter, &b->error_reporter));
    FUZZ_CHECK(hd_id_equal(&a->error_a, &b->error_a) && hd_id_equal(&a->error_b, &b->error_b));
    same_private(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t second[BUF], third[BUF];
    struct hd_writer w2 = hd_writer_make(second, BUF), w3 = hd_writer_make(third, BUF);
    struct hd_kira_msg first, again;

    if (hd_kira_decode(&first, bytes, len) != HD_KIRA_WIRE_OK)
        return 0;
    FUZZ_CHECK(first.len <= len);
    FUZZ_CHECK(hd_kira_encode(&w2, &first) == 0);
    FUZZ_CHECK(hd_writer_len(&w2) <= first.len);
    FUZZ_CHECK(hd_kira_decode(&again, second, hd_writer_len(&w2)) == HD_KIRA_WIRE_OK);
    same_message(&first, &again);
    FUZZ_CHECK(hd_kira_encode(&w3, &again) == 0);
    FUZZ_CHECK(hd_writer_len(&w3) == hd_writer_len(&w2));
    FUZZ_CHECK(memcmp(second, third, hd_writer_len(&w2)) == 0);
    return 0;
}
