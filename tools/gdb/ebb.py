# SPDX-License-Identifier: BSD-2-Clause
"""gdb commands for ebb's memory and threads; tools/gdb/attach loads them.

They read physical memory through QEMU, as the tools on the host do (tools/outside.py), so they work on any hart and also while
the stopped hart holds a lock. Linux's counterpart is scripts/gdb/.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator

import gdb  # type: ignore[import-not-found] # only gdb has it

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from elf import Elf, ElfError                                                         # noqa: E402
from outside import Memory, Outside, OutsideError                                     # noqa: E402
from replay import BUDDY, COUNTERS, ISOLATE, NO_ZONE, PAGEBLOCK, SECTION, TYPE, State    # noqa: E402

NR_ORDERS = 10       # a pageblock is a chunk of order 9
PER_SECTION = SECTION // PAGEBLOCK
FLAGS = {0x02: 'skippable', 0x04: 'claimed', 0x08: 'pinned', 0x20: 'hwpoison'}
MOST_CALLERS = 32


def read_physical(address: int, size: int) -> bytes:
    """Bytes of physical memory: QEMU's gdb stub takes addresses as physical in this mode."""
    gdb.execute('maintenance packet Qqemu.PhyMemMode:1', to_string=True)
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    finally:
        gdb.execute('maintenance packet Qqemu.PhyMemMode:0', to_string=True)


def read_word(address: int) -> int:
    """A word at a virtual address."""
    return int.from_bytes(bytes(gdb.selected_inferior().read_memory(address, 8)), 'little')


@functools.cache
def kernel() -> Elf:
    """The ELF file that gdb has loaded."""
    return Elf(gdb.current_progspace().filename)


def state() -> State:
    """The state of the machine's memory now."""
    outside = Outside(kernel(), Memory(read_physical))
    try:
        outside.header()
        return outside.state()
    except OutsideError as error:
        raise gdb.GdbError(f'{error}; if the machine has just started, type: tbreak idle_loop, then: continue') from None


def word(table: str, number: int) -> str:
    """The kernel's word for a number."""
    return kernel().words()[table].get(number, str(number))


def zone_name(zone: int) -> str:
    """Normal or Movable."""
    return str(gdb.parse_and_eval(f'(enum zone_type){zone}')).removeprefix('ZONE_').capitalize()


def place(address: int) -> str:
    """symbol+offset of a text address, as the console prints it."""
    said = gdb.execute(f'info symbol {address:#x}', to_string=True).split(' in section')[0]
    return '' if said.startswith('No symbol') else said.strip().replace(' + ', '+')


def owner_name(owner: int) -> str:
    """An owner word in words: text in its bytes, or the symbol that it points to."""
    name = owner.to_bytes(8, 'little').rstrip(b'\0')
    return name.decode() if name.isalnum() else place(owner)


COMMANDS: dict[str, Callable] = {}


def command(name: str) -> Callable:
    """Make a function a gdb command; it gets the words that the user typed, and its docstring is the help."""
    def register(run: Callable) -> Callable:
        class Command(gdb.Command):
            __doc__ = run.__doc__

            def invoke(self, line: str, _from_tty: bool) -> None:
                """Run it. Report every failure in one line."""
                try:
                    for text in run(*gdb.string_to_argv(line)):
                        print(text)
                except TypeError:
                    raise gdb.GdbError(f'{name}: wrong number of arguments; type: help {name}') from None
                except (ElfError, gdb.error) as error:
                    raise gdb.GdbError(f'{name}: {error}') from None
        Command(name, gdb.COMMAND_DATA)
        return run
    return register


@command('mm-zones')
def mm_zones() -> Iterator[str]:
    """mm-zones: the counters of each zone, in frames."""
    now = state()
    yield f'{"zone":8} ' + ' '.join(f'{name:>13}' for name in COUNTERS)
    for zone in sorted({zone for zone, _ in now.counters}):
        yield (f'{zone_name(zone):8} ' + ' '.join(f'{now.counters[zone, i]:>13}' for i in range(len(COUNTERS))))


@command('mm-blocks')
def mm_blocks() -> Iterator[str]:
    """mm-blocks: state, zone and content of each memory block, in frames of each type."""
    now = state()
    for number, (status, zone) in sorted(now.blocks.items()):
        count: dict[int, int] = {}
        isolated = 0
        for block in range(number * PER_SECTION, (number + 1) * PER_SECTION):
            isolated += now.words[ISOLATE].get(block, 0)
            for value in frames_of(now, block):
                count[value & 0xff] = count.get(value & 0xff, 0) + 1
        content = ', '.join(f'{word("page_type", kind)} {nr}' for kind, nr in sorted(count.items()) if kind)
        name = 'no zone' if zone == NO_ZONE else zone_name(zone)
        yield (f'memory{number:<5} {word("block_state", status):13} {name:8} {content}'
               + (f'; {isolated} pageblocks isolated' if isolated else ''))


