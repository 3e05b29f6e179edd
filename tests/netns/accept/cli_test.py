# SPDX-License-Identifier: Apache-2.0
"""The command line in a running lab: every command with and without -j, errors, completion, manual pages, unit.

Commands are not listed here but read from `heddle help`, so that a new one is tested by being there.
"""
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time

from accept import Lab, Suite, expect, kill, must, run, within

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))
# Those that change the node, run something else, or do not end by themselves.
APART = {'up', 'down', 'restart', 'monitor', 'record', 'lab', 'sim', 'help', 'version', 'metrics'}
NOT_RUN = ['bfd', 'vrrp'] # protocols that these nodes do not run
ARGUMENTS = {'ping': ['-c', '1'], 'path': [], 'show': ['model', 'adjacencies'], 'config': ['export']}


def commands(lab):
    text = must([lab.suite.heddle, 'help'])
    found = re.findall(r'^  ([a-z]+)\b', text, re.M)
    expect(len(found) > 12, f'heddle help lists {found}')
    return found


def words_of(lab, command):
    words = [command, *ARGUMENTS.get(command, [])]
    return words + [lab.address('n2')] if command in ('ping', 'path') else words


def all_commands(suite, lab):
    names = commands(lab)
    for needed in ('up down status interfaces neighbours contacts vicinity labels forwarding counters ping path '
                   'monitor restart').split():
        suite.case(f'heddle help knows {needed}', expect, needed in names, f'it lists {names}')
    for command in names:
        if command in NOT_RUN:
            suite.case(f'heddle {command}: refused', refused_alone, lab, command)
        elif command not in APART:
            suite.case(f'heddle {command}', as_text, lab, words_of(lab, command))
            suite.case(f'heddle {command} -j', as_json, lab, words_of(lab, command))
            suite.case(f'heddle {command} --help', helps, lab, command)
    for command in sorted(APART & set(names) - {'lab', 'sim'}):
        suite.case(f'heddle {command} --help', helps, lab, command)


def as_text(lab, words):
    r = run([lab.suite.heddle, '--state', lab.state('n0'), *words])
    expect(r.returncode == 0 and r.stdout.strip(), f'exit {r.returncode}: {r.stdout}{r.stderr}')
    expect('\x1b' not in r.stdout, 'colours without a terminal')
    expect(not r.stderr, f'on standard error: {r.stderr}')


def refused_alone(lab, command):
    r = run([lab.suite.heddle, '--state', lab.state('n0'), command])
    expect(r.returncode == 1 and f'does not run "{command}"' in r.stderr, f'exit {r.returncode}: {r.stdout}{r.stderr}')
    r = run([lab.suite.heddle, '--state', lab.state('n0'), command, '-j'])
    expect(r.returncode == 1 and parse(r.stdout, command)['error']['code'] == 'not-running', r.stdout)


def no_doubles(pairs):
    names = [k for k, _ in pairs]
    expect(len(names) == len(set(names)), f'a key stands twice: {names}')
    return dict(pairs)


def parse(text, what):
    try:
        return json.loads(text, object_pairs_hook=no_doubles)
    except ValueError as why:
        expect(False, f'{what}: {why}: {text[:200]!r}')


def as_json(lab, words):
    for order in ([*words, '-j'], ['-j', *words]):
        r = run([lab.suite.heddle, '--state', lab.state('n0'), *order])
        expect(r.returncode == 0, f'exit {r.returncode}: {r.stdout}{r.stderr}')
        expect(isinstance(parse(r.stdout, words), dict), 'no object')


def helps(lab, command):
    r = run([lab.suite.heddle, command, '--help'])
    expect(r.returncode == 0 and command in r.stdout, f'exit {r.returncode}: {r.stdout}{r.stderr}')


def metrics(lab):
    text = must([lab.suite.heddle, '--state', lab.state('n0'), 'metrics'])
    lines = text.strip().splitlines()
    expect(lines[-1] == '# EOF', f'OpenMetrics ends with # EOF, not {lines[-1]!r}')
    wrong = [x for x in lines if not re.match(r'^(# |[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}]*\})? -?[0-9.eE+-]+$)', x)]
    expect(not wrong, f'not OpenMetrics: {wrong[:3]}')
    return f'{len(lines)} lines'


