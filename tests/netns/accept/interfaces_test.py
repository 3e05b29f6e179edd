# SPDX-License-Identifier: Apache-2.0
"""Interfaces that come and go at run time, and kernel state that others take away (design.md, sections 4, 5, 7).

n0 - n1 - n2 - n3 - n4; further veth pairs appear between n0 and n2. What is removed by hand comes back: within seconds where
the kernel says that it is gone, else (programs of tcx) with the periodic look at everything (30 s).
"""
import json
import os
import subprocess
import sys
import time

from accept import Lab, Suite, expect, is_alive, must, run, within

RECONCILE_S = 35
SOON_S = 5


def row(lab, node, name):
    return {i['name']: i for i in lab.rows(node, 'interfaces')}.get(name)


def neighbour_on(lab, node, name):
    return any(n['interface'] == name for n in lab.rows(node, 'neighbours'))


def add_pair(lab, name):
    must(['ip', 'link', 'add', name, 'netns', lab.namespace('n0'), 'type', 'veth', 'peer', 'name', name, 'netns',
          lab.namespace('n2')])


def appears(lab):
    add_pair(lab, 'new0')
    within(3, row, lab, 'n0', 'new0')
    expect(row(lab, 'n0', 'new0')['up'] is False, 'it is down, but not shown so')
    for n in 'n0', 'n2':
        lab.ip(n, 'link', 'set', 'new0', 'up')
    return f'neighbour after {within(8, neighbour_on, lab, "n0", "new0")} ms'


def renamed(lab):
    lab.ip('n0', 'link', 'set', 'new0', 'down')
    within(3, lambda: not neighbour_on(lab, 'n0', 'new0'))
    lab.ip('n0', 'link', 'set', 'new0', 'name', 'other0')
    lab.ip('n0', 'link', 'set', 'other0', 'up')
    within(5, row, lab, 'n0', 'other0')
    expect(row(lab, 'n0', 'new0') is None, 'the old name is still there')
    within(10, neighbour_on, lab, 'n0', 'other0')


def renamed_up(lab):
    """Newer kernels rename interfaces that are up, too."""
    if run(['ip', '-n', lab.namespace('n0'), 'link', 'set', 'other0', 'name', 'third0']).returncode != 0:
        return 'this kernel refuses'
    within(5, row, lab, 'n0', 'third0')
    within(10, neighbour_on, lab, 'n0', 'third0')
    lab.ip('n0', 'link', 'set', 'third0', 'name', 'other0')
    within(5, row, lab, 'n0', 'other0')
    return None


def down_up(lab):
    for side in 'n0', 'n2':
        name = 'other0' if side == 'n0' else 'new0'
        lab.ip(side, 'link', 'set', name, 'down')
        within(3, lambda: not neighbour_on(lab, 'n0', 'other0'))
        within(3, lab.reaches, 'n0', 'n2')
        lab.ip(side, 'link', 'set', name, 'up')
        within(10, neighbour_on, lab, 'n0', 'other0')


def many_times(lab):
    """Twenty flaps end in order."""
    for _ in range(20):
        lab.ip('n0', 'link', 'set', 'other0', 'down')
        lab.ip('n0', 'link', 'set', 'other0', 'up')
    within(15, neighbour_on, lab, 'n0', 'other0')
    within(5, lab.reaches, 'n0', 'n2')


def small_mtu(lab):
    lab.ip('n0', 'link', 'set', 'other0', 'mtu', '1300')
    within(3, lambda: row(lab, 'n0', 'other0')['used'] is False)
    why = row(lab, 'n0', 'other0')['why-not']
    expect('mtu' in why.lower(), f'the reason is {why}')
    text = lab.run_heddle('n0', 'status').stdout
    expect('1324' in text and 'other0' in text, f'heddle status: {text}')
    within(3, lab.reaches, 'n0', 'n2')
    lab.ip('n0', 'link', 'set', 'other0', 'mtu', '1500')
    within(3, lambda: row(lab, 'n0', 'other0')['used'])
    within(15, neighbour_on, lab, 'n0', 'other0')
    return why


def new_mac(lab):
    lab.ip('n0', 'link', 'set', 'other0', 'address', '02:00:5e:00:53:01')
    within(3, lambda: row(lab, 'n0', 'other0')['mac'] == '02:00:5e:00:53:01')
    within(10, lambda: any(n['mac'] == '02:00:5e:00:53:01' for n in lab.rows('n2', 'neighbours')))
    within(5, lab.reaches, 'n0', 'n2')


def vanishes(lab):
    lab.ip('n0', 'link', 'del', 'other0')
    within(3, lambda: row(lab, 'n0', 'other0') is None)
    within(3, lambda: not neighbour_on(lab, 'n2', 'new0'))
    within(3, lab.reaches, 'n0', 'n2')


