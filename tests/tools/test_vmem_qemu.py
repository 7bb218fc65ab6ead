# SPDX-License-Identifier: BSD-2-Clause
"""The memory device under a real QEMU, with a small guest that executes commands (tools/vmem/tests/guest)."""

from __future__ import annotations

import functools
import os
import select
import signal
import subprocess
import time
import unittest
from pathlib import Path

from patience import Deadline, ended, limit, until
from vmem_case import GIB, PROGRAM
from vmem_frontend import ACK, ERROR, LIMIT_S, MIB, NACK, PLUGGED, RAM_BASE, REGION, UNPLUGGED, Device, Qmp

OUT = os.environ.get('O') or 'build'
GUEST = os.path.abspath(os.path.join(OUT, 'vmem-asan', 'guest.elf'))
QEMU = os.path.abspath(os.environ.get('QEMU') or os.path.join(OUT, 'qemu', 'qemu-system-riscv64'))
TAIL = 4 * MIB      # QEMU puts the device tree at the end of RAM
PAUSES, RESETS = 300, 20


@functools.cache
def offers_device() -> bool:
    """Return True if this QEMU can use the device."""
    if not os.access(QEMU, os.X_OK):
        return False
    probe = subprocess.run([QEMU, '-M', 'virt', '-device', 'vhost-user-test-device,help'], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=limit(60), check=False)
    return any(line.startswith('  virtio-id=') for line in probe.stdout.splitlines())