ERRORS = [
    ('an unknown command', ['blah'], 2),
    ('an unknown option', ['status', '--blah'], 2),
    ('too many words', ['status', 'more'], 2),
    ('ping without a node', ['ping'], 2),
    ('ping to nonsense', ['ping', 'nonsense!'], 1),
    ('ping to nobody', ['ping', '-c', '1', '-t', '200', 'fc00:1:2:3:4:5:6:7'], 1),
    ('path to nobody', ['path', '-t', '200', '0123456789abcdef0123456789ab'], 1),
    ('an unknown list', ['show', 'kira', 'blah'], 1),
    ('an unknown core', ['show', 'blah', 'contacts'], 1),
    ('a bad number', ['ping', '-c', 'x', 'fc00::1'], 2),
]


def error(lab, words, code):
    r = run([lab.suite.heddle, '--state', lab.state('n0'), *words, '-j'], timeout=20)
    told = parse(r.stdout, words)
    expect(r.returncode in (1, 2) and r.returncode == code, f'exit {r.returncode}, not {code}: {r.stdout}{r.stderr}')
    if 'error' in told or r.returncode == 2:
        expect(told.get('error', {}).get('code') and told['error'].get('message'), f'no error in {told}')
    r = run([lab.suite.heddle, '--state', lab.state('n0'), *words], timeout=20)
    expect(r.returncode == code, f'without -j: exit {r.returncode}')
    expect((r.stderr or r.stdout).strip(), 'without -j: nothing is said')


def no_daemon(lab):
    for words in (['status'], ['neighbours'], ['ping', 'fc00::1'], ['restart'], ['monitor']):
        r = run([lab.suite.heddle, '--state', '/run/heddle-lab/nobody', *words, '-j'])
        expect(r.returncode == 1, f'{words}: exit {r.returncode}')
        expect(parse(r.stdout, words)['error']['message'], f'{words}: {r.stdout}')


def status_members(lab):
    s = lab.show('n0', 'status')
    missing = {'node-id', 'address', 'neighbours', 'contacts', 'state'} - set(s)
    expect(not missing, f'missing: {missing}')
    expect(s['neighbours'] == 1 and s['contacts'] >= 1 and s['state'] == 'joined', f'{s}')


def pings(lab):
    rows = lab.show('n0', 'ping', '-c', '3', '-i', '50', lab.address('n2'))['ping']
    expect(len(rows) == 3 and all(r['answered'] for r in rows), f'{rows}')
    by_id = lab.show('n0', 'ping', '-c', '1', lab.identity('n2'))['ping']
    by_prefix = lab.show('n0', 'ping', '-c', '1', lab.identity('n2')[:12])['ping']
    expect(by_id[0]['answered'] and by_prefix[0]['answered'], f'{by_id} {by_prefix}')


def path(lab):
    rows = lab.show('n0', 'path', lab.address('n2'))['path']
    ids = [r['id'] for r in rows]
    want = [lab.identity(n) for n in ('n1', 'n2')]
    expect(ids[-2:] == want, f'{ids} instead of {want}')
    expect(all(r['answered'] for r in rows if r['id'] in want), f'{rows}')


# n0 keeps one contact among n2 and n3, whose identifiers begin alike for it: n2, which is nearer.
IDENTITIES = ['00' + 13 * '11', '40' + 13 * '11', '80' + 13 * '11', 'c0' + 13 * '11']


