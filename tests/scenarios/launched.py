# SPDX-License-Identifier: BSD-2-Clause
"""A scenario's machine as `make run` starts it, through tools/run; and programs at terminals next to it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from machine import Machine, MachineError, die_with_parent
from patience import Deadline
from sizes import format_size

TOP = Path(__file__).resolve().parent.parent.parent
START_S = 20.0         # seconds until the launcher serves its sockets


class Launched(Machine):
    """A machine behind the launcher, which passes on QEMU's input, output and status."""

    def start(self, **streams) -> subprocess.Popen:
        config, parent = self.config, os.getpid()
        device = config.devices[0]
        self.rundir.mkdir(parents=True, exist_ok=True)
        for stale in self.rundir.glob('*.sock'):
            stale.unlink()
        log = open(self.rundir / 'launcher.log', 'wb')      # closed in stop()
        self._logs.append(log)
        self.qemu = subprocess.Popen(
            [sys.executable, str(TOP / 'tools' / 'run'), '--out', str(Path(config.kernel).parent), '--rundir', str(self.rundir),
             '--mem', format_size(config.mem), '--vmem', format_size(device.size), '--block', format_size(device.block),
             '--smp', str(config.smp), '--transport', config.transport, '--append', config.append],
            stderr=log, preexec_fn=lambda: die_with_parent(parent=parent), **streams)
        deadline = Deadline(START_S)
        while not (self.rundir / 'trace.sock').exists():
            if self.qemu.poll() is not None or deadline.over():
                raise MachineError((self.rundir / 'launcher.log').read_text().strip() or 'the launcher serves no socket')
            time.sleep(0.02)
        return self.qemu


class Terminal:
    """A program that a user starts at a terminal of this size; a Console can read its output."""

    def __init__(self, command: list[str], environment: dict[str, str], columns: int = 100, lines: int = 40):
        self._master, slave = pty.openpty()
        self.resize(columns, lines)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env=environment,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def fileno(self) -> int:
        """Return the file descriptor from which a Console reads."""
        return self._master

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal's window larger or smaller."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack('4H', lines, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type characters, like a user."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)
