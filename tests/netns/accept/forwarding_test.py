# SPDX-License-Identifier: Apache-2.0
"""Users' traffic over four hops, with the offloads that interfaces have by default (forwarding-on-linux.md).

    n0 --- n1 --- n2 --- n3 --- n4          all links 1500 bytes
    m0 --- m1 -1400- m2 --- m3              a smaller link in the middle

A ping proves nothing about checksums, segmentation and path MTU, so there is TCP, 100 MB by scp, UDP_SEGMENT,
datagrams of full size, and what senders hear of packets that are too long.
"""
import errno
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from accept import (Lab, Suite, Wire, echo_request, expect, ipv6, label_address, must, packed, path_label, run,
                    stop_process, udp, within)

UDP_SEGMENT = 103
SOL_UDP = 17
IPV6_MTU = 24
IPV6_MTU_DISCOVER = 23
IPV6_DONTFRAG = 62
IPV6_TCLASS = 67
IPV6_RECVTCLASS = 66
IPV6_RECVHOPLIMIT = 51
MEGABYTE = 1 << 20


def udp_socket(lab, node, port=0):
    with lab.inside(node):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind((lab.address(node), port))
    s.settimeout(5)
    return s


def read_all(connection, result):
    h, n = hashlib.sha256(), 0
    while data := connection.recv(MEGABYTE):
        h.update(data)
        n += len(data)
    result.update(bytes=n, digest=h.hexdigest())
    connection.close()


def tcp_copy(lab, a, b, megabytes):
    """Random bytes from a to b, compared by their digest."""
    with lab.inside(b):
        server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    server.bind((lab.address(b), 0))
    server.listen(1)
    with lab.inside(a):
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect((lab.address(b), server.getsockname()[1]))
    connection, _ = server.accept()
    connection.settimeout(30)
    result = {}
    reader = threading.Thread(target=read_all, args=(connection, result))
    reader.start()
    block, h = os.urandom(MEGABYTE), hashlib.sha256()
    began = time.monotonic()
    for _ in range(megabytes):
        s.sendall(block)
        h.update(block)
    s.close()
    reader.join(60)
    server.close()
    expect(result.get('digest') == h.hexdigest(), f'{result.get("bytes")} of {megabytes * MEGABYTE} bytes, or other bytes')
    return f'{megabytes * 8 * 1.048576 / (time.monotonic() - began):.0f} Mb/s'


def offloads_are_default(lab):
    for node, interface in (('n0', 'kira0'), ('n1', 'to-n2')):
        text = run(lab.at(node, 'ethtool', '-k', interface)).stdout
        expect('tcp-segmentation-offload: on' in text or interface == 'kira0', f'{node} {interface}: {text}')


def scp(lab, a, b):
    folder = tempfile.mkdtemp(prefix='heddle-scp.')
    try:
        return scp_in(lab, a, b, folder)
    finally:
        shutil.rmtree(folder)