def other_namespace(lab):
    """An interface that moves away is gone, and comes back as a new one."""
    add_pair(lab, 'moved0')
    for n in 'n0', 'n2':
        lab.ip(n, 'link', 'set', 'moved0', 'up')
    within(10, neighbour_on, lab, 'n0', 'moved0')
    lab.ip('n0', 'link', 'set', 'moved0', 'netns', lab.namespace('n1'))
    within(3, lambda: row(lab, 'n0', 'moved0') is None)
    lab.ip('n1', 'link', 'set', 'moved0', 'up')
    within(10, neighbour_on, lab, 'n1', 'moved0')
    lab.ip('n1', 'link', 'del', 'moved0')
    within(3, lambda: row(lab, 'n1', 'moved0') is None)


def unusual_kinds(lab):
    """In a namespace all Ethernet is taken: a bridge, but not its ports; no tunnels."""
    lab.ip('n0', 'link', 'add', 'br0', 'type', 'bridge')
    lab.ip('n0', 'link', 'add', 'port0', 'type', 'veth', 'peer', 'name', 'port1')
    lab.ip('n0', 'link', 'set', 'port0', 'master', 'br0')
    lab.ip('n0', 'tuntap', 'add', 'tun0', 'mode', 'tun')
    for name in 'br0', 'port0', 'port1', 'tun0':
        lab.ip('n0', 'link', 'set', name, 'up')
    within(5, row, lab, 'n0', 'br0')
    expect(row(lab, 'n0', 'br0')['used'], f'a bridge: {row(lab, "n0", "br0")}')
    seen = {n: row(lab, 'n0', n) for n in ('port0', 'tun0')}
    for name, r in seen.items():
        expect(r and not r['used'] and r['why-not'] not in ('ok', None), f'{name}: {r}')
    for name in 'tun0', 'port0', 'br0':
        lab.ip('n0', 'link', 'del', name)
    return ', '.join(f'{n}: {r["why-not"]}' for n, r in seen.items())


# --- what others take away ---------------------------------------------------------------------------------


def filters(lab, node, name, direction):
    return run(['tc', '-n', lab.namespace(node), 'filter', 'show', 'dev', name, direction]).stdout


def tcx(lab, node, action, name, direction):
    """What hangs there by tcx; None on a kernel without."""
    done = run(tcx_words(lab, node, action, name, direction))
    return done.stdout if done.returncode == 0 else None


def tcx_words(lab, node, *words):
    return lab.at(node, sys.executable, os.path.join(os.path.dirname(__file__), 'tcx.py'), *words)


def routes(lab, node):
    return must(['ip', '-n', lab.namespace(node), '-6', 'route', 'show', 'table', 'all', 'proto', '75'])


def address(lab):
    lab.ip('n0', '-6', 'addr', 'flush', 'dev', 'kira0', 'scope', 'global')
    took = within(5, lambda: lab.address('n0') in lab.ip('n0', '-6', 'addr', 'show', 'dev', 'kira0'))
    within(10, lab.reaches, 'n0', 'n2')
    return f'back after {took} ms'


def kira0_down(lab):
    lab.ip('n0', 'link', 'set', 'kira0', 'down')
    return f'back after {within(5, lambda: lab.reaches("n0", "n2") and lab.reaches("n2", "n0"))} ms'


def taken_away(suite, lab):
    """One node each loses one thing. Of programs the kernel says nothing: the periodic look finds them."""
    tc = ['tc', '-n']
    cases = [
        ('the route to all nodes is deleted', ['ip', '-n', lab.namespace('n0'), '-6', 'route', 'del', 'fc00::/16', 'dev',
                                               'kira0'], lambda: 'fc00::/16' in routes(lab, 'n0')),
        ('the route that keeps labels in is deleted', ['ip', '-n', lab.namespace('n1'), '-6', 'route', 'del',
                                                       'blackhole', 'fcaa::/16'],
         lambda: 'fcaa::/16' in routes(lab, 'n1'))]
    if suite.backend == 'ebpf' and tcx(lab, 'n2', 'show', 'to-n3', 'ingress') is not None:
        cases += [
            ('the program of an interface is detached', tcx_words(lab, 'n2', 'detach', 'to-n3', 'ingress'),
             lambda: 'hd_link' in tcx(lab, 'n2', 'show', 'to-n3', 'ingress')),
            ('the program of kira0 is detached', tcx_words(lab, 'n4', 'detach', 'kira0', 'egress'),
             lambda: 'hd_kira0' in tcx(lab, 'n4', 'show', 'kira0', 'egress'))]
    else:
        cases += [
            ('the filters of an interface are deleted', [*tc, lab.namespace('n2'), 'filter', 'del', 'dev', 'to-n3',
                                                         'ingress'],
             lambda: 'bpf' in filters(lab, 'n2', 'to-n3', 'ingress')),
            ('the qdisc of an interface is deleted', [*tc, lab.namespace('n3'), 'qdisc', 'del', 'dev', 'to-n4',
                                                      'clsact'],
             lambda: 'bpf' in filters(lab, 'n3', 'to-n4', 'ingress'))]
        if suite.backend == 'ebpf':
            cases.append(('the qdisc of kira0 is deleted', [*tc, lab.namespace('n4'), 'qdisc', 'del', 'dev', 'kira0',
                                                            'clsact'],
                          lambda: 'bpf' in filters(lab, 'n4', 'kira0', 'egress')))
    for _, words, is_there in cases:
        expect(is_there(), f'{" ".join(words)}: it was not there')
        must(words)  # fails if there is nothing to remove; it may be back before we can look
    for name, _, is_there in cases:
        limit = RECONCILE_S if 'detached' in name else SOON_S
        suite.case(name, lambda there=is_there, limit=limit: f'back after {within(limit, there)} ms')
    suite.case('after that every node reaches every node', lab.settled)


