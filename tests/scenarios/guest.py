# SPDX-License-Identifier: BSD-2-Clause
"""A running ebb, for scenarios: its console, its command port, its memory devices, and the host's view of them."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cmdport import CommandPort
from ctl import memory_files
from launched import Launched
from machine import Config, Machine, MemDevice, RAM_BASE, describe_end
from patience import Deadline, ended, until
from plan import Scenario
from qmp import Qmp, QmpError
from recorder import APPEND, Recorder

# Limits on an idle machine; they grow with its load (tools/patience.py).
BOOT_LIMIT = 20.0          # seconds to "ebb: ready"
COMMAND_LIMIT = 20.0       # seconds for an answer of the command port
RESIZE_LIMIT = 30.0
SETTLE_LIMIT = 10.0
EXIT_LIMIT = 20.0
READY = 'ebb: ready'
PROMPT = 'ebb> '
ERASE = '\x1b[J'            # the line editor makes room for a message
T = TypeVar('T')


class Failure(Exception):
    """An expectation of the scenario failed."""


def expect(truth: bool, text: str) -> None:
    """Fail with a text unless the condition is true."""
    if not truth:
        raise Failure(text)


def wait_for(truth: Callable[[], bool], what: str, limit: float = COMMAND_LIMIT) -> None:
    """Poll until the condition is true."""
    if not until(truth, limit):
        raise Failure(f'{what} within {limit:.0f} s')


class Console:
    """The UART's output, read by a thread so that the guest never waits for the scenario."""

    def __init__(self, stream, log: Path):
        self.text = ''
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._read, args=(stream, log), daemon=True)
        self._thread.start()

    @staticmethod
    def _pieces(stream) -> Iterator[bytes]:
        try:
            while data := os.read(stream.fileno(), 65536):
                yield data
        except OSError:         # the stream is a terminal, and its program has ended
            pass

    def _read(self, stream, log: Path) -> None:
        with open(log, 'wb', buffering=0) as file:
            for data in self._pieces(stream):
                file.write(data)
                with self._changed:
                    self.text += data.decode(errors='replace').replace('\r', '')
                    self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, find: Callable[[], T | None], what: str, limit: float) -> T:
        deadline = Deadline(limit)
        with self._changed:
            while (found := find()) is None:
                if self._closed:
                    raise Failure(f'the machine ended before it said {what}')
                if not self._changed.wait(deadline.left()) and deadline.over():
                    raise Failure(f'the console did not say {what} within {limit:.0f} s')
            return found

    def wait_for(self, pattern: str, limit: float, start: int = 0) -> re.Match:
        """Wait for the first match at or after an offset of the text."""
        wanted = re.compile(pattern, re.M)
        return self._wait(lambda: wanted.search(self.text, start), repr(pattern), limit)

    def wait_prompt(self, limit: float, start: int) -> int:
        """Wait for the prompt after the command that was typed at an offset of the text; return the prompt's end. The line
        editor erases a prompt and draws it again if a message comes while the line is typed: such prompts do not count."""
        return self._wait(lambda: self._prompt_end(start), 'a prompt', limit)

    def _prompt_end(self, start: int) -> int | None:
        erased = int(self.text.rfind(ERASE, 0, start) > self.text.rfind(PROMPT, 0, start))
        for match in re.compile(f'{re.escape(ERASE)}|{PROMPT}').finditer(self.text, start):
            if match[0] == PROMPT and not erased:
                return match.end()
            erased += 1 if match[0] == ERASE else -1
        return None

    def tail(self, lines: int = 25) -> list[str]:
        """Return the last lines."""
        return self.text.splitlines()[-lines:]


class Port(CommandPort):
    """The virtio console port; its silence is a failure of the scenario."""
    error = Failure


class Device:
    """A memory device: ebb-vmem through its control socket, or QEMU's own through QEMU's QMP."""

    def __init__(self, machine: Machine, device: MemDevice, qemu: Qmp | None):
        self.shape, self.own = device, qemu is None
        self.path = f'/{device.name}' if self.own else f'/machine/peripheral/{device.name}'
        self.qmp = qemu or Qmp(machine.rundir / f'{device.name}.ctl')

    def get(self, name: str):
        """Return a property: requested-size, size, block-size, x-host-bytes ..."""
        return self.qmp.execute('qom-get', path=self.path, property=name)

    def request(self, size: int) -> None:
        """Request a size."""
        self.qmp.execute('qom-set', path=self.path, property='requested-size', value=size)

    def inject(self, kind: str, **options) -> None:
        """Queue a fault (ebb-vmem only)."""
        self.qmp.execute('x-inject', kind=kind, **options)


