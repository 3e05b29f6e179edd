#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two gateways of a rack, each a heddled that was configured by `heddle config set`, in network namespaces.

usage: vrrp_test.py HEDDLED HEDDLE [CASE...]   (root; without cases: the short ones)

    rack: host h (10.66.0.100) -- bridge -- gateways a, b, c -- bridge -- u (10.77.0.100): upstream

Both sides have a virtual router, in one sync group; the host's default gateway and the way back are virtual addresses. A ping from the
host to the other side every 5 ms counts what is lost. Transitions are counted by the events that `heddle monitor` tells.
"""
import json, os, re, shutil, signal, subprocess, sys, tempfile, time

HEDDLED, HEDDLE = (os.path.abspath(p) for p in sys.argv[1:3])
P = f'hdv{os.getpid()}'
GATEWAYS = {'a': 1, 'b': 2, 'c': 3}
children = []


def sh(command, check=True):
    r = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and r.returncode != 0:
        raise AssertionError(f'{command}: {r.stderr or r.stdout}')
    return r.stdout


def ns(x, command, check=True):
    return sh(f'ip netns exec {P}{x} {command}', check)


def popen(x, command, out):
    p = subprocess.Popen(['ip', 'netns', 'exec', P + x] + command, stdout=open(out, 'w'), stderr=subprocess.STDOUT)
    children.append(p)
    return p


def within(seconds, what, text):
    end, why = time.time() + seconds, ''
    while time.time() < end:
        try:
            if what():
                return
            why = ''
        except (AssertionError, KeyError, IndexError, ValueError) as e:
            why = f': {e!r}'
        time.sleep(0.02)
    raise AssertionError(f'not within {seconds} s: {text}{why}')


def wire(x, i):
    """Links of namespace x to both bridges, with addresses."""
    for side, net in (('eth0', 66), ('eth1', 77)):
        if (x == 'h' and net == 77) or (x == 'u' and net == 66):
            continue
        sh(f'ip link add {side} netns {P}{x} type veth peer name to{x}{net} netns {P}s')
        sh(f'ip -n {P}s link set to{x}{net} master br{net} up')
        sh(f'ip -n {P}{x} link set {side} addrgenmode none && ip -n {P}{x} addr add 10.{net}.0.{i}/24 dev {side} && '
           f'ip -n {P}{x} addr add fe80::{net}:{i}/64 dev {side} nodad && ip -n {P}{x} link set {side} up')


def up():
    for x in 's', 'h', 'u', *GATEWAYS:
        sh(f'ip netns add {P}{x} && ip -n {P}{x} link set lo up')
    for net in 66, 77:
        sh(f'ip -n {P}s link add br{net} type bridge mcast_snooping 0 && ip -n {P}s link set br{net} up')
    for x, i in {'h': 100, 'u': 100, **GATEWAYS}.items():
        wire(x, i)
    for x in GATEWAYS:
        ns(x, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
    sh(f'ip -n {P}h route add default via 10.66.0.254 && ip -n {P}u route add default via 10.77.0.254')


def down():
    for p in reversed(children):
        if p.poll() is None:
            p.terminate()
    for p in children:
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    children.clear()
    for x in 's', 'h', 'u', *GATEWAYS:
        sh(f'ip netns del {P}{x}', check=False)


class Gateway:
    def __init__(self, x, folder, *options):
        self.x, self.state = x, f'{folder}/{x}'
        self.options = options or ('--backend', 'none')
        self.monitors = 0
        os.mkdir(self.state)
        self.run()

    def run(self):
        self.keeper = popen(self.x, [HEDDLED, '--foreground', '--open', '--state', self.state, '--log-level', 'info', *self.options],
                            f'{self.state}.log')
        within(15, lambda: self.heddle('status'), f'{self.x} starts')
        self.monitors += 1
        popen(self.x, [HEDDLE, '--state', self.state, 'monitor', '-j'], f'{self.state}.events{self.monitors}')

    def heddle(self, *arguments, check=True):
        r = subprocess.run([HEDDLE, '--state', self.state, *arguments], capture_output=True, text=True, timeout=30)
        if check and r.returncode != 0:
            raise AssertionError(f'{self.x}: heddle {" ".join(arguments)}: {r.stderr or r.stdout}')
        return r.stdout

    def configure(self, *lines):
        text = ''.join(f'set {l}\n' for l in lines)
        r = subprocess.run([HEDDLE, '--state', self.state, 'config', 'load', '-'], input=text, capture_output=True, text=True)
        if r.returncode != 0:
            raise AssertionError(f'{self.x}: config load: {r.stderr or r.stdout}')
        self.heddle('config', 'apply')

    def routers(self):
        whole = json.loads(self.heddle('vrrp', '-j'))
        return next(rows for rows in whole.values() if isinstance(rows, list))

    def states(self):
        return [r['state'] for r in self.routers()]

    def all(self, state):
        states = self.states()
        return bool(states) and all(s == state for s in states)

    def transitions(self):
        return [int(r.get('active-transitions', 0)) for r in self.routers()]

    def pid(self, role):
        return int(sh(f'pgrep -P {self.keeper.pid} -f "heddled: {role}"').split()[0])

    def kill(self, role):
        os.kill(self.pid(role), signal.SIGKILL)

    def die(self):
        """The machine is gone: no word, and nothing of it is left on the wire."""
        for side in 66, 77:
            sh(f'ip -n {P}s link set to{self.x}{side} down')

    def return_(self):
        for side in 66, 77:
            sh(f'ip -n {P}s link set to{self.x}{side} up')


def virtual(interface, vrid, priority, address, *more, cs=10, family=4):
    p = f'/interfaces/interface={interface}/ipv{family}/vrrp/vrrp-instance={vrid}'
    addresses = address if isinstance(address, (list, tuple)) else [address]
    return [f'{p}/version vrrp-v3', f'{p}/priority {priority}', f'{p}/advertise-interval-centi-sec {cs}',
            *(f'{p}/virtual-ipv{family}-addresses/virtual-ipv{family}-address={a}' for a in addresses), *(f'{p}/{m}' for m in more)]


def interfaces(*names):
    return [f'/interfaces/interface={n}/type iana-if-type:ethernetCsmacd' for n in names]


def gateway(priority, *more, cs=10):
    return [*interfaces('eth0', 'eth1'), *virtual('eth0', 51, priority, '10.66.0.254', 'sync-group rack', *more, cs=cs),
            *virtual('eth1', 52, priority, '10.77.0.254', 'sync-group rack', *more, cs=cs)]


class Ping:
    """From the host to the other side, so often."""

    def __init__(self, folder, seconds, interval=0.005, target='10.77.0.100', x='h'):
        self.out, self.interval = f'{folder}/ping{time.time()}', interval
        self.p = popen(x, ['ping', '-n', '-D', '-O', '-i', str(interval), '-w', str(seconds), target], self.out)

    def lost(self):
        self.p.wait(60)
        text = open(self.out).read()
        sent, got = re.search(r'(\d+) packets transmitted, (\d+) received', text).groups()
        assert int(got) > 0, 'nothing comes through'
        # The last one may be on its way when the time is over.
        return max(int(sent) - int(got) - (1 if int(sent) - int(got) == 1 else 0), 0)

    def longest_ms(self):
        self.p.wait(60)
        at = [float(t) for t in re.findall(r'^\[([\d.]+)\] \d+ bytes from', open(self.out).read(), re.M)]
        return 1000 * max(b - a for a, b in zip(at, at[1:]))


def pair(folder, *more, cs=10, names='ab'):
    nodes = [Gateway(x, folder) for x in names]
    for i, n in enumerate(nodes):
        n.configure(*gateway(200 - 50 * i, *more, cs=cs))
    within(10, lambda: nodes[0].all('active'), 'the first is Active')
    within(10, lambda: all(n.all('backup') for n in nodes[1:]), 'the others are Backup')
    return nodes


# --- cases ----------------------------------------------------------------------------------------------------------------------------

def restart(folder):
    """Deaths of processes, restarts, and a change of the configuration: nobody notices."""
    a, b = pair(folder)
    assert ns('a', 'ip -4 addr show').count('10.66.0.254/32') == 1
    assert '00:00:5e:00:01:33' in ns('a', 'ip link'), 'no virtual MAC'
    ping = Ping(folder, 9)
    before = a.transitions(), b.transitions()
    time.sleep(0.5)
    for what in 'router', 'system', 'manage':
        a.kill(what)
        within(10, lambda: a.all('active'), f'active after the death of {what}')
        time.sleep(1.0)
    a.heddle('config', 'set', '/interfaces/interface=eth0/ipv4/vrrp/vrrp-instance=51/priority', '201')
    a.heddle('config', 'apply')
    time.sleep(0.3)
    a.heddle('restart')
    time.sleep(0.5)
    within(10, lambda: a.all('active'), 'active after heddle restart')
    lost = ping.lost()
    print(f'  lost {lost}, longest gap {ping.longest_ms():.1f} ms')
    assert b.transitions() == before[1] and b.all('backup'), f'b has noticed: {b.transitions()}'
    assert lost == 0
    assert [r['priority'] for r in a.routers()] == [201, 200]


CASES = {'restart': restart}


def main():
    names = sys.argv[3:] or list(CASES)
    for name in names:
        folder = tempfile.mkdtemp(prefix=f'{P}.', dir='/tmp')
        try:
            print(f'{name}:', flush=True)
            began = time.time()
            up()
            CASES[name](folder)
            print(f'  ok, {time.time() - began:.1f} s', flush=True)
        except BaseException:
            for x in GATEWAYS:
                log = f'{folder}/{x}.log'
                if os.path.exists(log):
                    print(f'--- {x}\n' + open(log).read()[-4000:])
                    print(sh(f'{HEDDLE} --state {folder}/{x} vrrp; ip -n {P}{x} addr', check=False))
            raise
        finally:
            down()
            if os.environ.get('VRRP_KEEP'):
                shutil.copytree(folder, os.environ['VRRP_KEEP'], dirs_exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


main()
