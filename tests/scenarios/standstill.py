# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about a machine that stands still while its clock goes on."""

from __future__ import annotations

import signal
import time

from guest import Guest
from plan import scenario

STOPPED = 12.0              # seconds; longer than any limit of a spinlock
BUSY = 0.3                  # seconds until all harts are at it
DEADLOCK_LIMIT = 60.0       # seconds of running time, on harts that outnumber the cores


@scenario(limit=120.0, devices=(), tests=True, harts=2)
def stopped_under_contention(guest: Guest) -> None:
    """QEMU is stopped for 12 s while harts want one spinlock: ebb goes on. A real deadlock is a panic all the same."""
    guest.console.wait_for(r'^ebb> ', 5)
    for seconds in (STOPPED, 0.5):
        start = len(guest.console.text)
        guest.type('contend')
        time.sleep(BUSY)
        guest.machine.qemu.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        guest.machine.qemu.send_signal(signal.SIGCONT)
        time.sleep(BUSY)
        guest.type('\x03')
        guest.console.wait_for(r'^contend: [1-9]\d+ rounds on \d harts$', 20, start)
    guest.run('mm check')

    guest.recorder.provable = False     # no hart answers any more
    start = len(guest.console.text)
    guest.type('contend keep')
    line = guest.console.wait_for(r'Kernel panic - .*spinlock contend_lock: held for 10 s by hart \d, thread contender$',
                                  DEADLOCK_LIMIT, start)
    guest.console.wait_for(r'end Kernel panic', 20, line.end())
    guest.wait_exit(2, 20)
