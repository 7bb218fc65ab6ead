# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios that end in a report: its contents, and that the machine ends with status 2."""

from __future__ import annotations

import re

from boot import boot_alone
from guest import Guest, expect
from machine import MIB
from plan import scenario

REPORT_LIMIT = 20.0
DESCRIPTOR = 16       # bytes of struct page


def crash(guest: Guest, how: str, *said: str) -> None:
    """Crash in this way; the report must have all of these lines, in this order, and the status must be 2."""
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
    """A stack overflows into its guard; the report runs on its own stack."""
    crash(guest, 'stack', r'the stack overflowed', r'page table walk')


@scenario(devices=())
def write_to_text(guest: Guest) -> None:
    """The kernel's text cannot be written."""
    crash(guest, 'text', r'kernel text or read-only data', r'maps 0x[0-9a-f]+ r-x')


@scenario(devices=())
def spinlock_recursion(guest: Guest) -> None:
    """Taking a spinlock twice is reported at once, without a wait."""
    crash(guest, 'lock')


def crash_alone(guest: Guest, commands: str, *said: str) -> str:
    """Run these commands, the last a crash, on a separate machine; return its output, which must have these texts in
    order."""
    status, text = boot_alone(guest, f'autorun="{commands}"')
    expect(status == 2, f'{commands}: status {status}, not 2')
    start = 0
    for pattern in said:
        match = re.compile(pattern, re.M).search(text, start)
        expect(match is not None, f'{commands}: no {pattern!r} where it should be in {text[-2000:]}')
        start = match.end()
    return text


@scenario(limit=120.0, devices=())
def ways_to_crash(guest: Guest) -> None:
    """Each kind of crash has its own words in the report, and status 2."""
    ended = (r'Kernel panic - not syncing: ', r'Call Trace:', r'end Kernel panic')
    crash_alone(guest, 'crash null', r'page fault: store$', r'address 0{16}: null pointer$', r'at crash_null\+0x', *ended)
    crash_alone(guest, 'crash insn', r'illegal instruction$', r'at crash_insn\+0x', *ended)
    crash_alone(guest, 'crash panic', r'not syncing: crash: by request$', *ended[1:])
    crash_alone(guest, 'crash bug', r'not syncing: .*kernel/console/cmd_crash\.c:\d+.*addr == 0', *ended[1:])
    crash_alone(guest, 'crash bus 0x18000000', r'load access fault: no memory or device answers there$',
                r'address [0-9a-f]{16}: window of device registers$', *ended)
    crash_alone(guest, 'crash report', r'^ebb: a fault while reporting a fault$')


@scenario(devices=())
def addresses_without_memory(guest: Guest) -> None:
    """For addresses after the end of memory, in the direct map or among the descriptors, the report names the frame."""
    known, pfn = 0x80200, 0x900000
    text = crash_alone(guest, f'dump_page {known:#x}; crash stray {pfn << 12:#x}',
                       rf': direct map of physical address {pfn << 12:#x}, pfn {pfn:#x}$',
                       rf'pfn {pfn:#x}: memory{pfn >> 15}, no such block$')
    fault = re.search(r'address ([0-9a-f]{16}): direct map', text)
    page = re.search(r'descriptor at 0x([0-9a-f]+)$', text, re.M)
    expect(fault is not None and page is not None, 'no addresses')
    offset, descriptor = int(fault[1], 16) - (pfn << 12), int(page[1], 16) + (pfn - known) * DESCRIPTOR
    crash_alone(guest, f'crash stray {descriptor - offset & (1 << 64) - 1:#x}', r'page fault: store$',
                rf'address {descriptor:016x}: page descriptor of pfn {pfn:#x}$',
                rf'pfn {pfn:#x}: memory{pfn >> 15}, no such block$', r'Kernel panic')
