# SPDX-License-Identifier: Apache-2.0
"""The routing stacks that are compared: what each is started with, and how it is ended.

Each runs as its distribution ships it, except: babeld looks at carriers (-l); BIRD speaks OSPFv3 with hello 1 s and dead 4 s on
point-to-point links, without equal-cost paths; yggdrasil peers by multicast on the links alone.
Every stack knows each node's address before it starts, so that nobody has to be asked. Sessions are
what we started, and nothing else is ever signalled.
"""
import ipaddress
import json
import os
import signal
import subprocess
import time


class Stack:
    """A stack on every node of a lab. Each node is one session of processes."""
    name = version = None

    def __init__(self, lab, programs):
        self.lab, self.programs = lab, programs
        self.running = {}
        self.address = {}
        for i, n in enumerate(lab.nodes):
            os.makedirs(self.path(n), exist_ok=True)
            self.address[n] = self.prepare(n, i)

    def path(self, node, *rest):
        return os.path.join(self.lab.folder, node, *rest)

    def prepare(self, node, number):
        """Files and addresses; returns the node's address."""
        address = f"fd00::{number + 1:x}"
        self.lab.at(node, route_and_address, address)
        return address

    def start(self):
        for n in self.lab.nodes:
            with open(self.path(n, "log"), "w") as log:
                self.running[n] = self.lab.at(n, lambda: subprocess.Popen(
                    self.command(n), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True))

    def sessions(self):
        """{node: [pid]} of all processes that came of those that we started."""
        node_of = {p.pid: n for n, p in self.running.items()}
        found = {n: [] for n in self.running}
        for pid, session in processes():
            if session in node_of:
                found[node_of[session]].append(pid)
        return found

    def check(self):
        """Nobody may have died in the meantime: a figure of what is left would be wrong."""
        dead = [n for n, p in self.running.items() if p.poll() is not None]
        if dead:
            raise RuntimeError(f"{self.name} ended at {', '.join(dead)}; see {self.path(dead[0])}")

    def stop(self):
        for p in self.running.values():
            if p.poll() is None:
                p.terminate()
        end = time.monotonic() + 10
        for p in self.running.values():
            try:
                p.wait(max(0.01, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        left = [pid for pids in self.sessions().values() for pid in pids]
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.running = {}


def processes():
    """(pid, session) of every process."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    yield int(entry), int(f.read().rpartition(")")[2].split()[3])
            except (FileNotFoundError, ProcessLookupError):
                pass


def route_and_address(address):
    with open("/proc/sys/net/ipv6/conf/all/forwarding", "w") as f:
        f.write("1")
    subprocess.run(["ip", "-6", "address", "add", address + "/128", "dev", "lo"], check=True)


def first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return (done.stdout.splitlines() or ["unknown"])[0]


def package_version(package):
    return first_line("dpkg-query", "-W", "-f", "${Version}", package)


class Heddle(Stack):
    name = "heddle"

    def prepare(self, node, number):
        """The identity is written where heddled keeps its own: key 1 of its KIRA core."""
        identity = os.urandom(14)
        os.makedirs(self.path(node, "state"), exist_ok=True)
        with open(self.path(node, "state", "kira-1"), "wb") as f:
            f.write(identity)
        return str(ipaddress.IPv6Address(b"\xfc\x00" + identity))

    def command(self, node):
        return [self.programs["heddled"], "--foreground", "--state", self.path(node), "--open"]

    def ask(self, node, what):
        done = subprocess.run([self.programs["heddle"], "--state", self.path(node), what, "-j"],
                              stdout=subprocess.PIPE, check=True, text=True)
        return json.loads(done.stdout)

    def echoes(self):
        """(echo packets sent by all nodes, ends of links that are watched)."""
        packets = watched = 0
        for n in self.lab.nodes:
            counters = {c["name"]: c["value"] for c in self.ask(n, "counters")["counters"]}
            packets += counters["event.echo-sent"] + counters["event.echo-reply"]
            watched += sum(bool(r["watched"]) for r in self.ask(n, "neighbours")["neighbours"])
        return packets, watched

    @staticmethod
    def version(programs):
        return first_line(programs["heddle"], "version")


class Babeld(Stack):
    name = "babeld"

    def prepare(self, node, number):
        address = super().prepare(node, number)
        with open(self.path(node, "conf"), "w") as f:
            f.write(f"redistribute local ip {address}/128 allow\nredistribute local deny\n")
        return address

    def command(self, node):
        interfaces = [self.lab.ifnames[node, m] for m in self.lab.neighbours(node)]
        return ["babeld", "-l", "-c", self.path(node, "conf"), "-S", self.path(node, "babel-state"),
                "-I", self.path(node, "pid"), *interfaces]

    @staticmethod
    def version(programs):
        return package_version("babeld")


class Bird(Stack):
    name = "bird"
    conf = """log "{log}" all;
router id 10.0.{high}.{low};
protocol device {{ }}
protocol kernel {{ ipv6 {{ export all; import none; }}; }}
protocol ospf v3 {{
    ecmp no;
    ipv6 {{ import all; export none; }};
    area 0 {{
        interface "to-*" {{ type ptp; hello 1; dead 4; }};
        stubnet {address}/128;
    }};
}}
"""

    def prepare(self, node, number):
        address = super().prepare(node, number)
        with open(self.path(node, "conf"), "w") as f:
            f.write(self.conf.format(log=self.path(node, "bird.log"), address=address,
                                     high=(number + 1) // 256, low=(number + 1) % 256))
        return address

    def command(self, node):
        return ["bird", "-f", "-c", self.path(node, "conf"), "-s", self.path(node, "socket"),
                "-P", self.path(node, "pid")]

    @staticmethod
    def version(programs):
        return package_version("bird2")


class Yggdrasil(Stack):
    name = "yggdrasil"

    def prepare(self, node, number):
        conf = json.loads(subprocess.run(["yggdrasil", "-genconf", "-json"], check=True,
                                         stdout=subprocess.PIPE).stdout)
        conf.update(AdminListen="none", IfName="ygg0", MulticastInterfaces=[
            {"Regex": "^to-", "Beacon": True, "Listen": True, "Port": 0, "Priority": 0}])
        with open(self.path(node, "conf"), "w") as f:
            json.dump(conf, f)
        done = subprocess.run(["yggdrasil", "-useconffile", self.path(node, "conf"), "-address"],
                              check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def command(self, node):
        return ["yggdrasil", "-useconffile", self.path(node, "conf")]

    @staticmethod
    def version(programs):
        return package_version("yggdrasil")


STACKS = {s.name: s for s in (Heddle, Babeld, Bird, Yggdrasil)}
