# SPDX-License-Identifier: BSD-2-Clause
"""The machine's command lines, with programs that play QEMU: layout, transports, refusals."""

import os
import stat
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from machine import GIB, MIB, RAM_BASE, Config, Machine, MachineError, MemDevice, format_size, image, parse_size

FAKE = '''#!/bin/sh
case "$*" in
--version) echo "QEMU emulator version 99.9" ;;
{cases}
esac
'''
GENERIC = '*vhost-user-test-device-pci,help|*vhost-user-test-device,help) echo "  virtio-id=<uint16>" ;;'
OWN = '*virtio-mem-pci,help) echo "  requested-size=<size>" ;;'


class MachineTest(unittest.TestCase):
    """Command lines, without starting anything."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name)

    def qemu(self, *cases):
        path = self.top / 'qemu-system-riscv64'
        path.write_text(FAKE.format(cases='\n'.join(cases)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def machine(self, *cases, **options):
        return Machine(Config(qemu=self.qemu(*(cases or (GENERIC,))), rundir=str(self.top / 'r'), **options))

    def test_sizes(self):
        for text, size in (('128M', 128 * MIB), ('4g', 4 * GIB), ('0x200000', 2 * MIB), ('5', 5), ('1GiB', GIB), ('64k', 65536)):
            self.assertEqual(parse_size(text), size)
        for text in ('', 'M', '12Q', 'four', '-1', '1.5G', 'nan', '1e3', '16777216T', '0x', '1' * 5000, '\u0662M'):
            with self.assertRaises(MachineError):
                parse_size(text)
        self.assertEqual([format_size(s) for s in (0, 5, 1536 << 10, 4 * GIB)], ['0', '5', '1536K', '4G'])

    def test_default_layout(self):
        machine = self.machine()
        self.assertEqual(machine.config.devices[0].addr, 0x88000000)
        self.assertEqual(machine.boot_ranges(), [(RAM_BASE, 128 * MIB), (0x188000000, 2 * MIB)])
        self.assertIn('size=4226M,share=on', ' '.join(machine.qemu_command()))
        self.assertEqual(machine.dtb_commands()[1][-8:],
                         ['0x0', '0x80000000', '0x0', '0x8000000', '0x1', '0x88000000', '0x0', '0x200000'])

    def test_region_that_ends_between_pageblocks(self):
        machine = self.machine(devices=[MemDevice('vm0', 301 * MIB, addr=0x86600000, block=MIB)], mem=100 * MIB)
        self.assertEqual(machine.tail % (2 * MIB), 0)
        self.assertGreaterEqual(machine.tail, 0x86600000 + 301 * MIB)

    def test_several_devices_follow_each_other(self):
        machine = self.machine(devices=[MemDevice('vm0', GIB), MemDevice('vm1', GIB, block=64 * MIB)])
        first, second = machine.config.devices
        self.assertEqual(second.addr, first.addr + GIB)
        self.assertIn('--id', machine.device_command(second))
        self.assertNotIn('--id', machine.device_command(first))

    def test_holes(self):
        machine = self.machine(devices=[], holes=[(RAM_BASE + 100 * MIB, MIB), (RAM_BASE + 40 * MIB, 6 * MIB)])
        self.assertEqual(machine.boot_ranges(), [(RAM_BASE, 40 * MIB), (RAM_BASE + 46 * MIB, 54 * MIB),
                                                 (RAM_BASE + 101 * MIB, 27 * MIB)])
        self.assertTrue(machine.needs_dtb())

    def test_mmio(self):
        words = self.machine(transport='mmio', port=True).qemu_command()
        self.assertIn('virtio-mmio.force-legacy=false', words)
        self.assertTrue(any(word.startswith('vhost-user-test-device,') for word in words))
        self.assertIn('virtio-serial-device', words)

    def test_qemus_own_device(self):
        machine = self.machine(OWN, GENERIC)
        words = ' '.join(machine.qemu_command())
        self.assertEqual(machine.kind, 'qemu')
        self.assertIn('virtio-mem-pci,id=vm0,memdev=mem-vm0,block-size=2M,requested-size=0', words)
        self.assertIn('memory-backend-memfd,id=mem-vm0,size=4G,share=on,reserve=off', words)
        self.assertIn('128M,maxmem=', words)
        self.assertIsNone(machine.config.devices[0].addr)
        self.assertNotIn('vhost', words)
        self.assertFalse(machine.needs_dtb())

    def test_qemus_own_device_is_pci_only(self):
        self.assertEqual(self.machine(OWN, GENERIC, transport='mmio').kind, 'vhost-user')

    def test_unsuitable_qemu_is_named_with_the_way_out(self):
        with self.assertRaisesRegex(MachineError, '99.9.*10.2.*make run'):
            self.machine('nothing) ;;')

    def test_unsuitable_qemu_will_do_without_devices(self):
        self.assertEqual(self.machine('nothing) ;;', devices=[]).kind, 'none')

    def test_qemu_that_is_not_there(self):
        with self.assertRaisesRegex(MachineError, 'not a program'):
            Machine(Config(qemu=str(self.top / 'nothing')))

    def test_missing_launcher(self):
        with mock.patch.dict(os.environ), self.assertRaisesRegex(MachineError, 'tools/get-qemu'):
            os.environ.pop('QEMU', None)
            Machine(Config(kernel=str(self.top / 'ebb.elf')))

    def test_refusals(self):
        bad = (dict(transport='usb'), dict(smp=0), dict(mem=3 * MIB), dict(mem=127 * MIB),
               dict(devices=[MemDevice(block=3 * MIB)]), dict(devices=[MemDevice(block=65536)]),
               dict(devices=[MemDevice(size=3 * MIB)]), dict(devices=[MemDevice(addr=RAM_BASE)]),
               dict(devices=[MemDevice('a', GIB, addr=0x100000000), MemDevice('b', GIB, addr=0x120000000)]))
        for options in bad:
            with self.subTest(options), self.assertRaises(MachineError):
                self.machine(**options)

    def test_long_run_directory_keeps_socket_paths_short(self):
        rundir = self.top / ('x' * 60) / ('y' * 60)
        machine = Machine(Config(qemu=self.qemu(GENERIC), rundir=str(rundir)))
        self.assertEqual(machine.path('qmp-vm0.sock'), 'qmp-vm0.sock')
        self.assertTrue(machine.commands()[0].startswith('cd '))
        self.assertTrue(os.path.isabs(machine.qemu_command()[0]))

    def test_comma_in_a_path(self):
        machine = Machine(Config(qemu=self.qemu(GENERIC), rundir=str(self.top / 'a,b')))
        self.assertIn('a,,b/vm0.sock', ' '.join(machine.qemu_command()))

    def test_which_image(self):
        tests = ('kunit.filter_glob=buddy.*', 'loglevel=7 ktest.seed=3', 'autorun="lsmem; ut all; poweroff"', 'autorun=bench')
        plain = ('', 'loglevel=7', 'autorun="echo ut; poweroff"', 'autorun="utter; benches"', 'x="ut all"', 'autorun="ut', "'")
        for append in tests:
            self.assertEqual(image('out', append), 'out/ebb-test.elf', append)
        for append in plain:
            self.assertEqual(image('out', append), 'out/ebb.elf', append)
        self.assertEqual(image('out', tests=True), 'out/ebb-test.elf')

    def test_missing_kernel(self):
        with self.assertRaisesRegex(MachineError, 'no kernel.*make all'):
            self.machine(kernel=str(self.top / 'ebb.elf')).prepare()


if __name__ == '__main__':
    unittest.main()