class Guest:
    """One boot of a scenario's machine, with everything that belongs to it."""

    def __init__(self, story: Scenario, base: Config):
        events = str(Path(base.rundir))
        devices = [replace(d, options=(*d.options, '--events', f'{events}/{d.name}.events')) for d in story.devices]
        config = replace(base, mem=story.mem, devices=devices, append=f'{APPEND} {story.append}', holes=list(story.holes),
                         without=list(story.without), port=True, doors=story.launcher)
        self.machine = Launched(config) if story.launcher else Machine(config)
        if story.launcher or self.machine.kind != 'vhost-user':
            for device in devices:
                device.options = ()
        self.console: Console
        self.port: Port
        self.devices: dict[str, Device] = {}
        self.recorder: Recorder | None = None
        self.answers = True        # False: the guest hangs, or has ended in a report
        self._qmp: Qmp | None = None

    # --- start and end ------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the guest and wait until it takes commands."""
        qemu = self.machine.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.console = Console(qemu.stdout, self.machine.rundir / 'console.log')
        self.recorder = Recorder(self.machine)
        self.console.wait_for(re.escape(READY), BOOT_LIMIT)
        if self.machine.kind != 'qemu' and not self.recorder.shared:
            self.recorder.keep_memory(self._memfd())
        self.port = Port(self.machine.rundir / 'port.sock')
        qemu = self.qmp() if self.machine.kind == 'qemu' else None
        if qemu:
            self.machine.learn_regions(qemu)
        self.devices = {d.name: Device(self.machine, d, qemu) for d in self.machine.config.devices}
        self.recorder.start()

    def qmp(self) -> Qmp:
        """Return QEMU's own QMP, which has one client at a time: all users share this connection."""
        if self._qmp is None:
            self._qmp = Qmp(self.machine.rundir / 'qmp.sock')
        return self._qmp

    def poweroff(self) -> None:
        """End the guest by "poweroff"."""
        self.type('poweroff')
        self.wait_exit(0)

    def keys(self, keys: str) -> None:
        """Press keys at the console."""
        self.machine.qemu.stdin.write(keys.encode())
        self.machine.qemu.stdin.flush()

    def type(self, line: str) -> None:
        """Type a line at the console, like a user."""
        self.keys(f'{line}\r')

    def wait_exit(self, wanted: int, limit: float = EXIT_LIMIT) -> None:
        """Expect that the machine ends by itself with this status."""
        try:
            status = ended(self.machine.qemu, limit)
        except subprocess.TimeoutExpired:
            raise Failure(f'the machine did not end within {limit:.0f} s') from None
        expect(status == wanted, f'the machine {describe_end(status)}, not with status {wanted}')

    # --- commands -----------------------------------------------------------------------------------------------

    def run(self, line: str, limit: float = COMMAND_LIMIT) -> str:
        """Run a console command that must succeed; return its text."""
        status, text = self.port.run(line, limit)
        expect(status == 0, f'{line!r} gave status {status}: {text.strip()}')
        return text

    def refuse(self, line: str) -> str:
        """Run a console command that must fail; return the line that says why."""
        status, text = self.port.run(line)
        expect(status != 0, f'{line!r} succeeded: {text.strip()}')
        expect(len(text.strip().splitlines()) == 1, f'{line!r}: not one line: {text.strip()!r}')
        return text.strip()

    def read(self, path: str) -> str:
        """Read a file of /proc or /sys."""
        return self.run(f'cat {path}')

    def meminfo(self, name: str) -> int:
        """Return a row of /proc/meminfo in bytes."""
        match = re.search(rf'^{name}: +(\d+) kB$', self.read('/proc/meminfo'), re.M)
        expect(match is not None, f'/proc/meminfo has no {name}')
        return int(match[1]) * 1024

    def blocks(self) -> dict[int, str]:
        """Return the state of each memory block: 'online', 'offline'."""
        found: dict[int, str] = {}
        for line in self.run('lsmem -a').splitlines():
            if match := re.match(r'0x[0-9a-f]+-0x[0-9a-f]+ +\S+ +(\S+)(?: +(?:yes|no))? +(\d+)$', line):
                found[int(match[2])] = match[1]
        return found

    def wait_blocks(self, wanted: Callable[[dict[int, str]], bool], what: str) -> dict[int, str]:
        """Wait until the memory blocks are as expected: they may change a moment after the device's size."""
        deadline = Deadline(SETTLE_LIMIT)
        while not wanted(blocks := self.blocks()):
            expect(not deadline.over(), f'{what}; there are {blocks}')
        return blocks

    # --- sizes --------------------------------------------------------------------------------------------------

    def granule(self, name: str = 'vm0') -> int:
        """Return the unit in which ebb plugs: a device block, or a pageblock if that is larger."""
        return max(self.devices[name].shape.block, 2 << 20)

    def resize(self, size: int, name: str = 'vm0', limit: float = RESIZE_LIMIT) -> None:
        """Request a size and wait until the guest has reached it, rounded down to its granule."""
        device = self.devices[name]
        device.request(size)
        reached = size // self.granule(name) * self.granule(name)
        self.wait_size(reached, name, limit)
        self.settle(name, reached)

    def wait_size(self, size: int, name: str = 'vm0', limit: float = RESIZE_LIMIT) -> None:
        """Wait until a device's plugged size is this."""
        if not until(lambda: self.devices[name].get('size') == size, limit):
            now = self.devices[name].get('size')
            raise Failure(f'{name}: {now >> 20}M plugged, not {size >> 20}M, after {limit:.0f} s')

    # --- four views of the same memory --------------------------------------------------------------------------

    def check(self) -> None:
        """Check that kernel, device, QEMU and host agree about every device, and that the kernel is consistent."""
        self.run('mm check')
        self.recorder.snapshot()
        for name, device in self.devices.items():
            self._check_device(name, device)

    def _check_device(self, name: str, device: Device) -> None:
        size = device.get('size')
        self.settle(name, size)
        if not device.own:
            views = [d['data'] for d in device.qmp.execute('query-memory-devices') if d['data']['id'] == name]
            expect(bool(views) and views[0]['size'] == size, f'{name}: QEMU has {views}, the device {size}')
            seen = self.region_file_bytes(name)
            expect(seen <= size, f'{name}: the host holds {seen} bytes for {size} plugged')
            return
        stray, touched, host = device.get('x-stray-bytes'), device.get('x-touched-bytes'), device.get('x-host-bytes')
        expect(stray == 0, f'{name}: {stray} bytes of unplugged memory were written')
        expect(touched == 0, f'{name}: {touched} bytes of unplugged memory were read')
        violations = device.get('x-violations')
        expect(violations['total'] == 0, f'{name}: the driver broke rules of the specification: {violations}')
        seen = self.host_bytes(device.shape)
        expect(seen <= size, f'{name}: the host holds {seen} bytes for {size} plugged')
        expect(abs(seen - host) <= self.granule(name), f'{name}: the host holds {seen} bytes, the device counts {host}')
        expect(self.qemu_shared() >= seen, f'{name}: QEMU maps less shared memory than the region alone holds')
        if size == 0:
            expect(host == 0 and seen == 0, f'{name}: nothing is plugged, but the host holds {max(seen, host)} bytes')

    def settle(self, name: str, size: int) -> None:
        """Wait until the kernel has the size that the device reports: the kernel learns the size later, from the device's
        answer."""
        if not until(lambda: self.kernel_has(name) == size, SETTLE_LIMIT):
            raise Failure(f'{name}: the kernel has {self.kernel_has(name)} bytes, the device says {size} are plugged')

    def kernel_has(self, name: str) -> int:
        """Return the bytes of a device that mm has, from the vmem command: the plugged bytes without those not in use."""
        _, found, rest = self.run('vmem').partition(f': {self.devices[name].shape.addr:#x}-')
        match = re.search(r'plugged (\d+) ([KM])iB(?: \((\d+) ([KM])iB of it not in use\))?', rest)
        expect(bool(found) and match is not None, f'vmem does not tell how much of {name} is plugged')
        plugged, unit, held, held_unit = match.groups()
        shift = {'K': 10, 'M': 20}
        return (int(plugged) << shift[unit]) - (int(held) << shift[held_unit] if held else 0)

    def _memfd(self) -> str:
        """Return the path of QEMU's guest memory file."""
        pid = self.machine.qemu_pid()
        for fd in os.listdir(f'/proc/{pid}/fd'):
            path = f'/proc/{pid}/fd/{fd}'
            if os.readlink(path).startswith('/memfd:'):
                if os.stat(path).st_size >= self.machine.config.mem:
                    return path
        raise Failure('QEMU has no memory file')

    def host_bytes(self, shape: MemDevice) -> int:
        """Count the bytes of the region that the host has allocated in the memory file."""
        start, end = shape.addr - RAM_BASE, shape.addr - RAM_BASE + shape.size
        total = 0
        with open(self._memfd(), 'rb') as memory:
            fd, at = memory.fileno(), start
            while at < end:
                try:
                    at = os.lseek(fd, at, os.SEEK_DATA)
                except OSError:
                    break
                stop = os.lseek(fd, at, os.SEEK_HOLE)
                total += max(0, min(stop, end) - min(at, end))
                at = stop
        return total

    def region_file_bytes(self, name: str) -> int:
        """Return the allocated bytes of a region of QEMU's own device: each region is a file, in the order of the devices."""
        files = memory_files(str(self.machine.rundir))
        for device in self.devices.values():
            mine = next((file for file in files if file[0] == device.shape.size), None)
            expect(mine is not None, f'{device.shape.name}: QEMU has no memory file of its size')
            if device.shape.name == name:
                return mine[1]
            files.remove(mine)
        raise Failure(f'no device {name}')

    def qemu_shared(self) -> int:
        """Return the bytes of shared memory that QEMU's process has mapped in: RssShmem."""
        status = Path(f'/proc/{self.machine.qemu_pid()}/status').read_text()
        match = re.search(r'^RssShmem:\s+(\d+) kB$', status, re.M)
        return int(match[1]) * 1024 if match else 0

    def stop(self) -> None:
        """End the machine, in any state."""
        for device in self.devices.values():
            try:
                device.qmp.close()
            except (OSError, QmpError):
                pass
        if self._qmp:
            self._qmp.close()
        if self.recorder:
            self.recorder.close()
        self.machine.stop()
