# SPDX-License-Identifier: Apache-2.0
"""Fabric keys: members reach each other, others get nothing (design.md, section 7).

A star: the member m1 in the middle, around it the member m2, the node s of another fabric, the open node o, and
x without any Heddle, which sends what a clever stranger would.
"""
import json
import re
import shutil
import sys
import tempfile
import time

from accept import (KIRA_PORT, Lab, Suite, Wire, echo_request, expect, ipv6, label_address, mac_bytes, must,
                    packed, path_label, run, whole, within)

MIDDLE = 'm1'
STRANGERS = ('s', 'o')


def up(lab, node, *words):
    out = must(lab.at(node, lab.suite.heddle, '--state', lab.state(node), 'up', '--heddled', lab.suite.heddled,
                      '--backend', lab.suite.backend, *words), timeout=30)
    within(10, lambda: lab.show(node, 'status')['node-id'])
    return out


def neighbours(lab, node):
    return {n['interface'] for n in lab.rows(node, 'neighbours')}


def start(lab):
    token = re.search(r'heddle1-[0-9a-z-]+', up(lab, 'm1', '--new'))
    expect(token, 'no token was printed')
    up(lab, 'm2', '--join', token.group())
    up(lab, 's', '--new')
    up(lab, 'o', '--open')
    for n in 'm1', 'm2', 's', 'o':
        lab.identity(n)


def members(lab):
    took = within(10, lambda: 'to-m2' in neighbours(lab, MIDDLE))
    within(10, lab.reaches, 'm1', 'm2')
    within(10, lab.reaches, 'm2', 'm1')
    expect(all(n['authenticated'] for n in lab.rows(MIDDLE, 'neighbours')), 'a neighbour without authentication')
    return f'neighbours after {took} ms'


def strangers_are_none(lab):
    time.sleep(2)
    expect(neighbours(lab, MIDDLE) == {'to-m2'}, f'neighbours of {MIDDLE}: {neighbours(lab, MIDDLE)}')
    for n in STRANGERS:
        expect(not neighbours(lab, n), f'{n} has neighbours: {neighbours(lab, n)}')
        known = {c['id'] for c in lab.rows(n, 'contacts')} | {v['id'] for v in lab.rows(n, 'vicinity')}
        expect(not known, f'{n} knows {known}')


def strangers_reach_nothing(lab):
    for n in STRANGERS:
        for m in 'm1', 'm2':
            expect(not lab.reaches(n, m), f'{n} reaches {m}')
            expect(not lab.reaches(m, n), f'{m} reaches {n}')


def counted(lab):
    c = lab.counters(MIDDLE)
    expect(c['drop.unauthenticated'] > 0, f'drop.unauthenticated is {c["drop.unauthenticated"]}')
    return f'drop.unauthenticated {c["drop.unauthenticated"]}'


def entry(lab, node):
    """MAC addresses of a link between a stranger and the member in the middle: theirs, ours."""
    def mac(n, interface):
        return json.loads(must(['ip', '-n', lab.namespace(n), '-j', 'link', 'show', interface]))[0]['address']
    return mac(MIDDLE, f'to-{node}'), mac(node, f'to-{MIDDLE}')


def heard(lab, node, marker, action, seconds=1.5):
    """Does a packet with these bytes leave for, or arrive at, this member?"""
    watch = Wire(lab, node, f'to-{MIDDLE}' if node != MIDDLE else 'to-m2')
    action()
    found = any(marker in f for f, _ in watch.frames(seconds))
    watch.close()
    return found


def deliver_plain(lab):
    """A route by hand and a plain packet to a member's address: it must not be answered."""
    theirs, ours = entry(lab, 'x')
    source, to = 'fc00:bad::1', lab.address('m2')
    before = lab.counters(MIDDLE)
    wire = Wire(lab, 'x', f'to-{MIDDLE}')
    marker = b'plain-stranger-packet'

    def send():
        for source_address in (source, lab.address('m2'), 'fe80::bad'):
            for target in (lab.address('m1'), to):
                wire.send(theirs, ours, ipv6(source_address, target, 58,
                                             echo_request(source_address, target, 9, marker)))
    through = heard(lab, 'm2', marker, send)
    wire.close()
    expect(not through, 'a plain packet of a stranger went to m2')
    refused(lab, before, 6)


def refused(lab, before, n):
    after = lab.counters(MIDDLE)
    grown = {k: after[k] - before[k] for k in ('drop.not-admitted', 'drop.guard', 'drop.not-ours', 'drop.malformed')}
    expect(sum(grown.values()) >= n, f'{n} packets were sent, refused are {grown}')


def deliver_labelled(lab):
    """Labels that m1 really has, from a stranger: not forwarded, counted."""
    theirs, ours = entry(lab, 'x')
    before = lab.counters(MIDDLE)
    ids = {n: lab.identity(n) for n in ('m1', 'm2')}
    marker = b'labelled-stranger-packet'
    wire = Wire(lab, 'x', f'to-{MIDDLE}')
    labels = [path_label([ids['m1']]), path_label([ids['m1'], ids['m2']]), path_label([ids['m2']])]

    def send():
        for label in labels:
            inner = ipv6('fc00:bad::1', lab.address('m2'), 58,
                         echo_request('fc00:bad::1', lab.address('m2'), 9, marker))
            wire.send(theirs, ours, ipv6('fc00:bad::1', label_address(label), 47, b'\0\0\x86\xdd' + inner))
            inner = ipv6('fc00:bad::1', lab.address('m1'), 58,
                         echo_request('fc00:bad::1', lab.address('m1'), 9, marker))
            wire.send(theirs, ours, ipv6('fc00:bad::1', label_address(label), 47, b'\0\0\x86\xdd' + inner))
    through = heard(lab, 'm2', marker, send)
    wire.close()
    expect(not through, 'a labelled packet of a stranger went to m2')
    refused(lab, before, 6)


