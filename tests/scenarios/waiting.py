# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about several blocks that leave together, and about requests that wait while everything else continues."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from guest import Guest, expect
from hotplug import SYSFS, block_of
from interrupt import CTRL_C, wait_for
from machine import MIB
from plan import scenario

BLOCK = 128 * MIB
FRAMES = BLOCK // 4096      # frames of a block
MOVED = r'pgmigrate_success (\d+)'


def moved(guest: Guest) -> int:
    """Return the number of pages that were moved since boot."""
    return int(re.search(MOVED, guest.read('/proc/vmstat'))[1])


def state(guest: Guest, block: int) -> str:
    """Return a block's state."""
    return guest.read(f'{SYSFS}/memory{block}/state').strip()


def hold_page(guest: Guest, block: int, kind: str = 'unmovable') -> int:
    """Allocate a page in the block; return its frame."""
    pfn = block * FRAMES + 0x2345
    guest.run(f'alloc 0 {kind} at {pfn:#x}')
    return pfn


def wait_in_background(guest: Guest, block: int) -> int:
    """Make the terminal wait for a page that only its owner can free; return the offset at which the console's text began."""
    start = len(guest.console.text)
    guest.type(f'chmem -d -w 50 -b {block}; echo do"ne"')
    wait_for(lambda: state(guest, block) == 'going-offline', f'memory{block} does not go offline')
    return start


