#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two gateways of a rack, each a heddled that was configured by `heddle config set`, in network namespaces.

usage: vrrp_test.py HEDDLED HEDDLE [CASE...]   (root; without cases: the short ones)

    rack: host h (10.66.0.100) -- bridge -- gateways a, b, c -- bridge -- u (10.77.0.100): upstream

Both sides have a virtual router, in one sync group; the host's default gateway and the way back are virtual addresses. A ping from the
host to the other side every 5 ms counts what is lost.
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
        self.lines = {}
        os.mkdir(self.state)
        self.begin()

    def run(self):
        self.begin()
        self.wait()

    def begin(self):
        self.keeper = popen(self.x, [HEDDLED, '--foreground', '--open', '--state', self.state, '--log-level', 'info', *self.options],
                            f'{self.state}.log')

    def wait(self):
        within(15, lambda: self.heddle('status'), f'{self.x} starts')

    def heddle(self, *arguments, check=True):
        r = subprocess.run([HEDDLE, '--state', self.state, *arguments], capture_output=True, text=True, timeout=30)
        if check and r.returncode != 0:
            raise AssertionError(f'{self.x}: heddle {" ".join(arguments)}: {r.stderr or r.stdout}')
        return r.stdout

    def configure(self, *lines):
        """Beside what was configured before: one path, one value."""
        self.wait()
        for path, _, value in (l.partition(' ') for l in lines):
            self.lines[path] = value
        text = ''.join(f'set {path} {value}\n' for path, value in self.lines.items())
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
        return [int(r['active-transitions']) for r in self.routers()]

    def pid(self, role):
        return int(sh(f'pgrep -P {self.keeper.pid} -f "heddled: {role}"').split()[0])

    def kill(self, role):
        os.kill(self.pid(role), signal.SIGKILL)

    def die(self):
        """Nothing of the machine is left on the wires, which it does not notice: no last word."""
        sh(f'printf "link set to{self.x}66 nomaster\\nlink set to{self.x}77 nomaster\\n" | ip -n {P}s -batch -')

    def return_(self):
        for side in 66, 77:
            sh(f'ip -n {P}s link set to{self.x}{side} master br{side}')


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
        numbers = re.search(r'(\d+) packets transmitted, (\d+) received', text)
        assert numbers, f'ping ended early: {text[-300:]}'
        sent, got = numbers.groups()
        assert int(got) > 0, 'nothing comes through'
        # The last one may be on its way when the time is over.
        return max(int(sent) - int(got) - (1 if int(sent) - int(got) == 1 else 0), 0)

    def longest_ms(self):
        self.p.wait(60)
        at = [float(t) for t in re.findall(r'^\[([\d.]+)\] \d+ bytes from', open(self.out).read(), re.M)]
        return 1000 * max(b - a for a, b in zip(at, at[1:]))


def pair(folder, *more, cs=10, names='ab', options=()):
    nodes = [Gateway(x, folder, *options) for x in names]
    for i, n in enumerate(nodes):
        n.configure(*gateway(200 - 50 * i, *more, cs=cs))
    within(10, lambda: nodes[0].all('active'), 'the first is Active')
    within(10, lambda: all(n.all('backup') for n in nodes[1:]), 'the others are Backup')
    return nodes


# --- cases ----------------------------------------------------------------------------------------------------------------------------

def restart(folder, *options):
    """Deaths of processes, a change of the configuration, restart: nobody notices."""
    a, b = pair(folder, options=options)
    assert ns('a', 'ip -4 addr show').count('10.66.0.254/32') == 1
    assert '00:00:5e:00:01:33' in ns('a', 'ip link'), 'no virtual MAC'
    ping = Ping(folder, 6)
    before = b.transitions()
    time.sleep(0.3)
    for what in 'router', 'system', 'manage':
        a.kill(what)
        time.sleep(0.9)
    within(5, lambda: a.all('active'), 'active after deaths')
    a.configure(f'/interfaces/interface=eth0/ipv4/vrrp/vrrp-instance=51/priority 201')
    a.heddle('restart')
    within(5, lambda: a.all('active'), 'active after heddle restart')
    lost = ping.lost()
    print(f'  lost {lost}, longest gap {ping.longest_ms():.1f} ms')
    assert b.transitions() == before and b.all('backup'), f'b has noticed: {b.transitions()}'
    assert lost == 0
    assert [r['priority'] for r in a.routers()] == [201, 200]


