# SPDX-License-Identifier: Apache-2.0
"""The network of the demo as a drawing in characters.

Nodes stand on a grid, links join neighbours on it, also diagonally. A path is drawn in double lines with
its nodes in capitals, so that it can be seen without colour too; what is broken is a cross.
"""

STEP = 8  # columns from one node to the next
PLAIN = str.maketrans("─│╲╱═║╳×", "-|\\/=#Xx")


class Map:
    def __init__(self, rows, links, ascii_only=False):
        self.at = {name: (x, y) for y, row in enumerate(rows) for x, name in enumerate(row)}
        self.links = [tuple(link) for link in links]
        self.size = (STEP * (len(rows[0]) - 1) + 3, 2 * len(rows) - 1)
        self.ascii_only = ascii_only

    def neighbours(self, node):
        return [b if a == node else a for a, b in self.links if node in (a, b)]

    def connected(self, without):
        """Does the network hang together without these links?"""
        gone = {frozenset(link) for link in without}
        todo, seen = [next(iter(self.at))], set()
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += [n for n in self.neighbours(node) if frozenset((node, n)) not in gone]
        return len(seen) == len(self.at)

    def _link(self, put, a, b, on_path, cut):
        (x, y), (u, v) = sorted((self.at[a], self.at[b]), key=lambda p: (p[1], p[0]))
        tone = "bad" if cut else "path" if on_path else "line"
        if y == v:
            line = "─╳─" if cut else "═══" if on_path else "───"
            put(STEP * min(x, u) + 4, 2 * y, line, tone)
        elif x == u:
            put(STEP * x + 1, 2 * y + 1, "╳" if cut else "║" if on_path else "│", tone)
        else:
            line = "╲" if u > x else "╱"
            put(STEP * min(x, u) + 5, 2 * y + 1, "╳" if cut else 2 * line if on_path else line, tone)

    def lines(self, path=(), cut=(), dead=(), paint=lambda tone, text: text):
        """The drawing as a list of lines; paint(tone, text) colours a piece of text."""
        cells = [[" "] * self.size[0] for _ in range(self.size[1])]
        hops = {frozenset(hop) for hop in zip(path, path[1:])}
        gone = {frozenset(link) for link in cut}

        def put(x, y, text, tone):
            for i, char in enumerate(text.translate(PLAIN) if self.ascii_only else text):
                cells[y][x + i] = paint(tone, char)

        for a, b in self.links:
            self._link(put, a, b, frozenset((a, b)) in hops, frozenset((a, b)) in gone)
        for name, (x, y) in self.at.items():
            if name in dead:
                put(STEP * x, 2 * y, "×××", "bad")
            else:
                put(STEP * x, 2 * y, name.upper() if name in path else name,
                    "path" if name in path else "node")
        return ["".join(row).rstrip() for row in cells]
