# SPDX-License-Identifier: Apache-2.0
"""Labels on the wire: a chain of six, watched by tshark at its middle link.

The labels are computed here from the published rule (kira.md 2.3) and compared with what a program that we did
not write reads from the link: n0 sends to n5, so the link n2-n3 carries H(n3, n4, n5) with n3 as the receiver.
"""
import os
import sys
import time

from accept import Lab, Suite, expect, label_address, must, path_label, run, stop_process, within

FIELDS = ['ipv6.nxt', 'ipv6.dst', 'ipv6.src', 'ipv6.hlim', 'gre.proto', 'frame.len']


def capture(lab, node, interface, action):
    """What tshark reads of the packets at an interface while the action runs: a dictionary for each."""
    file = f'{lab.path}/{node}.pcap'
    p = lab.background(node, 'tcpdump', '-U', '--immediate-mode', '-n', '-i', interface, '-w', file, 'icmp6 or proto 47')
    # It says when it listens; from then on nothing is missed.
    for line in p.stdout:
        if 'listening on' in line:
            break
    action()
    time.sleep(0.5)
    stop_process(p)
    words = ['tshark', '-n', '-r', file, '-T', 'fields', '-E', 'occurrence=a']
    for f in FIELDS:
        words += ['-e', f]
    packets = [dict(zip(FIELDS, line.split('\t'))) for line in must(words).splitlines() if line]
    os.unlink(file)
    return packets


def main():
    suite = Suite(sys.argv[1:])
    if run(['tshark', '--version']).returncode != 0:
        suite.skip('labels on the wire', 'tshark is not installed')
        suite.finish()
    with Lab(suite, 'line:6') as lab:
        nodes = [f'n{i}' for i in range(6)]
        suite.case('every node reaches every node', lab.settled)
        ids = [lab.identity(n) for n in nodes]
        seen = []

        def pings():
            within(10, lab.reaches, 'n0', 'n5')
            p = run(lab.at('n0', 'ping', '-n', '-q', '-i', '0.05', '-c', '20', lab.address('n5')))
            expect(p.returncode == 0, p.stdout)

        def record():
            everything = capture(lab, 'n2', 'to-n3', pings)
            seen.extend(p for p in everything if ',' in p['ipv6.dst'])
            expect(len(seen) >= 40, f'tshark saw {len(seen)} GRE packets of 40')
            return f'{len(seen)} packets'

        suite.case('tshark sees the packets at the middle link', record)

        def all_are(field, value):
            wrong = [p[field] for p in seen if p[field].split(',')[0] != value]
            expect(seen and not wrong, f'{field} should be {value}, but is {sorted(set(wrong))}')

        def destinations(source, ids_of_path):
            """Outer destinations of the packets whose inner one is the node at the path's end."""
            found = set()
            for p in seen:
                outer, inner = p['ipv6.dst'].split(',')[:2]
                if inner == source:
                    found.add(outer)
            want = label_address(path_label(ids_of_path))
            expect(found == {want}, f'{want} expected, seen {found or "nothing"}')
            return want

        suite.case('next header is 47', all_are, 'ipv6.nxt', '47')
        suite.case('GRE carries 0x86dd', all_are, 'gre.proto', '0x86dd')
        suite.case('there: the label of n3, n4, n5', destinations, lab.address('n5'), ids[3:6])
        suite.case('back: the label of n2, n1, n0', destinations, lab.address('n0'), [ids[2], ids[1], ids[0]])

        def overhead():
            # 14 Ethernet, 40 outer, 4 GRE, 40 inner, 64 ICMPv6 of an ordinary ping
            lengths = {p['frame.len'] for p in seen}
            expect(lengths == {'162'}, f'frames of {lengths} bytes')

        suite.case('a packet grows by 44 bytes', overhead)

        def inner_source():
            ends = {lab.address('n0'), lab.address('n5')}
            wrong = [p for p in seen if set(p['ipv6.src'].split(',')[1:2]) - ends]
            expect(not wrong, f'{wrong[:1]}')

        suite.case('the inner packet is that of the user', inner_source)

        def stated_labels():
            """What the nodes say they do is what the paths demand."""
            for at in range(1, 5):
                path = ids[at:6]
                want, out = path_label(path), path_label(path[1:])
                rows = {r['label']: r for r in lab.rows(nodes[at], 'labels')}
                expect(want in rows, f'n{at} does not list {want}')
                expect(rows[want]['action'] == 'swap' and rows[want]['out-label'] == out,
                       f'n{at}: {rows[want]} should become {out}')
            own = {r['label']: r for r in lab.rows('n5', 'labels')}[path_label(ids[5:])]
            expect(own['action'] == 'decapsulate', f'{own}')

        suite.case('each hop lists the label and its successor', stated_labels)

        def without_label():
            """One hop needs no label: n3 to n4 is plain."""
            packets = capture(lab, 'n3', 'to-n4', lambda: lab.reaches('n3', 'n4'))
            mine = [p for p in packets if lab.address('n4') in p['ipv6.dst'].split(',')]
            expect(mine, 'no packet was seen')
            expect(all(p['ipv6.nxt'] == '58' for p in mine), f'with a label: {mine[0]}')

        suite.case('a neighbour gets plain packets', without_label)
    suite.finish()


if __name__ == '__main__':
    main()
