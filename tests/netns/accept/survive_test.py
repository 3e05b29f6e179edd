# SPDX-License-Identifier: Apache-2.0
"""Processes die under traffic: no packet lost, no neighbour notices, full service soon (design.md, section 5).

n0 - n1 - n2 - n3 - n4, one packet per millisecond from n0 to n4, and n2 is the one that suffers. Times are those
of a reader who asks `heddle status` again and again, so they include the command.
"""
import json
import os
import signal
import sys
import time

from accept import Failed, Lab, Suite, expect, flow_end, is_alive, kill, run, within

VICTIM, LEFT, RIGHT = 'n2', 'n1', 'n3'
ROLES = ('router', 'system', 'manage')


def complete(lab, node, neighbours=2):
    """The service is whole: all processes ready, joined, neighbours up, routes installed."""
    r = run([lab.suite.heddle, '--state', lab.state(node), 'status', '-j'], timeout=5)
    try:
        s = json.loads(r.stdout)
    except ValueError:
        raise Failed(f'status: {r.stdout[:200]!r}') from None
    if r.returncode != 0:
        raise Failed(f'status: {r.stdout.strip()[:200]}')
    # What the core tells is absent until it runs.
    return (all(p['state'] == 'ready' for p in s.get('processes', [{'state': ''}])) and
            s.get('state') == 'joined' and s.get('neighbours') == neighbours)


def links_seen(lab, node):
    return {(n['id'], n['interface']): n for n in lab.rows(node, 'neighbours')}


class Watch:
    """Neighbours of the victim, as they see it: a link that went down in between has a short uptime."""

    def __init__(self, lab):
        self.lab, self.began = lab, time.monotonic()
        self.downs = self.count_downs()

    def count_downs(self):
        return {n: self.lab.counters(n)['event.neighbour-down'] for n in (LEFT, RIGHT)}

    def unnoticed(self):
        passed = (time.monotonic() - self.began) * 1000
        for node in LEFT, RIGHT:
            for n in links_seen(self.lab, node).values():
                if n['interface'] == f'to-{VICTIM}':
                    expect(n['up-ms'] > passed, f'{node} lost its neighbour: up for {n["up-ms"]:.0f} of {passed:.0f} ms')
                    expect(n['state'] in ('up', 'checking'), f'{node}: {n["state"]}')
        expect(self.count_downs() == self.downs, f'neighbours went down: {self.downs} -> {self.count_downs()}')


def under_flow(lab, action, seconds=4):
    """The action in the middle of a flow through the victim; what the flow lost."""
    flow = lab.flow('n0', 'n4', seconds)
    time.sleep(1)
    try:
        remark = action()
    finally:
        result = flow_end(flow)
    return result, remark


def kill_role(lab, role, limit_ms):
    watch = Watch(lab)
    pid = lab.processes(VICTIM)[role]

    def action():
        kill(pid)
        return within(15, lambda: complete(lab, VICTIM) and lab.processes(VICTIM)[role] not in (0, pid))

    result, took = under_flow(lab, action)
    remark = f'complete after {took} ms; {result["lost"]} of {result["sent"]} lost, longest gap ' \
             f'{result["longest-gap-ms"]:.0f} ms'
    # The TUN's data plane is the router process itself: packets wait for its successor, which finds the tables.
    expect(result['lost'] == 0, remark)
    watch.unnoticed()
    expect(took <= limit_ms, remark)
    return remark


def restart(lab):
    watch = Watch(lab)
    before = lab.processes(VICTIM)

    def action():
        lab.show(VICTIM, 'restart')
        return within(15, lambda: complete(lab, VICTIM) and
                      all(lab.processes(VICTIM)[r] != before[r] for r in ROLES))

    result, took = under_flow(lab, action)
    remark = f'complete after {took} ms; {result["lost"]} of {result["sent"]} lost'
    expect(result['lost'] == 0, remark)
    watch.unnoticed()
    return remark


def keeper(lab):
    """The keeper dies: all exit, forwarding stays, the next start takes it over within 5 s."""
    watch = Watch(lab)
    pids = lab.processes(VICTIM)
    address = lab.address(VICTIM)

    def action():
        kill(pids['keeper'])
        within(3, lambda: not any(is_alive(p) for p in pids.values()))
        lab.lab('start', VICTIM)
        return within(15, complete, lab, VICTIM)

    result, took = under_flow(lab, action, 6)
    remark = f'complete after {took} ms; {result["lost"]} of {result["sent"]} lost'
    if lab.suite.backend == 'ebpf':
        expect(result['lost'] == 0, remark)
        watch.unnoticed()
    expect(took <= 5000, remark)
    lab.identity(VICTIM)
    expect(lab.address(VICTIM) == address, 'another address')
    return remark


