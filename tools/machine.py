# SPDX-License-Identifier: BSD-2-Clause
"""A QEMU machine for ebb with its memory devices: command lines, device tree, start and end of the processes.

`make run`, the tests, the scenarios and the bench all describe a machine as a `Config`, and this file builds it.

The place of the devices' memory: QEMU's `virt` has one run of RAM at RAM_BASE. This file requests enough of it
for boot memory, all device regions and 2 MiB on top (where QEMU puts the device tree). /memory tells the guest only
about boot memory and the 2 MiB; only the devices name the rest.

No process outlives its parent: each child asks the kernel (PR_SET_PDEATHSIG) to be killed with it.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import sizes
from elf import Elf, ElfError, check_bootable
from patience import Deadline
from qmp import Qmp
from sizes import format_size

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
RAM_BASE = 0x80000000
TAIL = 2 * MIB            # RAM above all regions: QEMU's place for the device tree
MEMORY_BLOCK = 128 * MIB
VIRTIO_ID_MEM = 24
CONFIG_SIZE = 56          # struct virtio_mem_config
PORTS = {'port': 'org.ebb.console', 'trace': 'org.ebb.trace', 'control': 'org.ebb.console.2'}   # NAME.sock leads to it
DEVICE_START = 5.0        # the longest time until a memory device opens its sockets, in seconds
STOP_GRACE = 2.0          # seconds between SIGTERM and SIGKILL
COVERAGE_FILE, COVERAGE_MAP, COVERAGE_BYTES = 'functions', 'coverage_functions', 1 << 20   # tests/coverage/functions.c
TEST_COMMANDS = ('ut', 'bench')
TEST_MEM, TEST_APPEND = 32 * GIB, 'mem=512M'  # suites use the RAM that mem= hides, up to the second 32 GiB
TEST_REQUESTED = 1 * GIB  # requested at boot: real memory blocks, which suites take from the driver
SOCKET_PATH_MAX = 100     # sun_path has 108 bytes
INNER = 'qemu'            # directory of QEMU's sockets, below the run directory
PRIVATE = 0o077           # umask for sockets and files: only the machine's user may access them

# The meaning of a program's end by a signal, for the user; other signals are only named.
SIGNAL_WORDS = {
    signal.SIGBUS: "the host could not provide memory that it touched: the host's memory, or its limit, is full",
    signal.SIGKILL: "perhaps by the host's OOM killer (dmesg of the host says so), or by another process",
    signal.SIGSEGV: 'it crashed',
    signal.SIGABRT: 'one of its assertions failed',
    signal.SIGTERM: 'another process ended it',
}

_libc = ctypes.CDLL(None, use_errno=True)


class MachineError(Exception):
    """A machine cannot be built or started; the text says why and what to do."""


def parse_size(text: str) -> int:
    """Parse a size in a machine's parameters by sizes.parse_size(); a bare number is bytes, as in ebb's parameters."""
    try:
        return sizes.parse_size(text)
    except ValueError as error:
        raise MachineError(str(error)) from None


def signal_of(status: int) -> int:
    """Return the signal that ended a program with this status, or with a shell's 128 + n; 0: no signal."""
    number = -status if status < 0 else status - 128
    return number if 0 < number < signal.NSIG else 0


def describe_end(status: int) -> str:
    """Describe the way a program ended: "ended with status 1", or the signal and its meaning."""
    number = signal_of(status)
    if not number:
        return f'ended with status {status}'
    try:
        word, meaning = signal.Signals(number).name, SIGNAL_WORDS.get(signal.Signals(number), signal.strsignal(number))
    except ValueError:
        word, meaning = f'signal {number}', None
    return f'was ended by {word}' + (f': {meaning}' if meaning else '')


