# SPDX-License-Identifier: BSD-2-Clause
"""tools/bench judges its rows: a row over its "must", or one that could not be measured, causes a non-zero exit status."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

PROGRAM = Path(__file__).resolve().parent.parent.parent / 'tools' / 'bench'
LOADER = importlib.machinery.SourceFileLoader('bench', str(PROGRAM))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader('bench', LOADER))
sys.modules['bench'] = bench
LOADER.exec_module(bench)


class VerdictTest(unittest.TestCase):
    """Rows from a stand-in for the machines."""

    def run_bench(self, rows, *words, recorded=None):
        errors, never = io.StringIO(), mock.Mock(side_effect=AssertionError)
        with tempfile.TemporaryDirectory() as out, mock.patch.object(sys, 'argv', ['bench', '--out', out, *words]), \
                mock.patch.object(bench, 'image_bytes', lambda _: 1000), \
                mock.patch.object(bench, 'RECORDED', Path(out, 'recorded.json')), \
                mock.patch.object(bench, 'parts', lambda _: {'boot': lambda: rows, 'device': never}), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            if recorded:
                bench.RECORDED.write_text(json.dumps(recorded))
            status = bench.main()
            self.kept = json.loads(bench.RECORDED.read_text()) if bench.RECORDED.exists() else None
            table = json.loads(Path(out, 'bench.json').read_text())['rows']
        return status, errors.getvalue(), {row['id']: row['value'] for row in table}

    def test_within_its_must(self):
        status, _, table = self.run_bench({'boot': (5e6, 'insn')}, 'boot')
        self.assertEqual((status, table['boot']), (0, 5e6))

    def test_over_its_must(self):
        status, errors, table = self.run_bench({'boot': (5e6 + 1, 'insn')}, 'boot')
        self.assertEqual((status, table['boot']), (1, 5e6 + 1))
        self.assertIn('boot is over its "must"', errors)

    def test_worse_than_recorded(self):
        status, errors, _ = self.run_bench({'boot': (1021.0, 'insn')}, 'boot', recorded={'boot': 1000.0})
        self.assertEqual(status, 1)
        self.assertIn('boot is 1,021, more than 2 % above the recorded 1,000', errors)

    def test_as_recorded(self):
        for value in (1020.0, 1.0):
            self.assertEqual(self.run_bench({'boot': (value, 'insn')}, 'boot', recorded={'boot': 1000.0})[0], 0)

    def test_record(self):
        rows = {'boot': (1.0, 'insn'), 'copy_page': (2.0, 'insn')}
        self.assertEqual(self.run_bench(rows, '--record')[0], 0)
        self.assertEqual(self.kept, {'boot': 1.0, 'image_bytes': 1000.0})

    def test_exact_leaves_out_the_rest(self):
        status, _, table = self.run_bench({'boot': (1, 'insn')}, '--exact')
        self.assertEqual((status, table['boot']), (0, 1))

    def test_what_could_not_be_measured(self):
        with mock.patch.object(bench, 'measure_boot', mock.Mock(side_effect=bench.MachineError('no guest'))):
            with mock.patch.object(bench, 'image_bytes', lambda _: 1000), contextlib.redirect_stderr(io.StringIO()):
                rows, broken = bench.measure(mock.Mock(out='nowhere', only=['boot']))
        self.assertEqual(broken, ['no guest'])
        self.assertNotIn('boot', rows)


if __name__ == '__main__':
    unittest.main()