@scenario(limit=120)
def a_waiter_stops_nobody(guest: Guest) -> None:
    """While a block waits to go offline, memory comes and is used at once, leaves, and ranges are taken elsewhere."""
    guest.resize(256 * MIB)
    block = block_of(guest, BLOCK)
    pfn = hold_page(guest, block)
    start = wait_in_background(guest, block)
    total = guest.meminfo('MemTotal')
    guest.resize(512 * MIB)
    fresh = [block_of(guest, offset * BLOCK) for offset in (2, 3)]
    guest.wait_blocks(lambda found: all(found.get(b) == 'online' for b in fresh), 'the new blocks are not online')
    expect(guest.meminfo('MemTotal') > total + 250 * MIB, 'the new memory is not in use')
    guest.run(f'contig 1024 at {fresh[1] * FRAMES + 4096:#x}')
    guest.check()
    why = guest.refuse(f'contig 8 at {pfn + 16:#x}')
    named = re.search(r'pfn (0x[0-9a-f]+) is isolated by another request', why)
    expect(named is not None and int(named[1], 16) // FRAMES == block, f'refused otherwise: {why}')
    why = guest.refuse(f'chmem -d -b {fresh[0]}; echo online > {SYSFS}/memory{block}/state')
    expect('wrong state' in why, f'refused otherwise: {why}')
    guest.run(f'chmem -e -b {fresh[0]}')
    guest.resize(384 * MIB)
    guest.resize(512 * MIB)
    guest.resize(400 * MIB)
    guest.check()
    expect(state(guest, block) == 'going-offline', 'the waiter has given up')
    guest.run(f'free {pfn:#x}')
    guest.console.wait_for(r'^done$', 5, start)
    expect(state(guest, block) == 'offline', f'memory{block} is not offline')
    guest.check()
    guest.resize(0)
    guest.check()


@scenario(limit=120)
def waiters_while_the_device_works(guest: Guest) -> None:
    """Two requests wait, on the terminal and on the port, for blocks that lie side by side; the device plugs and unplugs."""
    guest.resize(384 * MIB)
    device = guest.devices['vm0']
    one, two = block_of(guest, BLOCK), block_of(guest, 2 * BLOCK)
    first, second = hold_page(guest, one), hold_page(guest, two, 'movable')
    guest.run(f'pin {second:#x}')
    start = wait_in_background(guest, one)
    guest.port.send(f'contig 2048 at {second - 1024:#x} wait 50\n'.encode())
    for size in (640, 400, 768, 512, 1024, 384, 896):
        device.request(size * MIB)
        guest.wait_size(size * MIB)
    guest.port.send(CTRL_C)
    status, text = guest.port.answer(5)
    expect(status == -4 and f'cancelled, pfn {second:#x} is pinned' in text, f'status {status}: {text}')
    guest.check()
    device.request(512 * MIB)
    guest.wait_size(512 * MIB)
    expect(state(guest, one) == 'going-offline', 'the other waiter has given up')
    guest.run(f'free {first:#x}')
    guest.console.wait_for(r'^done$', 5, start)
    guest.run(f'unpin {second:#x}; contig 2048 at {second - 1024:#x}')
    guest.check()


@scenario()
def nothing_moves_in_vain(guest: Guest) -> None:
    """`chmem SIZE` judges all blocks first and replaces a hopeless block; without enough blocks no page moves."""
    guest.resize(384 * MIB)
    blocks = [block_of(guest, offset * BLOCK) for offset in range(3)]
    for block in blocks:
        for offset in range(10):
            guest.run(f'alloc 0 movable at {block * FRAMES + 0x1000 + offset:#x}')
    pfn = hold_page(guest, blocks[1])
    before = moved(guest)
    status, text = guest.port.run('chmem -d 384M')
    expect(status == -16 and f'pfn {pfn:#x} is ' in text and '0 of 3 blocks changed' in text, f'status {status}: {text}')
    expect(moved(guest) == before, f'{moved(guest) - before} pages moved in vain')
    expect(all(state(guest, block) == 'online' for block in blocks), 'a block did not stay online')
    why = guest.refuse(f'chmem -d -w 1 -b {blocks[1]}')
    expect('deadline passed' in why and moved(guest) == before, f'pages moved before the wait: {why}')
    guest.refuse(f'contig 512 at {pfn - 100:#x} wait 1')
    expect(moved(guest) == before, 'pages moved before the wait')
    text = guest.run('chmem -d 256M')
    expect(f'memory{blocks[1]}: offline failed: pfn {pfn:#x}' in text, f'it does not say why another block left: {text}')
    expect([state(guest, block) for block in blocks] == ['offline', 'online', 'offline'], 'other blocks are offline')
    expect(moved(guest) == before + 20, f'{moved(guest) - before} pages moved')
    guest.run('mm check')
    guest.run('chmem -e 256M')
    guest.check()


def seconds_of(act: Callable[[], None]) -> float:
    """Return the seconds that act() takes."""
    start = time.monotonic()
    act()
    return time.monotonic() - start


@scenario(limit=120)
def unplug_goes_on(guest: Guest) -> None:
    """When the obstacle is freed, unpinned, or no longer refuses, the unplug continues at once, not at the end of a
    back-off."""
    device = guest.devices['vm0']

    def to_nothing(act: Callable[[], None]) -> float:
        def play() -> None:
            act()
            guest.wait_size(0)
        return seconds_of(play)

    def stuck(size: int) -> None:
        """Request size 0; return when the driver has failed a few times and pauses for a second or more."""
        device.request(0)
        guest.wait_size(size)
        time.sleep(2)

    plain = []
    for _ in range(3):
        guest.resize(256 * MIB)
        plain.append(to_nothing(lambda: device.request(0)))
    block = block_of(guest, BLOCK)
    freed, unpinned = [], []
    for _ in range(2):
        guest.resize(256 * MIB)
        pfn = hold_page(guest, block)
        stuck(4 * MIB)      # the page's granule, and the granule of the block's own metadata
        freed.append(to_nothing(lambda: guest.run(f'free {pfn:#x}')))    # pylint: disable=W0640
        guest.resize(256 * MIB)
        pfn = hold_page(guest, block, 'movable')
        guest.run(f'pin {pfn:#x}')
        stuck(4 * MIB)
        unpinned.append(to_nothing(lambda: guest.run(f'unpin {pfn:#x}')))   # pylint: disable=W0640
    guest.resize(256 * MIB)
    guest.run('veto offline 1000')
    device.request(0)
    guest.wait_size(4 * MIB)
    time.sleep(2)
    relented = to_nothing(lambda: guest.run('veto offline 0'))
    limit = 20 * min(plain)
    for what, took in (('a free', min(freed)), ('an unpin', min(unpinned)), ('a listener that relents', relented)):
        expect(took < limit, f'{took * 1000:.0f} ms from {what} to the end, an unplug by itself takes {min(plain) * 1000:.0f} ms')
    guest.check()