def takeover(folder):
    """One dies, and comes back; then it leaves in order, and nothing of it stays."""
    arp = [ns('a', f'cat /proc/sys/net/ipv4/conf/{i}/{s}') for i in ('eth0', 'eth1') for s in ('arp_ignore', 'arp_announce')]
    a, b = pair(folder)
    ping = Ping(folder, 4)
    time.sleep(0.5)
    a.die()
    within(2, lambda: b.all('active'), 'the Backup takes over')
    assert all(n >= 1 for n in b.transitions())
    a.return_()
    within(3, lambda: a.all('active') and b.all('backup'), 'the first is Active again')
    ns('a', 'ip link del hv44.51.2')  # somebody meddles
    within(3, lambda: '10.66.0.254' in ns('a', 'ip addr'), 'what was taken away is there again')
    gone = time.time()
    a.keeper.terminate()
    within(2, lambda: b.all('active'), 'the Backup takes over at a goodbye')
    print(f'  after a goodbye {1000 * (time.time() - gone):.0f} ms')
    a.keeper.wait(5)
    ping.p.wait(10)
    print(f'  longest gap {ping.longest_ms():.1f} ms')
    assert 'hv4' not in ns('a', 'ip link'), 'a virtual interface stays'
    assert '.254' not in ns('a', 'ip addr')
    now = [ns('a', f'cat /proc/sys/net/ipv4/conf/{i}/{s}') for i in ('eth0', 'eth1') for s in ('arp_ignore', 'arp_announce')]
    assert now == arp, f'settings of ARP are not put back: {now}'
    assert 'heddle_vrrp_' in b.heddle('metrics')


def answers(target, interface='eth0'):
    scope = f'%{interface}' if target.startswith('fe80') else ''
    return subprocess.run(['ip', 'netns', 'exec', f'{P}h', 'ping', '-n', '-c', '1', '-W', '0.5', target + scope],
                          capture_output=True).returncode == 0


def accept(folder):
    """The addresses are answered for, and nothing else, until accept mode is on; IPv6, which routers speak to by them."""
    a = Gateway('a', folder)
    v4, v6 = '10.66.0.254', 'fe80::66:254'
    more = virtual('eth0', 61, 200, [v6, '2001:db8:66::254'], family=6)
    sh(f'ip -n {P}h addr add 2001:db8:66::100/64 dev eth0 nodad && ip -n {P}a addr add 2001:db8:66::1/64 dev eth0 nodad')
    a.configure(*gateway(200), *more)
    within(5, lambda: a.all('active'), 'Active')
    assert answers('10.77.0.100'), 'no way through'
    for target in v4, v6, '2001:db8:66::254':
        assert not answers(target), f'{target} is accepted'
        neighbour = sh(f'ip -n {P}h neigh show {target}')
        assert '00:00:5e:00:0' in neighbour, f'{target} is not answered for: {neighbour}'
    assert 'router' in sh(f'ip -n {P}h -6 neigh show {v6}'), 'not known as a router'
    ns('a', 'ping -n -c 1 -W 1 10.66.0.254')  # its own packets are no others'
    a.configure('/interfaces/interface=eth0/ipv4/vrrp/vrrp-instance=51/accept-mode true',
                '/interfaces/interface=eth0/ipv6/vrrp/vrrp-instance=61/accept-mode true')
    for target in v4, v6, '2001:db8:66::254':
        within(2, lambda: answers(target), f'{target} is accepted')


