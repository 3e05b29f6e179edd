#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""VRRP on real links: two and three routers of ours, and keepalived as the other one, in network namespaces on one bridge.

usage: vrrp_test.py VRRP_NODE [CASE...]   (root; without cases: all)

Cases: restart, takeover, bfd, keepalived3, keepalived2, keepalived6. Times are those of packets on the wire, as a host sees them;
tshark judges every packet. A case whose program is not installed is skipped, and says so.
"""
import os, re, shutil, signal, subprocess, sys, tempfile, time

NODE = os.path.abspath(sys.argv[1])
NAMES = ['vrrpt-sw', 'vrrpt-a', 'vrrpt-b', 'vrrpt-c', 'vrrpt-h']
HOST = {'a': 1, 'b': 2, 'c': 3, 'h': 100}
ACTIVE, BACKUP = 2, 1
children = []


def sh(command, check=True):
    return subprocess.run(command, shell=True, check=check, capture_output=True, text=True).stdout


def down():
    for p in children:
        if p.poll() is None:
            p.terminate()
    for p in children:
        try:
            p.wait(3)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    children.clear()
    for n in NAMES:
        sh(f'ip netns del {n}', check=False)


def up():
    for n in NAMES:
        sh(f'ip netns add {n} && ip -n {n} link set lo up')
    sh('ip -n vrrpt-sw link add br0 type bridge mcast_snooping 0 && ip -n vrrpt-sw link set br0 up')
    for x, i in HOST.items():
        n = f'vrrpt-{x}'
        sh(f'ip link add eth0 netns {n} type veth peer name to-{x} netns vrrpt-sw && '
           f'ip -n vrrpt-sw link set to-{x} master br0 up && ip -n {n} link set eth0 addrgenmode none && '
           f'ip -n {n} addr add 10.66.0.{i}/24 dev eth0 && ip -n {n} addr add fe80::66:{i}/64 dev eth0 nodad && '
           f'ip -n {n} link set eth0 up')
        if x != 'h':
            sh(f'ip netns exec {n} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')


def start(x, command, log):
    p = subprocess.Popen(['ip', 'netns', 'exec', f'vrrpt-{x}'] + command, stdout=open(log, 'w'), stderr=subprocess.STDOUT)
    children.append(p)
    return p


class Lab:
    def __init__(self, folder):
        self.folder = folder
        up()
        self.pcap = f'{folder}/h.pcap'
        self.capture = start('h', ['tcpdump', '-i', 'eth0', '-n', '-U', '-w', self.pcap], f'{folder}/tcpdump')
        time.sleep(0.5)

    def node(self, x, *routers):
        return start(x, [NODE, *routers], f'{self.folder}/{x}.log')

    def log(self, x):
        return open(f'{self.folder}/{x}.log').read()

    def events(self, x):
        return [(float(a), int(b), int(c)) for a, b, c in
                re.findall(r'^([\d.]+) state=(\d+) old=\d+ vrid=(\d+)', self.log(x), re.M)]

    def state(self, x, vrid=51):
        states = [s for _, s, v in self.events(x) if v == vrid]
        return states[-1] if states else 0

    def wait(self, what, seconds=10):
        end = time.time() + seconds
        while time.time() < end:
            if what():
                return
            time.sleep(0.05)
        raise AssertionError(f'not within {seconds} s')

    def router_pid(self, x):
        return int(re.findall(r'^router (\d+)', self.log(x), re.M)[-1])

    def kill(self, x, parent):
        """The whole router at once, without a word."""
        child = self.router_pid(x)
        os.kill(parent.pid, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)

    def packets(self, filter, pcap=None):
        time.sleep(0.3)
        out = subprocess.run(['tshark', '-r', pcap or self.pcap, '-Y', filter, '-T', 'fields', '-e', 'frame.time_epoch'],
                             capture_output=True, text=True).stdout
        return [float(t) for t in out.split()]

    def judge(self, but=''):
        bad = self.packets(f'(_ws.malformed or _ws.expert.severity >= 8388608){but}')
        assert not bad, f'tshark does not like {len(bad)} packets'


def check_gap(lab, v, limit_ms):
    """From the last advertisement of one router to the first of the other; then the announcement."""
    last = lab.packets('vrrp and ip.src == 10.66.0.1')[-1]
    first = [t for t in lab.packets('vrrp and ip.src == 10.66.0.2') if t > last][0]
    announced = [t for t in lab.packets('arp.isgratuitous == 1') if t >= first - 0.001][0]
    print(f'  takeover {1000 * (first - last):.2f} ms, announced {1000 * (announced - first):.2f} ms later')
    assert 1000 * (first - last) <= limit_ms, 'too late'
    return first - last


def restart(lab):
    lab.node('a', 'eth0,4,51,200,10,10.66.0.254,accept,checksum=pseudo', 'eth0,6,52,200,10,fe80::254+2001:db8::254,accept')
    lab.node('b', 'eth0,4,51,100,10,10.66.0.254,accept,checksum=pseudo', 'eth0,6,52,100,10,fe80::254+2001:db8::254,accept')
    lab.wait(lambda: lab.state('a') == ACTIVE and lab.state('a', 52) == ACTIVE and lab.state('b') == BACKUP)
    time.sleep(0.5)
    ping = start('h', ['ping', '-q', '-i', '0.01', '-w', '3', '10.66.0.254'], f'{lab.folder}/ping')
    before = lab.events('a') + lab.events('b')
    for _ in range(2):
        time.sleep(0.7)
        os.kill(lab.router_pid('a'), signal.SIGKILL)
    ping.wait(10)
    text = open(f'{lab.folder}/ping').read()
    print('  ' + re.search(r'.*packets transmitted.*', text).group())
    assert ' 0% packet loss' in text
    assert lab.events('a') + lab.events('b') == before, 'a transition'
    for target in ('10.66.0.254', 'fe80::254%eth0'):
        sh(f'ip netns exec vrrpt-h ping -c 1 -w 2 {target}')
    assert '00:00:5e:00:01:33' in sh('ip -n vrrpt-h neigh show 10.66.0.254')
    assert '00:00:5e:00:02:34' in sh('ip -n vrrpt-h neigh show fe80::254')
    lab.judge()


def takeover(lab):
    a = lab.node('a', 'eth0,4,51,200,10,10.66.0.254,checksum=pseudo')
    b = lab.node('b', 'eth0,4,51,100,10,10.66.0.254,checksum=pseudo')
    lab.wait(lambda: lab.state('a') == ACTIVE and lab.state('b') == BACKUP)
    time.sleep(0.5)
    lab.kill('a', a)
    lab.wait(lambda: lab.state('b') == ACTIVE)
    time.sleep(0.5)
    gap = check_gap(lab, 4, 375)
    assert gap >= 0.355
    assert lab.router_pid('b')
    b.terminate()
    b.wait(5)
    assert 'hv4' not in sh('ip -n vrrpt-b link'), 'left behind'
    lab.judge()


def bfd(lab):
    pcap = f'{lab.folder}/b.pcap'  # sessions are not heard by the host
    start('b', ['tcpdump', '-i', 'eth0', '-n', '-U', '-w', pcap], f'{lab.folder}/tcpdump-b')
    a = lab.node('a', 'eth0,4,51,200,100,10.66.0.254,checksum=pseudo,fast=p2p')
    lab.node('b', 'eth0,4,51,150,100,10.66.0.254,checksum=pseudo,fast=p2p')
    lab.node('c', 'eth0,4,51,100,100,10.66.0.254,checksum=pseudo,fast=p2p')
    lab.wait(lambda: lab.state('a') == ACTIVE, 10)
    time.sleep(6)
    lab.kill('a', a)
    lab.wait(lambda: lab.state('b') == ACTIVE, 5)
    at = [t for t, s, _ in lab.events('b') if s == ACTIVE][-1]
    last = lab.packets('bfd and not icmp and ip.src == 10.66.0.1', pcap)[-1]
    print(f'  last sign of life to takeover {1000 * (at - last):.2f} ms')
    assert at - last < 0.05
    time.sleep(0.3)
    assert lab.state('c') == BACKUP and len([1 for _, s, _ in lab.events('c') if s == ACTIVE]) == 0


def keepalived(lab, version, family, options):
    address = '10.66.0.254/24 dev eth0' if family == 4 else 'fe80::254/64 dev eth0'
    conf = f'{lab.folder}/keepalived.conf'
    interval = 1 if version == 2 else 0.1
    open(conf, 'w').write(f'''global_defs {{
    vrrp_version {version}
    script_user root
}}
vrrp_instance one {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int {interval}
    {'native_ipv6' if family == 6 else ''}
    virtual_ipaddress {{
        {address}
    }}
}}
''')
    vip = '10.66.0.254' if family == 4 else 'fe80::254'

    def has_address(x):
        return f'{vip}/' in sh(f'ip -n vrrpt-{x} addr show')

    start('b', ['keepalived', '-n', '-l', '-P', '-f', conf, '-p', f'{lab.folder}/k.pid', '-r', f'{lab.folder}/kv.pid'],
          f'{lab.folder}/keepalived.log')
    lab.wait(lambda: has_address('b'), 15)
    cs = int(interval * 100)
    a = lab.node('a', f'eth0,{family},51,100,{cs},{vip}{options}')  # lower: stays Backup
    time.sleep(5 * interval + 0.5)
    assert lab.state('a') == BACKUP and has_address('b')
    sh('ip -n vrrpt-sw link set to-b down')  # the Active is cut off
    lab.wait(lambda: lab.state('a') == ACTIVE, 4 * interval + 2)
    sh('ip -n vrrpt-sw link set to-b up')  # and preempts us
    lab.wait(lambda: lab.state('a') == BACKUP, 6 * interval + 3)
    a.terminate()
    a.wait(5)
    a = lab.node('a', f'eth0,{family},51,200,{cs},{vip}{options}')  # higher: takes over
    lab.wait(lambda: lab.state('a') == ACTIVE and not has_address('b'), 6 * interval + 3)
    a.terminate()  # says goodbye, and keepalived is back after its skew time
    began = time.time()
    lab.wait(lambda: has_address('b'), 2 * interval + 2)
    print(f'  keepalived is back {time.time() - began:.2f} s after our goodbye')


CASES = {
    'restart': restart,
    'takeover': takeover,
    'bfd': bfd,
    'keepalived3': lambda lab: keepalived(lab, 3, 4, ',checksum=auto'),
    'keepalived2': lambda lab: keepalived(lab, 2, 4, ',v2'),
    'keepalived6': lambda lab: keepalived(lab, 3, 6, ''),
}


def main():
    failed = 0
    for name in sys.argv[2:] or CASES:
        if name.startswith('keepalived') and not shutil.which('keepalived'):
            print(f'{name}: skipped, no keepalived')
            continue
        with tempfile.TemporaryDirectory(prefix='vrrpt-') as folder:
            try:
                down()
                print(f'{name}:', flush=True)
                lab = Lab(folder)
                CASES[name](lab)
                print('  ok', flush=True)
            except (AssertionError, subprocess.CalledProcessError, IndexError) as e:
                failed += 1
                print(f'  FAILED: {e!r}')
                for x in 'abc':
                    if os.path.exists(f'{folder}/{x}.log'):
                        print(f'--- {x}\n' + open(f'{folder}/{x}.log').read()[-1500:])
                if os.path.exists(f'{folder}/keepalived.log'):
                    print('--- keepalived\n' + open(f'{folder}/keepalived.log').read()[-1500:])
            finally:
                if os.environ.get("VRRP_KEEP"):
                    shutil.copytree(folder, os.environ["VRRP_KEEP"], dirs_exist_ok=True)
                down()
    sys.exit(1 if failed else 0)


main()
