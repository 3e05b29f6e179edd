#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What heddle-sim shows to people, and that its checks catch what they are for.

report_test.py HEDDLE-SIM HEDDLE-SIM-BROKEN: the second one is linked with a core that breaks the rule
named in HEDDLE_BREAK_RULE (broken.c). Each rule has a check that must see it, tell it, and print the
command that shows it again.
"""
import csv
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

SIM, BROKEN = (os.path.abspath(p) for p in sys.argv[1:3])
DIR = tempfile.mkdtemp(prefix='heddle-report-')


def run(program, *words, rule=None, cwd=DIR):
    env = dict(os.environ)
    if rule is not None:
        env['HEDDLE_BREAK_RULE'] = rule
    return subprocess.run([program, *words], cwd=cwd, env=env, capture_output=True, text=True,
                          timeout=120, check=False)


def failure_of(done):
    return re.search(r'FAILED (.*)', done.stderr).group(1)


class Checks(unittest.TestCase):
    """A rule that is broken is caught, and the command that is printed shows the very same."""

    def caught(self, rule, sentence, *words):
        done = run(BROKEN, 'run', *words, '-q', rule=rule)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(sentence, failure_of(done))
        replay = shlex.split(re.search(r'^replay: (.*)$', done.stderr, re.M).group(1))
        self.assertEqual(replay[0], 'heddle-sim')
        again = run(BROKEN, *replay[1:], '-q', rule=rule)
        self.assertEqual(again.returncode, 1)
        self.assertEqual(failure_of(again), failure_of(done))

    def test_nothing_broken(self):
        done = run(BROKEN, 'run', 'grid:4x4', '--delay-us', '1000', '--until-ms', '6000', '-q', rule='none')
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_loop(self):
        self.caught('loop', 'goes round', 'grid:4x4', '--delay-us', '1000', '--until-ms', '6000')

    def test_black_hole(self):
        self.caught('black-hole', 'connected pairs work', 'ring:6', '--bound-ms', '3000',
                    '--until-ms', '9000')

    def test_black_hole_while_faults_go_on(self):
        """The bound of a pair is its own: faults elsewhere do not start it again."""
        path = os.path.join(DIR, 'flapping.json')
        with open(path, 'w', encoding='ascii') as out:
            json.dump({'topology': {'generator': 'line:5'}, 'nodes': ['x'], 'links': [['n4', 'x']],
                       'schedule': [{'at_ms': 2000, 'action': 'cut', 'target': ['n4', 'x'],
                                     'repeat': {'every_ms': 1000, 'times': 8}},
                                    {'at_ms': 2500, 'action': 'heal', 'target': ['n4', 'x'],
                                     'repeat': {'every_ms': 1000, 'times': 8}}]}, out)
        self.caught('black-hole', 'though links connect them', path, '--bound-ms', '3000',
                    '--until-ms', '9000')

    def test_one_hole_in_many_pairs(self):
        """Ten of ten thousand pairs are looked at, and each whose route changed."""
        self.caught('one-hole', 'though links connect them: unreachable', 'ba:100,2', '--delay-us', '1000',
                    '--pairs', '10', '--bound-ms', '500', '--until-ms', '3500', '--tick-ms', '100')

    def test_memory(self):
        self.caught('memory', 'uses', 'grid:4x4', '--memory-max-kb', '1024', '--until-ms', '9000')

    def test_deadline(self):
        # Which of the two speaks first depends on whether a message comes before the timer is served again.
        self.caught('deadline', 'deadlines do not move on', 'line:3', '--until-ms', '6000')
        self.caught('late', 'asks for a deadline that passed', 'ring:4', '--until-ms', '6000')

    def test_work(self):
        self.caught('work', 'work without a pause', 'line:2', '--until-ms', '12000', '--delay-us', '1000')

    def test_urgent_work(self):
        self.caught('urgent', 'urgent work without end', 'line:2', '--until-ms', '100')

    def test_neighbours(self):
        self.caught('neighbour', 'only one of them', 'line:3', '--until-ms', '40000',
                    '--bound-ms', '90000')

    def test_labels(self):
        self.caught('label', 'has not known it', 'line:3', '--until-ms', '85000')


class Shrink(unittest.TestCase):
    def test_shrink(self):
        """A loop needs four nodes at most, whatever else was in the scenario."""
        path = os.path.join(DIR, 'small.json')
        done = run(BROKEN, 'shrink', 'random:12', '--out', path, '-q', rule='loop')
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        with open(path, encoding='ascii') as file:
            small = json.load(file)
        self.assertLessEqual(len(small['nodes']), 4, done.stdout)
        self.assertNotIn('schedule', small)
        replay = shlex.split(re.search(r'^replay: (.*)$', done.stdout, re.M).group(1))
        again = run(BROKEN, *replay[1:], '-q', rule='loop')
        self.assertEqual(again.returncode, 1)
        self.assertIn('goes round', failure_of(again))

    def test_an_event_is_kept(self):
        """What fails by a fault keeps the fault: a pair expected to work over a link that is cut."""
        path, out = os.path.join(DIR, 'cut.json'), os.path.join(DIR, 'cut-small.json')
        with open(path, 'w', encoding='ascii') as file:
            json.dump({'topology': {'generator': 'line:6'}, 'until_ms': 4000,
                       'schedule': [{'at_ms': 1000, 'action': 'silent', 'target': ['n4', 'n5']},
                                    {'at_ms': 2000, 'action': 'cut', 'target': ['n2', 'n3']},
                                    {'at_ms': 2500, 'action': 'heal', 'target': ['n4', 'n5']}],
                       'expect': [{'expect': 'pair', 'from': 'n1', 'to': 'n3', 'by_ms': 3000}]}, file)
        done = run(SIM, 'shrink', path, '--out', out, '-q')
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        with open(out, encoding='ascii') as file:
            small = json.load(file)
        self.assertEqual([n['name'] for n in small['nodes']], ['n1', 'n3'], done.stdout)
        self.assertEqual(len(small['expect']), 1)

    def test_nothing_fails(self):
        done = run(SIM, 'shrink', 'line:3', '--until-ms', '2000')
        self.assertEqual(done.returncode, 1)
        self.assertIn('all checks hold', done.stderr)


class Results(unittest.TestCase):
    def test_folder_and_trace(self):
        folder, trace = os.path.join(DIR, 'out'), os.path.join(DIR, 'trace')
        done = run(SIM, 'run', 'grid:4x4', '--faults', '--until-ms', '8000', '--out', folder,
                   '--discover', '50', '--trace', trace, '-j', '-q')
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(folder, 'summary.json'), encoding='utf-8') as file:
            summary = json.load(file)
        self.assertEqual(summary, json.loads(done.stdout))
        self.assertEqual(summary['nodes'], 16)
        self.assertTrue(summary['ok'])
        self.assertEqual([f['at_ms'] for f in summary['faults']], [4000, 4800, 5600, 6800])
        self.check_csv(folder, summary)
        self.check_plots(folder)
        self.check_trace(trace, summary)
        digest = json.loads(run(SIM, *shlex.split(summary['command'])[1:], '-j', '-q').stdout)['digest']
        self.assertEqual(digest, summary['digest'])

    def check_csv(self, folder, summary):
        with open(os.path.join(folder, 'series.csv'), encoding='ascii') as file:
            series = list(csv.DictReader(file))
        self.assertGreater(len(series), 100)
        self.assertLessEqual(int(series[-1]['messages']), summary['messages'])
        with open(os.path.join(folder, 'messages.csv'), encoding='ascii') as file:
            last = list(csv.DictReader(file))[-1]
        self.assertEqual(sum(int(v) for k, v in last.items() if k != 'at_ms'),
                         int(series[-1]['messages']))
        with open(os.path.join(folder, 'nodes.csv'), encoding='ascii') as file:
            self.assertEqual(len(list(csv.DictReader(file))), 16)
        with open(os.path.join(folder, 'stretch.csv'), encoding='ascii') as file:
            rows = [r for r in csv.DictReader(file) if r['pairs'] == 'all']
        self.assertEqual(int(rows[-1]['at_most']), summary['stretch']['all']['pairs'])

    def check_plots(self, folder):
        names = [n for n in os.listdir(folder) if n.endswith('.svg')]
        self.assertEqual(len(names), 7)
        for name in names:
            root = xml.parse(os.path.join(folder, name)).getroot()
            box = [float(v) for v in root.get('viewBox').split()]
            texts = [t for t in root.iter('{http://www.w3.org/2000/svg}text')]
            self.assertGreater(len(texts), 8, name)
            for text in texts:
                self.assertTrue(0 <= float(text.get('x')) <= box[2], name)
                self.assertTrue(0 <= float(text.get('y')) <= box[3], name)
        with open(os.path.join(folder, 'index.html'), encoding='utf-8') as file:
            page = file.read()
        self.assertEqual(page.count('<svg'), 7)
        self.assertNotIn('href=', page)
        self.assertNotIn(' src=', page)

    def check_trace(self, trace, summary):
        def records(*words):
            done = run(SIM, 'trace', trace, '-j', *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [json.loads(line) for line in done.stdout.splitlines()]
        sent = records('--type', 'sent', '--to-ms', '8000')
        self.assertEqual(len(sent), summary['messages'])
        self.assertEqual([r['at_ms'] for r in sent], sorted(r['at_ms'] for r in sent))
        hellos = records('--type', 'hello', '--node', 'n3', '--to-ms', '2000')
        self.assertTrue(hellos)
        for r in hellos:
            self.assertEqual(r['type'], 'hello')
            self.assertTrue(r['node'] == 'n3' or 'n3' in r.get('link', '').split('-') or r.get('from') == 'n3')
        links = records('--type', 'link')
        self.assertEqual(links[0]['at_ms'], 4000)
        self.assertFalse(links[0]['carrier'])
        self.assertEqual(len(records('--type', 'died')), 1)

    def test_a_trace_keeps_its_end(self):
        trace = os.path.join(DIR, 'ring')
        run(SIM, 'run', 'grid:7x7', '--until-ms', '8000', '--trace', trace, '--trace-max-mb', '1', '-q')
        self.assertLess(os.path.getsize(trace), 1.2e6)
        done = run(SIM, 'trace', trace)
        self.assertIn('older records were overwritten', done.stderr)
        times = [float(line.split()[0]) for line in done.stdout.splitlines()]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[-1], 7900)
        with open(trace, 'r+b') as file: # a run that was killed: no tail
            file.truncate(10000)
        self.assertEqual(run(SIM, 'trace', trace).returncode, 0)
        with open(trace, 'wb') as file:
            file.write(b'something else')
        self.assertEqual(run(SIM, 'trace', trace).returncode, 2)

    def test_sweep(self):
        folder = os.path.join(DIR, 'sweep')
        words = ('sweep', 'ba', 'ring:N', '--sizes', '10,20', '--seeds', '2', '--until-ms', '3000',
                 '--delay-us', '1000', '--jobs', '2', '--out', folder)
        done = run(SIM, *words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(folder, 'runs.csv'), encoding='ascii') as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([r['scenario'] for r in rows[::2]], ['ba:10,2', 'ba:20,2', 'ring:10', 'ring:20'])
        self.assertEqual([r['seed'] for r in rows], ['1', '2'] * 4)
        self.assertTrue(all(r['result'] == 'ok' and r['digest'] for r in rows))
        with open(os.path.join(folder, 'table.md'), encoding='ascii') as file:
            self.assertEqual(file.read().count('| ring:20 |'), 4)
        before = os.path.getmtime(os.path.join(folder, 'ba-10-2-seed1', 'summary.json'))
        self.assertEqual(run(SIM, *words).returncode, 0) # what is done is not done again
        self.assertEqual(before, os.path.getmtime(os.path.join(folder, 'ba-10-2-seed1', 'summary.json')))


class Words(unittest.TestCase):
    def test_usage(self):
        for words in ([], ['run'], ['run', 'grid:2x2', '--loss', 'x'], ['run', 'grid:2x2', '--nonsense'],
                      ['sweep', 'ba'], ['trace', '/nonexistent'], ['run', '/nonexistent/x.json'],
                      ['run', 'random:x']):
            done = run(SIM, *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr, words)
        for words in (['-h'], ['--help'], ['run', '--help']):
            done = run(SIM, *words)
            self.assertEqual(done.returncode, 0, words)
            self.assertIn('heddle-sim replay FILE', done.stdout)

    def test_values(self):
        for words, text in ((['--loss', '1000001'], '--loss: "1000001"; expected: a whole number from 0 to 1000000'),
                            (['--jobs', '0'], '--jobs: "0"; expected: a whole number from 1 to 1024'),
                            (['--from-ms', 'now'], '--from-ms: "now"; expected: milliseconds')):
            self.assertIn(text, run(SIM, 'run', 'grid:2x2', *words).stderr)


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
