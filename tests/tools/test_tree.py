# SPDX-License-Identifier: BSD-2-Clause
"""Device trees like those of firmware, users and other machines: the real QEMU with an edited tree, and ebb's messages."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from machine import keep_coverage

TOP = Path(__file__).resolve().parent.parent.parent
OUT = Path(os.environ.get('O') or TOP / 'build')
QEMU = os.environ.get('QEMU') or OUT / 'qemu' / 'qemu-system-riscv64'
LIMIT_S = 60.0
COVERAGE = 'EBB_COVERAGE' in os.environ     # set by tools/coverage: keep a record of what the kernel ran
HARNESS = 3         # the status of a machine on which ebb does not start

MEMORY = re.compile(r'\tmemory@80000000 \{.*?\n\t\};\n', re.S)
CELLS = '#address-cells = <2>; #size-cells = <2>; ranges;'
GOOD = 'good@84000000 { reg = <0 0x84000000 0 0x200000>; no-map; };'
FIRMWARE = r'pfn 0x84000: Firmware'
AGREES = r'mm check: every counter and index agrees'
LOOK = 'autorun="dump_page 0x84000; mm check; cat /proc/iomem; poweroff"'
SOCKETS = ['-smp', '4', *(word for n in (0, 1) for word in (
    '-object', f'memory-backend-ram,id=m{n},size=64M', '-numa', f'node,memdev=m{n},cpus={2 * n}-{2 * n + 1}'))]


def memory(*nodes: str) -> dict:
    """Return an edit that replaces the memory nodes; each of @nodes is (address, reg)."""
    text = ''.join(f'\tmemory@{node} {{ device_type = "memory"; reg = <{reg}>; }};\n' for node, reg in nodes)
    return {'edit': lambda tree: MEMORY.sub(text, tree)}


def reserved(children: str) -> dict:
    """Return an edit that adds a node /reserved-memory with these children."""
    return {'edit': lambda tree: tree.replace('\tchosen {', f'\treserved-memory {{ {children} }};\n\tchosen {{', 1)}


def windows(ranges: str) -> dict:
    """Return an edit of the PCI host's windows, and a device that needs a window."""
    return {'edit': lambda tree: re.sub(r'ranges = <0x1000000 [^>]*>', f'ranges = <{ranges}>', tree),
            'options': ['-device', 'virtio-serial-pci']}


def boot_hart(number: int) -> dict:
    """Return a machine with two sockets and a PCI device with an interrupt to the second socket. Its firmware starts ebb on
    this hart."""
    def edit(tree: str) -> str:
        handle = re.search(rf'cpu@{number} {{.*?phandle = <(0x[0-9a-f]+)>', tree, re.DOTALL)[1]
        config = f'opensbi-config {{ compatible = "opensbi,config"; cold-boot-harts = <{handle}>; }};'
        return re.sub(r'(\tchosen {.*?)(\n\t};)', rf'\1\n\t\t{config}\2', tree, count=1, flags=re.DOTALL)
    return {'edit': edit, 'options': [*SOCKETS, '-device', 'virtio-serial-pci']}


