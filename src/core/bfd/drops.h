/* SPDX-License-Identifier: Apache-2.0 */
/* Why packets are dropped: every reason has a counter (vrrp-and-bfd.md, R42; drops.c names them).
 */
#ifndef HD_CORE_BFD_DROPS_H
#define HD_CORE_BFD_DROPS_H

enum bfd_drop {
    BFD_OK = 0,
    BFD_DROP_TTL,           /* R57, R58: below what this kind of session takes */
    BFD_DROP_VERSION,       /* not 1 */
    BFD_DROP_SHORT,         /* length below 24, or 26 with authentication; or less than it says */
    BFD_DROP_LENGTH,        /* says more than there is */
    BFD_DROP_MULTIPLIER,    /* 0 */
    BFD_DROP_POLL_FINAL,    /* both at once */
    BFD_DROP_MULTIPOINT,    /* M where a peer speaks, or with our discriminator */
    BFD_DROP_MY_DISCR,      /* 0 */
    BFD_DROP_YOUR_DISCR,    /* names no session */
    BFD_DROP_STATE,         /* no discriminator of ours in a state that must have one */
    BFD_DROP_NO_SESSION,    /* nobody expects this peer */
    BFD_DROP_SOURCE,        /* our discriminator, from somebody else or over another interface */
    BFD_DROP_ADMIN_DOWN,    /* the session is disabled */
    BFD_DROP_AUTH_MISSING,  /* configured, not there */
    BFD_DROP_AUTH_UNWANTED, /* there, not configured */
    BFD_DROP_AUTH_FORMAT,   /* unknown type or wrong length */
    BFD_DROP_AUTH_TYPE,     /* not the configured type or key */
    BFD_DROP_AUTH_WRONG,    /* the secret does not fit */
    BFD_DROP_AUTH_SEQUENCE, /* outside of the window: an old packet */
    BFD_DROP_LIMIT,         /* a session that it would make found no room */
    BFD_DROP_ECHO,          /* an echo that is not ours */
    BFD_DROP_MEMORY,
    BFD_DROP_END,
};

/* The name of a reason, for rows; static. */
const char *bfd_drop_name(enum bfd_drop why);

#endif