def first_packets(suite, folder):
    """A node without a route of its own: where its packets get another label, and then the own way."""
    file = f'{folder}/line.json'
    with open(file, 'w') as f:
        json.dump({'nodes': [{'name': f'n{i}', 'id': x} for i, x in enumerate(IDENTITIES)],
                   'links': [[f'n{i}', f'n{i + 1}'] for i in range(3)]}, f)
    with Lab(suite, file) as lab:
        lab.settled()
        for node in ('n0', 'n1', 'n2', 'n3'):
            for words in (('set', '/kira/bucket-size', '1'), ('set', '/kira/shallow-bucket-size', '1'), ('apply',)):
                r = lab.run_heddle(node, 'config', *words)
                expect(r.returncode == 0, f'{node}: {r.stderr}')
        for node in ('n0', 'n1', 'n2', 'n3'):
            kill(lab.processes(node)['router'])  # which forgets its contacts
        lab.address('n3')
        within(30, has_prefix_only, lab)
        text = lab.run_heddle('n0', 'path', IDENTITIES[3]).stdout
        rows = lab.show('n0', 'path', IDENTITIES[3])['path']
    lines = [' '.join(x.split()) for x in text.splitlines()]
    expect(lines[0] == 'first packets:' and lines[4] == 'then:' and len(lines) == 8, text)
    for i in range(3):
        for line in (lines[1 + i], lines[5 + i]):
            expect(line.startswith(f'{i + 1} {IDENTITIES[i + 1]} ') and ' ms' in line, text)
    marked = [i for i, x in enumerate(lines) if x.endswith('overlay hop')]
    expect(marked == [2], text)
    expect([r['id'] for r in rows] == IDENTITIES[1:] and not any(r['first'] or r['overlay'] for r in rows), f'{rows}')


def has_prefix_only(lab):
    known = [c['id'] for c in lab.rows('n0', 'contacts')]
    routes = str(lab.rows('n0', 'forwarding'))  # what the router before had left there goes after a while
    return IDENTITIES[2] in known and IDENTITIES[3] not in known and lab.address('n3') not in routes


def monitors(lab):
    p = lab.background('n0', lab.suite.heddle, '--state', lab.state('n0'), 'monitor', '-j')
    time.sleep(1)
    lab.lab('cut', 'n0', 'n1')
    time.sleep(0.5)
    lab.lab('heal', 'n0', 'n1')
    within(10, lab.reaches, 'n0', 'n2')
    p.terminate()
    lines = p.communicate(timeout=5)[0].splitlines()
    for line in lines:
        parse(line, 'monitor')
    told = ' '.join(lines)
    expect('link-down' in told and 'neighbour-up' in told, f'it said: {told[:400]}')
    return f'{len(lines)} events'


def raw_socket(lab):
    """Rubbish on the control socket is answered by errors, and harms nobody."""
    for line in (b'{}\n', b'[1,2\n', b'\0\0\0\n', b'"x"\n', b'{"command":7}\n', b'{"command":"ping"}\n',
                 b'{"command":"status","max":99999999999}\n', b'{"command":"contacts","cursor":"zzz"}\n',
                 b'[' * 10000 + b'\n'):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(f'{lab.state("n0")}/control.sock')
            s.sendall(line)
            answer = s.recv(65536).split(b'\n')[0]
            if answer:
                told = parse(answer.decode(), line[:20])
                expect('error' in told or 'rows' in told, f'{line[:40]}: {told}')
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(f'{lab.state("n0")}/control.sock')
        try:
            s.sendall(b'x' * 200000)
        except OSError:
            pass  # it may well have hung up
    lab.show('n0', 'status')


def many_readers(lab):
    """Root's own idle connections are not cut: beyond the limit an error says so, and it passes."""
    idle = []
    try:
        for _ in range(40):
            s = socket.socket(socket.AF_UNIX)  # without a time limit: the queue may be full for a moment
            s.connect(f'{lab.state("n0")}/control.sock')
            idle.append(s)
            if len(idle) == 20:
                lab.show('n0', 'status')
        r = lab.run_heddle('n0', 'status', '-j')
        expect(r.returncode == 1 and parse(r.stdout, 'status')['error']['code'] == 'limit', r.stdout)
    finally:
        for s in idle:
            s.close()
    within(3, lab.show, 'n0', 'status')


def completion():
    script = f'{ROOT}/packaging/heddle.bash'
    must(['bash', '-n', script])
    out = must(['bash', '-c', f'set -e; . {script}; complete -p heddle; declare -F | grep -i heddle'])
    expect('heddle' in out, out)
    function = re.search(r'-F (\S+)', out).group(1)
    out = must(['bash', '-c', f'. {script}; COMP_WORDS=(heddle ne); COMP_CWORD=1; COMP_LINE="heddle ne"; '
                f'COMP_POINT=9; {function} heddle ne heddle; echo "${{COMPREPLY[@]}}"'])
    expect('neighbours' in out, f'"heddle ne" completes to {out!r}')


