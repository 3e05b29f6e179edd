# SPDX-License-Identifier: Apache-2.0
"""Programs that hang at an interface by tcx: shows their names, or detaches them all.

tcx.py show|detach INTERFACE ingress|egress

The tools of Debian 12 do not know tcx yet; so this asks the kernel itself. Ends with 2 on a kernel without tcx (before 6.6).
"""
import ctypes
import errno
import os
import platform
import socket
import struct
import sys

SYS_BPF = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
PROG_DETACH, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY = 9, 13, 15, 16
POINTS = {'ingress': 46, 'egress': 47}
LIBC = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    """The result; what the kernel wrote is in `attributes`, a ctypes buffer."""
    result = LIBC.syscall(SYS_BPF, command, attributes, ctypes.sizeof(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def attributes(form, *values):
    return ctypes.create_string_buffer(struct.pack(form, *values), 64)


def programs(ifindex, point):
    """Descriptors of what hangs there."""
    ids = (ctypes.c_uint32 * 64)()
    query = attributes('=IIIIQI', ifindex, point, 0, 0, ctypes.addressof(ids), 64)
    try:
        bpf(PROG_QUERY, query)
    except OSError as e:
        if e.errno == errno.ENOENT:
            return []
        raise
    count = struct.unpack_from('=I', query, 24)[0]
    return [bpf(PROG_GET_FD_BY_ID, attributes('=III', i, 0, 0)) for i in ids[:count]]


def name(program):
    info = ctypes.create_string_buffer(128)
    bpf(OBJ_GET_INFO_BY_FD, attributes('=IIQ', program, len(info), ctypes.addressof(info)))
    return info.raw[64:80].split(b'\0')[0].decode()  # struct bpf_prog_info


def main():
    action, interface, where = sys.argv[1:]
    ifindex, point = socket.if_nametoindex(interface), POINTS[where]
    try:
        found = programs(ifindex, point)
    except OSError as e:
        if e.errno == errno.EINVAL:
            return 2
        raise
    for program in found:
        print(name(program))
        if action == 'detach':
            bpf(PROG_DETACH, attributes('=IIIII', ifindex, program, point, 0, 0))
    return 0


if __name__ == '__main__':
    sys.exit(main())
