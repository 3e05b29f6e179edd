#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes joined by MPI report what one process reports, to the byte.

mpi_test.py HEDDLE-SIM HEDDLE-SIM-MPI
"""
import json
import os
import subprocess
import sys
import unittest

SIM, MPI = (os.path.abspath(p) for p in sys.argv[1:3])
OF_THE_RUN_ITSELF = ('workers', 'wall_ms', 'cpu_ms', 'process_peak_bytes')
MPIEXEC = ['mpiexec', '-n', '2']


def report(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    summary = json.loads(done.stdout)
    return {key: value for key, value in summary.items() if key not in OF_THE_RUN_ITSELF}


class Mpi(unittest.TestCase):
    def same(self, *words):
        words = ('run', *words, '--delay-us', '1000', '-q', '-j')
        self.assertEqual(report(*MPIEXEC, MPI, *words), report(SIM, *words))

    def test_random_graph(self):
        """The standard faults: links, a node, a tenth of the links."""
        self.same('ba:40,2', '--faults', '--until-ms', '1500', '--loss', '1000', '--tick-ms', '100')

    def test_threads_in_each(self):
        self.same('grid:5x5', '--workers', '2', '--until-ms', '500', '--tick-ms', '100')

    def test_what_it_does_not_take(self):
        done = subprocess.run([*MPIEXEC, MPI, 'random'], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('usage: mpiexec', done.stderr)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
