#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the identity of the cores: cores_id.py OUT.c OBJECT...

A snapshot of a router is its memory. Another program may go on with it when the code that reads that memory is the
same: the object files of lib, model, cores and router. So their digest is what a recording and a player compare, and
not the build id of a program: heddled and heddle-sim differ, their cores do not.
"""
import hashlib
import sys

digest = hashlib.sha256()
for name in sorted(sys.argv[2:]):
    with open(name, 'rb') as f:
        digest.update(hashlib.sha256(f.read()).digest())
numbers = ', '.join(f'0x{b:02x}' for b in digest.digest())
with open(sys.argv[1], 'w') as out:
    out.write('#include "replay/format.h"\n'
              f'const uint8_t hd_cores_id[HD_CORES_ID_BYTES] = {{{numbers}}};\n')
