# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios that end in a report: what it names, and that the machine leaves with status 2."""

from __future__ import annotations

from guest import Guest
from machine import MIB
from plan import scenario

REPORT_LIMIT = 20.0


def crash(guest: Guest, how: str, *said: str) -> None:
    """Crash in this way; all of these lines must be in the report, in this order, and the status must be 2."""
    start = len(guest.console.text)
    guest.type(f'crash {how}')
    for pattern in (*said, r'Kernel panic - not syncing: ', r'Call Trace:', r'end Kernel panic'):
        start = guest.console.wait_for(pattern, REPORT_LIMIT, start).end()
    guest.wait_exit(2)


@scenario()
def stray_access(guest: Guest) -> None:
    """A store to an unplugged granule of a plugged block traps; the report names frame, block, device and walk."""
    addr = guest.devices['vm0'].shape.addr + 100 * MIB + 0x5000
    guest.resize(64 * MIB)
    crash(guest, f'stray {addr:#x}', r'page fault: store$', f'physical address {addr:#x}, pfn {addr >> 12:#x}$',
          f'pfn {addr >> 12:#x}: memory{addr >> 27} .*unmapped', r'^\[.* page table walk', r'empty: not mapped')


@scenario(devices=())
def stack_overflow(guest: Guest) -> None:
    """The guard below a stack is hit; the report has a stack of its own."""
    crash(guest, 'stack', r'the stack overflowed', r'page table walk')


@scenario(devices=())
def write_to_text(guest: Guest) -> None:
    """The kernel's text cannot be written."""
    crash(guest, 'text', r'kernel text or read-only data', r'maps 0x[0-9a-f]+ r-x')


@scenario(devices=())
def spinlock_recursion(guest: Guest) -> None:
    """Taking a spinlock twice is reported, not waited for."""
    crash(guest, 'lock')