def bfd(folder, mode='p2p'):
    """Adverts once in a second, and BFD for the rest: the Backup takes over within 50 ms."""
    more = (f'fast-detection/mode {mode}', 'preempt/hold-time 5') if mode else ()
    a, b = pair(folder, *more, cs=100)
    if mode == 'track':  # the Active answers whoever asks it, as any router with BFD could
        p = '/routing/control-plane-protocols/control-plane-protocol=bfdv1,main/bfd/ip-sh/interfaces='
        for n in a, b:
            n.configure(*(f'{p}{i}/unsolicited/{leaf}' for i in ('eth0', 'eth1') for leaf in ('enabled true', 'min-interval 10000')))
    within(15, lambda: all(r['bfd-state'] == 'up' for r in b.routers()), 'the session is up')
    print('  ' + a.heddle('bfd').replace('\n', '\n  ').rstrip())
    before = b.transitions()
    ping = Ping(folder, 9)
    time.sleep(0.5)
    if mode != 'track':  # sessions that nobody configured end with their router process
        a.kill('router')
        time.sleep(1)
        a.heddle('restart')
        time.sleep(1.5)
    within(5, lambda: a.all('active') and b.transitions() == before, 'nobody notices a restart')
    a.die()
    within(2, lambda: b.all('active'), 'the Backup takes over')
    assert ping.p.poll() is None, 'the ping is over'
    lost = ping.lost()
    print(f'  lost {lost}, longest gap {ping.longest_ms():.1f} ms')
    assert 0 < ping.longest_ms() < 250


def keeper(folder):
    """All processes die at once, and somebody starts them again, as systemd does."""
    a, b = pair(folder)
    time.sleep(0.5)
    os.kill(a.keeper.pid, signal.SIGKILL)
    a.keeper.wait()
    within(2, lambda: b.all('active'), 'the Backup takes over')
    began = time.time()
    a.run()
    within(5, lambda: a.all('active') and b.all('backup'), 'back')
    print(f'  back after {time.time() - began:.2f} s')
    assert all(r['two-actives'] == 0 for r in a.routers() + b.routers()), 'two Actives'
    assert answers('10.77.0.100')


def ownmac(folder):
    """No MAC of its own: the addresses stand on the interface, through restarts, too."""
    a, b = pair(folder, 'own-mac true')
    assert 'hv4' not in ns('a', 'ip link')
    assert '10.66.0.254/32' in ns('a', 'ip addr show dev eth0')
    before = b.transitions()
    ping = Ping(folder, 4)
    time.sleep(0.3)
    a.kill('router')
    time.sleep(0.8)
    a.kill('system')
    time.sleep(0.8)
    a.heddle('restart')
    within(5, lambda: a.all('active'), 'Active')
    lost = ping.lost()
    assert lost == 0 and b.transitions() == before, f'lost {lost}, transitions {b.transitions()}'
    a.keeper.terminate()
    a.keeper.wait(5)
    assert '.254' not in ns('a', 'ip addr'), 'an address stays'
    within(2, lambda: b.all('active') and answers('10.77.0.100'), 'the Backup takes over')


def unicast(folder):
    """Adverts go to the other one alone; no group is used."""
    nodes = [Gateway(x, folder) for x in 'ab']
    for i, n in enumerate(nodes):
        n.configure(*interfaces('eth0'), *virtual('eth0', 51, 200 - 50 * i, '10.66.0.254', f'unicast-peer 10.66.0.{2 - i}'))
    within(5, lambda: nodes[0].all('active') and nodes[1].all('backup'), 'one is Active')
    capture = f'{folder}/unicast.txt'
    p = popen('h', ['timeout', '1', 'tcpdump', '-ni', 'eth0', 'host', '224.0.0.18'], capture)
    p.wait(5)
    assert '224.0.0.18' not in open(capture).read(), 'adverts to the group'
    nodes[0].die()
    within(2, lambda: nodes[1].all('active'), 'the Backup takes over')


