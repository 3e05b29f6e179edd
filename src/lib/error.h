/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error values. Functions that can fail return 0 (or a non-negative result) or one of these
 * negative codes; the value must be used. Cores and libraries use these only: errno stays inside
 * the drivers.
 */
#ifndef HD_LIB_ERROR_H
#define HD_LIB_ERROR_H

enum hd_error {
    HD_OK = 0,
    HD_ENOMEM = -1,     /* the pool is exhausted */
    HD_EINVAL = -2,     /* an argument makes no sense */
    HD_ENOENT = -3,     /* no such object */
    HD_EEXIST = -4,     /* the object exists already */
    HD_ELIMIT = -5,     /* a named limit is reached */
    HD_EMALFORMED = -6, /* bytes that do not follow the format */
    HD_EAGAIN = -7,     /* no room now, try again later */
    HD_EPERM = -8,      /* not allowed */
    HD_ESYS = -9,       /* the operating system refused; errno tells why */
    HD_EUNSUPPORTED = -10,
    HD_ETIMEOUT = -11,
};

#define HD_MUST_USE __attribute__((warn_unused_result))

/* A short constant name ("no-memory") for logs and JSON; never NULL. */
const char *hd_error_name(int code);

#endif
