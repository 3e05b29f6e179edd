#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A lab of 20 real nodes that suffers for a long time: what leaks, what restarts, what does not come back.

    tests/soak.py BUILD [--minutes 30] [--seed N] [--nodes 20] [--period 30] [--backend ebpf]

Time is cut into periods. In the first two thirds of one, faults are drawn at random: links cut and silenced, single
processes and whole nodes killed, nodes stopped, restarted and started, interfaces added and removed, while flows run.
Then what is down is started, the graph is made connected again (every second period: all links are healed), and at
the end every pair of nodes must answer, processes that nobody killed must be the same as before, and what the kernel
holds must be what the daemons believe. Memory, descriptors, labels and map entries of every process are followed over
its life: they may grow while it warms up, not after. Some nodes are never touched themselves, so that slow leaks have time.

Prints one line per period, causes of warnings with their numbers at the end, and "N passed, N failed".
"""
import argparse
import collections
import ipaddress
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'netns', 'accept'))
from accept import Failed, Lab, private_kilobytes, run  # noqa: E402

ROLES = ('system', 'router', 'manage')
WARM_UP = 4  # periods in which a process may grow freely
JUDGED = 4  # periods after that before growth is judged
LINE = re.compile(r'^\S+ level=(\w+) role=(\w+) cause=(\S+)(?: suppressed=(\d+))?')
# Growth after warm-up that is no leak: share in percent, and so much besides.
BOUNDS = {'kilobytes': (25, 512), 'descriptors': (0, 4), 'labels': (50, 64), 'map-entries': (50, 64)}


class Suite:
    """The words that Lab wants to know."""

    def __init__(self, build, backend):
        self.lab_program, self.heddle = f'{build}/src/lab/heddle-lab', f'{build}/src/cli/heddle'
        self.heddled, self.backend = f'{build}/src/daemon/heddled', backend


class Verdict:
    def __init__(self):
        self.passed = self.failed = 0
        self.reasons = []

    def check(self, condition, reason):
        self.passed += bool(condition)
        self.failed += not condition
        if not condition:
            self.reasons.append(reason)
            print(f'NOT OK: {reason}', flush=True)
        return condition


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def parents():
    """Every process: its parent and its name."""
    found = {}
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                with open(f'/proc/{entry}/stat') as f:
                    rest = f.read().rsplit(')', 1)[1].split()
                with open(f'/proc/{entry}/cmdline', 'rb') as f:
                    name = f.read().split(b'\0')[0].decode(errors='replace')
            except OSError:
                continue
            if rest[0] != 'Z':
                found[int(entry)] = (int(rest[1]), name)
    return found


class Growth:
    """Values of one process (or node) over periods. Judged by the least of the latest against the most of the early."""

    def __init__(self):
        self.series = collections.defaultdict(list)

    def add(self, key, value):
        self.series[key].append(value)

    def verdicts(self):
        for key, values in sorted(self.series.items(), key=str):
            if len(values) < WARM_UP + JUDGED:
                continue
            share, room = BOUNDS[key[0]]
            early, late = max(values[1:WARM_UP]), min(values[-3:])
            yield key, early, late, late <= early * (100 + share) // 100 + room


class Soak:
    def __init__(self, lab, options):
        self.lab, self.options = lab, options
        self.random = random.Random(options.seed)
        self.verdict, self.growth = Verdict(), Growth()
        status = lab.lab('status', '-j')
        self.nodes = [n['name'] for n in status['nodes']]
        self.links = [(x['a'], x['b']) for x in status['links']]
        # Never hurt themselves: their processes live through the whole run.
        self.calm = set(self.random.sample(self.nodes, max(2, len(self.nodes) // 5)))
        self.bad_links, self.down, self.extra = set(), {}, {}
        self.touched = collections.defaultdict(set)
        self.pids = {}
        self.restarts = collections.Counter()  # a keeper keeps its number, and begins anew
        self.log_at = collections.Counter()
        self.causes = collections.Counter()
        self.examples = {}
        self.faults = collections.Counter()
        self.flows = []
        self.flow_total = collections.Counter()
        self.serial = 0

    # --- faults ---------------------------------------------------------------------------------

    def running(self):
        return [n for n in self.nodes if n not in self.calm and n not in self.down]

    def cut(self):
        a, b = link = self.random.choice(self.links)
        if link not in self.bad_links and len(self.bad_links) < len(self.links) // 3:
            self.lab.lab('cut', a, b, *self.random.choice(([], ['--silent'])))
            self.bad_links.add(link)

    def heal(self):
        if self.bad_links:
            self.heal_link(self.random.choice(sorted(self.bad_links)))

    def heal_link(self, link):
        self.lab.lab('heal', *link)
        self.bad_links.discard(link)

    def kill_process(self):
        node = self.random.choice(self.running())
        role = self.random.choice(ROLES)
        pid = self.processes().get((node, role))
        if pid:
            self.touched[node].add(role)
            os.kill(pid, signal.SIGKILL)

    def take_down(self, node, command):
        self.touched[node].update(ROLES + ('keeper',))
        self.down[node] = time.monotonic() + self.random.uniform(0.2, 6)
        if command == 'keeper':
            os.kill(self.keepers()[node], signal.SIGKILL)
        else:
            self.lab.lab(command, node)

    def kill_keeper(self):
        self.take_down(self.random.choice(self.running()), 'keeper')

    def kill_node(self):
        self.take_down(self.random.choice(self.running()), 'kill')

    def stop_node(self):
        self.take_down(self.random.choice(self.running()), 'stop')

    def restart(self):
        node = self.random.choice(self.running())
        self.touched[node].update(ROLES)
        self.restarts[node] += 1
        self.lab.run_heddle(node, 'restart')  # may find the node on its way up: no failure of ours

    def add_interface(self):
        a, b = self.random.sample(self.nodes, 2)
        self.serial += 1
        name = f'x{self.serial}'
        self.lab.ip(a, 'link', 'add', name, 'type', 'veth', 'peer', 'name', name,
                    'netns', self.lab.namespace(b))
        for node in a, b:
            self.lab.ip(node, 'link', 'set', name, 'up')
        self.extra[name] = a

    def remove_interface(self):
        if self.extra:
            name = self.random.choice(sorted(self.extra))
            self.lab.ip(self.extra.pop(name), 'link', 'del', name)

    def change_mtu(self):
        a, b = self.random.choice(self.links)
        for node, peer in (a, b), (b, a):
            self.lab.ip(node, 'link', 'set', f'to-{peer}', 'mtu', str(self.random.choice((1500, 1500, 1400))))

    def start_flow(self):
        a, b = self.random.sample(self.nodes, 2)
        if len(self.flows) < 3:
            words = [self.lab.suite.lab_program, 'flow', a, b, '--name', self.lab.name, '-j', '--seconds', '8',
                     '--interval-us', '5000']
            self.flows.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))

    def churn(self, until):
        actions = [(self.cut, 8), (self.heal, 7), (self.kill_process, 4), (self.kill_keeper, 1), (self.kill_node, 2),
                   (self.stop_node, 1), (self.restart, 1), (self.add_interface, 2), (self.remove_interface, 2),
                   (self.change_mtu, 1), (self.start_flow, 4)]
        what, weights = zip(*actions)
        while time.monotonic() < until:
            self.start_those_due(time.monotonic())
            action = self.random.choices(what, weights)[0]
            self.faults[action.__name__] += 1
            try:
                action()
            except (Failed, OSError) as why:
                self.verdict.check(False, f'{action.__name__}: {why}')
            time.sleep(self.random.uniform(0.1, 1.2))

    # --- quiet ----------------------------------------------------------------------------------

    def start_those_due(self, now):
        for node in [n for n, due in self.down.items() if due <= now]:
            del self.down[node]
            self.lab.lab('start', node)

    def connected(self):
        seen, queue = {self.nodes[0]}, [self.nodes[0]]
        while queue:
            at = queue.pop()
            for link in self.links:
                if link not in self.bad_links and at in link:
                    other = link[0] if link[1] == at else link[1]
                    if other not in seen:
                        seen.add(other)
                        queue.append(other)
        return len(seen) == len(self.nodes)

    def calm_down(self, number):
        self.start_those_due(float('inf'))
        everything = number % 2 == 0
        for link in self.random.sample(sorted(self.bad_links), len(self.bad_links)):
            if everything or not self.connected():
                self.heal_link(link)

    def explain(self, pairs):
        """What both ends of silent pairs believe, for whoever has to find out why; and whether it passes."""
        print(f'  links bad: {sorted(self.bad_links)}; interfaces added: {self.extra}')
        for a, b in pairs[:4]:
            for here, there in (a, b), (b, a):
                try:
                    address = self.lab.address(there)
                    for table in 'forwarding', 'contacts':
                        rows = [r for r in self.lab.rows(here, table) if self.speaks_of(r, address)]
                        print(f'  {here} of {there}, {table}: {json.dumps(rows)[:900]}')
                    print(f'  {here} to {there}: {self.lab.run_heddle(here, "path", address).stdout[:600]!r}')
                except (Failed, KeyError) as why:
                    print(f'  {here} of {there}: {why!r}')
        again = self.lab.lab_json('reach', '--timeout-ms', '60000')
        print(f'  later: {again["reached"]} of {again["pairs"]} pairs in {again["took-ms"]:.0f} ms; '
              f'silent {again["unreached"][:8]}', flush=True)

    @staticmethod
    def speaks_of(row, address):
        """A row whose identifier, address or prefix is this node's."""
        digits = str(ipaddress.IPv6Address(address).exploded).replace(':', '')[4:]
        text = json.dumps(row)
        return digits in text or address in text

    def end_flows(self):
        for flow in self.flows:
            try:
                out, _ = flow.communicate(timeout=30)
                result = json.loads(out)
            except (subprocess.TimeoutExpired, ValueError):
                flow.kill()
                self.flow_total['broken'] += 1
                continue
            self.flow_total['flows'] += 1
            for key in 'sent', 'lost', 'duplicates', 'reordered':
                self.flow_total[key] += result.get(key, 0)
        self.flows.clear()

    # --- judging --------------------------------------------------------------------------------

    def keepers(self):
        return {n['name']: n['pid'] for n in self.lab.lab('status', '-j')['nodes'] if n['pid']}

    def processes(self):
        """Process ids by (node, role)."""
        of_keeper = {pid: node for node, pid in self.keepers().items()}
        found = {(node, 'keeper'): pid for pid, node in of_keeper.items()}
        for pid, (parent, name) in parents().items():
            if parent in of_keeper and name.startswith('heddled: '):
                found[of_keeper[parent], name.split(': ')[1]] = pid
        return found

    def judge_processes(self):
        now = self.processes()
        for node in self.nodes:
            for role in ROLES + ('keeper',):
                key = node, role
                self.verdict.check(key in now, f'{node}: no {role} process')
                if key in self.pids and key in now and role not in self.touched[node]:
                    self.verdict.check(now[key] == self.pids[key],
                                       f'{node}: {role} was {self.pids[key]} and is {now[key]}; nobody killed it')
        self.pids = now
        self.touched.clear()
        total = 0
        for (node, role), pid in now.items():
            try:
                size = private_kilobytes([pid])
                self.growth.add(('kilobytes', node, role, pid, self.restarts[node]), size)
                self.growth.add(('descriptors', node, role, pid, self.restarts[node]), descriptors(pid))
                total += size
            except (OSError, ProcessLookupError):
                self.verdict.check(False, f'{node}: {role} ended in a quiet period')
        return total

    def map_entries(self, node, name):
        out = run(['bpftool', '-j', 'map', 'dump', 'pinned', f'{self.lab.state(node)}/bpf/{name}'], 20).stdout
        try:
            return len(json.loads(out))
        except (ValueError, TypeError):
            return None

    def labels_agree(self, node):
        """Labels of the model and of the kernel: numbers (wanted, in the kernel)."""
        rows = self.lab.rows(node, 'labels')
        return sum(bool(r.get('installed')) for r in rows), self.map_entries(node, 'hd_labels')

    def judge_labels(self, node):
        wanted, held = self.labels_agree(node)
        if self.lab.suite.backend == 'ebpf' and wanted != held:
            time.sleep(1)  # one may have come between the two questions
            wanted, held = self.labels_agree(node)
            self.verdict.check(wanted == held, f'{node}: {wanted} labels are installed, {held} are in the kernel')
        keeper = self.pids.get((node, 'keeper'))
        self.growth.add(('labels', node, keeper), wanted)
        if held is not None:
            self.growth.add(('map-entries', node, keeper), held)
        return wanted

    def judge_nodes(self):
        labels = 0
        for node in self.nodes:
            try:
                labels += self.judge_labels(node)
            except (Failed, KeyError) as why:
                self.verdict.check(False, f'{node}: {why!r}')
        return labels

    def read_logs(self):
        """Counts warnings and errors since the last call; lines in no known form fail."""
        new = 0
        for node in self.nodes:
            with open(f'{self.lab.state(node)}/heddled.log', errors='replace') as f:
                f.seek(self.log_at[node])
                text = f.read()
                self.log_at[node] = f.tell()
            for line in text.splitlines():
                found = LINE.match(line)
                if not found:
                    self.verdict.check(False, f'{node}: the log says {line[:300]!r}')
                elif found[1] in ('emergency', 'alert', 'critical', 'error', 'warning'):
                    self.causes[found.group(1, 2, 3)] += 1 + int(found[4] or 0)
                    self.examples.setdefault(found.group(1, 2, 3), f'{node}: {line}')
                    new += 1
        return new

    def period(self, number):
        began = time.monotonic()
        length = self.options.period
        before = sum(self.faults.values())
        self.churn(began + length * 2 / 3)
        self.calm_down(number)
        quiet = time.monotonic()
        time.sleep(max(0, began + length - time.monotonic()))
        r = self.lab.lab_json('reach', '--timeout-ms', str(self.options.patience * 1000))
        settled = time.monotonic() - quiet
        self.verdict.check(r['reached'] == r['pairs'],
                           f'period {number}: {r["pairs"] - r["reached"]} of {r["pairs"]} pairs do not answer '
                           f'{settled:.0f} s after the last fault: {r["unreached"][:8]}')
        if r['unreached']:
            self.explain(r['unreached'])
        self.end_flows()
        kilobytes = self.judge_processes()
        labels = self.judge_nodes()
        print(f'period {number}: {sum(self.faults.values()) - before} faults, {len(self.bad_links)} links bad; '
              f'{r["reached"]}/{r["pairs"]} pairs in {r["took-ms"]:.0f} ms; {kilobytes} KB private, {labels} labels, '
              f'{self.read_logs()} warnings; load {os.getloadavg()[0]:.0f}', flush=True)

    def finish(self):
        judged = collections.Counter()
        for key, early, late, good in self.growth.verdicts():
            judged[key[0]] += 1
            self.verdict.check(good, f'{" ".join(map(str, key))}: grew from {early} to {late}')
        print(f'lives long enough to be judged for growth: {dict(judged)}')
        print(f'faults: {dict(self.faults)}')
        print(f'flows: {dict(self.flow_total)}')
        for cause, count in self.causes.most_common():
            print(f'{count:6} {" ".join(cause)}, first {self.examples[cause][:220]}')