def track(folder):
    """An interface that is down lowers the priority."""
    p = '/interfaces/interface=eth0/ipv4/vrrp/vrrp-instance=51/track/interfaces/interface=eth1/priority-decrement 100'
    nodes = [Gateway(x, folder) for x in 'ab']
    for i, n in enumerate(nodes):
        n.configure(*interfaces('eth0', 'eth1'),
                    *virtual('eth0', 51, 200 - 50 * i, '10.66.0.254'), *virtual('eth1', 52, 200 - 50 * i, '10.77.0.254'),
                    *([p] if i == 0 else []))
    a, b = nodes
    within(5, lambda: a.all('active') and b.all('backup'), 'one is Active')
    sh(f'ip -n {P}s link set toa77 down')
    within(3, lambda: b.all('active') and a.states() == ['backup', 'initialize'], 'the other one is better now')
    sh(f'ip -n {P}s link set toa77 up')
    within(3, lambda: a.all('active') and b.all('backup'), 'and back')


def hogs(folder):
    """Programs that use all CPUs, and more: nobody takes over."""
    a, b = pair(folder, 'fast-detection/mode p2p', cs=10)
    within(15, lambda: all(r['bfd-state'] == 'up' for r in b.routers()), 'the session is up')
    before = a.transitions(), b.transitions()
    for _ in range(8):
        popen('h', ['timeout', '60', 'sh', '-c', 'while :; do :; done'], '/dev/null')
    time.sleep(60)
    assert (a.transitions(), b.transitions()) == before, f'{a.transitions()} {b.transitions()}'
    print(f"  latest advert {max(r['late-max-ms'] for r in a.routers())} ms late")


KEEPALIVED = """global_defs {{
    vrrp_version {version}
    script_user root
}}
vrrp_instance one {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int {interval}
    {native}
    virtual_ipaddress {{
        {address}
    }}
}}
"""


def keepalived(folder, version=3, family=4):
    """keepalived is the other router: each is Active in turn."""
    if not shutil.which('keepalived'):
        print('  skipped: no keepalived')
        return
    interval, vip = 1 if version == 2 else 0.1, '10.66.0.254' if family == 4 else 'fe80::254'
    conf = f'{folder}/keepalived.conf'
    open(conf, 'w').write(KEEPALIVED.format(version=version, interval=interval, native='native_ipv6' if family == 6 else '',
                                            address=f'{vip}/{24 if family == 4 else 64} dev eth0'))
    popen('b', ['keepalived', '-n', '-l', '-P', '-f', conf, '-p', f'{folder}/k.pid', '-r', f'{folder}/kv.pid'], f'{folder}/keepalived.log')
    has = lambda: f'{vip}/' in ns('b', 'ip addr show')
    within(15, has, 'keepalived is Active')
    a = Gateway('a', folder)
    more = ['checksum-mode auto'] if family == 4 and version == 3 else []
    lines = virtual('eth0', 51, 100, vip, *more, cs=10, family=family)
    if version == 2:
        lines = [l.replace('vrrp-v3', 'vrrp-v2').replace('advertise-interval-centi-sec 10', 'advertise-interval-sec 1') for l in lines]
    a.configure(*interfaces('eth0'), *lines)
    time.sleep(5 * interval + 0.5)
    assert a.all('backup') and has(), 'the lower priority is Active'
    p = f'/interfaces/interface=eth0/ipv{family}/vrrp/vrrp-instance=51/priority'
    a.configure(f'{p} 200')
    within(6 * interval + 3, lambda: a.all('active') and not has(), 'the higher priority takes over')
    a.configure(f'{p} 50')
    within(6 * interval + 3, lambda: a.all('backup') and has(), 'keepalived takes over')
    a.configure(f'{p} 200')
    within(6 * interval + 3, lambda: a.all('active') and not has(), 'and back')
    a.keeper.terminate()
    began = time.time()
    within(3 * interval + 2, has, 'keepalived hears the goodbye')
    print(f'  keepalived is back {time.time() - began:.2f} s after our goodbye')


