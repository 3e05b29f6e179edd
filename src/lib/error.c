/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the error codes: they appear in logs and in the JSON of the control socket. */
#include "lib/error.h"

const char *hd_error_name(int code)
{
    switch (code) {
    case HD_OK:
        return "ok";
    case HD_ENOMEM:
        return "no-memory";
    case HD_EINVAL:
        return "invalid";
    case HD_ENOENT:
        return "not-found";
    case HD_EEXIST:
        return "exists";
    case HD_ELIMIT:
        return "limit";
    case HD_EMALFORMED:
        return "malformed";
    case HD_EAGAIN:
        return "again";
    case HD_EPERM:
        return "not-permitted";
    case HD_ESYS:
        return "system";
    case HD_EUNSUPPORTED:
        return "unsupported";
    case HD_ETIMEOUT:
        return "timeout";
    default:
        return "unknown";
    }
}
