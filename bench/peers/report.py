# SPDX-License-Identifier: Apache-2.0
"""The table of doc/results/peers.md, from the JSON lines that the trials wrote."""
import json
import os
import statistics

STACKS = ("heddle", "babeld", "bird", "yggdrasil")

# text, part, topology, figure, decimals, the most that Heddle is meant to show
ROWS = [
    ("daemons start, ring of 8: 100 pairs, s", "start", "ring8", "first answers, s", 2, "1"),
    ("daemons start, grid 5x5, s", "start", "grid", "first answers, s", 2, "1"),
    ("daemons start, BA 100, s", "start", "ba100", "first answers, s", 2, "3"),
    ("links come up, ring of 8: 100 pairs, s", "plug", "ring8", "first answers, s", 2, "1"),
    ("links come up, grid 5x5, s", "plug", "grid", "first answers, s", 2, "1"),
    ("links come up, BA 100, s", "plug", "ba100", "first answers, s", 2, "3"),
    ("links come up, BA 100, until no pair loses a probe again, s", "plug", "ba100",
     "without a later loss, s", 2, ""),
    ("of it until all links and addresses are usable, s", "plug", "ba100",
     "link-local addresses usable in, s", 2, ""),
    ("carrier lost under a flow, grid 5x5: longest gap, ms", "carrier", "grid",
     "carrier loss, longest gap, ms", 0, "100"),
    ("the same, the link goes silent: longest gap, ms", "silent", "grid",
     "silent cut, longest gap, ms", 0, "1000"),
    ("30 % of links of BA 100 at once, s", "storm", "ba100", "30 % of links, s", 2, "2"),
    ("of it the cutting itself, s", "storm", "ba100", "30 % of links: cuts took, s", 2, ""),
    ("routing messages per node at rest, BA 100, B/s", "steady", "ba100",
     "routing bytes per node, B/s", 0, "1000"),
    ("liveness (echoes) per node, B/s", "steady", "ba100", "liveness per node, B/s", 0, ""),
    ("liveness per watched end of a link, B/s", "steady", "ba100",
     "liveness per watched end of a link, B/s", 0, "600 per link"),
    ("private memory per node, MB", "steady", "ba100", "private memory per node, MB", 2, "3"),
    ("BPF maps per node, MB", "steady", "ba100", "BPF maps per node, MB", 2, "2"),
    ("CPU per node at rest, % of a core", "steady", "ba100", "CPU per node, %", 3, "0.2"),
    ("whole machine per node, kernel included, %", "steady", "ba100",
     "machine busy per node, kernel included, %", 3, ""),
]

NOTES = """
How it is measured (`bench/peers`, `bench/pairs.c`):

* **Same lab for all**: one network namespace per node, veth links, made by `heddle-lab up --no-daemon` from one
  scenario; the graph of BA 100 is drawn with seed 1. Trials of the stacks take turns. babeld and BIRD route one /128 per
  node on `lo`; Heddle and yggdrasil bring addresses of their own. babeld runs with its defaults and `-l` (it looks at carriers); BIRD with OSPFv3, hello 1 s, dead
  4 s, point-to-point links, no equal-cost paths; yggdrasil with multicast peering on the links alone.
* **Start-up**, in two ways. *Daemons start*: all links are up and have usable link-local addresses (no duplicate address
  detection); time starts when the first daemon is started, so that it has in it the start of all processes on this one machine, for
  the 100 nodes one after the other. *Links come up*: the daemons run and have come to rest with all links down; time starts when the first link comes
  up; the others follow, which is part of the time (row below). 100 pairs drawn at random (56 in the ring, which has no more) are asked every 20 ms until each has answered.
* **Cuts under a flow**: 1 packet of 64 bytes per ms for 8 s (25 s for silent cuts) between corners or sides of the grid. The path is read
  off the interface counters, and the link in its middle is cut: the node in front loses its carrier, or both ends drop everything. The gap is
  the longest time between two arrivals.
* **30 % of links**: 59 of 197 links, another draw in each trial; 300 pairs among the nodes that stay connected; from
  the first cut until the last pair works for good. The kernel of this one machine takes links down one by one, while the daemons ask it for other
  things: what that took is part of the time, and stands below.
* **At rest**: after 60 s, over 30 s. Bytes are Ethernet frames (without preamble and checksum) that the links' interfaces sent, everything included (the
  kernel's neighbour discovery too). Heddle's echoes are counted apart: its counters of echoes times 78 bytes. A link is watched from each end
  on its own. For the other stacks liveness is part of their messages. Memory is `Private_*` of `/proc/PID/smaps_rollup`, CPU is user and
  system time of all processes of a node; work in the kernel outside of processes shows in the row of the whole machine only, which also
  shows whatever else the machine does.
* The tools that measure run at real-time priority, for every stack. heddled asks for real-time priority by itself, as it
  does everywhere; the other daemons do not.
* A cell is the median with the range and the number of trials that count; "not in time" counts trials in which not
  everything came back before the bench gave up (60 s; in the flow: its end).
"""