def align_up(value: int, alignment: int) -> int:
    """Return the first multiple of alignment at or above value."""
    return -(-value // alignment) * alignment


def die_with_parent(signum: int = signal.SIGKILL, parent: int | None = None) -> None:
    """Have the kernel send signum to this process when its parent ends."""
    pr_set_pdeathsig = 1
    _libc.prctl(pr_set_pdeathsig, int(signum), 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signum)


@dataclass
class MemDevice:
    """One virtio-mem device. With addr None it lies at a memory block after boot memory and the devices before it.
    QEMU places its own devices itself, and Machine.learn_regions() sets addr."""
    name: str = 'vm0'
    size: int = 4 * GIB
    addr: int | None = None
    block: int = 2 * MIB
    requested: int = 0
    options: tuple[str, ...] = ()      # more options for ebb-vmem


@dataclass
class Config:
    """The description of a machine. Sizes are in bytes; paths are relative to the program's working directory."""
    kernel: str = 'build/ebb.elf'
    rundir: str = 'build/run'
    qemu: str | None = None            # None: $QEMU, or the launcher that tools/get-qemu left
    vmem: str | None = None            # None: ebb-vmem beside the kernel
    mem: int = 128 * MIB
    smp: int = 2
    transport: str = 'pci'
    devices: list[MemDevice] = field(default_factory=lambda: [MemDevice()])
    append: str = ''
    holes: list[tuple[int, int]] = field(default_factory=list)   # (address, bytes) left out of /memory
    without: list[str] = field(default_factory=list)             # nodes left out of the device tree
    icount: bool = False               # one virtual nanosecond per instruction, one host thread
    port: bool = False                 # virtio-serial ports: PORTS
    doors: bool = False                # QEMU's sockets are in qemu/: the launcher itself serves port.sock and so on
    gdb: bool = False                  # stop at the first instruction and listen for gdb on gdb.sock
    reboot: bool = True                # False: a reset of the guest ends QEMU
    extra: list[str] = field(default_factory=list)               # more options for QEMU


def wants_tests(append: str) -> bool:
    """Return true if a command line needs the image with the tests: it has their parameters, or autorun has ut or bench."""
    try:
        words = shlex.split(append)
    except ValueError:          # an open quote: ebb reports it
        words = append.split()
    commands = [command.split() for word in words if word.startswith('autorun=') for command in word[8:].split(';')]
    return any(word.startswith(('kunit', 'ktest.')) for word in words) or any(c and c[0] in TEST_COMMANDS for c in commands)


def image(out: str, append: str = '', tests: bool = False) -> str:
    """Return the kernel to boot: the plain image, or the image with the tests if the command line needs it."""
    return f'{out}/ebb-test.elf' if tests or wants_tests(append) else f'{out}/ebb.elf'


def keep_coverage(memory: BinaryIO, kernel: str, rundir: Path) -> None:
    """Add the functions that ran in a machine with this memory to the run directory's map of functions."""
    elf = Elf(kernel)
    memory.seek(elf.physical(elf.symbol(COVERAGE_MAP)) - RAM_BASE)
    ran = memory.read(COVERAGE_BYTES)
    kept = rundir / f'{COVERAGE_FILE}-{Path(kernel).stem}'
    before = kept.read_bytes() if kept.exists() else b''
    before = before or bytes(COVERAGE_BYTES)        # a killed program leaves an empty file
    kept.write_bytes(bytes(map(max, before, ran)))


def test_device(size: int, block: int) -> MemDevice:
    """Describe a device that requests memory at boot."""
    return MemDevice(size=size, block=block, requested=min(TEST_REQUESTED, size) // block * block)


def find_qemu(config: Config) -> str:
    """Find the QEMU to use, as a path that does not depend on PATH."""
    wanted = config.qemu or os.environ.get('QEMU')
    if wanted:
        found = shutil.which(wanted)
        if not found:
            raise MachineError(f'QEMU={wanted} is not a program; type: make run QEMU=   (it fetches one)')
        return found if '/' in wanted else os.path.abspath(found)
    launcher = Path(config.kernel).parent / 'qemu' / 'qemu-system-riscv64'
    if not os.access(launcher, os.X_OK):
        raise MachineError(f'there is no {launcher}; type: tools/get-qemu')
    return os.path.abspath(launcher)


def qemu_offers(qemu: str, device: str, option: str) -> bool:
    """Return true if this QEMU has a device with this option. (Its exit status is also 0 for unknown devices.)"""
    probe = subprocess.run([qemu, '-M', 'virt', '-device', f'{device},help'], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=60, check=False)
    return any(line.startswith(f'  {option}=') for line in probe.stdout.splitlines())


def memory_device_kind(qemu: str, transport: str) -> str:
    """Return 'qemu' if this QEMU has its own virtio-mem for the transport, 'vhost-user' if it can use ebb's; else an error."""
    if transport == 'pci' and qemu_offers(qemu, 'virtio-mem-pci', 'requested-size'):
        return 'qemu'
    generic = 'vhost-user-test-device' + ('-pci' if transport == 'pci' else '')
    if qemu_offers(qemu, generic, 'virtio-id'):
        return 'vhost-user'
    version = subprocess.run([qemu, '--version'], capture_output=True, text=True, timeout=60, check=False).stdout
    raise MachineError(f'{qemu} ({version.splitlines()[0] if version else "does not start"}) has neither virtio-mem-pci nor '
                       f'{generic}; QEMU 10.2 or later has the latter; type: make run QEMU=   (it fetches one)')


def comma(path: str) -> str:
    """Quote a path for a comma-separated QEMU option."""
    return path.replace(',', ',,')


class Machine:
    """The processes of one machine: any number of memory devices and QEMU."""

    def __init__(self, config: Config):
        self.config = config
        self.qemu_path = find_qemu(config)
        self.kind = memory_device_kind(self.qemu_path, config.transport) if config.devices else 'none'
        self.rundir = Path(config.rundir)
        # Socket paths must be short: relative to the current directory, or if that is still too long, to the run directory.
        long = len(str(self.rundir)) > SOCKET_PATH_MAX - len(f'/{INNER}/control.sock')
        self.cwd = self.rundir if long else Path('.')
        self.vmem_path = config.vmem or str(Path(config.kernel).parent / 'ebb-vmem')
        self.qemu: subprocess.Popen | None = None
        self.devices: dict[str, subprocess.Popen] = {}
        self._logs: list = []
        self.memory = None      # QEMU's memory file, for tools/coverage
        self._place_devices()
        self._check()

    # --- layout -------------------------------------------------------------------------------------------------

    def _place_devices(self) -> None:
        """Give an address to each device without one, and find the end of RAM. QEMU places its own devices:
        learn_regions()."""
        end = RAM_BASE + self.config.mem
        for device in self.config.devices:
            if self.kind == 'qemu':
                device.addr = None
                continue
            if device.addr is None:
                device.addr = align_up(end, max(MEMORY_BLOCK, device.block))
            end = max(end, device.addr + device.size)
        self.tail = align_up(end, TAIL)

    def _check(self) -> None:
        config = self.config
        if config.transport not in ('pci', 'mmio'):
            raise MachineError(f'TRANSPORT={config.transport}: expected pci or mmio')
        if not 1 <= config.smp <= 64:
            raise MachineError(f'SMP={config.smp}: expected 1 to 64; ebb starts up to 8 of them')
        if config.mem < 16 * MIB or config.mem % TAIL:
            raise MachineError(f'MEM={format_size(config.mem)}: expected a multiple of 2M, at least 16M')
        taken = [('boot memory', RAM_BASE, RAM_BASE + config.mem)]
        for device in config.devices:
            if device.block < MIB or device.block & (device.block - 1):
                raise MachineError(f'{device.name}: block size {format_size(device.block)} is not a power of two of 1M or more')
            addr = device.addr or 0            # 0: QEMU will choose
            if device.size <= 0 or device.size % device.block or addr % device.block:
                raise MachineError(f'{device.name}: address {addr:#x} and size {format_size(device.size)} must be '
                                   f'multiples of the block size {format_size(device.block)}, and the size not 0')
            for name, start, end in taken:
                if addr and addr < end and start < addr + device.size:
                    raise MachineError(f'{device.name}: its region at {addr:#x} overlaps {name}')
            taken += [(device.name, addr, addr + device.size)] if addr else []

    def learn_regions(self, qmp: Qmp) -> None:
        """Ask a running QEMU where it has put the regions of its own devices."""
        where = {entry['data'].get('id'): entry['data']['memaddr'] for entry in qmp.execute('query-memory-devices')
                 if entry['type'] == 'virtio-mem'}
        for device in self.config.devices if self.kind == 'qemu' else []:
            if device.name not in where:
                raise MachineError(f'QEMU has no memory device {device.name}; it has {", ".join(map(str, where)) or "none"}')
            device.addr = where[device.name]

    def boot_ranges(self) -> list[tuple[int, int]]:
        """Return (address, bytes) of the ranges in /memory: boot memory without its holes, then the tail."""
        ranges, start, end = [], RAM_BASE, RAM_BASE + self.config.mem
        for address, size in sorted(self.config.holes):
            if address > start:
                ranges.append((start, address - start))
            start = address + size
        if start < end:
            ranges.append((start, end - start))
        if self.config.devices and self.kind == 'vhost-user':
            ranges.append((self.tail, TAIL))
        return ranges

    # --- command lines ------------------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        """Return a file of the run directory, as the processes name it."""
        return self._relative(self.rundir / name)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.cwd)

    def inner(self, name: str) -> Path:
        """Return the name of QEMU's own socket for the socket that clients use."""
        return self.rundir / INNER / name if self.config.doors else self.rundir / name

    def _outside(self, name: str) -> str:
        return name if self.cwd == Path('.') else os.path.abspath(name)

    def _ram_options(self) -> list[str]:
        config = self.config
        size, room = config.mem, ''
        if self.kind == 'vhost-user':
            size = self.tail + TAIL - RAM_BASE
        elif self.kind == 'qemu':
            most = config.mem + sum(align_up(d.size, GIB) + GIB for d in config.devices)
            room = f',maxmem={format_size(align_up(most, GIB))}'
        # Not reserved: the guest never touches most of this memory.
        return ['-M', 'virt,memory-backend=ram', '-m', format_size(size) + room, '-object',
                f'memory-backend-memfd,id=ram,size={format_size(size)},share=on,reserve=off']

    def _machine_options(self) -> list[str]:
        """Return the options that the device tree depends on."""
        return [*self._ram_options(), '-smp', str(self.config.smp)]

    def needs_dtb(self) -> bool:
        """Return true if the guest gets an edited device tree and not QEMU's own."""
        return self.kind == 'vhost-user' or bool(self.config.holes) or bool(self.config.without)

    def dtb_commands(self) -> list[list[str]]:
        """Dump the machine's device tree, and reduce /memory to what the guest may know."""
        options = self._machine_options()
        dtb = self.path('machine.dtb')
        options[1] += f',dumpdtb={comma(dtb)}'
        cells = [f'{half:#x}' for pair in self.boot_ranges() for value in pair for half in (value >> 32, value & 0xffffffff)]
        return [[self._outside(self.qemu_path), *options, '-display', 'none', '-nodefaults'],
                ['fdtput', '-t', 'x', dtb, f'/memory@{RAM_BASE:x}', 'reg', *cells],
                *(['fdtput', '-r', dtb, node] for node in self.config.without)]

    def device_command(self, device: MemDevice) -> list[str]:
        """Return the command line of the memory device's process."""
        return [self._outside(self.vmem_path), '--socket', self.path(f'{device.name}.sock'),
                '--ctl', self.path(f'{device.name}.ctl'), '--addr', f'{device.addr:#x}', '--size', format_size(device.size),
                '--block', format_size(device.block), '--requested', format_size(device.requested),
                '--qmp', self.path(f'qmp-{device.name}.sock'),
                *([] if device.name == 'vm0' else ['--id', device.name]), *device.options]

    def _device_options(self, device: MemDevice) -> list[str]:
        name = device.name
        if self.kind == 'qemu':
            # The region is a file, so that its allocated bytes can be counted; not reserved, because most of it is unplugged.
            return ['-object', f'memory-backend-memfd,id=mem-{name},size={format_size(device.size)},share=on,reserve=off',
                    '-device', f'virtio-mem-pci,id={name},memdev=mem-{name},block-size={format_size(device.block)},'
                               f'requested-size={format_size(device.requested)}']
        suffix = '-pci' if self.config.transport == 'pci' else ''
        return ['-chardev', f'socket,id={name},path={comma(self.path(name + ".sock"))}',
                '-device', f'vhost-user-test-device{suffix},chardev={name},virtio-id={VIRTIO_ID_MEM},num_vqs=1,vq_size=128,'
                           f'config_size={CONFIG_SIZE}',
                *self._qmp_options(self.rundir / f'qmp-{name}.sock')]

    def _qmp_options(self, path: Path) -> list[str]:
        return ['-qmp', f'unix:{comma(self._relative(path))},server=on,wait=off']

    def _port_options(self) -> list[str]:
        bus = 'virtio-serial-pci' if self.config.transport == 'pci' else 'virtio-serial-device'
        options = ['-device', bus]
        for name, port in PORTS.items():
            where = comma(self._relative(self.inner(f'{name}.sock')))
            options += ['-chardev', f'socket,id={name},path={where},server=on,wait=off',
                        '-device', f'virtserialport,name={port},chardev={name}']
        return options

    def qemu_command(self) -> list[str]:
        """Return the command line of QEMU with the UART on its standard input and output."""
        config = self.config
        command = [self._outside(self.qemu_path), *self._machine_options(), '-display', 'none', '-nodefaults', '-no-user-config',
                   '-bios', 'default', '-kernel', self._outside(config.kernel)]
        if self.needs_dtb():
            command += ['-dtb', self.path('machine.dtb')]
        if config.append:
            command += ['-append', config.append]
        command += ['-chardev', 'stdio,id=uart,signal=off', '-serial', 'chardev:uart',
                    *self._qmp_options(self.inner('qmp.sock'))]
        if config.transport == 'mmio':
            command += ['-global', 'virtio-mmio.force-legacy=false']
        for device in config.devices:
            command += self._device_options(device)
        if config.port:
            command += self._port_options()
        if config.icount:
            command += ['-icount', 'shift=0']
        if config.gdb:
            command += ['-S', '-gdb', f'unix:{comma(self.path("gdb.sock"))},server=on,wait=off']
        if not config.reboot:
            command += ['-no-reboot']
        return command + config.extra

    def commands(self) -> list[str]:
        """Return all command lines in order, ready for a shell: for DRY=1 and the logs."""
        lines = [] if self.cwd == Path('.') else [['cd', str(self.cwd)]]
        if self.needs_dtb():
            lines += self.dtb_commands()
        if self.kind == 'vhost-user':
            lines += [self.device_command(device) for device in self.config.devices]
        background = [' &' if line[0] == self._outside(self.vmem_path) else '' for line in lines]
        return [shlex.join(line) + amp for line, amp in zip(lines, background)] + [shlex.join(self.qemu_command())]

    # --- processes ----------------------------------------------------------------------------------------------

    def _check_blocks(self) -> None:
        """Refuse a device with blocks larger than the kernel's driver accepts; the kernel's ELF file states that limit."""
        if all(device.block <= MemDevice.block for device in self.config.devices):
            return
        try:
            most = Elf(self.config.kernel).layout().get('VIRTIO_MEM_BLOCK_MAX', 0)
        except ElfError:
            return                               # not ebb: other kernels report such a device themselves
        for device in self.config.devices if most else []:
            if device.block > most:
                raise MachineError(f"{device.name}: ebb's driver takes device blocks up to {format_size(most)}, not "
                                   f'{format_size(device.block)}; type: make run BLOCK={format_size(most)}')

    def _remove_files(self, *suffixes: str) -> None:
        for stale in (*self.rundir.glob('*'), *self.rundir.glob(f'{INNER}/*')):
            if stale.suffix in suffixes:
                stale.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Clear the run directory, and write the device tree and the exact command lines into it."""
        self.rundir.mkdir(parents=True, exist_ok=True)
        self._remove_files('.sock', '.ctl', '.pid', '.dtb')
        self.inner('qmp.sock').parent.mkdir(exist_ok=True)
        (self.rundir / 'commands').write_text('\n'.join(self.commands()) + '\n')
        if not os.access(self.config.kernel, os.R_OK):
            raise MachineError(f'there is no kernel {self.config.kernel}; type: make all')
        try:
            check_bootable(self.config.kernel)
        except ElfError as error:
            raise MachineError(f'{error}; type: rm {shlex.quote(self.config.kernel)}; make all') from None
        self._check_blocks()
        fresh = self.rundir / 'kernel.new'      # for gdb: the running image
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.abspath(self.config.kernel))
        fresh.rename(self.rundir / 'kernel')
        if self.kind == 'vhost-user' and not os.access(self.vmem_path, os.X_OK):
            raise MachineError(f'there is no memory device {self.vmem_path}; type: make all')
        for command in self.dtb_commands() if self.needs_dtb() else []:
            try:
                done = subprocess.run(command, cwd=self.cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      timeout=60, check=False)
            except FileNotFoundError:
                raise MachineError(f'{command[0]} is not installed; type: make doctor') from None
            if done.returncode:
                raise MachineError(f'{shlex.join(command)}: {done.stderr.strip()}')

    def spawn(self, name: str, command: list[str], **streams) -> subprocess.Popen:
        """Start a process that ends with this one, in a process group of its own so that Ctrl-C does not reach it."""
        parent = os.getpid()
        process = subprocess.Popen(command, cwd=self.cwd, process_group=0, umask=PRIVATE,
                                   preexec_fn=lambda: die_with_parent(signal.SIGKILL, parent), **streams)
        fresh = self.rundir / f'{name}.pid.new'     # a reader that sees the file finds a number in it
        fresh.write_text(f'{process.pid}\n')
        fresh.rename(self.rundir / f'{name}.pid')
        return process

    def _log(self, name: str):
        log = open(self.rundir / f'{name}.log', 'wb')    # closed in stop()
        self._logs.append(log)
        return log

    def start_devices(self) -> None:
        """Start the memory devices and wait until each listens."""
        for device in self.config.devices if self.kind == 'vhost-user' else []:
            log = self._log(device.name)
            self.devices[device.name] = self.spawn(device.name, self.device_command(device), stdin=subprocess.DEVNULL,
                                                   stdout=log, stderr=log)
        deadline = Deadline(DEVICE_START)
        for name, process in self.devices.items():
            while not (self.rundir / f'{name}.sock').exists():
                if process.poll() is not None:
                    raise MachineError(self.obituary(name, process.returncode))
                if deadline.over():
                    raise MachineError(f'memory device {name} did not open its socket within {DEVICE_START:.0f} s')
                time.sleep(0.005)

    def start(self, **streams) -> subprocess.Popen:
        """Prepare, start the devices, then QEMU; streams are for Popen (stdin and stdout are the UART's)."""
        self.prepare()
        try:
            self.start_devices()
            streams.setdefault('stderr', self._log('qemu'))
            self.qemu = self.spawn('qemu', self.qemu_command(), **streams)
            if 'EBB_COVERAGE' in os.environ:
                self._hold_memory()
        except BaseException:
            self.stop()
            raise
        return self.qemu

    def qemu_pid(self) -> int:
        """Find the pid of QEMU, which may be another program's child."""
        return int((self.rundir / 'qemu.pid').read_text())

    def tail_of(self, name: str, lines: int = 5) -> str:
        """Read the last lines of a process's log, or of QEMU's."""
        log = self.rundir / f'{name}.log'
        text = log.read_text(errors='replace') if log.exists() else ''
        return '\n'.join(text.splitlines()[-lines:])

    def end_status(self, status: int) -> int:
        """Return QEMU's exit status, or 128 + n if signal n ended it: QEMU then exits with 0, as if the guest had ended it."""
        told = re.search(r': terminating on signal (\d+)', self.tail_of('qemu'))
        return 128 + int(told[1]) if status == 0 and told else status

    def obituary(self, name: str, status: int) -> str:
        """Describe the end of QEMU ('qemu') or of a memory device: the way it ended, its log, and the log's last lines."""
        subject = 'QEMU' if name == 'qemu' else f'memory device {name}'
        last = [line for line in self.tail_of(name).splitlines() if 'warning:' not in line]
        return '\n  '.join([f'{subject} {describe_end(status)} (log: {self.rundir / name}.log)', *last])

    def dead_device(self) -> str | None:
        """Find the name of a memory device that ended unexpectedly."""
        return next((name for name, process in self.devices.items() if process.poll() is not None), None)

    def _hold_memory(self) -> None:
        """Keep, for tools/coverage, QEMU's memory file, which disappears when QEMU ends by itself."""
        deadline = time.monotonic() + DEVICE_START
        while self.memory is None and self.qemu.poll() is None and time.monotonic() < deadline:
            for link in Path(f'/proc/{self.qemu.pid}/fd').iterdir():
                try:
                    if self.memory is None and os.readlink(link).startswith('/memfd:'):
                        self.memory = open(link, 'rb')  # closed in _keep_coverage()
                except OSError:
                    continue                            # QEMU has closed it meanwhile

    def _keep_coverage(self) -> None:
        """Add the functions that ran in this machine to the run directory's map of functions."""
        with self.memory as memory:
            keep_coverage(memory, self.config.kernel, self.rundir)
        self.memory = None

    def stop(self) -> None:
        """End the processes that still run, QEMU first, by SIGTERM and then SIGKILL; remove sockets and pid files."""
        processes = [p for p in (self.qemu, *self.devices.values()) if p is not None]
        for process in processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_GRACE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self.memory:
            self._keep_coverage()
        for log in self._logs:
            log.close()
        self._remove_files('.sock', '.ctl', '.pid')