@unittest.skipUnless((OUT / 'ebb.elf').exists() and shutil.which(QEMU) and shutil.which('dtc'), 'needs a kernel, QEMU, dtc')
class TreeTest(unittest.TestCase):
    """Each tree boots, or is refused with a line that names the node; none causes a panic."""

    def boot(self, edit=lambda tree: tree, options=(), append=LOOK):
        """Boot a machine with this tree; return its status and its console's text."""
        machine = [str(QEMU), '-m', '128M', *(options if '-smp' in options else ['-smp', '1', *options]), '-display', 'none',
                   '-nodefaults', '-no-reboot']
        with tempfile.TemporaryDirectory() as home:
            blob, memory_file = Path(home, 'tree.dtb'), Path(home, 'memory')
            subprocess.run([*machine, '-M', f'virt,dumpdtb={blob}'], check=True, stderr=subprocess.DEVNULL, timeout=LIMIT_S)
            tree = subprocess.run(['dtc', '-q', '-I', 'dtb', '-O', 'dts', blob], check=True, capture_output=True,
                                  text=True).stdout
            subprocess.run(['dtc', '-q', '-f', '-I', 'dts', '-O', 'dtb', '-o', blob], input=edit(tree), check=True, text=True,
                           stderr=subprocess.DEVNULL)
            if COVERAGE and '-smp' not in options:
                machine += ['-object', f'memory-backend-file,id=ram,size=128M,share=on,mem-path={memory_file}',
                            '-M', 'memory-backend=ram']
            done = subprocess.run([*machine, '-M', 'virt', '-bios', 'default', '-kernel', OUT / 'ebb.elf', '-dtb', blob,
                                   '-serial', 'stdio', '-append', append], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=LIMIT_S, check=False)
            if memory_file.exists():
                kept = OUT / 'logs' / 'tools-tree'
                kept.mkdir(parents=True, exist_ok=True)
                with open(memory_file, 'rb') as ram:
                    keep_coverage(ram, str(OUT / 'ebb.elf'), kept)
        return done.returncode, done.stdout.replace('\r', '')

    def expect(self, status, *lines, **machine):
        """Expect that the machine ends with this status and prints these lines, in any order."""
        got, text = self.boot(**machine)
        text = text[text.find('ebb: first light'):]
        self.assertNotIn('Kernel panic', text)
        for line in lines:
            self.assertRegex(text, line)
        self.assertEqual(got, status, text)
        self.assertEqual('ebb: ready' in text, status == 0, text)

    def test_all_memory_is_reserved(self):
        whole = f'{CELLS} whole@80000000 {{ reg = <0 0x80000000 0 0x8000000>; }};'
        self.expect(HARNESS, r'memory: .* do not fit 128 MiB of boot memory in \d+ ranges: ebb does not start', **reserved(whole))

    def test_reservations_that_hold(self):
        own = 'good@84000000 { reg = <0x84000000 0x200000>; no-map; };'
        for name, children in {
                'as usual': f'{CELLS} {GOOD}',
                'no ranges': f'#address-cells = <2>; #size-cells = <2>; {GOOD}',
                'cells of its own': f'#address-cells = <1>; #size-cells = <1>; ranges; {own}',
                'both': f'#address-cells = <1>; #size-cells = <1>; {own}',
                'ranges that move nothing': f'#address-cells = <2>; #size-cells = <2>; ranges = <0 0 0 0 1 0>; {GOOD}',
                'size 0 before': f'{CELLS} zero@83000000 {{ reg = <0 0x83000000 0 0>; }}; {GOOD}',
                'to the last byte': f'{CELLS} all@84000000 {{ reg = <0 0x84000000 0xffffffff 0x7c000000>; no-map; }};',
                'over the kernel': f'{CELLS} k@80200000 {{ reg = <0 0x80200000 0 0x100000>; }}; {GOOD}'}.items():
            with self.subTest(name):
                self.expect(0, FIRMWARE, AGREES, **reserved(children))

    def test_reservations_that_cannot_be_read(self):
        for name, children in {
                'three cells': f'{CELLS} bad@83000000 {{ reg = <0 0x83000000 0x1000>; }}; {GOOD}',
                'wraps': f'{CELLS} bad@83000000 {{ reg = <0 0x83000000 0xffffffff 0xffffffff>; }}; {GOOD}',
                'no size': '#address-cells = <2>; #size-cells = <0>; ranges; bad@83000000 { reg = <0 0x83000000>; };'}.items():
            with self.subTest(name):
                self.expect(HARNESS, r'/reserved-memory/bad@83000000: entry 0 of the reservation (is malformed|goes beyond)',
                            **reserved(children))
        # OpenSBI adds its node with a CPU address, so the tree does not tell whether an address here is a bus or a CPU
        # address.
        for moved in ('0 0 1 0 0 0x90000000', '0 0 0 0x10000000 0 0x90000000'):
            with self.subTest(moved):
                self.expect(HARNESS, r'/reserved-memory/\S+: entry 0 of the reservation is malformed', **reserved(
                    f'#address-cells = <2>; #size-cells = <2>; ranges = <{moved}>; {GOOD}'))
        self.expect(HARNESS, r'/memreserve/: entry 1 of the reservation goes beyond 64 bits', edit=lambda tree: tree.replace(
            '/dts-v1/;', '/dts-v1/; /memreserve/ 0x84000000 0x1000; /memreserve/ 0xfffffffffffff000 0x2000;'))

    def test_memory_nodes(self):
        half, rest = ('80000000', '0 0x80000000 0 0x4000000'), ('84000000', '0 0x84000000 0 0x4000000')
        for reg, fault in (('0 0x90000000 0x1000', 'is malformed'), ('0xffffffff 0xf0000000 0 0x20000000', 'goes beyond')):
            with self.subTest(reg):
                self.expect(0, rf'/memory@90000000: entry 0 of reg {fault}.*: this memory is not used', AGREES,
                            r'80000000-87ffffff : System RAM', **memory(half, ('90000000', reg), rest))
        for entry, reg in ((1, '0 0x80000000 0 0x4000000 0 0x90000000 0x1000'),
                           (2, '0 0x80000000 0 0x4000000 0 0x84000000 0 0x4000000 0 0x90000000')):
            with self.subTest(reg):
                self.expect(0, rf'/memory@80000000: entry {entry} of reg is malformed.*: this memory is not used', AGREES,
                            r'80000000-8[37]ffffff : System RAM', **memory(('80000000', reg)))
        self.expect(0, r'80000000-87ffffff : System RAM', AGREES,
                    **memory(('80000000', '0 0x80000000 0 0x6000000 0 0x84000000 0 0x4000000'), ('80000001', half[1])))
        self.expect(HARNESS, "the kernel lies outside the device tree's memory",
                    **memory(('40000000', '0 0x40000000 0 0x1000000')))
        self.expect(0, r'memory 0x0-0x7fffffff does not', r'memory 0x88000000-0xfffffffffffffffe does not', AGREES,
                    **memory(('0', '0 0 0xffffffff 0xffffffff')))

    def test_memory_that_does_not_answer(self):
        """ebb ignores only the node that is wrong about memory; the devices in its range work as before."""
        ram = ('80000000', '0 0x80000000 0 0x8000000')
        for name, reg, gone in (
                ('nothing is there', '0 0x40000000 0 0x1000000', '0x40000000-0x40ffffff'),
                ('one page of nothing', '0 0x40000000 0 0x1000', '0x40000000-0x40000fff'),
                ('the UART', '0 0x10000000 0 0x1000', '0x10000000-0x10000fff'),
                ('many devices', '0 0x0f000000 0 0x2000000', '0xf000000-0x10ffffff'),
                ('the flash', '0 0x20000000 0 0x4000000', '0x20000000-0x23ffffff'),
                ('the finisher', '0 0x100000 0 0x1000', '0x100000-0x100fff'),
                ('not aligned', '0 1 0 0x8000000', '0x1-0x8000000'),
                ('behind all memory', '1 0 0 0x40000000', '0x100000000-0x13fffffff'),
                ('a terabyte away', '0x100 0 0 0x1000000', '0x10000000000-0x10000ffffff')):
            with self.subTest(name):
                self.expect(0, rf'machine: memory {gone} does not answer: it is not used', AGREES,
                            r'(?m)^80000000-87ffffff : System RAM$', **memory(('lie', reg), ram))
        both = lambda tree: memory(('lie', '0 0x40000000 0 0x1000000'), ram)['edit'](reserved(  # noqa: E731
            f'{CELLS} {GOOD} first@40000000 {{ reg = <0 0x40000000 0 0x1000>; no-map; }};')['edit'](tree))
        self.expect(0, r'memory 0x40000000-0x40ffffff does not answer', AGREES, FIRMWARE, edit=both)
        for name, reg, gone in (
                ('from below', '0 0x7f000000 0 0x9000000', '0x7f000000-0x7fffffff'),
                ('from 0', '0 0 0 0x88000000', '0x0-0x7fffffff'),
                ('to above', '0 0x80000000 0 0x20000000', '0x88000000-0x9fffffff'),
                ('to far above', '0 0x80000000 0x10 0', '0x88000000-0x107fffffff'),
                ('to beyond all physical addresses', '0 0x80000000 0x1000000 0', '0x88000000-0x10000007fffffff'),
                ('to the last byte', '0 0x80000000 0xffffffff 0x80000000', '0x88000000-0xffffffffffffffff')):
            with self.subTest(name):
                self.expect(0, rf'machine: memory {gone} does not answer: it is not used', AGREES,
                            r'(?m)^80000000-87ffffff : System RAM$', **memory(('80000000', reg)))

    def test_400_ranges_of_memory(self):
        small = [(f'{at:x}', f'0 {at:#x} 0 0x1000') for at in range(0x81000000, 0x81000000 + 400 * 0x3000, 0x3000)]
        self.expect(0, r'more than 128 ranges of memory: the smallest of them, \d+ KiB, are not used', AGREES,
                    **memory(('80000000', '0 0x80000000 0 0x1000000'), *small))

    def test_device_windows(self):
        window = '0x2000000 0 0x40000000 0 0x40000000 0 0x40000000'
        self.expect(0, r'/soc/pci@30000000 has a window that overlaps memory: it is not used', AGREES,
                    **windows(f'0x2000000 0 0x84000000 0 0x84000000 0 0x1000000 {window}'))
        self.expect(0, r'/soc/pci@30000000 has a malformed window', AGREES,
                    **windows(f'0x3000000 0 0x40000000 0xffffffff 0xff000000 0 0x2000000 {window}'))
        self.expect(0, r'/soc/pci@30000000 overlaps memory: it is not used', AGREES, edit=lambda tree: tree.replace(
            'reg = <0x00 0x30000000 0x00 0x10000000>', 'reg = <0x00 0x84000000 0x00 0x1000000>'))
        self.expect(HARNESS, r'interrupt-controller@c000000 has a reg too small', edit=lambda tree: tree.replace(
            'reg = <0x00 0xc000000 0x00 0x600000>', 'reg = <0x00 0xc000000 0x00 0x1000>'))

    def test_two_sockets(self):
        for number, works in (0, False), (2, True):
            with self.subTest(boot_hart=number):
                self.expect(0, 'this machine has 2 interrupt controllers, .* start QEMU without -numa', AGREES,
                            **boot_hart(number))
                _, text = self.boot(**boot_hart(number))
                self.assertRegex(text, rf'Boot HART ID +: {number}\n')
                self.assertEqual('no interrupt: its line leads to no controller that ebb drives' not in text, works, text)

    def test_deep_nodes(self):
        self.expect(0, r'device tree: 25 nodes deeper than 16 levels', AGREES, edit=lambda tree: tree.replace(
            '\tchosen {', '\t' + ''.join(f'd{n} {{ ' for n in range(40)) + '};' * 40 + '\n\tchosen {', 1))

    def test_cut_command_line(self):
        for last in ('mem=64M', 'autorun="echo halves; poweroff"'):
            line = ('autorun=poweroff ' + 'loglevel=7 ' * 300)[:2042]
            line = line[:line.rfind(' ') + 1].ljust(2042) + last
            with self.subTest(last):
                self.expect(0, 'command line: longer than 2047 bytes', 'mm: 131072 KiB of memory', append=line)

    def test_cache_blocks_of_any_size(self):
        for size in 32, 64, 128, 4096:
            with self.subTest(size):
                self.expect(0, AGREES, options=['-cpu', f'rv64,cboz_blocksize={size}'])
        self.expect(0, AGREES, options=['-cpu', 'rv64,zicboz=off'])
