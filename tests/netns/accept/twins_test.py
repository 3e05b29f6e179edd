# SPDX-License-Identifier: Apache-2.0
"""Two nodes with one identity, as copied disks make them: noticed and named within 2 s as far as three hops, and farther away
by the first message that passes both.

n0 - n1 - n2 - n3 - n4: the state folder of one node is copied to another one, which then starts.
"""
import shutil
import sys
import time

from accept import Lab, Suite, expect, run, within


def copy_identity(lab, original, twin):
    lab.lab('stop', twin)
    shutil.rmtree(f'{lab.state(twin)}/state')
    shutil.copytree(f'{lab.state(original)}/state', f'{lab.state(twin)}/state')
    lab.addresses.pop(twin, None)
    lab.lab('start', twin)
    within(10, lab.show, twin, 'status')


def collision(lab, node):
    return lab.show(node, 'status').get('id-collision', False)  # absent until its core runs


def noticed(lab, original, twin, limit_ms=2000):
    identity = lab.identity(original)
    copy_identity(lab, original, twin)
    began = time.monotonic()
    within(15, lambda: collision(lab, original) or collision(lab, twin))
    took = int((time.monotonic() - began) * 1000)
    who = [n for n in (original, twin) if collision(lab, n)]
    expect(took <= limit_ms, f'noticed after {took} ms by {who}')
    log = ''.join(lab.log(n) for n in who)
    expect('another-node-has-our-id' in log and identity in log, f'the log of {who} does not name it: {log[-600:]}')
    text = lab.run_heddle(who[0], 'status').stdout
    expect(identity in text and 'another node' in text.lower(),
           f'heddle status at {who[0]} does not say it: {text}')
    return f'after {took} ms by {who}'


def ends(lab, original, twin):
    """The twin gets an identity of its own: all is well again, and nobody complains for ever."""
    lab.lab('stop', twin)
    shutil.rmtree(f'{lab.state(twin)}/state')
    lab.addresses.pop(twin, None)
    lab.lab('start', twin)
    within(10, lab.show, twin, 'status')
    return lab.settled(20)


def nobody_cries_wolf(lab):
    """Cuts, restarts and a SIGKILL with a start are no twins."""
    lab.lab('cut', 'n1', 'n2')
    time.sleep(0.5)
    lab.lab('heal', 'n1', 'n2')
    lab.lab('kill', 'n2')
    lab.lab('start', 'n2')
    within(10, lab.show, 'n2', 'status')
    run([lab.suite.heddle, '--state', lab.state('n3'), 'restart'])
    lab.settled(20)
    wrong = [n for n in ('n0', 'n1', 'n2', 'n3', 'n4') if collision(lab, n)]
    expect(not wrong, f'{wrong} believe in a twin')


def main():
    suite = Suite(sys.argv[1:])
    with Lab(suite, 'line:5') as lab:
        suite.case('every node reaches every node', lab.settled)
        suite.case('restarts and cuts are no twins', nobody_cries_wolf, lab)
        suite.case('twins side by side', noticed, lab, 'n1', 'n0')
        suite.case('and it ends', ends, lab, 'n1', 'n0')
        suite.case('twins two hops apart', noticed, lab, 'n2', 'n0')
        suite.case('and it ends', ends, lab, 'n2', 'n0')
        suite.case('twins three hops apart', noticed, lab, 'n3', 'n0')
        suite.case('and it ends', ends, lab, 'n3', 'n0')
        suite.case('twins four hops apart', noticed, lab, 'n4', 'n0', 10000)
        suite.case('and it ends', ends, lab, 'n4', 'n0')
    suite.finish()


if __name__ == '__main__':
    main()
