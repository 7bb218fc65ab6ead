# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about memory blocks: online and offline by hand, policies, refusals, resets."""

from __future__ import annotations

import re

from guest import READY, BOOT_LIMIT, Guest, expect
from machine import MIB, MemDevice
from plan import scenario

SYSFS = '/sys/devices/system/memory'


def block_of(guest: Guest, offset: int) -> int:
    """Return the memory block at an offset of the first device's region."""
    return (guest.devices['vm0'].shape.addr + offset) // (128 * MIB)


@scenario(append='memhp_default_state=offline')
def online_by_hand(guest: Guest) -> None:
    """With memhp_default_state=offline blocks arrive offline, and go online and offline on a user's command."""
    total = guest.meminfo('MemTotal')
    guest.resize(256 * MIB)
    first = block_of(guest, 0)
    guest.wait_blocks(lambda blocks: blocks.get(first) == 'offline', f'memory{first} did not arrive offline')
    expect(guest.meminfo('MemTotal') == total, 'offline memory was counted in MemTotal')
    guest.run(f'echo online_movable > {SYSFS}/memory{first}/state')
    expect(guest.read(f'{SYSFS}/memory{first}/state') == 'online\n', 'state does not say online')
    guest.run('chmem -e 128M')
    expect(guest.meminfo('MemTotal') > total + 250 * MIB, 'MemTotal did not grow')
    guest.run('mm check')
    guest.run(f'echo offline > {SYSFS}/memory{first}/state')
    guest.run('mm check')
    guest.resize(0)
    guest.check()


@scenario(append='memhp_default_state=online_movable')
def movable_by_default(guest: Guest) -> None:
    """online_movable puts arriving blocks into ZONE_MOVABLE."""
    guest.resize(256 * MIB)
    guest.check()
    zones = guest.read(f'{SYSFS}/memory{block_of(guest, 0)}/valid_zones')
    expect(zones.startswith('Movable'), f'valid_zones says {zones!r}')
    expect(re.search(r'zone +Movable', guest.read('/proc/zoneinfo')) is not None, 'no zone Movable in zoneinfo')


@scenario()
def reboot_with_memory_plugged(guest: Guest) -> None:
    """A reset unplugs everything; the guest comes back and grows to the size that is still requested."""
    guest.resize(512 * MIB)
    start = len(guest.console.text)
    guest.type('reboot')
    guest.console.wait_for(re.escape(READY), BOOT_LIMIT, start)
    guest.wait_size(512 * MIB)
    guest.check()
    guest.resize(0)
    guest.check()


