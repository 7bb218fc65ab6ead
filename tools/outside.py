# SPDX-License-Identifier: BSD-2-Clause
"""Reads ebb's memory from outside: the trace rings, and the state in the descriptors' bytes.

It reads physical memory through QMP's pmemsave or the machine's memory file. Symbols and the table ebb_layout of the
ELF file give the addresses (docs/reference/trace.md).
"""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path
from typing import Callable, Iterator

from elf import Elf
from replay import (COUNTERS, FLAGS_TOLD, ISOLATE, NO_ZONE, PAGEBLOCK, SECTION, TYPE, VALID, Record, State, unpack)

PIECE = 1 << 16
TRACE_MAGIC = 0x65636172746262
HEADER = struct.Struct('<QIIIIQQQII32s')
RING = struct.Struct('<QQQQ')
PAGE_SHIFT = 12


class OutsideError(Exception):
    """The memory does not belong to a valid ebb."""


class Memory:
    """Physical memory; each piece is read once."""

    def __init__(self, read: Callable[[int, int], bytes]):
        self._read = read
        self._pieces: dict[int, bytes] = {}

    def bytes(self, address: int, size: int) -> bytes:
        """Read bytes of physical memory."""
        out = []
        for piece in range(address // PIECE, (address + size - 1) // PIECE + 1):
            if piece not in self._pieces:
                self._pieces[piece] = self._read(piece * PIECE, PIECE)
            out.append(self._pieces[piece])
        start = address % PIECE
        return b''.join(out)[start:start + size]

    def u64(self, address: int) -> int:
        """Read a word."""
        return int.from_bytes(self.bytes(address, 8), 'little')


def qmp_memory(qmp, scratch: Path, name: str) -> Memory:
    """Read through pmemsave; scratch is a file's path for this program, name is the same file's path for QEMU."""
    def read(address: int, size: int) -> bytes:
        qmp.execute('pmemsave', val=address, size=size, filename=name)
        try:
            return scratch.read_bytes()
        finally:
            scratch.unlink(missing_ok=True)
    return Memory(read)


def file_memory(fd: int, base: int) -> Memory:
    """Read the machine's memory file; base is the address of its first byte."""
    return Memory(lambda address, size: os.pread(fd, size, address - base))


class Outside:
    """The parsed memory of a machine."""

    def __init__(self, elf: Elf, memory: Memory):
        self.elf, self.memory, self.at = elf, memory, elf.layout()
        self.direct_map_offset = memory.u64(self._image('direct_map_offset'))

    def _image(self, symbol: str) -> int:
        address = self.elf.physical(self.elf.symbol(symbol))
        assert address is not None
        return address

    def physical(self, pointer: int) -> int:
        """Return the physical address of a pointer of the kernel: into the image or the direct map."""
        inside = self.elf.physical(pointer)
        return inside if inside is not None else (pointer - self.direct_map_offset) & (1 << 64) - 1

    # --- rings --------------------------------------------------------------------------------------------------

    def header(self) -> dict:
        """Read struct trace_header, as the header line of a session."""
        raw = self.memory.bytes(self._image('ebb_trace'), HEADER.size)
        magic, version, _, record, _, _, hertz, enabled, _, _, build = HEADER.unpack(raw)
        if magic != TRACE_MAGIC:
            raise OutsideError(f'no trace header at the address in {self.elf.path}')
        if build.hex() != self.elf.build_id():
            raise OutsideError(f'{self.elf.path} is not the running image: the build ids differ')
        return {'format': 'ebbt', 'version': version, 'record_bytes': record, 'page_shift': PAGE_SHIFT, 'pageblock_order': 9,
                'section_shift': 27, 'timebase_hz': hertz, 'enabled': enabled, 'lost': sum(r[3] for r in self._rings()),
                'build_id': build.hex()}

    def _rings(self) -> list[tuple[int, ...]]:
        base = self._image('ebb_trace')
        _, _, header_bytes, _, nr_rings, *_ = HEADER.unpack(self.memory.bytes(base, HEADER.size))
        raw = self.memory.bytes(base, header_bytes)
        return [RING.unpack_from(raw, HEADER.size + i * RING.size) for i in range(nr_rings)]

    def seq(self) -> int:
        """Return the number of the next record."""
        return HEADER.unpack(self.memory.bytes(self._image('ebb_trace'), HEADER.size))[8]

    def records(self) -> list[Record]:
        """Read all records in the rings that no reader has taken, in the machine's order."""
        size = HEADER.unpack(self.memory.bytes(self._image('ebb_trace'), HEADER.size))[5]
        found: list[Record] = []
        for address, head, tail, _ in self._rings():
            if not address:
                continue
            # One slot is always reserved for the next write.
            for number in range(max(tail, head - size + 1, 0), head):
                found += unpack(self.memory.bytes(address + number % size * 32, 32))
        return sorted(found, key=lambda record: record.seq)

    # --- descriptors --------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Read the state of every frame, pageblock, block and zone, from the bytes."""
        state, mm = State(), self._image('kernel_mm')
        zones = self.elf.symbol('kernel_mm') + self.at['mm.zone']
        for section in self._sections(mm):
            raw = self.memory.bytes(section, self.at['sizeof.mem_section'])
            number = self._field(raw, 'mem_section.start_pfn', 8) // SECTION
            pointer = self._field(raw, 'mem_section.zone', 8)
            zone = (pointer - zones) // self.at['sizeof.zone'] if pointer else NO_ZONE
            state.blocks[number] = (self._field(raw, 'mem_section.state', 1), zone)
            if self._field(raw, 'mem_section.flags', 4) & self.at['SECTION_ONLINE']:
                self._read_section(state, number, raw)
        for zone in range(self.at['NR_ZONES']):
            base = mm + self.at['mm.zone'] + zone * self.at['sizeof.zone']
            for counter, name in enumerate(COUNTERS):
                state.counters[zone, counter] = self.memory.u64(base + self.at[f'zone.{name}'])
        return state

    def _field(self, raw: bytes, name: str, size: int) -> int:
        return int.from_bytes(raw[self.at[name]:self.at[name] + size], 'little')

    def _sections(self, mm: int) -> Iterator[int]:
        """Yield the addresses of all section objects."""
        roots = self.memory.bytes(mm + self.at['mm.root'], 8 * self.at['NR_SECTION_ROOTS'])
        nothing = self.elf.symbol('empty_section_root')
        for (root,) in struct.iter_unpack('<Q', roots):
            if root == nothing:
                continue
            table = self.memory.bytes(self.physical(root) + self.at['section_root.section'], 8 * self.at['SECTIONS_PER_ROOT'])
            yield from (self.physical(pointer) for (pointer,) in struct.iter_unpack('<Q', table) if pointer)

    def _read_section(self, state: State, number: int, raw: bytes) -> None:
        at, host = self.at, self._field(raw, 'mem_section.host_pfn', 8) << PAGE_SHIFT
        whole: dict[int, int] = {}
        for i in range(at['PAGEBLOCKS_PER_SECTION']):
            place, block = at['mem_section.pb'] + i * at['sizeof.pageblock'], number * (SECTION // PAGEBLOCK) + i
            word = int.from_bytes(raw[place:place + 8], 'little')
            state.words[TYPE][block] = (word & at['PB_MT_MASK']) >> at['PB_MT_SHIFT']
            state.words[ISOLATE][block] = int(word & at['PB_ISOLATE'] != 0)
            state.words[VALID][block] = int(word & at['PB_VALID'] != 0)
            if not word & at['PB_VALID']:
                whole[block] = self._uniform(whole, block, word >> at['PB_CONST_SHIFT'] & 0xffffffff)
                state.frames[block] = meaning(whole[block])
        for i in range(at['PAGEBLOCKS_PER_SECTION']):
            block = number * (SECTION // PAGEBLOCK) + i
            if state.words[VALID][block]:
                size = PAGEBLOCK * at['sizeof.page']
                state.frames[block] = self._descriptors(self.memory.bytes(host + i * size, size), whole, block, host)

    def _uniform(self, whole: dict[int, int], block: int, word: int) -> int:
        """Return the word of a uniform pageblock; a pageblock of tails, the second half of an order-10 chunk, has the first
        half's."""
        return whole.get(block - 1, word) if word >> 8 & self.at['PG_TAIL'] else word

    def _descriptors(self, raw: bytes, whole: dict[int, int], block: int, host: int) -> array:
        """Type and flags of 512 frames; a tail frame has the type and flags of its head."""
        words = [word for word, in struct.iter_unpack('<I12x', raw)]
        found = array('H', bytes(2 * PAGEBLOCK))
        for place, word in enumerate(words):
            if word >> 8 & self.at['PG_TAIL']:
                head = (block * PAGEBLOCK + place) & ~((1 << (word >> 16 & 0xff)) - 1)
                if head >= block * PAGEBLOCK:
                    word = words[head - block * PAGEBLOCK]
                elif block - 1 in whole:
                    word = whole[block - 1]
                else:
                    word = int.from_bytes(self.memory.bytes(host + head % SECTION * self.at['sizeof.page'], 4), 'little')
            found[place] = meaning(word)
        return found


def meaning(word: int) -> int:
    """Type and flags of a descriptor's word, as in replay.State."""
    return word & 0xff | (word >> 8 & FLAGS_TOLD) << 8
