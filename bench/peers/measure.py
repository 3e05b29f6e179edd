# SPDX-License-Identifier: Apache-2.0
"""What is measured, one function per part. Each returns {figure: value}.

Every value is what was seen from outside: packets between nodes, counters of interfaces, /proc of
the processes. None where nothing came back in the time given, never a guess.
"""
import json
import os
import random
import subprocess
import time

from lab import component, real_time

FLOW_PAIRS = [("n0", "n24"), ("n4", "n20"), ("n2", "n22"), ("n10", "n14"), ("n1", "n23")]
ECHO_FRAME = 14 + 40 + 8 + 16  # Ethernet, IPv6, UDP, Heddle's echo


def write_addresses(stack, nodes):
    path = os.path.join(stack.lab.folder, "addresses")
    with open(path, "w") as f:
        f.writelines(f"{n} {stack.address[n]}\n" for n in nodes)
    return path


class Pairs:
    """bench-pairs beside something that happens (see bench/pairs.c)."""

    def __init__(self, stack, nodes, count, seed, max_s):
        self.p = subprocess.Popen(
            [stack.programs["bench-pairs"], stack.lab.name, write_addresses(stack, nodes),
             str(count), str(seed), "2000", str(int(max_s * 1000))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=real_time)
        if self.p.stdout.readline() != "ready\n":
            raise RuntimeError("bench-pairs did not start")

    def result(self, since):
        """Seconds after `since`, for each pair, until its first answer and until it works for
        good; None for a pair that does neither."""
        self.p.stdin.close()
        answer = json.loads(self.p.stdout.read())
        self.p.wait()
        return [[None if t == 0 else max(0.0, t / 1e9 - since) for t in answer[key]]
                for key in ("first", "since")]


def last(times):
    return None if None in times else max(times)


def busy_ticks():
    """Of the whole machine: everything but idle and waiting for disks."""
    with open("/proc/stat") as f:
        t = [int(x) for x in f.readline().split()[1:9]]
    return sum(t) - t[3] - t[4]


def cpu_ticks(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks


def node_ticks(stack):
    return sum(cpu_ticks(pids) for pids in stack.sessions().values())


def wait_calm(stack, limit_s=60):
    """Until the daemons have done what they do at their start, and use little CPU."""
    hertz = os.sysconf("SC_CLK_TCK")
    end = time.monotonic() + limit_s
    time.sleep(2)
    while time.monotonic() < end:
        before = node_ticks(stack)
        time.sleep(1)
        if node_ticks(stack) - before < 0.15 * hertz:
            return


def startup(stack, pairs, t0):
    first, works = pairs.result(t0)
    stack.check()
    return {"first answers, s": last(first), "without a later loss, s": last(works),
            "pairs": len(first), "pairs reached": sum(t is not None for t in first)}


def start(stack, options, seed):
    """Links are up and have their addresses: at t0 the first daemon is started."""
    stack.lab.wait_usable()
    pairs = Pairs(stack, stack.lab.nodes, 100, seed, options.max_s)
    t0 = time.monotonic()
    stack.start()
    started = time.monotonic()
    return {"daemons started in, s": started - t0, **startup(stack, pairs, t0)}


def plug(stack, options, seed):
    """Daemons run, links are down: at t0 the first of them comes up. (With t0 at the last one, a
    stack that keeps the machine busy meanwhile would be flattered.)"""
    lab = stack.lab
    lab.play("cut", lab.links)
    stack.start()
    wait_calm(stack)
    stack.check()
    pairs = Pairs(stack, lab.nodes, 100, seed, options.max_s)
    t0, up = lab.play("heal", lab.links)
    usable = lab.wait_usable()
    return {"links up in, s": up - t0, "link-local addresses usable in, s": usable - t0, **startup(stack, pairs, t0)}


def converge(stack, options, seed):
    """All is up and works; where only later parts are wanted."""
    stack.start()
    wait_calm(stack)
    pairs = Pairs(stack, stack.lab.nodes, 100, seed, options.max_s)
    _, works = pairs.result(time.monotonic())
    if last(works) is None:
        raise RuntimeError(f"{stack.name}: not every pair works; no figure makes sense")


# --- a flow under a cut ---------------------------------------------------------------------------

def path_of_flow(before, after, lab, a, b):
    """Follows the bytes: at each node the interface that sent most, never back."""
    path = [a]
    while path[-1] != b:
        here = path[-1]
        sent = {m: after[here][lab.ifnames[here, m]][1] - before[here][lab.ifnames[here, m]][1]
                for m in lab.neighbours(here) if m not in path}
        if not sent:
            raise RuntimeError(f"the flow from {a} to {b} cannot be followed behind {here}")
        path.append(max(sent, key=sent.get))
    return path


def flow(stack, pair, silent, seconds):
    lab, (a, b) = stack.lab, pair
    command = [stack.programs["heddle-lab"], "flow", a, b, "--name", lab.name, "-j", "--to",
               stack.address[b], "--interval-us", "1000", "--seconds", str(seconds)]
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=real_time)
    start = time.monotonic()
    time.sleep(1)
    before = lab.counters()
    time.sleep(1)
    path = path_of_flow(before, lab.counters(), lab, a, b)
    # The end farther down goes down, so that the node in front of the cut loses its carrier.
    up, down = path[len(path) // 2 - 1], path[len(path) // 2]
    cut_at = time.monotonic() - start
    lab.call("cut", down, up, *(["--silent"] if silent else []))
    answer = json.loads(p.communicate()[0])
    lab.call("heal", up, down)
    gap, begun = answer["longest-gap-ms"], answer["gap-at-ms"]
    word = "silent cut" if silent else "carrier loss"
    if begun + gap > seconds * 1000 - 100:
        gap = None  # it never came back
    return {f"{word}, longest gap, ms": gap, f"{word}, lost": answer["lost"],
            f"{word}, gap began after the cut, ms": begun - 1000 * cut_at,
            f"{word}, path": "-".join(path), f"{word}, cut": f"{up}-{down}"}


def wait_working(stack, seed, max_s=60):
    """After a heal, before the next cut."""
    pairs = Pairs(stack, stack.lab.nodes, 100, seed, max_s)
    pairs.result(time.monotonic())
    time.sleep(3)


def carrier(stack, options, seed):
    wait_working(stack, seed)
    return flow(stack, FLOW_PAIRS[seed % len(FLOW_PAIRS)], False, options.carrier_s)


def silent(stack, options, seed):
    wait_working(stack, seed)
    return flow(stack, FLOW_PAIRS[seed % len(FLOW_PAIRS)], True, options.silent_s)


# --- many links at once ---------------------------------------------------------------------------

def storm(stack, options, seed):
    lab = stack.lab
    cut = random.Random(seed).sample(lab.links, len(lab.links) * 3 // 10)
    nodes = component(lab.nodes, [l for l in lab.links if l not in cut])
    wait_working(stack, seed)
    pairs = Pairs(stack, nodes, 300, seed, options.max_s)
    time.sleep(2)
    begun, done = lab.play("cut", cut)
    _, works = pairs.result(begun)
    healthy = [t for t in works if t is not None]
    stack.check()
    return {"30 % of links, s": last(works),
            "30 % of links: pairs": len(works),
            "30 % of links: pairs that work": len(healthy),
            "30 % of links: cuts took, s": done - begun,
            "30 % of links: nodes that stay together": len(nodes)}


# --- at rest --------------------------------------------------------------------------------------

def private_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Private_"))


def map_bytes(pids):
    """Of the BPF maps that the processes hold, each map once."""
    maps = {}
    for pid in pids:
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            try:
                with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                    info = dict(line.split(":", 1) for line in f if ":" in line)
            except FileNotFoundError:
                continue
            if "map_id" in info:
                maps[int(info["map_id"])] = int(info["memlock"])
    return sum(maps.values())


def sent_bytes(counters):
    return [sum(sent for _, sent in of.values()) for of in counters.values()]


def timed_echoes(stack):
    """(time, echo packets sent by all nodes, ends watched); asking a hundred nodes takes a while."""
    begun = time.monotonic()
    packets, watched = stack.echoes()
    return (begun + time.monotonic()) / 2, packets, watched


def steady(stack, options, seed):
    """Bytes, CPU and memory of a network in which nothing happens."""
    lab, hertz = stack.lab, os.sysconf("SC_CLK_TCK")
    count, span = len(lab.nodes), options.steady_s
    watches = hasattr(stack, "echoes")  # Heddle
    time.sleep(options.settle_s)
    echo0 = timed_echoes(stack) if watches else None
    cpu0, busy0, wire0, t0 = node_ticks(stack), busy_ticks(), lab.counters(), time.monotonic()
    time.sleep(span)
    wire1, cpu1, busy1 = lab.counters(), node_ticks(stack), busy_ticks()
    took = time.monotonic() - t0
    per_node = [(b - a) / took for a, b in zip(sent_bytes(wire0), sent_bytes(wire1))]
    echo_rate = 0.0
    figures = {}
    if watches:
        echo1 = timed_echoes(stack)
        echo_rate = (echo1[1] - echo0[1]) * ECHO_FRAME / (echo1[0] - echo0[0])
        # A link is watched from each end on its own: either may need it.
        figures["liveness per watched end of a link, B/s"] = echo_rate / max(1, echo1[2])
        figures["ends watched"] = echo1[2]
    sessions = stack.sessions()
    stack.check()
    figures.update({
        "routing bytes per node, B/s": (sum(per_node) - echo_rate) / count,
        "liveness per node, B/s": echo_rate / count,
        "busiest node, all bytes, B/s": max(per_node),
        "CPU per node, %": 100 * (cpu1 - cpu0) / hertz / took / count,
        "machine busy per node, kernel included, %": 100 * (busy1 - busy0) / hertz / took / count,
        "private memory per node, MB":
            sum(private_bytes(p) for s in sessions.values() for p in s) / count / 1e6,
        "BPF maps per node, MB": sum(map_bytes(s) for s in sessions.values()) / count / 1e6,
    })
    return figures


# --- one label hop --------------------------------------------------------------------------------

def label_hop(programs, options):
    done = subprocess.run([programs["bench-label-hop"], str(options.frames), str(options.rounds)],
                          check=True, stdout=subprocess.PIPE, text=True)
    figures = {}
    for line in done.stdout.splitlines():
        values = dict(word.split("=") for word in line.split())
        for key in ("ns", "min", "max", "of_kernel_percent"):
            figures[f"label hop, {values['path']}, {key}"] = float(values[key])
    return figures