@scenario()
def offline_refused_with_a_reason(guest: Guest) -> None:
    """A block with a page that cannot move stays online; the answer names the frame and its type."""
    guest.resize(256 * MIB)
    block = block_of(guest, 128 * MIB)
    pfn = block * (128 * MIB // 4096) + 0x2345
    guest.run(f'alloc 0 unmovable at {pfn:#x}')
    why = guest.refuse(f'echo offline > {SYSFS}/memory{block}/state')
    expect(f'{pfn:x}' in why, f'the reason does not name pfn {pfn:#x}: {why}')
    expect(guest.blocks()[block] == 'online', 'the block did not stay online')
    guest.run('mm check')
    guest.run(f'free {pfn:#x}')
    guest.resize(0)
    guest.check()


def symmetric(guest: Guest) -> None:
    """Check that listeners that saw a start have seen exactly one end."""
    match = re.match(r'before (\d+) (\d+), refused (\d+), after (\d+) (\d+)', guest.run('veto'))
    expect(match is not None, 'the veto command says something else')
    starts, ends, refused, late_starts, late_ends = map(int, match.groups())
    expect(starts == ends and late_starts == late_ends, f'starts without an end: {match[0]}')
    expect(starts - refused == late_starts, f'a listener after the veto saw a refused start: {match[0]}')


@scenario(append='memhp_default_state=offline')
def notifier_veto(guest: Guest) -> None:
    """A listener refuses: the block does not change, nothing leaks, and every listener that saw the start sees its end."""
    guest.run('veto')
    guest.resize(256 * MIB)
    block = block_of(guest, 0)
    guest.wait_blocks(lambda blocks: blocks.get(block) == 'offline', f'memory{block} did not arrive offline')
    state = f'{SYSFS}/memory{block}/state'
    guest.run('veto online 1')
    why = guest.refuse(f'echo online > {state}')
    expect('veto' in why, f'the reason does not name the listener: {why}')
    expect(guest.read(state) == 'offline\n', 'the block did not stay offline')
    guest.run('mm check')
    symmetric(guest)
    guest.run(f'echo online > {state}')
    guest.run('veto offline 1')
    why = guest.refuse(f'echo offline > {state}')
    expect('veto' in why, f'the reason does not name the listener: {why}')
    expect(guest.read(state) == 'online\n', 'the block did not stay online')
    guest.run('mm check')
    guest.run(f'echo offline > {state}')
    symmetric(guest)
    guest.resize(0)
    guest.check()


@scenario(append='memhp_default_state=offline')
def mem_on_off_test(guest: Guest) -> None:
    """The steps of Linux's selftests/memory-hotplug/mem-on-off-test.sh: on, off, on again, errors injected at both."""
    guest.resize(512 * MIB)
    blocks = [block_of(guest, offset * 128 * MIB) for offset in range(4)]
    guest.wait_blocks(lambda found: all(found.get(block) == 'offline' for block in blocks), 'four blocks did not arrive offline')

    def write(word: str, chosen: list[int], error: str = '') -> None:
        """Write a state to blocks; with an error given, each write must fail with it and change nothing."""
        for block in chosen:
            state = f'{SYSFS}/memory{block}/state'
            before = guest.read(state)
            if error:
                why = guest.refuse(f'echo {word} > {state}')
                expect(error in why, f'the reason does not name {error}: {why}')
                expect(guest.read(state) == before, f'memory{block} is {guest.read(state)}, was {before}')
            else:
                guest.run(f'echo {word} > {state}')
                expect(guest.read(state) == f'{word}\n', f'memory{block} did not go {word}')
        guest.run('mm check')

    write('online', blocks)                           # 1: online all blocks that can go
    some = blocks[::2]
    write('offline', some)                            # 2: offline some of them
    write('online', some)                             # 3: and online again
    write('offline', some)
    for priority in (0, 1, 7, -3):
        guest.run(f'veto online 2 12 {priority}')     # 4: -ENOMEM from going-online, any priority: stays offline
        write('online', some, 'veto')
    write('online', some)                             # 5: cleared: all online
    for priority in (0, 1, 7, -3):
        guest.run(f'veto offline 4 12 {priority}')    # 6: -ENOMEM from going-offline: stays online
        write('offline', blocks, 'veto')
    write('offline', blocks)                          # 7: nothing injected, as at the start
    guest.run('veto went-offline 1 5')                # no listener can refuse what has happened
    write('online', blocks)
    write('offline', blocks)
    guest.resize(0)
    guest.check()


@scenario()
def vetoes_against_the_driver(guest: Guest) -> None:
    """Listeners refuse while the driver grows and shrinks; the driver reaches the size when the refusals end."""
    guest.run('veto online 2')
    guest.resize(512 * MIB)
    guest.check()
    guest.run('veto offline 2')
    guest.resize(0)
    guest.check()
    symmetric(guest)


@scenario(append='page_poison=1')
def memory_in_use_comes_and_goes(guest: Guest) -> None:
    """Written memory also returns to the host: its file has allocated bytes while the memory is plugged, and none
    afterwards."""
    guest.resize(256 * MIB)
    first = guest.devices['vm0'].shape.addr // 4096
    for offset in range(4 << 10, 32 << 10, 4 << 10):     # not the block's first frames: its own descriptors lie there
        guest.run(f'alloc 10 unmovable at {first + offset:#x}')
    for offset in range(4 << 10, 32 << 10, 4 << 10):
        guest.run(f'free {first + offset:#x}')
    guest.check()
    expect(guest.devices['vm0'].own is False or guest.devices['vm0'].get('x-host-bytes') > 16 * MIB,
           'the host holds nothing although the pages were filled')
    guest.resize(0)
    guest.check()


@scenario(mem=100 * MIB, devices=(MemDevice(size=300 * MIB),), tests=True)
def driver_comes_back(guest: Guest) -> None:
    """A driver that leaves its device and comes back finds all memory in use, also in a block that boot memory shares."""
    for size in (20 * MIB, 200 * MIB, 20 * MIB):
        guest.resize(size)
        answer = guest.run('ut vmem_machine.*', limit=30)
        expect('ok 1 driver_comes_back' in answer and 'SKIP' not in answer, f'with {size >> 20}M plugged: {answer}')
        guest.check()
    guest.resize(0)
    guest.check()
