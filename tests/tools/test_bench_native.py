# SPDX-License-Identifier: BSD-2-Clause
"""tools/bench-native measures each row of its budgets, and marks the rows over their bounds."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import unittest
from pathlib import Path

from budgets import NATIVE

TOP = Path(__file__).resolve().parent.parent.parent
OUT = Path(os.environ.get('O') or TOP / 'build')
LOADER = importlib.machinery.SourceFileLoader('bench_native', str(TOP / 'tools' / 'bench-native'))
bench_native = importlib.util.module_from_spec(importlib.util.spec_from_loader('bench_native', LOADER))
sys.modules['bench_native'] = bench_native
LOADER.exec_module(bench_native)


class BenchNativeTest(unittest.TestCase):

    def test_every_row_is_measured(self):
        done = subprocess.run([TOP / 'tools' / 'bench-native', '--out', OUT, '1'], capture_output=True, text=True,
                              timeout=300, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        rows = [line.split() for line in done.stdout.splitlines()[1:]]
        self.assertEqual([row[0] for row in rows], list(NATIVE))
        for row in rows:
            self.assertGreater(min(map(float, row[1:4])), 0, row)

    def test_rows_over_their_bound_are_marked(self):
        lines = bench_native.table('native: churn_0 20.00 10.00 2.000\nnative: rand_free 5.00 10.00 0.500\n')
        self.assertTrue(lines[1].endswith(' OVER') and lines[2].endswith(' goal'), lines)

    def test_no_program(self):
        done = subprocess.run([TOP / 'tools' / 'bench-native', '--out', '/nonexistent'], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn('bench-native: ', done.stderr)
