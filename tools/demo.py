#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make demo: twenty machines, as network namespaces of this one, become a network and repair it.

Every command that is run is shown and can be repeated by hand. Each claim is checked; the exit status is 1
when one fails. The lab has a name of its own, so that others may run beside it, and is taken down whatever
happens: at the end, after a failure and after ^C. `tools/demo.py --keep` leaves it up to be looked at.
"""
import json
import os
import signal
import subprocess
import sys
import time

from demo_map import Map

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join("tools", "demo.json")
WIDTH = 78
FROM, TO = "mad", "hel"
# What counts as kept. Far above what a quiet machine shows (doc/status.md), since this one may be busy.
REACH_S, CUT_MS, SILENT_MS, MACHINE_MS = 10, 1000, 3000, 3000

TONES = {"head": "1", "command": "36", "good": "32", "bad": "1;31", "path": "1;32", "line": "2"}


class Failed(Exception):
    """Something did not work, so that the rest makes no sense."""


class Screen:
    """Words on the terminal, in colour only there."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
        self.step, self.failed, self.start, self.closed = 0, [], time.monotonic(), False

    def paint(self, tone, text):
        return f"\033[{TONES[tone]}m{text}\033[0m" if self.colour and tone in TONES else text

    def say(self, text=""):
        """A reader who left must not keep the lab from being taken down."""
        try:
            print(text, flush=True)
        except OSError:
            self.closed = True

    def head(self, text):
        if self.closed and not self.failed:
            raise Failed("nobody reads the output any more")
        self.step += 1
        self.say(f"\n{self.paint('head', f'{self.step}  {text}')}")

    def command(self, text):
        self.say("   " + self.paint("command", f"$ {text}"))

    def fact(self, what, value):
        self.say(f"   {what:<{WIDTH - 28}} {value:>18}")

    def claim(self, what, value, kept):
        mark = self.paint("good", "ok") if kept else self.paint("bad", "FAILED")
        self.say(f"   {what:<{WIDTH - 28}} {value:>18}  {mark}")
        if not kept:
            self.failed.append(what)

    def draw(self, net, **what):
        self.say()
        for line in net.lines(paint=self.paint, **what):
            self.say("      " + line)