def manuals():
    pages = [p for p in os.listdir(f'{ROOT}/doc/man')]
    expect(len(pages) >= 4, f'{pages}')
    for page in pages:
        viewer = ['man', '-l'] if shutil.which('man') else ['mandoc']
        text = must([*viewer, f'{ROOT}/doc/man/{page}'], env={**os.environ, 'MANPAGER': 'cat', 'PAGER': 'cat'})
        name = page.split('.')[0]
        expect(name in text and 'SYNOPSIS' in re.sub('.\b', '', text), f'{page}: {text[:200]}')


def manual_names_all(lab):
    text = open(f'{ROOT}/doc/man/heddle.1').read()
    missing = [c for c in commands(lab) if not re.search(rf'\bCm {c}\b|, {c}\b', text)]
    expect(not missing, f'heddle(1) does not mention {missing}')


def lab_words(suite, lab):
    """Help everywhere but behind `--`; a wrong value is told with what was expected."""
    for words, status, said in [
            (['-h'], 0, 'reach [--pairs N]'),
            (['up', '--help'], 0, 'reach [--pairs N]'),
            (['grow'], 2, 'unknown command "grow"'),
            (['change', 'n0', 'n1', '--loss', 'much'], 2, '--loss: "much"; expected: a share such as 1.5%'),
            (['flow', 'n0', 'n1', '--seconds', 'ten'], 2, '--seconds: "ten"; expected: a number such as 1.5'),
            (['cut', 'n0', 'n1', '--name'], 2, 'no value for --name'),
            (['kill', 'n9', '--name', lab.name], 1, '`heddle-lab status` lists them'),
            (['exec', 'n0', '--name', lab.name, '--', 'echo', '--help'], 0, '--help')]:
        r = run([suite.lab_program, *words])
        expect(r.returncode == status and said in r.stdout + r.stderr, f'{words}: {r.returncode} {r.stdout}{r.stderr}')


def unit(suite):
    """Where Heddle is not installed, its program and its manual are missing; nothing else may be wrong."""
    r = run(['systemd-analyze', 'verify', os.path.dirname(suite.heddle) + '/../../packaging/heddled.service'])
    lines = [x for x in (r.stdout + r.stderr).splitlines() if 'heddled' in x and
             'is not executable' not in x and 'man heddled' not in x]
    expect(not lines, '\n'.join(lines))


def main():
    suite = Suite(sys.argv[1:])
    with Lab(suite, 'line:3') as lab:
        suite.case('every node reaches every node', lab.settled)
        all_commands(suite, lab)
        suite.case('heddle metrics', metrics, lab)
        suite.case('heddle status -j has what scripts rely on', status_members, lab)
        suite.case('heddle ping by address, ID and beginning', pings, lab)
        suite.case('heddle path', path, lab)
        suite.case('heddle monitor', monitors, lab)
        for name, words, code in ERRORS:
            suite.case(f'error: {name}', error, lab, words, code)
        suite.case('error: no daemon', no_daemon, lab)
        suite.case('rubbish on the control socket', raw_socket, lab)
        suite.case('idle readers', many_readers, lab)
        suite.case('heddle-lab: help and errors', lab_words, suite, lab)
        suite.case('bash completion', completion)
        suite.case('the manual names all commands', manual_names_all, lab)
    with tempfile.TemporaryDirectory(prefix='heddle-cli-') as folder:
        suite.case('heddle path: first packets', first_packets, suite, folder)
    if shutil.which('man') or shutil.which('mandoc'):
        suite.case('manual pages', manuals)
    else:
        suite.skip('manual pages', 'neither man nor mandoc here')
    if shutil.which('systemd-analyze'):
        suite.case('systemd unit', unit, suite)
    else:
        suite.skip('systemd unit', 'no systemd-analyze here')
    suite.finish()


if __name__ == '__main__':
    main()
