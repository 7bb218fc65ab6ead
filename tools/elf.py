# SPDX-License-Identifier: BSD-2-Clause
"""Reads ebb's ELF file for the host's tools: symbols, sections by name, physical addresses, and its tables."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path


MAGIC = b'\x7fELF\x02\x01'       # ELF64, little-endian


class ElfError(Exception):
    """The file is not a valid ebb image; the text says why."""


PT_LOAD = 1
EM_RISCV = 243
HEAD = struct.Struct('<16xHHIQQ14xHH')          # of the file: type, machine, version, entry, program headers: where, size, number
PROGRAM_HEAD = struct.Struct('<IIQQQQ')         # type, flags, offset, vaddr, paddr, bytes of the file


def check_bootable(path: Path | str) -> None:
    """Raise ElfError unless a file is a whole program for a 64-bit RISC-V machine. QEMU boots any file without complaint."""
    try:
        data = Path(path).read_bytes()
        _, machine, _, entry, phoff, phsize, phnum = HEAD.unpack_from(data.ljust(HEAD.size))
        if data[:6] != MAGIC or machine != EM_RISCV:
            raise ElfError(f'{path} is not a kernel: it is not an ELF file for 64-bit RISC-V')
        heads = [PROGRAM_HEAD.unpack_from(data, phoff + i * phsize) for i in range(phnum)]
    except OSError as error:
        raise ElfError(f'{path}: {error.strerror}') from None
    except struct.error:
        raise ElfError(f'{path} is not a whole kernel: its end is missing') from None
    loads = [head for head in heads if head[0] == PT_LOAD]
    if any(offset + size > len(data) for _, _, offset, _, _, size in loads):
        raise ElfError(f'{path} is not a whole kernel: its end is missing')
    if not any(vaddr <= entry < vaddr + size for _, _, _, vaddr, _, size in loads):
        raise ElfError(f'{path} is not a kernel: nothing lies at its entry, {entry:#x}')


@dataclass
class Segment:
    """A PT_LOAD header."""
    vaddr: int
    paddr: int
    size: int


class Elf:
    """A little-endian ELF64 file."""

    def __init__(self, path: Path | str):
        self.path = str(path)
        try:
            self.data = Path(path).read_bytes()
        except OSError as error:
            raise ElfError(f'{path}: {error.strerror}; type: make all') from None
        if self.data[:6] != MAGIC:
            raise ElfError(f'{path}: not a little-endian ELF64 file')
        phoff, shoff = struct.unpack_from('<QQ', self.data, 32)
        phsize, phnum, shsize, shnum, shstr = struct.unpack_from('<HHHHH', self.data, 54)
        heads = [struct.unpack_from('<IIQQQQQQ', self.data, phoff + i * phsize) for i in range(phnum)]
        self.segments = [Segment(h[3], h[4], h[6]) for h in heads if h[0] == PT_LOAD]
        raw = [struct.unpack_from('<IIQQQQIIQQ', self.data, shoff + i * shsize) for i in range(shnum)]
        if shstr >= len(raw):
            raise ElfError(f'{path}: no sections')
        names = raw[shstr][4]
        self.sections = {self._string(names + head[0]): head for head in raw}
        self.symbols = self._read_symbols()

    def _string(self, offset: int) -> str:
        return self.data[offset:self.data.index(b'\0', offset)].decode()

    def _read_symbols(self) -> dict[str, int]:
        if '.symtab' not in self.sections:
            raise ElfError(f'{self.path}: no symbols')
        table, strings = self.sections['.symtab'], self.sections['.strtab'][4]
        found = {}
        for at in range(table[4], table[4] + table[5], 24):
            name, _, _, _, value, _ = struct.unpack_from('<IBBHQQ', self.data, at)
            found[self._string(strings + name)] = value
        return found

    def section(self, name: str) -> bytes:
        """Return the bytes of a section."""
        if name not in self.sections:
            raise ElfError(f'{self.path}: no section {name}; is it an ebb of this version?')
        head = self.sections[name]
        return self.data[head[4]:head[4] + head[5]]

    def symbol(self, name: str) -> int:
        """Return a symbol's virtual address."""
        if name not in self.symbols:
            raise ElfError(f'{self.path}: no symbol {name}; is it an ebb of this version?')
        return self.symbols[name]

    def physical(self, vaddr: int) -> int | None:
        """Return the physical address of a virtual address of the image; None if the image does not contain it."""
        for segment in self.segments:
            if segment.vaddr <= vaddr < segment.vaddr + segment.size:
                return vaddr - segment.vaddr + segment.paddr
        return None

    def layout(self) -> dict[str, int]:
        """Return offsets, sizes and constants by name: include/mm/layout.h."""
        return {text(name): value for name, value in struct.iter_unpack('<40sQ', self.section('ebb_layout'))}

    def events(self) -> dict[int, tuple[str, str]]:
        """Return name and text form of each trace event by its id: struct trace_event_desc."""
        rows = struct.iter_unpack('<H30s160s96s', self.section('trace_event_table'))
        return {number: (text(name), text(form)) for number, name, _, form in rows}

    def words(self) -> dict[str, dict[int, str]]:
        """Return the words for numbers: struct abi_word."""
        found: dict[str, dict[int, str]] = {}
        for name, number, word in struct.iter_unpack('<14sH48s', self.section('abi_words')):
            found.setdefault(text(name), {})[number] = text(word)
        return found

    def build_id(self) -> str:
        """Return the build id in hexadecimal, as in the trace header and in sessions: 32 bytes."""
        start, end = self.symbol('__build_id_start'), self.symbol('__build_id_end')
        head = self.sections['.rodata']
        note = self.data[head[4] + start - head[3]:head[4] + end - head[3]]
        return note[16:].ljust(32, b'\0').hex()


def text(field: bytes) -> str:
    """Read a zero-terminated string."""
    return field.split(b'\0', 1)[0].decode()
