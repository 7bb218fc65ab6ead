# SPDX-License-Identifier: BSD-2-Clause
"""The runner's failure paths, with programs that play a guest that hangs, panics, contradicts itself or prints nothing."""

import io
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import termios
import unittest
from argparse import ArgumentTypeError
from pathlib import Path
from unittest import mock

import testrun
from follow import Progress
from patience import MOST, Deadline, Sampler, factor, until
from sizes import whole
from testrun import Job, Report, run_job, with_place

GOOD = ['KTAP version 1', '1..1', '    KTAP version 1', '    # Subtest: buddy', '    1..2', '    ok 1 split', '    ok 2 merge',
        'ok 1 buddy']


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class DrawnLines(unittest.TestCase):
    """A terminal gets lines that are drawn again, unless NO_COLOR is set."""

    def test_lines_are_drawn_again_where_that_works(self):
        for value, term, erase, end in (('', 'vt100', '\r\033[K', ''), ('1', 'vt100', '', '\n'), ('', 'dumb', '', '\n')):
            with self.subTest(value), mock.patch.dict(os.environ, NO_COLOR=value, TERM=term):
                wait, run = Terminal(), Terminal()
                Progress(wait).say(3600, 'plugged 1 of 2')
                Report(run).line('a line')
                self.assertEqual((wait.getvalue(), run.getvalue()), (f'{erase}plugged 1 of 2{end}', f'{erase}a line\n'))


    def test_a_line_that_is_drawn_again_does_not_wrap(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with open(slave, 'w', encoding='utf-8') as out, mock.patch.dict(os.environ, NO_COLOR='', TERM='vt100'):
            for columns, shown in ((40, 39), (200, 120), (0, 79)):
                termios.tcsetwinsize(slave, (24, columns))
                Progress(out).say(3600, 'x' * 120)
                self.assertEqual(os.read(master, 4096), b'\r\033[K' + b'x' * shown)


class RunnerTest(unittest.TestCase):
    """Each test is a fake guest: lines to print, then an action."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.text = io.StringIO()
        self.addCleanup(setattr, testrun, 'KILL_GRACE', testrun.KILL_GRACE)
        testrun.KILL_GRACE = 1.0

    def play(self, lines, then='', limit=10.0, **more):
        code = f'import os, sys, time\nfor l in {lines!r}: print(l, flush=True)\n{then}'
        job = Job('fake', [sys.executable, '-c', code], Path(self.directory.name) / 'log', limit, **more)
        return run_job(job, Report(self.text))

    def assert_failed(self, outcome, *words):
        self.assertGreater(outcome.failed, 0)
        reasons = '\n'.join(outcome.reasons)
        for word in words:
            self.assertIn(word, reasons)

    def test_good_run_passes(self):
        outcome = self.play(GOOD)
        self.assertEqual((outcome.passed, outcome.failed, outcome.skipped, outcome.reasons), (2, 0, 0, []))

    def test_an_address_in_a_failure_becomes_a_line(self):
        source, image = Path(self.directory.name) / 'x.c', Path(self.directory.name) / 'x'
        source.write_text('static __attribute__((always_inline)) inline int help(int a)\n'
                          '{\n\treturn __builtin_popcount(a) / a;\n}\n'
                          'int test(int a)\n{\n\treturn help(a);\n}\n')
        gcc = next(filter(None, map(shutil.which, ('riscv64-unknown-elf-gcc', 'riscv64-linux-gnu-gcc'))))
        subprocess.run([gcc, '-g', '-O2', '-nostdlib', '-march=rv64imac', '-mabi=lp64', '-Wl,-e0',
                        '-Wl,--unresolved-symbols=ignore-all', '-o', image, source], check=True)
        symbols = subprocess.run([gcc.removesuffix('gcc') + 'nm', image], capture_output=True, text=True, check=True).stdout
        address = next(line.split()[0] for line in symbols.splitlines() if line.endswith(' test'))
        line = f'    # c: EXPECTATION FAILED at test+0x0 [0x{address}]'
        self.assertRegex(with_place(line, image), r'FAILED at .*x\.c:[67]$')
        self.assertEqual(with_place(line, None), line)

    def test_noise_and_carriage_returns_do_no_harm(self):
        noisy = ['OpenSBI v1.6', 'ebb: booting'] + [line + '\r' for line in GOOD[:5]] + ['[    1.0] hello'] + GOOD[5:]
        outcome = self.play(noisy)
        self.assertEqual((outcome.passed, outcome.failed), (2, 0))

    def test_failed_case_fails_the_run(self):
        lines = [line.replace('ok 2 merge', 'not ok 2 merge').replace('ok 1 buddy', 'not ok 1 buddy') for line in GOOD]
        outcome = self.play(lines[:6] + ['    # merge: EXPECTATION FAILED at x.c:1'] + lines[6:], 'sys.exit(1)')
        self.assertEqual((outcome.passed, outcome.failed, outcome.reasons), (1, 1, []))
        self.assertIn('EXPECTATION FAILED', self.text.getvalue())

    def test_skipped_case_is_counted_apart(self):
        outcome = self.play([line.replace('ok 2 merge', 'ok 2 merge # SKIP no device') for line in GOOD])
        self.assertEqual((outcome.passed, outcome.failed, outcome.skipped), (1, 0, 1))
        self.assertEqual(outcome.results[1].note, 'no device')

    def test_hang_ends_at_the_limit_with_the_tail(self):
        outcome = self.play(GOOD[:6] + ['about to spin'], 'time.sleep(600)', limit=1.0)
        self.assert_failed(outcome, 'hung', 'about to spin')

    def test_hang_that_ignores_sigterm_is_killed(self):
        outcome = self.play(GOOD[:6], 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)', limit=1.0)
        self.assert_failed(outcome, 'hung')

    def test_a_limit_grows_with_the_load_ten_times_at_most(self):
        for load in (0.5, 1.0, 3.0, MOST, 1000.0):
            now = 0.0
            with mock.patch('patience._known', (load, float('inf'))):
                deadline, seen = Deadline(2.0, clock=lambda: now), 0.0
                while not deadline.over():
                    now += min(deadline.left(), 0.25)
                    seen = now
                self.assertEqual(seen, 2.0 * min(max(load, 1.0), MOST))

    def test_a_load_that_comes_late_counts(self):
        now, load = 0.0, 1.0
        deadline = Deadline(2.0, scale=lambda: load, clock=lambda: now)
        now, load = 1.9, 4.0
        self.assertAlmostEqual(deadline.left(), 0.1)
        now = 7.9
        self.assertFalse(deadline.over())
        now = 8.0
        self.assertTrue(deadline.over())

    def test_the_runner_tells_its_children_of_the_load(self):
        with mock.patch('patience.measure', lambda: 7.0), mock.patch('patience._known', (1.0, 0.0)):
            with Sampler(Path(self.directory.name) / 'load'):
                self.assertEqual(factor(), 7.0)

    def test_endless_talk_ends_at_the_limit(self):
        outcome = self.play(GOOD[:6], 'while True: print("x" * 1000)', limit=1.0)
        self.assert_failed(outcome, 'hung')

    def test_children_of_a_hung_job_die_too(self):
        pidfile = Path(self.directory.name) / 'pid'
        then = ('import subprocess; p = subprocess.Popen(["sleep", "600"]); '
                f'open({str(pidfile)!r}, "w").write(str(p.pid)); print("born", flush=True); time.sleep(600)')
        outcome = self.play(GOOD[:6], then, limit=5.0)
        self.assertIn('born', '\n'.join(outcome.reasons))
        self.assertTrue(until(lambda: not os.path.exists(f'/proc/{pidfile.read_text()}/exe'), 10.0))

    def test_panic_mid_suite(self):
        self.assert_failed(self.play(GOOD[:6] + ['panic: page 0x80a40 freed twice'], 'sys.exit(2)'),
                           'ended inside buddy', '1 of 2 results', '(panic)', 'freed twice')

    def test_crash_by_signal(self):
        self.assert_failed(self.play(GOOD[:6], 'os.kill(os.getpid(), 11)'), 'was ended by SIGSEGV')

    def test_quiet_end_mid_suite_with_status_0(self):
        self.assert_failed(self.play(GOOD[:6]), '1 of 2 results')

    def test_missing_plan(self):
        self.assert_failed(self.play([line for line in GOOD if line != '    1..2']), 'buddy: no plan')

    def test_missing_top_plan(self):
        self.assert_failed(self.play([line for line in GOOD if line != '1..1']), 'the top level: no plan')

    def test_zero_tests(self):
        self.assert_failed(self.play(['KTAP version 1', '1..0']), 'ran no test')

    def test_no_output(self):
        self.assert_failed(self.play([]), 'no "KTAP version 1" line')

    def test_empty_filter_is_no_failure_where_allowed(self):
        outcome = self.play(['no suite matches'], 'sys.exit(3)', may_be_empty=True)
        self.assertEqual((outcome.failed, outcome.reasons), (0, []))

    def test_harness_error_is_a_failure_elsewhere(self):
        self.assert_failed(self.play(['no suite matches'], 'sys.exit(3)'), 'harness error')

    def test_status_that_disagrees(self):
        self.assert_failed(self.play(GOOD, 'sys.exit(1)'), 'although no test failed')
        lines = [line.replace('ok 2 merge', 'not ok 2 merge').replace('ok 1 buddy', 'not ok 1 buddy') for line in GOOD]
        self.assert_failed(self.play(lines), 'although 1 test failed')

    def test_suite_that_hides_a_failure(self):
        lines = [line.replace('ok 2 merge', 'not ok 2 merge') for line in GOOD]
        self.assert_failed(self.play(lines, 'sys.exit(1)'), 'reports ok although')

    def test_result_out_of_order(self):
        self.assert_failed(self.play([line.replace('ok 2 merge', 'ok 3 merge') for line in GOOD]), 'where 2 was due')

    def test_parameters_are_leaves(self):
        lines = GOOD[:5] + ['        KTAP version 1', '        # Subtest: split', '        1..2', '        ok 1 order 0',
                            '        ok 2 order 9'] + GOOD[5:]
        outcome = self.play(lines)
        self.assertEqual([r.name for r in outcome.results], ['buddy.split.order 0', 'buddy.split.order 9', 'buddy.merge'])
        self.assertEqual(outcome.failed, 0)

    def test_parameters_need_no_plan(self):
        lines = GOOD[:5] + ['        KTAP version 1', '        # Subtest: split', '        ok 1 order 0'] + GOOD[5:]
        self.assertEqual(self.play(lines).reasons, [])

    def test_program_that_is_not_there(self):
        job = Job('gone', ['./no-such-program'], Path(self.directory.name) / 'log', 5)
        self.assert_failed(run_job(job, Report(self.text)), 'No such file')

    def test_output_is_kept(self):
        outcome = self.play(GOOD)
        self.assertIn('ok 2 merge', (outcome.job.logdir / 'output.log').read_text())

    def test_every_seed_that_is_printed_is_taken(self):
        seed = whole(1, (1 << 64) - 1)
        for number in 1, 999999999, 1818779591, (1 << 31) - 1, (1 << 64) - 1:
            self.assertEqual(seed(str(number)), number)
        for text in '0', '-1', '1.0', '1e3', '', ' 1', str(1 << 64), '9' * 21, '\u0661':
            self.assertRaisesRegex(ArgumentTypeError, 'is not a whole number from 1 to 18446744073709551615', seed, text)


if __name__ == '__main__':
    unittest.main()
