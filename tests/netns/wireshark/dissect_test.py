# SPDX-License-Identifier: Apache-2.0
"""tools/wireshark/kira.lua beside what is known: the vectors of the specification, spoiled ones, and a lab's packets.

    dissect_test.py HEDDLE-LAB HEDDLE HEDDLED
"""
import glob
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, '..', '..', '..')
sys.path.insert(0, os.path.join(HERE, '..', 'accept'))
from accept import Lab, Suite, expect, ipv6, must, packed, run, udp  # noqa: E402

SCRIPT = os.path.join(ROOT, 'tools', 'wireshark', 'kira.lua')
NAMES = {'hello': 'ULNHello', 'disc-req': 'ULNDiscReq', 'disc-rsp': 'ULNDiscRsp', 'find-node-req': 'FindNodeReq',
         'find-node-rsp': 'FindNodeRsp', 'query-route-req': 'QueryRouteReq', 'query-route-rsp': 'QueryRouteRsp',
         'update-route-req': 'UpdateRouteReq', 'probe-req': 'ProbeReq', 'probe-rsp': 'ProbeRsp',
         'error-dead-end': 'Error', 'error-segment-failure': 'Error', 'path-setup-req': 'PathSetupReq',
         'path-teardown-req': 'PathTeardownReq', 'store-req': 'StoreReq', 'store-rsp': 'StoreRsp',
         'fetch-req': 'FetchReq', 'fetch-rsp': 'FetchRsp'}


def has_lua():
    return shutil.which('tshark') and 'with Lua' in run(['tshark', '--version']).stdout.replace('\n', ' ')


def vector(path):
    """The bytes of a vector: hexadecimal lines, comments begin with #."""
    with open(path) as f:
        return bytes.fromhex(''.join(re.sub(r'#.*', '', line).strip() for line in f))


def capture(path, messages):
    """A capture file with each message in a UDP datagram between link-local addresses."""
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, message in enumerate(messages):
            frame = bytes(12) + b'\x86\xdd' + ipv6('fe80::1', 'fe80::2', 17,
                                                   udp('fe80::1', 'fe80::2', 19219, 19219, message), 255)
            f.write(struct.pack('<IIII', i, 0, len(frame), len(frame)) + frame)


def tshark(path, *words):
    r = run(['tshark', '-X', f'lua_script:{SCRIPT}', '-r', path, *words], 120)
    expect(r.returncode == 0 and 'Lua' not in r.stderr, f'tshark: {r.stderr.strip()[-600:]}')
    return r.stdout


def fields(path, filter_, *names):
    words = [x for n in names for x in ('-e', n)]
    out = tshark(path, '-Y', filter_, '-T', 'fields', '-E', 'separator=;', *words)
    return [line.split(';') for line in out.splitlines()]


def malformed(path):
    return tshark(path, '-Y', '_ws.malformed || kira.malformed || _ws.lua.error').strip()


def vectors(folder):
    """Every message of the specification: its name is shown, nothing is malformed, each byte belongs to a field."""
    paths = sorted(glob.glob(os.path.join(ROOT, 'tests', 'vectors', 'kira', '*.hex')))
    expect(len(paths) >= 17, f'only {len(paths)} vectors')
    file = os.path.join(folder, 'vectors.pcap')
    capture(file, [vector(p) for p in paths])
    expect(not malformed(file), f'malformed: {malformed(file)[:500]}')
    info = [line[0] for line in fields(file, 'kira', '_ws.col.Info')]
    for path, line in zip(paths, info, strict=True):
        name = os.path.basename(path)[:-4]
        expect(line.startswith(NAMES[name] + ' '), f'{name} is shown as {line!r}')
    return f'{len(info)} messages'


def values(folder):
    """A few values, to the byte."""
    file = os.path.join(folder, 'values.pcap')
    get = {name: vector(os.path.join(ROOT, 'tests', 'vectors', 'kira', name + '.hex'))
           for name in ('probe-req', 'error-segment-failure', 'store-req', 'update-route-req')}
    capture(file, get.values())
    probe = fields(file, 'kira.type == 0x21', 'kira.route.index', 'kira.route.id', 'kira.link.large', 'kira.flags.exact')
    number = '{:028x}'.format
    expect(probe == [['1', ','.join(map(number, (1, 2, 3, 4))), number(0x44), 'True']] or
           probe == [['1', ','.join(map(number, (1, 2, 3, 4))), number(0x44), '1']], f'probe: {probe}')
    error = fields(file, 'kira.type == 0x70', 'kira.error.kind', 'kira.error.reporter', 'kira.link.small')
    expect(error == [['0x05', number(0xfa), number(0x42)]], f'error: {error}')
    store = fields(file, 'kira.type == 0xa1', 'kira.dht.handle', 'kira.dht.data', 'kira.dht.accessed')
    expect(store == [[number(0xd3), '010203', '1234']], f'store: {store}')
    update = fields(file, 'kira.type == 0x11', 'kira.contact', 'kira.path.id', 'kira.contact.ssn', 'kira.action')
    expect(update == [[number(0x9b), number(0x9b), '12', '0']], f'update: {update}')