def takeovers(folder, rounds, seconds, sign, *more):
    """Times from the last sign of life of the Active to the first advertisement of the Backup, on the Backup's wire."""
    nodes = [Gateway(x, folder) for x in 'ab']
    for n, priority in zip(nodes, (200, 100)):
        n.configure(*interfaces('eth0'), *virtual('eth0', 51, priority, '10.66.0.254', *more))
    a, b = nodes
    pcap, died = f'{folder}/takeovers.pcap', []
    popen('b', ['tcpdump', '-i', 'eth0', '-n', '-U', '-w', pcap, 'ip proto 112 or udp port 3784'], f'{folder}/tcpdump')
    end = time.time() + seconds
    while len(died) < rounds and time.time() < end:
        within(10, lambda: a.all('active') and b.all('backup') and (sign == 'vrrp' or b.routers()[0]['bfd-state'] == 'up'), 'all is well')
        time.sleep(0.4)
        died.append(time.time())
        a.die()
        time.sleep(0.6)
        a.return_()
    time.sleep(0.5)
    out = subprocess.run(['tshark', '-r', pcap, '-T', 'fields', '-e', 'frame.time_epoch', '-e', 'ip.src', '-e', 'vrrp.typever'],
                         capture_output=True, text=True).stdout
    packets = [(float(t), source, kind) for t, source, kind in (l.split('\t') for l in out.splitlines())]
    took = []
    for t in died:
        first = next(p[0] for p in packets if p[0] > t and p[1] == '10.66.0.2' and p[2] in ('0x31', '49'))
        last = max(p[0] for p in packets if p[0] < first and p[1] == '10.66.0.1' and (p[2] != '') == (sign == 'vrrp'))
        took.append(1000 * (first - last))
    took.sort()
    print(f'  {len(took)} takeovers: median {took[len(took) // 2]:.2f} ms, least {took[0]:.2f} ms, '
          f'99 of 100 {took[-1 - len(took) // 100]:.2f} ms, most {took[-1]:.2f} ms')
    return took


def measure_adverts(folder):
    took = takeovers(folder, 25, 60, 'vrrp')
    assert 360 < took[0] and took[-1] < 366, 'not 361 ms and 5 at most'


def measure_bfd(folder):
    took = takeovers(folder, 40, 90, 'bfd', 'fast-detection/mode p2p')
    assert took[-1] < 50, 'not below 50 ms'


def guide(folder):
    """The commands of doc/guide.md, as they stand there."""
    text = open(os.path.join(os.path.dirname(__file__), '../../../doc/guide.md')).read()
    section = text.split('## A default gateway that survives\n')[1].split('\n## ')[0]
    commands = [l.strip().split()[1:] for l in section.splitlines() if l.startswith('    heddle config ')]
    assert len(commands) == 8, commands
    nodes = [Gateway(x, folder, '--backend', 'none', '--interface', 'none') for x in 'ab']
    for n, priority in zip(nodes, ('200', '150')):
        n.wait()
        for c in commands:
            n.heddle(*(priority if word == '200' else word for word in c))
    a, b = nodes
    within(5, lambda: a.all('active') and b.all('backup'), 'one is Active')
    within(5, lambda: b.routers()[0]['bfd-state'] == 'up', 'the session is up')
    ping = subprocess.run(['ip', 'netns', 'exec', f'{P}h', 'arping', '-c', '1', '-w', '1', '-I', 'eth0', '10.66.0.254'],
                          capture_output=True, text=True) if shutil.which('arping') else None
    assert ping is None or '00:00:5e:00:01:33' in ping.stdout.lower(), ping.stdout


SHORT = ['restart', 'takeover', 'accept']
CASES = {
    'restart': restart,
    'restart-ebpf': lambda folder: restart(folder, '--backend', 'ebpf'),
    'takeover': takeover,
    'accept': accept,
    'bfd': bfd,
    'bfd-track': lambda folder: bfd(folder, 'track'),
    'keeper': keeper,
    'ownmac': ownmac,
    'unicast': unicast,
    'guide': guide,
    'track': track,
    'keepalived3': keepalived,
    'keepalived2': lambda folder: keepalived(folder, version=2),
    'keepalived6': lambda folder: keepalived(folder, family=6),
    'hogs': hogs,
    'measure-adverts': measure_adverts,
    'measure-bfd': measure_bfd,
}


def main():
    names = sys.argv[3:] or SHORT
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
