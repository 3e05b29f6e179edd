#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the test cases of a Meson test log: prints "passed failed skipped".

A cmocka program counts each of its cases, and so does one that ends with "N passed, N failed[, N skipped]"; any
other program counts as one. A program that failed counts
at least one failure, whatever it printed.
"""
import json
import re
import sys


def cases(text, word):
    return sum(int(n) for n in re.findall(r'\[  ' + word + r'\s*\] (\d+) test\(s\)', text))


def count(entry):
    text = (entry.get('stdout') or '') + (entry.get('stderr') or '')
    passed, failed, skipped = (cases(text, w) for w in ('PASSED', 'FAILED', 'SKIPPED'))
    told = re.findall(r'^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', text, re.M)
    if told:
        passed, failed, skipped = (int(n or 0) for n in told[-1])
    result = entry['result']
    if result == 'SKIP':
        return 0, 0, max(1, skipped)
    if result in ('OK', 'EXPECTEDFAIL'):
        return max(passed, 0 if skipped else 1), 0, skipped
    return passed, max(1, failed), skipped


def main():
    total = [0, 0, 0]
    with open(sys.argv[1], encoding='utf-8') as log:
        for line in log:
            total = [a + b for a, b in zip(total, count(json.loads(line)))]
    print(*total)


if __name__ == '__main__':
    main()