def frames_of(now: State, block: int) -> Iterator[int]:
    """Type and flags of the 512 frames of a pageblock."""
    content = now.frames.get(block, 0)
    return iter([content] * PAGEBLOCK if isinstance(content, int) else content)


def free_orders(now: State, block: int) -> Iterator[int]:
    """Orders of the free chunks of a pageblock: free frames are always merged as far as alignment allows."""
    free = [value & 0xff == BUDDY for value in frames_of(now, block)]
    start = 0
    while start < PAGEBLOCK:
        order = 0
        while free[start] and start % (2 << order) == 0 and all(free[start:start + (2 << order)]) and order < NR_ORDERS - 1:
            order += 1
        if free[start]:
            yield order
        start += 1 << order


@command('mm-buddy')
def mm_buddy() -> Iterator[str]:
    """mm-buddy: free chunks by zone, migrate type and order. A chunk of order 10 counts as two of order 9."""
    now = state()
    yield f'{"zone":8} {"type":12} ' + ' '.join(f'{order:>6}' for order in range(NR_ORDERS))
    rows: dict[tuple[int, int], list[int]] = {}
    for number, (_, zone) in sorted(now.blocks.items()):
        for block in range(number * PER_SECTION, (number + 1) * PER_SECTION):
            if zone != NO_ZONE and not now.words[ISOLATE].get(block, 0):
                row = rows.setdefault((zone, now.words[TYPE].get(block, 0)), [0] * NR_ORDERS)
                for order in free_orders(now, block):
                    row[order] += 1
    for (zone, kind), row in sorted(rows.items()):
        yield f'{zone_name(zone):8} {word("migratetype", kind):12} ' + ' '.join(f'{nr:>6}' for nr in row)


@command('mm-page')
def mm_page(pfn: str) -> Iterator[str]:
    """mm-page PFN: what the kernel knows of a frame, whether its pageblock is uniform or not."""
    now, number = state(), int(gdb.parse_and_eval(pfn))
    block, offset = divmod(number, PAGEBLOCK)
    if number // SECTION not in now.blocks:
        raise gdb.GdbError(f'frame {number:#x} is in no memory block; mm-blocks lists those that exist')
    status, _ = now.blocks[number // SECTION]
    value = list(frames_of(now, block))[offset]
    flags = ''.join(f' {name}' for bit, name in FLAGS.items() if value >> 8 & bit)
    where = f'memory{number // SECTION} ({word("block_state", status)}), pageblock {block % PER_SECTION}'
    kind = word('migratetype', now.words[TYPE].get(block, 0)) + (', isolated' if now.words[ISOLATE].get(block, 0) else '')
    yield f'frame {number:#x}: {word("page_type", value & 0xff)}{flags}; {where}, {kind}'
    if isinstance(now.frames.get(block, 0), int):
        yield 'its pageblock is uniform: the pageblock\'s word says it all, and its descriptor is not used'
        return
    page = gdb.parse_and_eval(f'vmemmap[{number}]')
    owner = int(page['owner'])
    yield f'descriptor: word {int(page["word"]):#x}, count {int(page["count"])}, owner {owner:#x} {owner_name(owner)}'.rstrip()


def callers(sp: int) -> Iterator[int]:
    """Return addresses of a thread that runs on no hart: arch_switch_to() has saved ra and s0 on its stack."""
    address, frame = read_word(sp + 104), read_word(sp + 96)
    for _ in range(MOST_CALLERS):
        yield address
        if frame < sp or frame % 8:
            return
        address, frame = read_word(frame - 8), read_word(frame - 16)


@command('threads')
def threads(index: str = '') -> Iterator[str]:
    """threads [NUMBER]: all threads; with a number, where that thread waits. Those that run on a hart: info threads."""
    table = gdb.parse_and_eval("'thread.c'::threads")
    first, last = table.type.range()
    if index and not (index.isdecimal() and first <= int(index) <= last):
        raise gdb.GdbError(f'threads: {index} is not a number from {first} to {last}')
    for number in [int(index)] if index else range(first, last + 1):
        thread = table[number]
        status = str(thread['state'].cast(gdb.lookup_type('enum thread_state'))).removeprefix('THREAD_').lower()
        if status == 'free' and not index:
            continue
        yield f'{number:3} {thread["name"].string():16} {status:8} {place(int(thread["fn"]))}()'
        if index and status in ('ready', 'blocked'):
            yield from (f'    {place(address)}' for address in callers(int(thread['context']['sp'])))