class SoakLab(Lab):
    def lab_json(self, command, *words):
        """A command whose exit status tells what its JSON says anyway."""
        out = run([self.suite.lab_program, command, *words, '-j', '--name', self.name], 180).stdout
        try:
            return json.loads(out)
        except ValueError:
            raise Failed(f'heddle-lab {command}: no JSON: {out[:200]!r}') from None


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument('build')
    p.add_argument('--minutes', type=float, default=30)
    p.add_argument('--seed', type=int, default=int(time.time()))
    p.add_argument('--nodes', type=int, default=20)
    p.add_argument('--period', type=float, default=30)
    p.add_argument('--patience', type=int, default=20, help='seconds that all pairs have after the quiet period')
    p.add_argument('--backend', default='ebpf')
    p.add_argument('--name', default=f'soak{os.getpid()}')
    return p.parse_args()


def left_behind(name, state):
    found = [n for n in os.listdir('/run/netns') if n.startswith(f'heddle-{name}-')]
    with open('/proc/mounts') as f:
        found += [m.split()[1] for m in f if state + '/' in m]
    return found + [f'process {pid}' for pid, (_, cmd) in parents().items() if cmd.startswith(state + '/')]


def soak(lab, options):
    s = Soak(lab, options)
    try:
        r = lab.lab_json('reach', '--timeout-ms', '60000')
        s.verdict.check(r['reached'] == r['pairs'], f'start: {r["reached"]} of {r["pairs"]} pairs answer')
        if r['unreached']:
            s.explain(r['unreached'])
        s.judge_processes()
        s.read_logs()
        end, number = time.monotonic() + options.minutes * 60, 0
        while time.monotonic() < end:
            number += 1
            s.period(number)
    finally:
        for flow in s.flows:
            flow.kill()
        s.finish()
    return s.verdict


def main():
    options = arguments()
    if os.geteuid() != 0:
        print('skip: needs root')
        sys.exit(77)
    print(f'seed {options.seed}, {options.nodes} nodes, {options.minutes} minutes', flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the lab is taken down
    suite = Suite(options.build, options.backend)
    with SoakLab(suite, f'nws:{options.nodes},4,0.2', name=options.name) as lab:
        verdict = soak(lab, options)
    found = left_behind(lab.name, lab.path)
    verdict.check(not found, f'left behind: {found[:10]}')
    print(f'{verdict.passed} passed, {verdict.failed} failed (seed {options.seed})')
    sys.exit(1 if verdict.failed else 0)


if __name__ == '__main__':
    main()
