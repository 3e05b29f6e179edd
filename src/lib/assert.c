/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broken invariant does: it says where, and ends the process. The keeper starts the process
 * again while forwarding goes on (design.md, section 5), which is better than a router that
 * continues with a state nobody understands.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base.h"

void hd_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
