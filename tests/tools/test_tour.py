# SPDX-License-Identifier: BSD-2-Clause
"""make tour: plays through without a terminal, and waits for a line at one; shows the ten things of the README."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import Deadline, limit, until

TOP = Path(__file__).resolve().parents[2]
TOUR = TOP / 'tools' / 'tour'
OUT = os.environ.get('O') or 'build'
QEMU = os.environ.get('QEMU') or os.path.join(OUT, 'qemu', 'qemu-system-riscv64')
# The texts that the tour must have shown, in this order.
SIGHTS = ('ebb: first light',
          '--- 1. ', 'memory16 +online',
          '--- 2. ', 'plugged 1G, as requested', 'memory24 +online',
          '--- 3. ', 'Total online memory',
          '--- 4. ', 'pfn 0x90a40 order 0',
          '--- 5. ', 'stays at 4M', 'last failure: memory18: pfn 0x90a40 is Kernel',
          '--- 6. ', 'pfn 0x90a40: Kernel, order 0',
          '--- 7. ', 'plugged 0, as requested', 'vm0 +0 +0 +0 +0 +0',
          '--- 8. ', 'plugged 512M', '128M offline +17',
          '--- 9. ', 'nr 512: 1 pages? moved', 'isolate -> drain',
          '--- 10. ', 'mm check: every counter and index agrees', 'That was the tour')


def titles() -> list[tuple[str, str]]:
    """Return title and first command of the ten steps, as --list prints them."""
    listed = subprocess.run([TOUR, '--list'], capture_output=True, text=True, timeout=limit(20), check=True).stdout
    return [(line[2:39].rstrip(), line[39:]) for line in listed.splitlines()]


class Words(unittest.TestCase):
    def test_the_readme_has_the_same_ten(self):
        rows = re.findall(r'^\| ([^|`]+) \| `((?:ebb>|\$) [^`]+)` \|$', (TOP / 'README.md').read_text(encoding='utf-8'), re.M)
        self.assertEqual(len(rows), 10)
        self.assertEqual(rows, titles())


@unittest.skipUnless(shutil.which(QEMU) and os.path.exists(os.path.join(OUT, 'ebb.elf')),
                     'needs a kernel and QEMU; type: make test')
class Played(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix='ebb-tour-')
        self.addCleanup(home.cleanup)
        self.env = {**os.environ, 'RUN': os.path.join(home.name, 'run'), 'MEM': '', 'VMEM': '', 'APPEND': '', 'CMD': ''}

    def test_it_plays_through(self):
        done = subprocess.run([TOUR], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=limit(120), check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        at = 0
        for sight in SIGHTS:
            seen = re.compile(sight).search(done.stdout, at)
            self.assertIsNotNone(seen, f'{sight!r} is missing after {done.stdout[:at]!r}: {done.stdout[at:]!r}')
            at = seen.end()

    def test_it_stops_at_a_terminal(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([TOUR], env=self.env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(os.close, ours)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        os.close(theirs)
        text = self.read_until(process, '', 'goes to ebb] ')
        self.assertNotIn('--- 2. ', text)
        os.write(ours, b'cat /proc/cmdline\n')
        text = self.read_until(process, '', 'goes to ebb] ')
        self.assertIn('cat /proc/cmdline', text)
        self.assertNotIn('--- 2. ', text)
        os.write(ours, b'\n')
        self.assertIn('plugged 1G', self.read_until(process, '', 'goes to ebb] '))
        os.write(ours, b'q\n')
        self.assertIn('That was the tour', self.read_until(process, '', None))
        self.assertEqual(process.wait(limit(60)), 0)

    def test_no_machine_outlives_it(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([TOUR], env=self.env, stdin=theirs, stdout=subprocess.PIPE)
        self.addCleanup(os.close, ours)
        self.addCleanup(process.stdout.close)
        os.close(theirs)
        self.read_until(process, '', 'goes to ebb] ')           # the machine has nothing to say now
        pid = int(Path(self.env['RUN'], 'qemu.pid').read_text())
        process.kill()
        process.wait()
        self.assertTrue(until(lambda: not os.path.exists(f'/proc/{pid}'), 20), 'QEMU is still there')

    def read_until(self, process: subprocess.Popen, text: str, end: str | None) -> str:
        """Read the tour's output up to these words, or to its end."""
        deadline = Deadline(120)
        while end is None or not text.endswith(end):
            data = os.read(process.stdout.fileno(), 4096).decode(errors='replace')
            self.assertFalse(deadline.over(), text)
            if not data:
                self.assertIsNone(end, f'the tour ended before {end!r}: {text}')
                break
            text += data
        return text