def foreign_filters_stay(lab):
    """Somebody else's filter on our qdisc survives us, and so does the qdisc."""
    run(['tc', '-n', lab.namespace('n0'), 'qdisc', 'add', 'dev', 'to-n1', 'clsact'])  # fails if ours is there
    must(['tc', '-n', lab.namespace('n0'), 'filter', 'add', 'dev', 'to-n1', 'ingress', 'pref', '7', 'protocol', 'all',
          'bpf', 'bytecode', '1,6 0 0 0'])
    lab.lab('stop', 'n0')
    left = filters(lab, 'n0', 'to-n1', 'ingress')
    expect('pref 7 ' in left, f'the foreign filter is gone: {left!r}')
    expect('heddle' not in left and 'hd_' not in left and 'direct-action' not in left, f'ours is still there: {left}')
    left = tcx(lab, 'n0', 'show', 'to-n1', 'ingress')
    expect(not left, f'ours is still there: {left}')
    must(['tc', '-n', lab.namespace('n0'), 'qdisc', 'del', 'dev', 'to-n1', 'clsact'])


def foreign_address(lab):
    """An address of ours on another's interface: the start is refused with its name; the other way in, too."""
    lab.ip('n0', 'addr', 'add', 'fc00:77::1/64', 'dev', 'to-n1', 'nodad')
    p = subprocess.run(lab.at('n0', lab.suite.heddled, '--foreground', '--state', lab.state('n0'), '--open',
                              '--backend', lab.suite.backend), capture_output=True, text=True, timeout=20)
    expect(p.returncode != 0, 'it started')
    expect('fc00:77::1/64' in p.stderr and 'to-n1' in p.stderr, f'it said: {p.stderr}')
    lab.ip('n0', 'addr', 'del', 'fc00:77::1/64', 'dev', 'to-n1')
    lab.lab('start', 'n0')
    within(10, lambda: lab.show('n0', 'status').get('state') == 'joined')
    return lab.settled(15)


def foreign_address_later(lab):
    """Added while we run: nothing breaks, and it is said."""
    lab.ip('n0', 'addr', 'add', 'fc00:77::1/64', 'dev', 'to-n1', 'nodad')
    time.sleep(1)
    pid = lab.processes('n0')['keeper']
    expect(is_alive(pid), 'the service ended')
    within(5, lab.reaches, 'n0', 'n2')
    said = [line for line in lab.log('n0').splitlines() if 'foreign-address' in line]
    expect(said and 'fc00:77::1/64' in said[0] and 'to-n1' in said[0], f'it was not said: {said}')
    lab.ip('n0', 'addr', 'del', 'fc00:77::1/64', 'dev', 'to-n1')
    lab.ip('n0', '-6', 'route', 'add', 'fc00:78::/32', 'dev', 'to-n1')
    within(2, lambda: 'foreign-route' in lab.log('n0') and 'fc00:78::/32' in lab.log('n0'))
    lab.ip('n0', '-6', 'route', 'del', 'fc00:78::/32', 'dev', 'to-n1')


def main():
    suite = Suite(sys.argv[1:])
    with Lab(suite, 'line:5') as lab:
        suite.case('every node reaches every node', lab.settled)
        suite.case('an interface appears', appears, lab)
        suite.case('it is renamed', renamed, lab)
        suite.case('it is renamed while up', renamed_up, lab)
        suite.case('down and up, at either end', down_up, lab)
        suite.case('twenty flaps', many_times, lab)
        suite.case('an MTU below 1324, with the reason', small_mtu, lab)
        suite.case('another MAC address', new_mac, lab)
        suite.case('it vanishes', vanishes, lab)
        suite.case('it moves to another node', other_namespace, lab)
        suite.case('bridge, port and tunnel', unusual_kinds, lab)
        suite.case('the address is flushed', address, lab)
        suite.case('kira0 is taken down', kira0_down, lab)
        taken_away(suite, lab)
        suite.case('a foreign address is added while we run', foreign_address_later, lab)
        suite.case('foreign filters stay', foreign_filters_stay, lab)
        suite.case('a foreign address: refused by name', foreign_address, lab)
    suite.finish()


if __name__ == '__main__':
    main()
