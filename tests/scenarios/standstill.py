# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about a machine that stands still while its clock runs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from guest import COMMAND_LIMIT, EXIT_LIMIT, Guest, wait_for
from plan import scenario

STOPPED = 12.0              # seconds; longer than any limit of a spinlock
BUSY = 0.5                  # seconds of processor time during which all harts want the lock
DEADLOCK_LIMIT = 60.0       # seconds of running time, on harts that outnumber the cores


def work(guest: Guest, seconds: float) -> None:
    """Wait until the machine has used this much processor time."""
    def used() -> float:
        fields = Path(f'/proc/{guest.machine.qemu.pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    end = used() + seconds
    wait_for(lambda: used() >= end, f'the machine does not work for {seconds} s')


@scenario(limit=120.0, devices=(), tests=True, harts=2)
def stopped_under_contention(guest: Guest) -> None:
    """QEMU is stopped for 12 s while harts want the same spinlock: ebb continues. A real deadlock still panics."""
    guest.console.wait_for(r'^ebb> ', COMMAND_LIMIT)
    for seconds in (STOPPED, 0.5):
        start = len(guest.console.text)
        guest.type('contend')
        work(guest, BUSY)
        guest.machine.qemu.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        guest.machine.qemu.send_signal(signal.SIGCONT)
        work(guest, BUSY)
        guest.type('\x03')
        guest.console.wait_for(r'^contend: [1-9]\d+ rounds on \d harts$', COMMAND_LIMIT, start)
    guest.run('mm check')

    guest.recorder.provable = False     # no hart answers any more
    start = len(guest.console.text)
    guest.type('contend keep')
    line = guest.console.wait_for(r'Kernel panic - .*spinlock contend_lock: held for 10 s by hart \d, thread contender$',
                                  DEADLOCK_LIMIT, start)
    guest.console.wait_for(r'end Kernel panic', COMMAND_LIMIT, line.end())
    guest.wait_exit(2, EXIT_LIMIT)