def everything(lab):
    """SIGKILL to all four at once, as the kernel does when memory runs out."""
    pids = lab.processes(VICTIM)

    def action():
        lab.lab('kill', VICTIM)
        within(3, lambda: not any(is_alive(p) for p in pids.values()))
        lab.lab('start', VICTIM)
        return within(15, complete, lab, VICTIM)

    result, took = under_flow(lab, action, 6)
    remark = f'complete after {took} ms; {result["lost"]} of {result["sent"]} lost'
    if lab.suite.backend == 'ebpf':
        expect(result['lost'] == 0, remark)
    expect(took <= 5000, remark)
    return remark


def crash_loop(lab):
    """A role that dies again and again is started again and again, with patience."""
    for _ in range(4):
        pid = lab.processes(VICTIM)['manage']
        kill(pid)
        within(15, lambda old=pid: lab.processes(VICTIM)['manage'] not in (0, old))
    within(20, complete, lab, VICTIM)
    within(5, lab.reaches, 'n0', 'n4')


def left_behind(lab, node):
    """What is still there of a Heddle that said goodbye, and should not be."""
    ns, found = lab.namespace(node), []
    if run(['ip', '-n', ns, 'link', 'show', 'kira0']).returncode == 0:
        found.append('kira0')
    for family in '-6', '-4':
        routes = run(['ip', '-n', ns, family, 'route', 'show', 'table', 'all']).stdout
        found += [r for r in routes.splitlines() if ' fc' in ' ' + r or 'proto 75' in r]
    found += [a for a in run(['ip', '-n', ns, '-o', '-6', 'addr']).stdout.splitlines() if ' fc' in a]
    found += [q for q in run(['tc', '-n', ns, 'qdisc', 'show']).stdout.splitlines() if 'clsact' in q or 'ingress' in q]
    found += [x for x in run(['ip', '-n', ns, '-d', 'link']).stdout.splitlines() if 'xdp' in x]
    with open('/proc/mounts') as f:
        found += [m for m in f.read().splitlines() if lab.state(node) + '/' in m]
    found += [p for p in os.listdir(lab.state(node)) if p in ('bpf', 'control.sock') and
              (p != 'bpf' or os.listdir(f'{lab.state(node)}/bpf'))]
    return found


def goodbye(lab):
    """SIGTERM: the node is gone at once for its neighbours, and leaves nothing."""
    pids = lab.processes(VICTIM)
    kill(pids['keeper'], signal.SIGTERM)
    took = within(5, lambda: not any(is_alive(p) for p in pids.values()))
    told = within(2, lambda: not any(n['interface'] == f'to-{VICTIM}' for n in lab.rows(LEFT, 'neighbours')))
    found = left_behind(lab, VICTIM)
    expect(not found, f'left behind: {found}')
    return f'gone after {took} ms, neighbour told {told} ms later'


def back(lab):
    lab.lab('start', VICTIM)
    return lab.settled(10)


def down_command(lab):
    pids = lab.processes(VICTIM)
    lab.show(VICTIM, 'down')
    within(5, lambda: not any(is_alive(p) for p in pids.values()))
    found = left_behind(lab, VICTIM)
    expect(not found, f'left behind: {found}')


def main():
    suite = Suite(sys.argv[1:])
    with Lab(suite, 'line:5') as lab:
        suite.case('every node reaches every node', lab.settled)
        within(20, complete, lab, VICTIM)
        for role in ROLES:
            suite.case(f'kill -9 of {role}', kill_role, lab, role, 1000)
        suite.case('kill -9 of router, again', kill_role, lab, 'router', 1000)
        suite.case('heddle restart', restart, lab)
        suite.case('kill -9 of the keeper, and a start', keeper, lab)
        suite.case('kill -9 of all, and a start', everything, lab)
        suite.case('kill -9 of manage four times', crash_loop, lab)
        suite.case('SIGTERM leaves nothing', goodbye, lab)
        suite.case('a start after it: every node reaches every node', back, lab)
        suite.case('heddle down leaves nothing', down_command, lab)
        # The ends of the chain go as well: they have one neighbour and never forward.
        suite.case('a start after it', back, lab)
    suite.finish()


if __name__ == '__main__':
    main()