class Lab:
    """The lab of this demo: shows each command, runs it, reads its answer."""

    def __init__(self, build, screen):
        self.build, self.screen = build, screen
        self.name = f"demo-{os.getpid()}"
        self.dir = f"/run/heddle-lab/{self.name}"
        self.children = []  # that run now

    def start(self, args, show):
        if show:
            self.screen.command(" ".join([f"{self.build}/heddle", *args]))
        # In a session of its own: ^C is for this program, which then ends its children itself.
        child = subprocess.Popen([f"{self.build}/heddle", *args], text=True, start_new_session=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.children.append(child)
        return child

    def finish(self, child, may_fail=False):
        out, err = child.communicate()
        self.children.remove(child)
        if child.returncode != 0 and not may_fail:
            raise Failed((err or out).strip() or f"exit status {child.returncode}")
        return out

    def lab(self, *args, show=True, may_fail=False):
        return self.finish(self.start(["lab", *args, "--name", self.name], show), may_fail)

    def lab_json(self, *args, show=True):
        """Shown as a reader would type it, asked for in JSON."""
        if show:
            self.screen.command(" ".join([f"{self.build}/heddle lab", *args, "--name", self.name]))
        return json.loads(self.lab(*args, "-j", show=False, may_fail=True))

    def ask(self, node, *args, show=False):
        if show:
            self.screen.command(" ".join([f"{self.build}/heddle --state {self.dir}/{node}", *args]))
        args = ["--state", f"{self.dir}/{node}", *args, "-j"]
        return json.loads(self.finish(self.start(args, False), may_fail=True) or "{}")

    def stop_children(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
        self.children.clear()

    def left_behind(self):
        """What is still there of the lab, in words; it should be nothing."""
        left = []
        if os.path.isdir("/run/netns"):
            left += [n for n in os.listdir("/run/netns") if n.startswith(f"heddle-{self.name}-")]
        if os.path.exists(self.dir):
            left.append(self.dir)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if self.dir.encode() + b"/" in f.read():
                        left.append(f"process {pid}")
            except OSError:
                pass  # it has just ended
        return left


class Demo:
    def __init__(self, build):
        with open(os.path.join(HERE, "demo.json"), encoding="utf-8") as f:
            scenario = json.load(f)
        nodes = scenario["nodes"]
        self.screen = Screen()
        self.net = Map([nodes[i:i + 5] for i in range(0, len(nodes), 5)], scenario["links"],
                       self.screen.ascii_only)
        self.lab = Lab(build, self.screen)
        self.nodes, self.address, self.names = nodes, {}, {}
        self.cut = []

    # --- looking -------------------------------------------------------------------------------------

    def learn_names(self):
        for node in self.nodes:
            status = self.lab.ask(node, "status")
            if "address" not in status:
                raise Failed(f"{node} has no address")
            self.address[node], self.names[status["node-id"]] = status["address"], node

    def path(self, show=False):
        """The nodes from FROM to TO as `heddle path` tells them; asked again while it changes."""
        for attempt in range(10):
            answer = self.lab.ask(FROM, "path", self.address[TO], show=show and attempt == 0)
            path = [FROM] + [self.names.get(hop["id"], "?") for hop in answer.get("path", [])]
            if path[-1] == TO and "?" not in path and not self.broken(path):
                return path
            time.sleep(0.2)
        raise Failed(f"no path from {FROM} to {TO}")

    def broken(self, path):
        hops = {frozenset(hop) for hop in zip(path, path[1:])}
        return any(frozenset(link) in hops for link in self.cut)

    def show_path(self, path, **what):
        self.screen.draw(self.net, path=path, cut=self.cut, **what)

    def middle_link(self, path):
        """A link in the middle of the path that the network can do without."""
        hops = list(zip(path, path[1:]))
        order = sorted(range(len(hops)), key=lambda i: abs(2 * i - len(hops) + 1))
        return next(hops[i] for i in order if self.net.connected(self.cut + [hops[i]]))

    def flow(self, seconds, *events):
        """One packet per millisecond while each event (second, what to do) happens."""
        args = ["lab", "flow", FROM, TO, "--seconds", str(seconds), "--name", self.lab.name]
        self.screen.command(" ".join([f"{self.lab.build}/heddle", *args, "&"]))
        child, start = self.lab.start(args + ["-j"], False), time.monotonic()
        for second, act in events:
            time.sleep(max(0, start + second - time.monotonic()))
            act()
        return json.loads(self.lab.finish(child))

    def outage(self, flow, allowed_ms):
        gap = flow["longest-gap-ms"]
        self.screen.claim(f"longest gap, {flow['lost']} of {flow['sent']} packets lost", f"{gap:.0f} ms",
                          gap < allowed_ms and flow["received"] > 0)

    def everybody(self, what):
        answer = self.lab.lab_json("reach", "--timeout-ms", str(REACH_S * 1000))
        if "error" in answer:
            raise Failed(answer["error"]["message"])
        count, pairs = answer["reached"], answer["pairs"]
        self.screen.claim(f"{count} of {pairs} pairs: {what}", f"after {answer['took-ms'] / 1000:.2f} s",
                          count == pairs == len(self.nodes) * (len(self.nodes) - 1))

    # --- the story -----------------------------------------------------------------------------------

    def plug_together(self):
        self.screen.head("Twenty machines are plugged together. Nobody configures anything.")
        start = time.monotonic()
        self.lab.lab("up", SCENARIO)
        took = time.monotonic() - start
        self.screen.fact(f"{len(self.nodes)} nodes, {len(self.net.links)} links, a heddled in each",
                         f"up in {took:.1f} s")
        self.screen.draw(self.net)

    def reach(self):
        self.screen.head("Every node reaches every node.")
        self.everybody("each asks, each answers")
        self.learn_names()

    def first_path(self):
        self.screen.head(f"The way from {FROM} to {TO}.")
        path = self.path(show=True)
        self.screen.fact(f"{self.address[TO]}", f"{len(path) - 1} hops")
        self.show_path(path)

    def lose_link(self, silent):
        path = self.path()
        a, b = self.middle_link(path)
        if silent:
            self.screen.head(f"The link {a} - {b} goes silent: its carrier stays, packets vanish.")
        else:
            self.screen.head(f"The cable {a} - {b}, which carries a flow, is pulled.")
        flag = ["--silent"] if silent else []
        flow = self.flow(5 if silent else 3, (1, lambda: self.lab.lab("cut", a, b, *flag)))
        self.cut.append((a, b))
        self.outage(flow, SILENT_MS if silent else CUT_MS)
        new = self.path()
        self.screen.fact("before: " + " ".join(path), f"{len(path) - 1} hops")
        self.screen.fact("now:    " + " ".join(new), f"{len(new) - 1} hops")
        self.show_path(new)

    def heal(self):
        self.screen.head("Both links work again.")
        for a, b in self.cut:
            self.lab.lab("heal", a, b)
        self.cut = []
        self.everybody("all is well")

    def kill_service(self):
        path = self.path()
        victim, before = path[len(path) // 2], path[len(path) // 2 - 1]
        self.screen.head(f"All processes of heddled at {victim}, on the path, are killed. It starts again.")
        start = time.monotonic()
        flow = self.flow(4, (1, lambda: self.lab.lab("kill", victim)),
                         (2.5, lambda: self.lab.lab("start", victim)))
        self.screen.claim("packets lost: its kernel goes on forwarding", str(flow["lost"]),
                          flow["lost"] == 0 and flow["received"] == flow["sent"])
        links = [n for n in self.lab.ask(before, "neighbours").get("neighbours", [])
                 if self.names.get(n["id"]) == victim]
        noticed = not links or links[0]["up-ms"] < 1000 * (time.monotonic() - start)
        self.screen.claim(f"its neighbour {before} noticed nothing", "" if noticed else
                          f"up for {links[0]['up-ms'] / 1000:.0f} s", not noticed)

    def lose_machine(self):
        path = self.path()
        victim = path[len(path) // 2]
        self.screen.head(f"The whole machine {victim} loses power: processes and links at once.")

        def power_off():
            for other in self.net.neighbours(victim):
                self.lab.lab("cut", victim, other)
            self.lab.lab("kill", victim)

        flow = self.flow(4, (1, power_off))
        self.cut = [(victim, other) for other in self.net.neighbours(victim)]
        self.outage(flow, MACHINE_MS)
        self.show_path(self.path(), dead=[victim])
        self.screen.head(f"{victim} comes back.")
        for other in self.net.neighbours(victim):
            self.lab.lab("heal", victim, other)
        self.lab.lab("start", victim)
        self.cut = []
        self.everybody("all is well")

    def run(self):
        self.plug_together()
        self.reach()
        self.first_path()
        self.lose_link(silent=False)
        self.lose_link(silent=True)
        self.heal()
        self.kill_service()
        self.lose_machine()

    def take_down(self, keep):
        if keep and os.path.exists(self.lab.dir):
            self.screen.say(f"\nThe lab stays. Take it down by: {self.lab.build}/heddle lab down --name "
                            f"{self.lab.name}")
            return
        self.screen.head("Everything is taken down.")
        self.lab.stop_children()
        if os.path.exists(self.lab.dir):
            self.lab.lab("down")
        left = self.lab.left_behind()
        self.screen.claim("namespaces, processes and files left", ", ".join(left) or "none", not left)


def begin(screen):
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    screen.say(screen.paint("head", "Heddle: plug machines together, and every one reaches every other."))
    if load > 1.5 * cores:
        screen.say(f"This machine is busy (load {load:.1f} on {cores} cores): times are longer than they need be.")


def interrupted(_number, _frame):
    raise KeyboardInterrupt


def main(argv):
    keep = "--keep" in argv
    words = [word for word in argv if word != "--keep"]
    build = words[0] if words else "build"
    if len(words) > 1 or build.startswith("-"):
        sys.exit("usage: tools/demo.py [--keep] [BUILD]")
    if os.geteuid() != 0:
        sys.exit("demo: network namespaces need root: sudo make demo")
    os.chdir(os.path.dirname(HERE))
    if not os.access(f"{build}/heddle", os.X_OK):
        sys.exit(f"demo: {build}/heddle is not there: make build")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    demo = Demo(build)
    screen = demo.screen
    begin(screen)
    try:
        demo.run()
    except KeyboardInterrupt:
        screen.failed.append("interrupted")
    except Failed as e:
        screen.say(screen.paint("bad", f"   failed: {e}"))
        screen.failed.append(str(e))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            demo.take_down(keep)
        except Failed as e:
            screen.say(screen.paint("bad", f"   failed: {e}"))
            screen.failed.append(str(e))
    took = time.monotonic() - screen.start
    verdict = f"Failed: {'; '.join(screen.failed)}." if screen.failed else "Every claim held."
    screen.say(f"\n{screen.paint('bad' if screen.failed else 'good', verdict)} {took:.0f} s.")
    if screen.closed:
        os._exit(1)  # or Python complains about what it cannot flush
    return 1 if screen.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
