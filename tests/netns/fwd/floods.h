/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of fwd-test that are about limits (floods.c). */
#ifndef TEST_FWD_FLOODS_H
#define TEST_FWD_FLOODS_H

void test_flow_flood(void **state);
void test_police(void **state);
void test_own_socket(void **state);
void test_police_routed(void **state);

#endif
