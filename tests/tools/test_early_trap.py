# SPDX-License-Identifier: BSD-2-Clause
"""Traps while paging is off: copies of the kernel with a replaced instruction run on the real QEMU, and say where they
trapped."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from elf import Elf

TOP = Path(__file__).resolve().parent.parent.parent
OUT = Path(os.environ.get('O') or TOP / 'build')
QEMU = os.environ.get('QEMU') or OUT / 'qemu' / 'qemu-system-riscv64'
LIMIT_S = 60.0
ILLEGAL = bytes(4)
NOP = bytes.fromhex('13000000')
LOAD_0 = bytes.fromhex('03350000')              # ld a0, 0(zero): nothing is there
ZERO_BSS = bytes.fromhex('23b00200')            # sd zero, 0(t0)
LOAD_SATP = bytes.fromhex('83b20500')           # ld t0, SECONDARY_SATP(a1)
SET_SATP = bytes.fromhex('73900218')            # csrw satp, t0


@unittest.skipUnless((OUT / 'ebb.elf').exists() and shutil.which(QEMU), 'needs a kernel and QEMU')
class EarlyTrapTest(unittest.TestCase):
    """The hart that traps prints a line with what it knows. Then the machine ends, or goes on without that hart."""

    def boot(self, symbol, found, planted, *options):
        """Boot a kernel with a replaced instruction at or after a symbol; return the console's text and the instruction's
        physical address."""
        elf = Elf(OUT / 'ebb.elf')
        head = elf.sections['.text']
        start = head[4] + elf.symbols[symbol] - head[3]
        at = elf.data.index(found, start) if found else start
        with tempfile.TemporaryDirectory() as home:
            kernel = Path(home, 'ebb.elf')
            kernel.write_bytes(elf.data[:at] + planted + elf.data[at + len(planted):])
            done = subprocess.run([str(QEMU), '-M', 'virt', '-m', '128M', '-display', 'none', '-nodefaults', '-no-reboot',
                                   '-bios', 'default', '-kernel', kernel, '-serial', 'stdio', '-append', 'autorun=poweroff',
                                   *options],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return done.stdout.replace('\r', ''), elf.segments[0].paddr + at - head[4]

    def expect(self, text, cause, at, stval=0):
        what = f'scause 0x{cause:016x}, sepc 0x{at:016x}, stval 0x{stval:016x}'
        self.assertRegex(text, rf'(?m)^ebb: hartid 0x0*[01] trapped with paging off: {what}$')
        self.assertEqual(len(re.findall('trapped', text)), 1, text)

    def test_first_hart(self):
        for name, found, planted, cause in (('illegal', None, ILLEGAL, 2), ('no memory', None, LOAD_0, 5)):
            with self.subTest(name):
                text, at = self.boot('early_start', found, planted)
                self.expect(text, cause, at)
                self.assertNotIn('ebb: ready', text)

    def test_bss_that_is_not_memory(self):
        text, at = self.boot('_start', ZERO_BSS, ILLEGAL, '-cpu', 'rv64,zicboz=off')
        self.expect(text, 2, at)

    def test_another_hart(self):
        """The hart that traps stops, and the others go on."""
        text, at = self.boot('secondary_start', LOAD_SATP, ILLEGAL, '-smp', '2')
        self.expect(text, 2, at)
        self.assertRegex(text, r'(?s)smp: 1 of 2 harts online.*ebb: ready')

    def test_another_hart_without_paging(self):
        text, _ = self.boot('secondary_start', SET_SATP, NOP, '-smp', '2')
        self.assertEqual(len(re.findall('(?m)^ebb: hartid .* trapped with paging off: scause 0x0*2, ', text)), 1, text)
        self.assertRegex(text, r'(?s)smp: 1 of 2 harts online.*ebb: ready')
