# SPDX-License-Identifier: BSD-2-Clause
"""The longest time with interrupts off, counted in instructions, stays below its bounds: `bench irqs`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from patience import limit

TOP = Path(__file__).resolve().parent.parent.parent
OUT = Path(os.environ.get('O') or TOP / 'build')
QEMU = os.environ.get('QEMU') or OUT / 'qemu' / 'qemu-system-riscv64'
LIMIT_S = 120.0
TICK = 100     # instructions


class IrqsOffTest(unittest.TestCase):
    """A full block refused, offlined and onlined, 1 GiB waited for and taken, long messages."""

    def test_bounds_hold(self):
        if not (OUT / 'ebb-test.elf').exists() or not shutil.which(QEMU):
            self.skipTest('needs a kernel and QEMU')
        if os.environ.get('DEBUG') == '0':
            self.skipTest('a build without debug checks measures nothing; type it without DEBUG=0')
        with tempfile.TemporaryDirectory() as home:
            for image in ('ebb.elf', 'ebb-test.elf'):
                os.symlink((OUT / image).resolve(), Path(home, image))
            done = subprocess.run([sys.executable, TOP / 'tools' / 'bench', '--out', home, 'irqs'], capture_output=True,
                                  text=True, timeout=limit(LIMIT_S), check=False,
                                  env={**os.environ, 'QEMU': str(Path(QEMU).resolve())})
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = re.findall(r'^(irqs_off_\w+) +([\d,]+) +\S+ insn .* (ok|OVER|goal)$', done.stdout, re.M)
        for name, value, verdict in rows:
            with self.subTest(name):
                self.assertEqual(verdict, 'ok', value)
        measured = {name: int(value.replace(',', '')) for name, value, _ in rows}
        self.assertEqual(set(measured), {f'irqs_off_{what}' for what in (
            'offline', 'online', 'contig', 'wait', 'refused', 'message', 'dmesg')})
        # The measurement works: these set a timer or print, which takes longer than a tick.
        self.assertGreater(min(measured[f'irqs_off_{what}'] for what in ('wait', 'refused', 'message', 'dmesg')), TICK)