def scp_in(lab, a, b, folder):
    os.makedirs('/run/sshd', exist_ok=True)
    for name in 'host', 'user':
        must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', f'{folder}/{name}'])
    with open(f'{folder}/config', 'w') as f:
        f.write(f'Port 2222\nListenAddress [{lab.address(b)}]:2222\nHostKey {folder}/host\nUsePAM no\n'
                f'AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPermitRootLogin prohibit-password\n'
                f'PidFile {folder}/pid\nSubsystem sftp internal-sftp\n')
    with open(f'{folder}/data', 'wb') as f:
        for _ in range(100):
            f.write(os.urandom(MEGABYTE))
    server = lab.background(b, shutil.which('sshd') or '/usr/sbin/sshd', '-D', '-e', '-f', f'{folder}/config',
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        within(20, lambda: lab.address(b) in must(lab.at(b, 'ss', '-ltn')))
        began = time.monotonic()
        must(lab.at(a, 'scp', '-q', '-P', '2222', '-i', f'{folder}/user', '-o', 'StrictHostKeyChecking=no', '-o',
                    f'UserKnownHostsFile={folder}/known', f'{folder}/data', f'root@[{lab.address(b)}]:{folder}/copy'),
             timeout=90)
        took = time.monotonic() - began
    finally:
        stop_process(server)
    sums = {must(['sha256sum', f'{folder}/{name}']).split()[0] for name in ('data', 'copy')}
    expect(len(sums) == 1, 'the copy differs')
    return f'{800 / took:.0f} Mb/s'


def full_size(lab, a, b):
    """The largest packet that needs no fragment, and one byte more."""
    mtu = json.loads(must(['ip', '-n', lab.namespace(a), '-j', 'link', 'show', 'kira0']))[0]['mtu']
    expect(mtu == 1456, f'kira0 has an MTU of {mtu}; 1500 - 44 is 1456')
    good = run(lab.at(a, 'ping', '-q', '-n', '-c', '5', '-i', '0.05', '-M', 'do', '-s', str(mtu - 48), lab.address(b)))
    expect(' 0% packet loss' in good.stdout, good.stdout)
    long = run(lab.at(a, 'ping', '-q', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', str(mtu - 47), lab.address(b)))
    expect(long.returncode != 0, 'a packet above the MTU went through')


def fragments(lab, a, b):
    """Datagrams above the MTU, cut by the sender and joined by the receiver."""
    receiver, sender = udp_socket(lab, b), udp_socket(lab, a)
    data = os.urandom(8000)
    sender.sendto(data, receiver.getsockname()[:2])
    expect(receiver.recv(65536) == data, 'other bytes arrived')


def udp_segment(lab, a, b):
    """One call hands the kernel ten datagrams of 1200 bytes; each must arrive by itself, unharmed."""
    receiver, sender = udp_socket(lab, b), udp_socket(lab, a)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sender.setsockopt(SOL_UDP, UDP_SEGMENT, 1200)
    sender.connect(receiver.getsockname()[:2])
    for _ in range(50):
        data = os.urandom(12000)
        expect(sender.send(data) == 12000, 'the kernel took less')
        for i in range(10):
            got = receiver.recv(65536)
            expect(got == data[1200 * i:1200 * i + 1200], f'datagram {i}: {len(got)} bytes, or other bytes')
    return '500 datagrams'


def labels_are_one_hop(lab, a, b):
    """A labelled path is one hop to the user's packet, however long it is (kira.md 7.1)."""
    receiver, sender = udp_socket(lab, b), udp_socket(lab, a)
    receiver.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9)
    sender.sendto(b'hops', receiver.getsockname()[:2])
    expect(hop_limit_of(receiver) == 9, 'the hop limit of a user\'s packet changed under way')


def hop_limit_of(receiver):
    _, control, _, _ = receiver.recvmsg(2000, 100)
    return struct.unpack('i', control[0][2])[0]


def inject(lab, a, b, first_label, inner, outer_hop_limit=64):
    """Hands node b, a neighbour of a, a packet with this label as if a had encapsulated it."""
    wire = Wire(lab, a, f'to-{b}')
    mine = {i['name']: i for i in lab.rows(a, 'interfaces')}[f'to-{b}']
    other = [n for n in lab.rows(a, 'neighbours') if n['interface'] == f'to-{b}'][0]
    wire.send(other['mac'], mine['mac'],
              ipv6(lab.address(a), label_address(first_label), 47, b'\0\0\x86\xdd' + inner, outer_hop_limit))
    wire.close()


def overlay_hop(lab, a, via, b):
    """A node that is no destination, but the end of a label, forwards as a router does: one hop less."""
    receiver = udp_socket(lab, b)
    receiver.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
    source, to = lab.address(a), lab.address(b)
    port = receiver.getsockname()[1]
    label = path_label([lab.identity(via)])
    for limit in 64, 2:
        inject(lab, a, via, label, ipv6(source, to, 17, udp(source, to, 5000, port, b'overlay'), limit))
        expect(hop_limit_of(receiver) == limit - 1, f'a hop limit of {limit} arrived otherwise than as {limit - 1}')
    with lab.inside(a):
        listener = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    listener.settimeout(3)
    inject(lab, a, via, label, ipv6(source, to, 17, udp(source, to, 5000, port, b'overlay'), 1))
    while True:
        message, sender = listener.recvfrom(2000)
        if message[0] == 3:
            break
    listener.close()
    expect(sender[0] == lab.address(via), f'"time exceeded" came from {sender[0]}')
    expect(message[8 + 8:8 + 40] == packed(source) + packed(to), 'it quotes another packet')


def outer_expires(lab, a, via, b):
    """The outer hop limit ends loops: labels whose hop limit ran out are dropped and counted."""
    row = [r for r in lab.rows(via, 'labels') if r['action'] == 'swap' and r['interface'] != f'to-{a}'][0]
    source, to = lab.address(a), lab.address(b)
    before = lab.counters(via)['drop.hop-limit']
    for _ in range(5):
        inject(lab, a, via, row['label'], ipv6(source, to, 58, echo_request(source, to, 77)), 1)
    within(3, lambda: lab.counters(via)['drop.hop-limit'] >= before + 5)


def ecn(lab, a, b, middle, interface, to):
    """Marks survive: ECT(0) arrives as it was, and CE set on the outer header arrives inside (RFC 6040)."""
    receiver, sender = udp_socket(lab, b), udp_socket(lab, a)
    receiver.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
    seen = {}
    wire = Wire(lab, middle, interface)
    for mark in 2, 1, 0, 3:
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_TCLASS, 0xb8 | mark)
        sender.sendto(b'ecn' * 20, receiver.getsockname()[:2])
        _, control, _, _ = receiver.recvmsg(2000, 100)
        seen[mark] = struct.unpack('i', control[0][2])[0]
        if mark == 2:
            frame = next(f for f, _ in wire.frames(2) if f[20] == 47 and b'ecnecn' in f)
    expect(seen == {m: 0xb8 | m for m in (0, 1, 2, 3)}, f'traffic classes arrived: {seen}')
    outer = (frame[14] << 4 | frame[15] >> 4) & 3
    expect(outer == 2, f'the outer header of an ECT(0) packet says {outer}')
    # Like frames, with congestion experienced on the outer header. (Not the same: its checksum is the NIC's task.)
    source, to, port = lab.address(a), lab.address(b), receiver.getsockname()[1]
    head = bytearray(frame[:58])
    head[15] |= 0x30
    for inner in 2, 0:
        data = udp(source, to, 5000, port, b'ecn' * 20)
        wire.s.send(bytes(head) + ipv6(source, to, 17, data, traffic_class=inner))
        if inner:
            _, control, _, _ = receiver.recvmsg(2000, 100)
            expect(struct.unpack('i', control[0][2])[0] & 3 == 3, 'CE on the outer header did not arrive')
        else:
            within(3, lambda: lab.counters(b)['drop.ecn'] == 1)
    wire.close()


def too_long(lab, a, b, want):
    """A datagram with "do not fragment" across the small link: the sender's socket learns the MTU."""
    receiver, sender = udp_socket(lab, b), udp_socket(lab, a)
    sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, 2)  # always
    sender.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 1)
    sender.connect(receiver.getsockname()[:2])
    end = time.monotonic() + 8
    learned = 0
    while time.monotonic() < end:
        try:
            sender.send(b'x' * 1400)
        except OSError as why:
            expect(why.errno == errno.EMSGSIZE, str(why))
            learned = sender.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
            break
        time.sleep(0.1)
    expect(learned, 'the sender was told nothing')
    expect(learned == want, f'the sender was told {learned}, right is {want}')
    sender.send(b'y' * (want - 48))
    while (got := receiver.recv(2000))[:1] != b'y':
        pass
    expect(len(got) == want - 48, f'{len(got)} bytes arrived')
    return f'{learned} bytes'


