# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's own virtio-mem-pci: harness, launcher and client with a program that plays such a QEMU (fake_qemu.py)."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent.parent / 'tools'
sys.path.insert(0, str(HERE.parent / 'scenarios'))
from guest import Failure, Guest  # noqa: E402
from machine import GIB, MIB, RAM_BASE, Config, Machine, MachineError, MemDevice  # noqa: E402
from patience import limit  # noqa: E402
from plan import Scenario  # noqa: E402
from qmp import Qmp, QmpError  # noqa: E402
from stub_kernel import stub_kernel  # noqa: E402

FAKE = str(HERE / 'fake_qemu.py')


class OwnDevice(unittest.TestCase):
    """A run directory, and a guest like that of scenarios."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.out = Path(directory.name)
        (self.out / 'ebb.elf').write_bytes(stub_kernel())
        self.run_dir = self.out / 'run'

    def config(self, **options) -> Config:
        return Config(kernel=str(self.out / 'ebb.elf'), rundir=str(self.run_dir), qemu=FAKE, **options)

    def guest(self, *devices: MemDevice, mem: int = 128 * MIB) -> Guest:
        story = Scenario('a_story', lambda guest: None, 10.0, mem, devices, '')
        with mock.patch('guest.Recorder'):
            guest = Guest(story, self.config())
            self.addCleanup(guest.stop)
            guest.boot()
        return guest

    def ctl(self, *words: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, '-S', '-E', str(TOOLS / 'ebb-ctl'), '--run', str(self.run_dir), *words],
                              capture_output=True, text=True, timeout=limit(30), check=False)
        return done.returncode, done.stdout + done.stderr

    def test_regions_are_where_qemu_says(self):
        for mem, first in ((128 * MIB, 0xc0000000), (GIB, 0xc0000000), (1026 * MIB, 0x100000000)):
            with self.subTest(mem):
                guest = self.guest(MemDevice('vm0', GIB), MemDevice('vm1', 2 * GIB), mem=mem)
                self.assertEqual([guest.devices[name].shape.addr for name in ('vm0', 'vm1')], [first, first + GIB])
                guest.stop()

    def test_address_that_cannot_be_asked_for(self):
        guest = self.guest(MemDevice('vm0', 300 * MIB, addr=RAM_BASE + 106 * MIB), mem=100 * MIB)
        self.assertEqual(guest.devices['vm0'].shape.addr, 0xc0000000)

    def test_two_devices_share_one_connection(self):
        guest = self.guest(MemDevice('vm0', 512 * MIB), MemDevice('vm1', 512 * MIB, block=4 * MIB))
        guest.resize(256 * MIB, 'vm0')
        guest.resize(64 * MIB, 'vm1')
        guest.check()
        self.assertEqual([guest.region_file_bytes(name) for name in ('vm0', 'vm1')], [128 * 4096, 16 * 4096])
        self.assertIs(guest.qmp(), guest.devices['vm1'].qmp)
        with self.assertRaises(QmpError):            # this QEMU serves one client
            Qmp(self.run_dir / 'qmp.sock', 0.5)
        guest.resize(0, 'vm0')
        guest.check()
        self.assertEqual(guest.region_file_bytes('vm0'), 0)
        guest.poweroff()

    def test_memory_beyond_what_is_plugged_is_found(self):
        guest = self.guest(MemDevice('vm0', 512 * MIB))
        fd = next(f'/proc/{guest.machine.qemu.pid}/fd/{fd}' for fd in os.listdir(f'/proc/{guest.machine.qemu.pid}/fd')
                  if os.readlink(f'/proc/{guest.machine.qemu.pid}/fd/{fd}').startswith('/memfd:'))
        with open(fd, 'r+b') as memory:
            os.pwrite(memory.fileno(), b'x', 64 * MIB)
        with self.assertRaisesRegex(Failure, 'the host holds 4096 bytes for 0 plugged'):
            guest.check()

    def test_device_that_qemu_does_not_have(self):
        machine = Machine(self.config(devices=[MemDevice('vm0', GIB)]))
        with self.assertRaisesRegex(MachineError, 'no memory device vm0; it has none'):
            machine.learn_regions(mock.Mock(execute=lambda _: [{'type': 'dimm', 'data': {'id': 'vm0', 'addr': 1}}]))

    def test_launcher_with_60_gib_and_its_client(self):
        command = [str(TOOLS / 'run'), '--out', str(self.out), '--qemu', FAKE, '--vmem', '60G']
        pipes = dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.PIPE)
        with subprocess.Popen(command, text=True, **pipes) as process:
            while 'ebb: ready' not in process.stdout.readline():
                self.assertIsNone(process.poll(), 'the launcher ended')
            status, text = self.ctl('resize', '1G')
            self.assertEqual(status, 0, text)
            self.assertRegex(text, r'^vm0: plugged 1G, as requested, after \d+ ms\n$')
            self.assertEqual(self.ctl('status')[1].splitlines()[1].split(),
                             ['vm0', '1G', '1G', '2M', '-', '-', '2M', '0xc0000000+60G'])
            self.assertEqual(json.loads(self.ctl('status', '--json')[1])[0]['host'], 512 * 4096)
            with_us = Qmp(self.run_dir / 'qmp.sock')
            status, text = self.ctl('status')
            self.assertEqual(status, 1)
            self.assertIn('QEMU serves one client at a time', text)
            with_us.close()
            _, err = process.communicate('poweroff\n', 20)
            self.assertEqual((process.returncode, err), (0, ''))


if __name__ == '__main__':
    unittest.main()
