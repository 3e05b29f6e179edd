#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our YANG modules as C: embed-yang.py FILE... > own_modules.made.h (run by Meson)."""
import pathlib
import sys

print('/* Made by tools/embed-yang.py from yang/. */')
print('static const struct {\n    const char *name;\n    bool stand_in; /* for one that the system may have */\n'
      '    const char *text;\n} own_modules[] = {')
for path in map(pathlib.Path, sys.argv[1:]):
    print(f'    {{"{path.stem}", {str(path.parent.name == "stand-in").lower()},')
    for line in path.read_text().splitlines():
        text = line.replace('\\', '\\\\').replace('"', '\\"')
        print(f'     "{text}\\n"')
    print('    },')
print('};')