class Machine:
    """QEMU with memory devices, and the guest's console as a function."""

    def __init__(self, devices: list[Device], ram: int):
        home = devices[0].path
        command = [QEMU, '-M', 'virt,memory-backend=ram', '-smp', '1', '-m', f'{ram // MIB}M', '-object',
                   f'memory-backend-memfd,id=ram,size={ram},share=on', '-display', 'none', '-nodefaults', '-serial', 'stdio',
                   '-bios', 'none', '-kernel', GUEST, '-global', 'virtio-mmio.force-legacy=false']
        for number, device in enumerate(devices):
            command += ['-chardev', f'socket,id=c{number},path={device.path}/s', '-device',
                        f'vhost-user-test-device,chardev=c{number},virtio-id=24,num_vqs=1,vq_size=128,config_size=56,'
                        f'bus=virtio-mmio-bus.{7 - number}', '-qmp', f'unix:{device.path}/q,server=on,wait=off']
        command += ['-qmp', f'unix:{home}/qmp,server=on,wait=off']
        self.log = open(home / 'qemu.log', 'w', encoding='utf-8')
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.buffer = b''

    def line(self) -> str:
        deadline = Deadline(LIMIT_S)
        while b'\n' not in self.buffer:
            if not select.select([self.process.stdout], [], [], deadline.left())[0]:
                if deadline.over():
                    raise AssertionError('the guest does not answer')
                continue
            part = os.read(self.process.stdout.fileno(), 4096)
            if not part:
                raise AssertionError('QEMU has ended')
            self.buffer += part
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line.decode('ascii', 'replace').strip()

    def ready(self) -> None:
        while not self.line().endswith('guest ready'):    # after the '=' of a reboot
            pass

    def do(self, word: str, *numbers: int) -> list[int]:
        """Run a guest command and return the numbers that it prints."""
        os.write(self.process.stdin.fileno(), ' '.join([word, *(f'{n:x}' for n in numbers)]).encode() + b'\n')
        return self.answer()

    def answered(self) -> bool:
        """Return True if the guest has printed a whole line that was not read yet."""
        if select.select([self.process.stdout], [], [], 0)[0]:
            self.buffer += os.read(self.process.stdout.fileno(), 4096)
        return b'\n' in self.buffer

    def answer(self) -> list[int]:
        """Return the numbers in the guest's next answer."""
        answer = self.line()
        while not answer.startswith('='):
            answer = self.line()
        return [int(word, 16) for word in answer[1:].split()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


@unittest.skipUnless(os.access(PROGRAM, os.X_OK) and os.access(GUEST, os.R_OK), 'the device or its guest is not built')
class UnderQemu(unittest.TestCase):
    def setUp(self) -> None:
        if not offers_device():
            self.skipTest('there is no QEMU that can carry the device; type: make test')

    def boot(self, count: int = 1, size: int = GIB) -> tuple[Machine, list[Device]]:
        devices = []
        for number in range(count):
            devices.append(Device(PROGRAM, '--addr', hex(REGION + number * size), '--qmp', 'q', size=size))
            self.addCleanup(devices[-1].close)
        machine = Machine(devices, REGION - RAM_BASE + count * size + TAIL)
        self.addCleanup(machine.close)
        machine.ready()
        for number in range(count):
            self.assertEqual(machine.do('start', number), [1])
        return machine, devices

    def await_qmp(self, device: Device) -> None:
        self.assertTrue(until(lambda: device.qmp.get('x-qmp') == 'connected', LIMIT_S))

    def rss(self, machine: Machine) -> int:
        """Return the bytes of shared memory that QEMU's process holds."""
        for line in Path(f'/proc/{machine.process.pid}/status').read_text(encoding='ascii').splitlines():
            if line.startswith('RssShmem'):
                return int(line.split()[1]) * 1024
        return 0

    def test_plug_use_unplug(self) -> None:
        machine, (device,) = self.boot()
        qmp = device.qmp
        self.assertEqual(machine.do('config', 0), [2 * MIB, REGION, GIB, 256 * MIB, 0, 0])
        self.assertEqual(machine.do('notes', 0), [0])
        qmp.request(64 * MIB)
        self.assertTrue(until(lambda: machine.do('notes', 0) == [1], LIMIT_S))
        self.assertEqual(machine.do('config', 0)[3:], [320 * MIB, 0, 64 * MIB])
        self.assertEqual(machine.do('plug', 0, 2, 0x20), [ACK])
        self.assertEqual(machine.do('plug', 0, 0x60, 1), [NACK])
        self.assertEqual(machine.do('unplug', 0, 1, 2), [ERROR])
        before = self.rss(machine)
        for page in range(16):
            machine.do('write', REGION + 4 * MIB + page * 4 * MIB)
        self.assertEqual(qmp.get('x-host-bytes'), 16 * 4096)
        self.assertGreaterEqual(self.rss(machine) - before, 16 * 4096)
        self.assertEqual(machine.do('read', REGION + 4 * MIB), [0x5A5A5A5A])
        qmp.request(0)
        self.assertEqual(machine.do('unplug', 0, 2, 0x20), [ACK])
        self.assertEqual(machine.do('state', 0, 0, 0x80), [ACK, UNPLUGGED])
        self.assertEqual((qmp.get('size'), qmp.get('x-host-bytes'), qmp.get('x-stray-bytes')), (0, 0, 0))
        self.assertLessEqual(self.rss(machine), before + 4096)
        machine.do('write', REGION + 10 * MIB)
        self.assertEqual((qmp.get('x-stray-bytes'), qmp.get('x-touched-bytes')), (4096, 0))
        self.assertEqual(machine.do('read', REGION + 20 * MIB), [0])
        self.assertEqual((qmp.get('x-stray-bytes'), qmp.get('x-touched-bytes')), (4096, 4096))
        machine.process.kill()
        self.assertEqual(device.wait(), 0)
        self.assertIn(f'4096 bytes were written, the first at {REGION + 10 * MIB:#x}', device.text())

    def test_device_reset_keeps_machine_reset_unplugs(self) -> None:
        machine, (device,) = self.boot()
        self.await_qmp(device)
        device.qmp.request(32 * MIB)
        self.assertEqual(machine.do('plug', 0, 0, 0x10), [ACK])
        machine.do('write', REGION)
        machine.do('reset', 0)
        self.assertEqual(machine.do('start', 0), [1])
        self.assertEqual(machine.do('state', 0, 0, 0x10), [ACK, PLUGGED])
        self.assertEqual(machine.do('read', REGION), [0x5A5A5A5A])
        os.write(machine.process.stdin.fileno(), b'reboot\n')
        machine.ready()
        self.assertEqual(machine.do('start', 0), [1])
        self.assertEqual(machine.do('state', 0, 0, 0x10), [ACK, UNPLUGGED])
        self.assertEqual((device.qmp.get('x-resets'), device.qmp.get('size'), device.qmp.get('x-host-bytes')), (1, 0, 0))
        self.assertEqual(machine.do('config', 0)[4:], [0, 32 * MIB])
        qemu = Qmp(device.path / 'qmp')
        self.addCleanup(qemu.close)
        self.assertEqual(machine.do('plug', 0, 0, 0x10), [ACK])
        qemu.execute('system_reset')
        machine.ready()
        self.assertEqual(machine.do('start', 0), [1])
        self.assertEqual(machine.do('config', 0)[4:], [0, 32 * MIB])
        os.write(machine.process.stdin.fileno(), b'off\n')
        self.assertEqual(ended(machine.process, LIMIT_S), 0)
        self.assertEqual(device.wait(), 0)
        self.assertIn('0 bytes plugged, 0 on the host, 0 stray', device.text())

    def test_the_host_looks(self) -> None:
        machine, (device,) = self.boot()
        qemu = Qmp(device.path / 'qmp')
        self.addCleanup(qemu.close)
        qemu.execute('pmemsave', val=REGION + 64 * MIB, size=8 * MIB, filename=str(device.path / 'memory'))
        self.assertEqual((device.qmp.get('x-stray-bytes'), device.qmp.get('x-touched-bytes')), (0, 8 * MIB))
        self.assertEqual((device.qmp.get('x-host-bytes'), device.qmp.get('x-violations')['total']), (0, 0))
        machine.do('write', REGION + 64 * MIB)
        self.assertEqual((device.qmp.get('x-stray-bytes'), device.qmp.get('x-touched-bytes')), (4096, 8 * MIB))

    def test_stopped_processes(self) -> None:
        """SIGSTOP hits QEMU or the device at any moment, also between the two halves of a notification."""
        machine, (device,) = self.boot()
        requested = 0
        for round in range(40):
            victim = (machine.process, device.process)[round % 2]
            for size in range(round % 4 + 1):
                requested = (round + size) % 32 * 2 * MIB
                device.qmp.request(requested)
            victim.send_signal(signal.SIGSTOP)
            if victim is machine.process:
                device.qmp.request(requested := round * 2 * MIB)
            time.sleep(0.02)
            victim.send_signal(signal.SIGCONT)
            while machine.do('config', 0)[5] != requested:
                pass
        device.qmp.execute('x-inject', kind='delay', ms=100)
        device.qmp.request(32 * MIB)
        os.write(machine.process.stdin.fileno(), b'plug 0 0 4\n')
        while not device.qmp.get('x-unanswered'):
            time.sleep(0.005)
        for victim in (machine.process, device.process):
            victim.send_signal(signal.SIGSTOP)
        time.sleep(0.15)
        for victim in (machine.process, device.process):
            victim.send_signal(signal.SIGCONT)
        self.assertEqual(machine.answer(), [ACK])
        self.assertEqual((device.qmp.get('size'), device.qmp.get('x-violations')['total']), (8 * MIB, 0))

    def test_two_devices(self) -> None:
        machine, devices = self.boot(2)
        for number, device in enumerate(devices):
            device.qmp.request((number + 1) * 16 * MIB)
        for number in range(2):
            self.assertEqual(machine.do('plug', number, 0, 8 * (number + 1)), [ACK])
            machine.do('write', REGION + number * GIB)
        self.assertEqual([d.qmp.get('size') for d in devices], [16 * MIB, 32 * MIB])
        self.assertEqual(machine.do('all', 0), [ACK])
        self.assertEqual([d.qmp.get('x-host-bytes') for d in devices], [0, 4096])
        self.assertEqual(machine.do('read', REGION + GIB), [0x5A5A5A5A])
        self.assertEqual([d.qmp.get('x-stray-bytes') for d in devices], [0, 0])
        self.assertEqual([d.qmp.get('x-violations')['total'] for d in devices], [0, 0])
        machine.process.terminate()
        self.assertEqual([d.wait() for d in devices], [0, 0])

    def test_stop_and_continue(self) -> None:
        """QEMU stops the ring while the machine is stopped, and continues it where it was."""
        machine, (device,) = self.boot()
        qemu = Qmp(device.path / 'qmp')
        self.addCleanup(qemu.close)
        device.qmp.request(32 * MIB)
        self.assertEqual(machine.do('plug', 0, 0, 4), [ACK])
        qemu.execute('stop')
        device.qmp.request(64 * MIB)
        qemu.execute('cont')
        self.assertEqual(machine.do('plug', 0, 4, 0x1C), [ACK])
        self.assertEqual(machine.do('config', 0)[4:], [64 * MIB, 64 * MIB])
        self.assertEqual(device.qmp.get('x-requests'), 2)

    def test_no_torn_size(self) -> None:
        """The guest reads a 64-bit size in two halves while it toggles between 4G and 4G less a block."""
        machine, (device,) = self.boot(size=4 * GIB)
        sizes = (4 * GIB, 4 * GIB - 2 * MIB)
        device.qmp.request(sizes[0])
        while machine.do('config', 0)[5] != sizes[0]:
            pass
        os.write(machine.process.stdin.fileno(), f'torn 0 {sizes[0]:x} {sizes[1]:x}\n'.encode())
        toggle = 0
        while not machine.answered():
            device.qmp.request(sizes[toggle % 2])
            toggle += 1
        self.assertEqual(machine.answer(), [0, 0])

    def test_stop_while_sizes_change(self) -> None:
        """QEMU crashes on a notification that it finds after it has stopped the device."""
        machine, (device,) = self.boot()
        qemu = Qmp(device.path / 'qmp')
        self.addCleanup(qemu.close)
        for round in range(PAUSES):
            for size in range(round % 4):
                device.qmp.request((round + size) % 512 * 2 * MIB)
            qemu.execute('stop')
            qemu.execute('cont')
        device.qmp.request(32 * MIB)
        while machine.do('config', 0)[5] != 32 * MIB:
            pass
        self.assertEqual(machine.do('plug', 0, 0, 0x10), [ACK])

    def test_reset_while_sizes_change(self) -> None:
        machine, (device,) = self.boot()
        qemu = Qmp(device.path / 'qmp')
        self.addCleanup(qemu.close)
        self.await_qmp(device)
        for round in range(RESETS):
            for size in range(round % 4):
                device.qmp.request((round + size) % 512 * 2 * MIB)
            qemu.execute('system_reset')
            machine.ready()
            self.assertEqual(machine.do('start', 0), [1])
        self.assertEqual(device.qmp.get('x-resets'), RESETS)

    def test_pause_while_a_request_is_held(self) -> None:
        machine, (device,) = self.boot()
        qemu = Qmp(device.path / 'qmp')
        self.addCleanup(qemu.close)
        device.qmp.request(32 * MIB)
        device.qmp.execute('x-inject', kind='delay', ms=600000)
        os.write(machine.process.stdin.fileno(), b'plug 0 0 4\n')
        while not device.qmp.get('x-unanswered'):
            time.sleep(0.01)
        qemu.execute('stop')
        self.assertEqual((device.qmp.get('x-unanswered'), device.qmp.get('size')), (0, 0))
        qemu.execute('cont')
        self.assertEqual(machine.answer(), [ACK])
        self.assertEqual((device.qmp.get('size'), device.qmp.get('x-requests')), (8 * MIB, 1))


if __name__ == '__main__':
    unittest.main()