def private(folder):
    """Our own objects, and the echo."""
    hello = bytearray(vector(os.path.join(ROOT, 'tests', 'vectors', 'kira', 'hello.hex')))
    hello += bytes([0xf3, 0, 2, 1, 0x17]) + bytes([0xf2, 0, 4, 0, 1, 0, 3])
    hello += bytes([0xf0, 0, 26, 0, 7]) + (99).to_bytes(8, 'big') + bytes(range(16))
    hello[3:5] = len(hello).to_bytes(2, 'big')
    echo = bytes([0xec, 1, 0, 0]) + (5).to_bytes(4, 'big') + (6).to_bytes(8, 'big')
    file = os.path.join(folder, 'private.pcap')
    capture(file, [bytes(hello), echo])
    expect(not malformed(file), malformed(file)[:500])
    shown = fields(file, 'kira.type', 'kira.capabilities', 'kira.overlay_hop', 'kira.mac.key', 'kira.mac.counter', 'kira.mac')
    expect(shown == [['0x17', '1,3', '7', '99', bytes(range(16)).hex()]], f'private objects: {shown}')
    expect(fields(file, 'kira.echo', 'kira.echo', 'kira.echo.tag') == [['1', '0x00000005']], 'echo')


def spoiled(folder):
    """Each vector cut short in its last object, and with a byte too many in it, is malformed and breaks nothing."""
    bad = []
    for path in sorted(glob.glob(os.path.join(ROOT, 'tests', 'vectors', 'kira', '*.hex'))):
        message = bytearray(vector(path))
        if len(message) > 55:
            message[3:5] = (len(message) - 1).to_bytes(2, 'big')
            bad.append(bytes(message[:-1]))
        bad.append(bytes(message[:40]))
    file = os.path.join(folder, 'spoiled.pcap')
    capture(file, bad)
    found = fields(file, 'kira.malformed', 'frame.number')
    expect(len(found) == len(bad), f'{len(found)} of {len(bad)} spoiled messages are malformed')
    expect(not tshark(file, '-Y', '_ws.lua.error').strip(), 'an error of the script')
    return f'{len(bad)} messages'


def lab_capture(suite, folder):
    """Three nodes in a line join, and the ends ping each other: everything on both links."""
    file = os.path.join(folder, 'lab.pcap')
    with Lab(suite, 'line:3') as lab:
        tcpdump = lab.background('n1', 'tcpdump', '-i', 'any', '-U', '-w', file, 'ip6', stderr=subprocess.DEVNULL)
        time.sleep(1)
        for node in 'n0', 'n2':
            lab.lab('stop', node)
            lab.lab('start', node)
        lab.settled(30)
        must(lab.at('n0', 'ping', '-q', '-c', '20', '-i', '0.2', lab.address('n2')))
        must([suite.heddle, '--state', lab.state('n0'), 'path', lab.address('n2')])
        lab.lab('stop', 'n2')
        time.sleep(1)
        tcpdump.terminate()
        tcpdump.wait(5)
        ids = [lab.address(n) for n in ('n0', 'n2')]
    return file, [packed(a)[2:].hex() for a in ids]


def lab_packets(suite, folder):
    file, (first, last) = lab_capture(suite, folder)
    expect(not malformed(file), f'malformed: {malformed(file)[:600]}')
    seen = {line[0] for line in fields(file, 'kira.type', 'kira.type')}
    wanted = {'0x01', '0x03', '0x04', '0x09', '0x0a'}
    expect(wanted <= seen, f'types seen: {sorted(seen)}')
    expect(fields(file, 'kira.capabilities', 'kira.capabilities'), 'no capabilities')
    expect(fields(file, 'kira.echo', 'kira.echo'), 'no echo')
    labelled = fields(file, f'kira_data.pathid && kira_data.source == {colons(first)} && icmpv6.type == 128',
                      'kira_data.pathid', 'kira_data.dest')
    expect(labelled and all(line[1] == last for line in labelled), f'labelled packets: {labelled[:3]}')
    return f'types {", ".join(sorted(seen))}; {len(labelled)} labelled requests'


def colons(digits):
    return ':'.join(digits[i:i + 2] for i in range(0, len(digits), 2))


def main():
    if not has_lua():
        print('skip: tshark with Lua is not here')
        sys.exit(77)
    suite = Suite(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)  # tcpdump gives its privileges away before it opens the file
        suite.case('vectors of the specification', vectors, folder)
        suite.case('values to the byte', values, folder)
        suite.case('private objects and echo', private, folder)
        suite.case('spoiled messages', spoiled, folder)
        suite.case('packets of a lab', lab_packets, suite, folder)
    suite.finish()


if __name__ == '__main__':
    main()