def load(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f]


def cell(records, figure, decimals):
    values = [r["figures"][figure] for r in records if figure in r["figures"]]
    good = sorted(v for v in values if v is not None)
    text = ""
    if good:
        text = f"{statistics.median(good):.{decimals}f}"
        if len(good) > 1:
            text += f" ({good[0]:.{decimals}f}-{good[-1]:.{decimals}f}, n={len(good)})"
    missed = len(values) - len(good)
    if missed:
        text += f"{'; ' if text else ''}{missed}x not in time"
    return text or "-"


def load_range(records):
    loads = [x for r in records for x in r["load"]]
    return f"{min(loads):.1f}-{max(loads):.1f}" if loads else "-"


def table(records):
    lines = [["", *STACKS, "aim of Heddle", "load"]]
    for text, part, topology, figure, decimals, aim in ROWS:
        of_part = [r for r in records if r["part"] == part and r["topology"] == topology]
        cells = [cell([r for r in of_part if r["stack"] == s], figure, decimals) for s in STACKS]
        if set(cells) != {"-"}:
            lines.append([text, *cells, aim, load_range(of_part)])
    return lines


def hop_table(records):
    hops = [r for r in records if r["part"] == "hop"]
    if not hops:
        return []
    last, lines = hops[-1], [["label hop, frames of 162 bytes, delivered", "ns per packet (range)",
                              "million packets/s", "times kernel IPv6 forwarding", "load"]]
    f = last["figures"]
    for path, aim in (("kernel", ""), ("tc", " (aim: 1)"), ("xdp", " (aim: 3)")):
        ns, of = f[f"label hop, {path}, ns"], f[f"label hop, {path}, of_kernel_percent"]
        lines.append([path, f"{ns:.0f} ({f[f'label hop, {path}, min']:.0f}-"
                      f"{f[f'label hop, {path}, max']:.0f})", f"{1000 / ns:.2f}",
                      f"{100 / of:.2f}{aim}", load_range([last])])
    return lines


def markdown(lines):
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]]) if rows else ""


def text(lines):
    if not lines:
        return ""
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, width)).rstrip()
                     for line in lines)


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "?")
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / 1e6
    return f"{os.cpu_count()} CPUs ({model}), {memory:.0f} GB, Linux {os.uname().release}"


def make(results, path, versions):
    records = load(results)
    if not records:
        return "no results yet"
    dates = sorted(r["date"] for r in records)
    main, hop = table(records), hop_table(records)
    with open(path, "w") as f:
        f.write("# Heddle beside its peers\n\n"
                "Made by `make bench` (or parts of it, `python3 bench/peers --only PART,... --add`); the trials themselves are in\n"
                "[peers.jsonl](peers.jsonl). Do not edit by hand.\n\n"
                f"Machine: {machine()}. From {dates[0]} to {dates[-1]}.\n"
                f"Versions: {', '.join(f'{n} {v}' for n, v in versions.items())}.\n"
                "The column *load* has the load averages over one minute before and after trials, of which the lab itself makes a part: on a\n"
                "machine that does other work, times are too long.\n\n"
                + markdown(main) + "\n\n" + markdown(hop) + "\n"
                + NOTES)
    return "\n" + text(main) + "\n\n" + text(hop) + f"\n\nwritten to {path}"