def borrowed_mac(lab):
    """A stranger's link, but the MAC address of a member: admission is by link, too."""
    theirs, _ = entry(lab, 'x')
    _, member = entry(lab, 'm2')
    marker = b'borrowed-mac-packet'
    before = lab.counters(MIDDLE)
    wire = Wire(lab, 'x', f'to-{MIDDLE}')
    label = path_label([lab.identity('m1')])
    to = lab.address('m2')

    def send():
        inner = ipv6('fc00:bad::1', to, 58, echo_request('fc00:bad::1', to, 9, marker))
        wire.send(theirs, member, ipv6('fc00:bad::1', label_address(label), 47, b'\0\0\x86\xdd' + inner))
        wire.send(theirs, member, ipv6('fc00:bad::1', to, 58, echo_request('fc00:bad::1', to, 9, marker)))
    through = heard(lab, 'm2', marker, send)
    wire.close()
    expect(not through, 'it went to m2')
    refused(lab, before, 2)


def replay(lab):
    """Messages of a member, heard on its link and sent again on another and on the same, change nothing."""
    member = Wire(lab, 'm2', f'to-{MIDDLE}')
    restart = run(lab.at('m2', lab.suite.heddle, '--state', lab.state('m2'), 'restart'))
    expect(restart.returncode == 0, restart.stderr)
    taken = [whole(f) for f, out in member.frames(4) if out and f[20] == 17 and int.from_bytes(f[56:58], 'big') == KIRA_PORT and
             len(f) > 78]  # echoes are no messages
    expect(len(taken) >= 3, f'{len(taken)} messages of m2 were heard')
    within(10, lab.reaches, 'm1', 'm2')
    at_x = {i['name']: i for i in lab.rows(MIDDLE, 'interfaces')}['to-x']
    theirs, ours = entry(lab, 'x')
    wire = Wire(lab, 'x', 'to-m1')

    def elsewhere(frame, mac):
        to = frame[38:54] if frame[38] == 0xff else packed(at_x['link-local'])
        return whole(mac_bytes(theirs) + mac + frame[12:38] + to + frame[54:])

    said = []
    for name, send in (('same link', member.s.send),
                       ('another link', lambda f: wire.s.send(elsewhere(f, f[6:12]))),
                       ('another link and MAC', lambda f: wire.s.send(elsewhere(f, mac_bytes(ours))))):
        before = lab.counters(MIDDLE)
        for f in taken:
            send(f)
        time.sleep(0.5)
        after = lab.counters(MIDDLE)
        grown = {k[5:]: after[k] - before[k] for k in after if k.startswith('drop.') and after[k] != before[k]}
        said.append(f'{name}: {grown}')
        expect(neighbours(lab, MIDDLE) == {'to-m2'}, f'neighbours: {neighbours(lab, MIDDLE)}')
        refusals = sum(grown.get(k, 0) for k in ('replay', 'stranger', 'unauthenticated', 'no-request', 'own-id'))
        # Elsewhere a hello is answered by a question; only the answer would make a neighbour.
        expect(refusals >= len(taken) // 2, f'{len(taken)} messages; {said[-1]}')
    wire.close()
    member.close()
    within(5, lab.reaches, 'm1', 'm2')
    return f'{len(taken)} messages; ' + ', '.join(said)


def spoken_to(lab):
    """A hello without key, as any open node sends it, gets no answer that helps: no identity goes out unasked."""
    status = lab.show(MIDDLE, 'status')
    expect(status['open'] is False, f'open is {status["open"]}')
    expect(lab.show('o', 'status')['open'] is True, 'the open node does not say so')
    text = lab.run_heddle('o', 'status').stdout
    expect('OPEN' in text, f'heddle status of an open node: {text}')


def main():
    suite = Suite(sys.argv[1:])
    folder = tempfile.mkdtemp(prefix='heddle-fabric.')
    file = f'{folder}/star.json'
    with open(file, 'w') as f:
        json.dump({'nodes': ['m1', 'm2', 's', 'o', 'x'], 'links': [['m1', n] for n in ('m2', 's', 'o', 'x')]}, f)
    try:
        with Lab(suite, file, daemons=False) as lab:
            for n in 'm1', 'm2', 's', 'o':
                must(['mkdir', '-p', lab.state(n)])
            try:
                suite.case('fabrics are made, joined, opened', start, lab)
                suite.case('members reach each other', members, lab)
                suite.case('another key and no key are no neighbours', strangers_are_none, lab)
                suite.case('they reach nothing', strangers_reach_nothing, lab)
                suite.case('counters say why', counted, lab)
                suite.case('status says what is open', spoken_to, lab)
                suite.case('plain packets of a stranger', deliver_plain, lab)
                suite.case('labelled packets of a stranger', deliver_labelled, lab)
                suite.case('a stranger with the MAC address of a member', borrowed_mac, lab)
                suite.case('replayed messages', replay, lab)
            finally:
                for n in 'm1', 'm2', 's', 'o':
                    run(lab.at(n, suite.heddle, '--state', lab.state(n), 'down'))
    finally:
        shutil.rmtree(folder)
    suite.finish()


if __name__ == '__main__':
    main()
