# SPDX-License-Identifier: Apache-2.0
"""A lab without daemons: namespaces, links, faults and counters, by heddle-lab.

The same scenario file, and so the same graph, serves every stack. This process enters a node's
namespace itself where it only reads or starts something: a program per node would be slow.
"""
import ctypes
import json
import os
import subprocess
import time

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def real_time():
    """For tools that measure: the labs' own work must not delay them."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(80))


class Lab:
    def __init__(self, program, folder, name, topology, seed):
        self.program, self.name, self.folder = program, name, folder
        self.scenario = {"topology": {"generator": topology, "seed": seed}}
        self.own = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.makedirs(folder, exist_ok=True)
        self.call("up", self.write("scenario.json", self.scenario), "--no-daemon")
        status = json.loads(self.call("status", "-j"))
        self.nodes = [n["name"] for n in status["nodes"]]
        self.links = [(l["a"], l["b"]) for l in status["links"]]
        self.ifnames = {}  # (node, neighbour): interface
        for l in status["links"]:
            self.ifnames[l["a"], l["b"]] = l["a-interface"]
            self.ifnames[l["b"], l["a"]] = l["b-interface"]
        self.ns = {n["name"]: os.open("/run/netns/" + n["namespace"], os.O_RDONLY)
                   for n in status["nodes"]}

    def write(self, name, value):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            json.dump(value, f)
        return path

    def call(self, command, *args):
        return subprocess.run([self.program, command, *args, "--name", self.name], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def enter(self, node):
        setns(self.ns[node])

    def leave(self):
        setns(self.own)

    def at(self, node, function, *args):
        """Runs a function inside the node's namespace."""
        self.enter(node)
        try:
            return function(*args)
        finally:
            self.leave()

    def play(self, action, links):
        """One action on many links at once; returns when it began (or shortly before) and ended.

        By one process, which heddle-lab gives real-time priority: a cut cable needs no processor,
        and cuts that wait for busy daemons would be cuts at other times.
        """
        schedule = [{"at_ms": 0, "action": action, "target": list(l)} for l in links]
        path = self.write("play.json", dict(self.scenario, schedule=schedule))
        begun = time.monotonic()
        self.call("play", path)
        return begun, time.monotonic()

    def counters(self):
        """{node: {interface: (received, sent) bytes}} of the links' interfaces."""
        return {n: self.at(n, read_counters) for n in self.nodes}

    def wait_usable(self, limit_s=10):
        """Until every link-local address is usable (time.monotonic)."""
        end = time.monotonic() + limit_s
        while any(self.at(n, has_tentative) for n in self.nodes):
            if time.monotonic() > end:
                raise RuntimeError("link-local addresses do not become usable")
            time.sleep(0.02)
        return time.monotonic()

    def neighbours(self, node):
        return [b for (a, b) in self.ifnames if a == node]

    def down(self):
        for fd in [*self.ns.values(), self.own]:
            os.close(fd)
        self.call("down")


def read_counters():
    found = {}
    with open("/proc/thread-self/net/dev") as f:
        for line in f:
            name, colon, rest = line.partition(":")
            if colon and name.strip().startswith("to-"):
                numbers = rest.split()
                found[name.strip()] = (int(numbers[0]), int(numbers[8]))
    return found


def has_tentative():
    with open("/proc/thread-self/net/if_inet6") as f:
        rows = [line.split() for line in f]
    return any(int(r[4], 16) & 0x48 for r in rows if r[5].startswith("to-"))  # or DAD failed


def component(nodes, links):
    """The largest set of nodes that the links join."""
    near = {n: [] for n in nodes}
    for a, b in links:
        near[a].append(b)
        near[b].append(a)
    best, seen = [], set()
    for n in nodes:
        if n in seen:
            continue
        part, queue = [n], [n]
        seen.add(n)
        while queue:
            for m in near[queue.pop()]:
                if m not in seen:
                    seen.add(m)
                    part.append(m)
                    queue.append(m)
        best = max(best, part, key=len)
    return best
