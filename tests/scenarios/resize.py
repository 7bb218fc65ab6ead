# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios that change a device's size."""

from __future__ import annotations

import os
import random
from dataclasses import replace

from elf import Elf
from guest import Failure, Guest, expect
from machine import GIB, KIB, MIB, RAM_BASE, Machine, MachineError, MemDevice
from plan import scenario

SEED = int(os.environ.get('SEED') or 1)


@scenario()
def grow_to_full(guest: Guest) -> None:
    """The whole region arrives: eight memory blocks, all online."""
    before = guest.meminfo('MemTotal')
    blocks = guest.blocks()
    guest.resize(1 * GIB)
    guest.check()
    guest.wait_blocks(lambda more: len(more) - len(blocks) == 8 and set(more.values()) == {'online'},
                      'eight more blocks, all online, were expected')
    gained = guest.meminfo('MemTotal') - before
    expect(gained > 0.98 * GIB, f'MemTotal grew by {gained / MIB:.1f} MiB only')


@scenario()
def shrink_to_zero(guest: Guest) -> None:
    """The whole region leaves again, with its page tables, and the host gets every byte back."""
    blocks, total, tables = guest.blocks(), guest.meminfo('MemTotal'), guest.meminfo('PageTables')
    for _ in range(3):
        guest.resize(1 * GIB)
        guest.resize(0)
        guest.check()
        guest.wait_blocks(lambda left: left == blocks, 'the memory blocks are not those from before')
        expect(guest.meminfo('MemTotal') == total, 'MemTotal is not that from before')
        expect(guest.meminfo('PageTables') == tables, 'there are more page tables than before')


@scenario()
def readme_session(guest: Guest) -> None:
    """The README's example: 1 GiB arrives, 300 MiB stay."""
    guest.resize(1 * GIB)
    guest.check()
    guest.resize(300 * MIB)
    guest.check()


@scenario(limit=120)
def random_resizes(guest: Guest) -> None:
    """The guest reaches fifty random sizes in units of a device block; the figures agree after every fifth."""
    dice = random.Random(SEED)
    for step in range(50):
        size = dice.randrange(0, GIB // (2 * MIB) + 1) * 2 * MIB
        guest.resize(size)
        if step % 5 == 4:
            guest.check()
    guest.resize(0)
    guest.check()


@scenario(devices=(MemDevice('vm0', 512 * MIB), MemDevice('vm1', 768 * MIB, block=4 * MIB)))
def two_devices(guest: Guest) -> None:
    """Of two devices, one grows while the other shrinks."""
    guest.resize(512 * MIB, 'vm0')
    guest.resize(256 * MIB, 'vm1')
    guest.check()
    guest.resize(64 * MIB, 'vm0')
    guest.resize(768 * MIB, 'vm1')
    guest.check()
    guest.resize(0, 'vm0')
    guest.check()
    guest.resize(0, 'vm1')
    guest.check()


@scenario(mem=100 * MIB, devices=(MemDevice('vm0', 300 * MIB, addr=RAM_BASE + 106 * MIB, block=2 * MIB),))
def region_not_at_a_block(guest: Guest) -> None:
    """The region starts in boot memory's block and ends in the middle of another: all of it is usable."""
    guest.resize(300 * MIB)
    guest.check()
    guest.resize(0)
    guest.check()
    guest.resize(50 * MIB)
    guest.check()


@scenario(limit=120, mem=64 * MIB, devices=(MemDevice('vm0', 16 * GIB),))
def region_beyond_its_memmap(guest: Guest) -> None:
    """16 GiB come into a guest of 64 MiB, which could not hold their page descriptors."""
    guest.resize(16 * GIB, limit=60)
    guest.check()
    guest.resize(0, limit=60)
    guest.check()


@scenario(devices=(MemDevice('vm0', 512 * MIB, block=1 * MIB),))
def blocks_below_a_pageblock(guest: Guest) -> None:
    """Device blocks of 1 MiB: ebb plugs whole pageblocks, and rounds other sizes down."""
    for size in (3 * MIB, 301 * MIB, 512 * MIB, 1 * MIB, 0):
        guest.resize(size)
        guest.check()


@scenario(devices=(MemDevice('vm0', 1 * GIB, block=64 * MIB), MemDevice('vm1', 512 * MIB, block=128 * MIB)))
def large_blocks(guest: Guest) -> None:
    """Device blocks of 64 MiB, and of 128 MiB, the largest in ebb's ELF file; the launcher refuses larger ones."""
    for size in (64 * MIB, 1 * GIB, 192 * MIB, 0):
        guest.resize(size)
        guest.check()
    for size in (128 * MIB, 512 * MIB, 256 * MIB, 0):
        guest.resize(size, 'vm1')
        guest.check()
    most = Elf(guest.machine.config.kernel).layout()['VIRTIO_MEM_BLOCK_MAX']
    expect(most == 128 * MIB, f'ebb accepts blocks of {most >> 20} MiB now: add them to this scenario')
    try:
        Machine(replace(guest.machine.config, devices=[MemDevice(block=2 * most)], rundir=f'{guest.machine.rundir}/x')).prepare()
    except MachineError as why:
        expect('up to 128M' in str(why) and 'make run BLOCK=128M' in str(why), f'another refusal: {why}')
        return
    raise Failure('the launcher would start a device that the guest refuses')


@scenario(devices=(MemDevice('vm0', 512 * MIB, requested=200 * MIB),))
def requested_at_boot(guest: Guest) -> None:
    """The guest reaches a size that was requested before it started, without another change."""
    guest.wait_size(200 * MIB)
    guest.check()


@scenario()
def memory_in_use_stays(guest: Guest) -> None:
    """Shrinking takes free memory, leaves pages that cannot move, and says so; when they are freed, the rest leaves."""
    guest.resize(512 * MIB)
    region = guest.devices['vm0'].shape.addr
    pfn = (region + 256 * MIB) // (4 * KIB) + 0x123
    guest.run(f'alloc 0 unmovable at {pfn:#x}')
    guest.devices['vm0'].request(0)
    guest.wait_size(2 * MIB)
    guest.run('mm check')
    guest.run(f'free {pfn:#x}')
    guest.wait_size(0)
    guest.check()