def four_hops(suite):
    with Lab(suite, 'line:5') as lab:
        suite.case('every node reaches every node', lab.settled)
        suite.case('offloads are as they are by default', offloads_are_default, lab)
        suite.case('full-size packets', full_size, lab, 'n0', 'n4')
        suite.case('fragments', fragments, lab, 'n0', 'n4')
        suite.case('UDP_SEGMENT', udp_segment, lab, 'n0', 'n4')
        suite.case('100 MB by TCP', tcp_copy, lab, 'n0', 'n4', 100)
        if shutil.which('scp') and (shutil.which('sshd') or os.path.exists('/usr/sbin/sshd')):
            suite.case('100 MB by scp', scp, lab, 'n0', 'n4')
        else:
            suite.skip('100 MB by scp', 'no scp or sshd here')
        suite.case('hop limit: labels leave it alone', labels_are_one_hop, lab, 'n0', 'n4')
        suite.case('hop limit: an overlay hop takes one, and tells who ran out', overlay_hop, lab, 'n0', 'n1', 'n4')
        suite.case('hop limit: labels end too', outer_expires, lab, 'n0', 'n1', 'n4')
        suite.case('ECN', ecn, lab, 'n0', 'n4', 'n1', 'to-n2', 'n2')


def small_link(suite):
    folder = tempfile.mkdtemp(prefix='heddle-small.')
    file = f'{folder}/small.json'
    with open(file, 'w') as f:
        json.dump({'nodes': ['m0', 'm1', 'm2', 'm3', 'm4'],
                   'links': [['m0', 'm1'], ['m1', 'm2'], {'a': 'm2', 'b': 'm3', 'mtu': 1400}, ['m3', 'm4']]}, f)
    try:
        with Lab(suite, file) as lab:
            suite.case('1400-byte link: every node reaches every node', lab.settled)
            suite.case('1400-byte link: too long a datagram is answered', too_long, lab, 'm0', 'm4', 1356)
            suite.case('1400-byte link: 20 MB by TCP', tcp_copy, lab, 'm0', 'm4', 20)
            suite.case('1400-byte link: 20 MB by TCP back, untaught', tcp_copy, lab, 'm4', 'm0', 20)
            suite.case('1400-byte link: from its own end', too_long, lab, 'm2', 'm4', 1356)
            suite.case('1400-byte link: fragments', fragments, lab, 'm0', 'm4')
    finally:
        shutil.rmtree(folder)


def main():
    suite = Suite(sys.argv[1:])
    four_hops(suite)
    small_link(suite)
    suite.finish()


if __name__ == '__main__':
    main()
