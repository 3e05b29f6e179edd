#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Heddle beside babeld, BIRD and yggdrasil: the same labs, the same faults, the same probes.

Trials of the stacks take turns, so that what else the machine does hits all of them. Every trial is
a lab of its own, made and taken down; its figures are appended to a file of JSON lines, and the
report is made from that file: parts can be run one by one, on a machine that has time for them.
Needs root. Run it as `python3 bench/peers --help`.
"""
import argparse
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import measure  # noqa: E402
import report  # noqa: E402
from lab import Lab  # noqa: E402
from stacks import STACKS  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOPOLOGIES = {"ring8": "ring:8", "grid": "grid:5x5", "ba100": "ba:100,2"}
PARTS = {"start": tuple(TOPOLOGIES), "plug": tuple(TOPOLOGIES), "carrier": ("grid",), "silent": ("grid",),
         "steady": ("ba100",), "storm": ("ba100",), "hop": ()}
GRAPH_SEED = 1


def arguments():
    p = argparse.ArgumentParser(prog="bench/peers", description=__doc__.splitlines()[0])
    p.add_argument("--build", default=os.path.join(TOP, "build"), help="build folder (build)")
    p.add_argument("--trials", type=int, default=3)
    p.add_argument("--only", default=",".join(PARTS), help="parts: " + ",".join(PARTS))
    p.add_argument("--stacks", default=",".join(STACKS), help=",".join(STACKS))
    p.add_argument("--topologies", default=",".join(TOPOLOGIES), help=",".join(TOPOLOGIES))
    p.add_argument("--results", default=os.path.join(TOP, "doc/results/peers.jsonl"))
    p.add_argument("--report", default=os.path.join(TOP, "doc/results/peers.md"))
    p.add_argument("--add", action="store_true", help="keep earlier results and add to them")
    p.add_argument("--report-only", action="store_true", help="make the report anew, run nothing")
    p.add_argument("--max-s", type=float, default=60, help="give up waiting for pairs (60)")
    p.add_argument("--carrier-s", type=int, default=8, help="length of the flow (8)")
    p.add_argument("--silent-s", type=int, default=25, help="length of the flow (25)")
    p.add_argument("--settle-s", type=int, default=60, help="rest before the steady part (60)")
    p.add_argument("--steady-s", type=int, default=30, help="length of the steady part (30)")
    p.add_argument("--frames", type=int, default=1000000, help="of the label hop")
    p.add_argument("--rounds", type=int, default=5, help="of the label hop")
    return p.parse_args()


def find_programs(build):
    places = {"heddled": "src/daemon", "heddle": "src/cli", "heddle-lab": "src/lab",
              "bench-pairs": "bench", "bench-label-hop": "bench"}
    programs = {n: os.path.join(build, d, n) for n, d in places.items()}
    for path in programs.values():
        if not os.access(path, os.X_OK):
            sys.exit(f"bench/peers: {path} is missing: build first, or name the folder by --build")
    for n in ("babeld", "bird", "yggdrasil"):
        if shutil.which(n) is None:
            sys.exit(f"bench/peers: {n} is not installed; `tools/deps.sh bench` does that")
    return programs


class Results:
    def __init__(self, path, keep):
        self.path = path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not keep and os.path.exists(path):
            os.unlink(path)

    def add(self, stack, part, topology, trial, figures, load0):
        record = {"date": time.strftime("%Y-%m-%d %H:%M"), "stack": stack, "part": part,
                  "topology": topology, "trial": trial,
                  "load": [round(load0, 2), round(os.getloadavg()[0], 2)], "figures": figures}
        with open(self.path, "a") as f:
            f.write(json.dumps(record) + "\n")
        shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}
        print(f"{stack:10} {part:8} {topology:6} trial {trial}  {shown}", flush=True)


def one_lab(kind, topology, trial, parts, options, programs, results):
    """The parts of one trial, in one lab."""
    folder = tempfile.mkdtemp(prefix=f"heddle-bench-{kind.name}-", dir="/run")
    lab = Lab(programs["heddle-lab"], folder, f"bench-{kind.name}-{os.getpid()}",
              TOPOLOGIES[topology], GRAPH_SEED)
    stack = None
    try:
        stack = kind(lab, programs)
        if parts[0] not in ("start", "plug"):
            measure.converge(stack, options, trial)
        for part in parts:
            load = os.getloadavg()[0]
            figures = getattr(measure, part)(stack, options, trial)
            results.add(kind.name, part, topology, trial, figures, load)
    finally:
        if stack is not None:
            stack.stop()
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)


def run(options, programs, results):
    failed = 0
    only = [p for p in PARTS if p in options.only.split(",")]
    for trial in range(options.trials):
        for topology in (t for t in TOPOLOGIES if t in options.topologies.split(",")):
            parts = [p for p in only if topology in PARTS[p]]
            # A daemon starts once in a lab: "start" has one of its own when others follow.
            groups = [["start"]] if "start" in parts else []
            groups += [g for g in [[p for p in parts if p != "start"]] if g]
            for group, name in itertools.product(groups, options.stacks.split(",")):
                try:
                    one_lab(STACKS[name], topology, trial, group, options, programs, results)
                except Exception:  # the other stacks are measured all the same
                    failed += 1
                    traceback.print_exc()
    if "hop" in only:
        load = os.getloadavg()[0]
        results.add("heddle", "hop", "-", 0, measure.label_hop(programs, options), load)
    return failed


def main():
    options = arguments()
    unknown = set(options.only.split(",")) - set(PARTS) | \
        set(options.stacks.split(",")) - set(STACKS) | \
        set(options.topologies.split(",")) - set(TOPOLOGIES)
    if unknown:
        sys.exit(f"bench/peers: unknown: {', '.join(sorted(unknown))}")
    failed = 0
    programs = find_programs(options.build)
    if not options.report_only:
        if os.geteuid() != 0:
            sys.exit("bench/peers: labs are made of network namespaces: run it as root")
        failed = run(options, programs, Results(options.results, options.add))
    versions = {n: s.version(programs) for n, s in STACKS.items()}
    print(report.make(options.results, options.report, versions))
    if failed:
        print(f"{failed} trials failed; the table holds what the others brought", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
