# SPDX-License-Identifier: BSD-2-Clause
"""tools/bench judges its rows: a row over its "must", or a row that could not be measured, causes a non-zero exit status."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

TOOLS = Path(__file__).resolve().parent.parent.parent / 'tools'
sys.path.insert(0, str(TOOLS))
from lint import version            # noqa: E402


def program(name):
    """Load a program of tools/ as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(TOOLS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


bench, plot = program('bench'), program('bench-plot')


MUST = bench.BUDGETS['boot'].must
README = """| row | ebb | must | goal | limit | Linux |
|---|---:|---:|---:|---:|---:|
| `boot` (insn) | 7 | 8 | 9 | - | - |
"""


class VerdictTest(unittest.TestCase):
    """Rows from a stand-in for the machines."""

    def run_bench(self, rows, *words, recorded=None, debug0=None):
        errors, shown, never = io.StringIO(), io.StringIO(), mock.Mock(side_effect=AssertionError)
        with tempfile.TemporaryDirectory() as out, mock.patch.object(sys, 'argv', ['bench', '--out', out, *words]), \
                mock.patch.object(bench, 'image_bytes', lambda _: 1000), \
                mock.patch.object(bench, 'RECORDED', Path(out, 'recorded.json')), \
                mock.patch.object(bench, 'README', Path(out, 'README.md')), \
                mock.patch.object(bench, 'parts', lambda build: {'boot': lambda: rows if build.debug else debug0,
                                                                 'device': never}), \
                contextlib.redirect_stdout(shown), contextlib.redirect_stderr(errors):
            bench.README.write_text(README)
            if recorded:
                bench.RECORDED.write_text(json.dumps(recorded))
            status = bench.main()
            self.kept = json.loads(bench.RECORDED.read_text()) if bench.RECORDED.exists() else None
            self.readme, self.shown = bench.README.read_text(), shown.getvalue()
            self.table = json.loads(Path(out, 'bench.json').read_text())['rows']
        return status, errors.getvalue(), {row['id']: row['value'] for row in self.table}

    def test_within_its_must(self):
        status, _, table = self.run_bench({'boot': (MUST, 'insn')}, 'boot')
        self.assertEqual((status, table['boot']), (0, MUST))

    def test_over_its_must(self):
        status, errors, table = self.run_bench({'boot': (MUST + 1, 'insn')}, 'boot')
        self.assertEqual((status, table['boot']), (1, MUST + 1))
        self.assertIn('boot is over its "must"', errors)

    def test_over_its_must_before_the_commit(self):
        rows, before = {'boot': (MUST + 1, 'insn')}, {'boot': MUST + 1}
        self.assertEqual(self.run_bench(rows, 'boot', recorded=before)[0], 1)
        self.assertEqual(self.run_bench(rows, 'boot', '--commit', recorded=before)[0], 0)
        self.assertIn('OVER', self.shown)
        for no_excuse in ({'boot': MUST}, {'image_bytes': 1000}):
            self.assertEqual(self.run_bench(rows, 'boot', '--commit', recorded=no_excuse)[0], 1)

    def test_worse_than_recorded(self):
        for words in ((), ('--commit',)):
            status, errors, _ = self.run_bench({'boot': (1021.0, 'insn')}, 'boot', *words, recorded={'boot': 1000.0})
            self.assertEqual(status, 1)
            self.assertIn('boot is 1,021, more than 2 % above the recorded 1,000', errors)

    def test_as_recorded(self):
        for value in (1020.0, 1.0):
            self.assertEqual(self.run_bench({'boot': (value, 'insn')}, 'boot', recorded={'boot': 1000.0})[0], 0)

    def test_record(self):
        rows = {'boot': (1.0, 'insn'), 'copy_page': (2.0, 'insn')}
        self.assertEqual(self.run_bench(rows, '--record')[0], 0)
        self.assertEqual(self.kept, {'boot': 1.0, 'image_bytes': 1000.0})
        self.assertIn('| `boot` (insn) | 1 | 400,000 | 250,000 | - | 52M-57M |\n', self.readme)

    def test_the_build_without_checks_is_beside(self):
        self.run_bench({'boot': (20.0, 'insn'), 'extra': (1.0, 'insn')}, 'boot', '--beside', 'debug0',
                       debug0={'boot': (10.0, 'insn')})
        rows = {row['id']: row for row in self.table}
        self.assertEqual(rows['boot'], {'id': 'boot', 'value': 20.0, 'unit': 'insn', 'debug0': 10.0})
        self.assertIsNone(rows['extra']['debug0'])
        self.assertRegex(self.shown, r'boot +20 +10 insn')

    def test_the_limit_and_what_it_is(self):
        self.run_bench({'migrate_page': (1.2, 'ratio')}, 'boot')
        self.assertRegex(self.shown, r'migrate_page +1\.20 +- ratio +1\.30 +1\.10 +1 +1\.2 +3\.9-4\.1 ok +the copy')

    def test_exact_leaves_out_the_rest(self):
        status, _, table = self.run_bench({'boot': (1, 'insn')}, '--exact')
        self.assertEqual((status, table['boot']), (0, 1))

    def test_what_could_not_be_measured(self):
        with mock.patch.object(bench, 'measure_boot', mock.Mock(side_effect=bench.MachineError('no guest'))):
            with mock.patch.object(bench, 'image_bytes', lambda _: 1000), contextlib.redirect_stderr(io.StringIO()):
                found = bench.measure(bench.Build('nowhere', 'nowhere'), ['boot'])
        self.assertEqual(found.broken, ['nowhere: no guest'])
        self.assertNotIn('boot', found.rows)


class HistoryTest(unittest.TestCase):
    """The figures of each release."""

    def test_each_version_has_its_figures(self):
        changes = '# Changes\n\n## 1.0.0\n\n- x\n\n## 0.9.0 (not released yet)\n'
        found = version.unmeasured(changes, ('docs/reference/bench/0.9.0.json',))
        self.assertEqual([(finding.line, finding.text.split(':')[0]) for finding in found],
                         [(3, 'there is no docs/reference/bench/1.0.0.json')])

    def test_the_picture_of_two_releases(self):
        picture = plot.draw({'0.9.0': {'boot': MUST}, '1.0.0': {'boot': MUST / 10, 'none': 1.0}})
        self.assertEqual(ElementTree.fromstring(picture).tag, '{http://www.w3.org/2000/svg}svg')
        dots = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', picture)]
        self.assertEqual(len(dots), 2)
        self.assertAlmostEqual(dots[0], plot.place(1.0), delta=0.1)
        self.assertLess(dots[1], dots[0])
        self.assertIn(f'>{MUST / 10:,.0f}<', picture)

    def test_the_newest_release_comes_last(self):
        with tempfile.TemporaryDirectory() as place:
            for name in ('0.9.0', '0.10.0'):
                Path(place, f'{name}.json').write_text('{"rows": [{"id": "boot", "value": 1.0, "unit": "insn"}]}')
            self.assertEqual(list(plot.releases(Path(place))), ['0.9.0', '0.10.0'])


if __name__ == '__main__':
    unittest.main()
