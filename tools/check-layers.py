#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources against tests/layers.txt.

Without an argument: includes, and floating point in pure layers. With a build folder (gcc, without
sanitizers): also what the archives of the pure layers call, and whether they keep writable globals.
Prints one line per violation and exits with 1 when there is any.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / 'src'
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', re.S)
FLOATING = re.compile(r'\b(?:float|double|long\s+double)\b|\b\d+\.\d*(?:[eE][-+]?\d+)?\b')
# Sections of writable data. Constant tables with pointers lie in .data.rel.ro, which is none.
WRITABLE = re.compile(r'^\.(?:data|bss|tdata|tbss)(?!\.rel\.ro)|^\*COM\*')


def words(path):
    for line in (ROOT / path).read_text().splitlines():
        fields = line.split('#')[0].split()
        if fields:
            yield fields


def read_layers():
    layers, pure = {}, set()
    for name, *rest in words('tests/layers.txt'):
        layers[name] = [w for w in rest if w != 'pure']
        if 'pure' in rest:
            pure.add(name)
    return layers, pure


def layer_of(path, layers):
    """The pattern and the concrete folder that a path below src/ belongs to."""
    parts = pathlib.PurePosixPath(path).parts
    for depth in (2, 1):
        folder = '/'.join(parts[:depth])
        for pattern in layers:
            if len(parts) > depth and fnmatch.fnmatchcase(folder, pattern) and \
                    pattern.count('/') == folder.count('/'):
                return pattern, folder
    return None, None


def target_folder(source, include, layers):
    """The folder an include reaches into; None when it stays in its own or is unknown."""
    if (source.parent / include).exists() and '/' not in include:
        return layer_of(source.relative_to(SRC).as_posix(), layers)[1]
    if (SRC / include).exists():
        return layer_of(include, layers)[1]
    if (ROOT / include).exists():
        return str(pathlib.PurePosixPath(include).parent)
    if (ROOT / 'bpf' / include).exists():
        return str(pathlib.PurePosixPath('bpf') / pathlib.PurePosixPath(include).parent)
    return None


def check_includes(layers):
    bad = []
    for source in sorted(SRC.rglob('*.[ch]')):
        name = source.relative_to(SRC).as_posix()
        pattern, own = layer_of(name, layers)
        if pattern is None:
            bad.append(f'src/{name}: its folder is not in tests/layers.txt')
            continue
        for include in INCLUDE.findall(source.read_text()):
            target = target_folder(source, include, layers)
            if target is None and include.endswith(('.skel.h', '.made.h')) or target == own:
                continue
            if target is None:
                bad.append(f'src/{name}: includes "{include}", which is nowhere below src/')
            elif not any(fnmatch.fnmatchcase(target, allowed) for allowed in layers[pattern]):
                bad.append(f'src/{name}: {pattern} may not use {target} ("{include}")')
    return bad


def check_floating(layers, pure):
    bad = []
    for source in sorted(SRC.rglob('*.[ch]')):
        name = source.relative_to(SRC).as_posix()
        if layer_of(name, layers)[0] not in pure:
            continue
        text = COMMENT.sub(lambda m: '\n' * m.group(0).count('\n'), source.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            if FLOATING.search(line) and not line.lstrip().startswith('#include'):
                bad.append(f'src/{name}:{number}: floating point in a pure layer')
    return bad


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def archives(build, layers, pure):
    for archive in sorted((build / 'src').rglob('*.a')):
        name = archive.relative_to(build / 'src').as_posix()
        pattern, _ = layer_of(name, layers)
        if pattern in pure:
            yield archive, pattern


def check_objects(build, layers, pure):
    bad, defined, wanted = [], set(), []
    for archive, pattern in archives(build, layers, pure):
        for line in run('nm', '-g', '-P', str(archive)).splitlines():
            fields = line.split()
            if len(fields) >= 2 and fields[1] == 'U':
                wanted.append((archive, pattern, fields[0]))
            elif len(fields) >= 3:
                defined.add(fields[0])
        for line in run('objdump', '-t', str(archive)).splitlines():
            fields = line.split()
            if len(fields) >= 4 and 'O' in fields[1:-3] and WRITABLE.match(fields[-3]):
                bad.append(f'{archive.name}: writable global "{fields[-1]}" in {fields[-3]}')
    if not wanted:
        return [f'{build}: no archives of pure layers here']
    allowed = {name: users for name, *users in words('tests/libc-allowed.txt')}
    for archive, pattern, symbol in sorted(set(wanted)):
        users = allowed.get(symbol, [])
        if symbol not in defined and symbol != '_GLOBAL_OFFSET_TABLE_' and \
                not users[:1] == ['all'] and pattern not in users[:1]:
            bad.append(f'{archive.name}: {pattern} may not call {symbol}')
    return bad


def main():
    layers, pure = read_layers()
    bad = check_includes(layers) + check_floating(layers, pure)
    if len(sys.argv) > 1:
        bad += check_objects(pathlib.Path(sys.argv[1]), layers, pure)
    print('\n'.join(bad) if bad else 'layers: nothing to complain about')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
