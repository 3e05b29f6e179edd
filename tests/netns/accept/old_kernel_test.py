# SPDX-License-Identifier: Apache-2.0
"""A kernel without tcx: programs hang as filters in a clsact; and the day it gets one.

n0 - n1 - n2 - n3 - n4. The daemons start with no_tcx.so in front of libbpf, which refuses tcx as an old kernel does. Then
n2 is started again without it, as after an upgrade: its filters go over to tcx without a lost packet. The qdisc stays until the end,
since the kernel stops a device while it takes a qdisc away.
"""
import os
import signal
import sys

from accept import Lab, Suite, expect, is_alive, kill, run, within
from survive_test import complete, left_behind, under_flow

NODE, LINKS = 'n2', ('to-n1', 'to-n3')


def filters(lab, node):
    """Filters of ours on the links and on kira0: (device, direction)."""
    found = []
    for device in LINKS + ('kira0',):
        for direction in 'ingress', 'egress':
            text = run(['tc', '-n', lab.namespace(node), 'filter', 'show', 'dev', device, direction]).stdout
            found += [(device, direction)] * ('bpf' in text)
    return found


def in_clsact(lab):
    found = filters(lab, NODE)
    for device in LINKS:
        expect((device, 'ingress') in found, f'no filter at {device}: {found}')
    expect(('kira0', 'egress') in found, f'no filter at kira0: {found}')
    return f'{len(found)} filters'


def router_dies(lab):
    pid = lab.processes(NODE)['router']

    def action():
        kill(pid)
        return within(15, lambda: complete(lab, NODE) and lab.processes(NODE)['router'] not in (0, pid))

    result, took = under_flow(lab, action)
    remark = f'complete after {took} ms; {result["lost"]} of {result["sent"]} lost'
    expect(result['lost'] == 0 and took <= 1000, remark)
    in_clsact(lab)
    return remark


def filter_removed(lab):
    """Somebody removes all filters of a link: they are back within a second."""
    expect(run(['tc', '-n', lab.namespace(NODE), 'filter', 'del', 'dev', LINKS[0], 'ingress']).returncode == 0,
           'tc does not remove the filter')
    took = within(3, lambda: (LINKS[0], 'ingress') in filters(lab, NODE))
    expect(took <= 1000, f'back after {took} ms')
    return f'back after {took} ms'


def upgrade(lab):
    pids = lab.processes(NODE)

    def action():
        kill(pids['keeper'])
        within(3, lambda: not any(is_alive(p) for p in pids.values()))
        del os.environ['LD_PRELOAD']
        lab.lab('start', NODE)
        return within(15, complete, lab, NODE)

    result, took = under_flow(lab, action, 6)
    remark = f'complete after {took} ms; {result["lost"]} of {result["sent"]} lost'
    expect(result['lost'] == 0, remark)
    within(3, lambda: not filters(lab, NODE))
    return remark


def goodbye(lab):
    pids = lab.processes(NODE)
    kill(pids['keeper'], signal.SIGTERM)
    within(5, lambda: not any(is_alive(p) for p in pids.values()))
    left = left_behind(lab, NODE)
    expect(not left, f'left behind: {left}')


def main():
    *words, shim = sys.argv[1:]
    suite = Suite(words)
    os.environ['LD_PRELOAD'] = shim
    with Lab(suite, 'line:5') as lab:
        if suite.case('every node reaches every node', lab.settled):
            within(20, complete, lab, NODE)
            suite.case('programs hang in a clsact', in_clsact, lab)
            suite.case('router dies', router_dies, lab)
            suite.case('a filter is removed', filter_removed, lab)
            suite.case('the kernel gets tcx', upgrade, lab)
            suite.case('every node still reaches every node', lab.settled)
            suite.case('SIGTERM leaves nothing', goodbye, lab)
    suite.finish()


if __name__ == '__main__':
    main()
