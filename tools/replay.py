# SPDX-License-Identifier: BSD-2-Clause
"""Replays a session of ebb: applies its records to a picture of memory, and compares it with later snapshots.

docs/reference/trace.md describes the file. If all frames of a pageblock agree, the picture keeps a single number for them.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

RECORD = struct.Struct('<IHBBQQIHH')
SNAPSHOT_HART = 0xfe
PAGEBLOCK, SECTION = 512, 32768      # frames
END_OF_MEMORY = 1024 << 23           # first frame beyond ebb's reach
SEQ_MASK = 0xffffffff
MOST_PROBLEMS = 20                   # differences that are reported; the others are only counted

# Numbers of include/kernel/trace/trace_events.h and abi.h, which never change their meaning.
FRAMES, TYPE, ISOLATE, VALID, BLOCK, ZONE_COUNT, SNAP_PART, SNAP_END = 1, 2, 3, 4, 5, 18, 20, 21
BUDDY, OFFLINE = 1, 3
NOT_MEMORY = {15, 16}                                   # Hole, Device
NOT_MANAGED = {OFFLINE, 11, 12, 13, 14} | NOT_MEMORY    # Firmware, Image, Boot, Memmap
UNTOLD = -1      # a word of a pageblock that no record has given yet
ABSENT, BLOCK_OFFLINE, ONLINE, GOING_OFFLINE, REMOVING = 0, 1, 3, 4, 5
COUNTERS = ('start_pfn', 'spanned', 'present', 'managed', 'free', 'free_isolated', 'nr_isolated')
FLAGS_TOLD = 0x2e                    # skippable, claimed, pinned, hwpoison: not tail, not poison
NO_ZONE = 0xff
PAGEBLOCK_EVENTS = {TYPE: 'migrate type', ISOLATE: 'isolated', VALID: 'valid'}


class SessionError(Exception):
    """The file is not a session; the text says why."""


class Record(NamedTuple):
    """struct trace_record."""
    seq: int
    event: int
    hart: int
    flags: int
    time: int
    pfn: int
    count: int
    before: int
    after: int

    def pack(self) -> bytes:
        """Return its 32 bytes."""
        return RECORD.pack(*self)


@dataclass
class Part:
    """A part of a snapshot: the state of [start, end) at the time when seq was the number of the machine's next record."""
    seq: int
    start: int
    end: int
    last: bool
    records: list[Record]


def blocks_of(pfn: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Yield (pageblock, first, last) of a run of frames, last exclusive and both within the pageblock."""
    end = pfn + count
    while pfn < end:
        block, offset = divmod(pfn, PAGEBLOCK)
        stop = min(PAGEBLOCK, offset + end - pfn)
        yield block, offset, stop
        pfn += stop - offset


@dataclass
class State:
    """The state from the records: frames by pageblock (one number, or 512), three words per pageblock, blocks, counters."""
    frames: dict[int, int | array] = field(default_factory=dict)
    words: dict[int, dict[int, int]] = field(default_factory=lambda: {TYPE: {}, ISOLATE: {}, VALID: {}})
    blocks: dict[int, tuple[int, int]] = field(default_factory=dict)
    counters: dict[tuple[int, int], int] = field(default_factory=dict)

    # --- one record ---------------------------------------------------------------------------------------------

    def apply(self, record: Record, check: bool = True) -> str | None:
        """Apply a record; return a sentence if the record's "before" differs from the state."""
        if record.event == FRAMES:
            return self._apply_frames(record, check and record.before != 0)
        if record.event in PAGEBLOCK_EVENTS:
            return self._apply_words(record, check and not record.flags)
        if record.event == BLOCK:
            return self._apply_blocks(record, check)
        if record.event == ZONE_COUNT and record.hart == SNAPSHOT_HART:
            self.counters[record.before, record.count] = record.pfn
        return None

    def _apply_frames(self, record: Record, check: bool) -> str | None:
        value = record.after | (record.flags & FLAGS_TOLD) << 8
        wrong = None
        for block, first, last in blocks_of(record.pfn, record.count):
            old = self.frames.get(block, 0)
            if check and wrong is None:
                wrong = self._unlike(old, block, first, last, record.before)
            if last - first == PAGEBLOCK:
                self.frames[block] = value
                continue
            if isinstance(old, int):
                old = self.frames[block] = array('H', [old]) * PAGEBLOCK
            if last - first == 1:
                old[first] = value
            else:
                old[first:last] = array('H', [value]) * (last - first)
        return wrong

    @staticmethod
    def _unlike(old: int | array, block: int, first: int, last: int, before: int) -> str | None:
        kinds = (old,) if isinstance(old, int) else old[first:last]
        for place, kind in enumerate(kinds):
            if kind & 0xff != before:
                return f'frame {block * PAGEBLOCK + first + place:#x} was of type {kind & 0xff}, not {before}'
        return None

    def _apply_words(self, record: Record, check: bool) -> str | None:
        words, wrong = self.words[record.event], None
        for block in range(record.pfn // PAGEBLOCK, -(-(record.pfn + record.count) // PAGEBLOCK)):
            if check and wrong is None and words.get(block, UNTOLD) != record.before:
                wrong = f'pageblock {block * PAGEBLOCK:#x}: {PAGEBLOCK_EVENTS[record.event]} was {words.get(block, UNTOLD)}'
            words[block] = record.after
        return wrong

    def _apply_blocks(self, record: Record, check: bool) -> str | None:
        wrong = None
        for section in range(record.pfn // SECTION, -(-(record.pfn + record.count) // SECTION)):
            old = self.blocks.get(section, (ABSENT, NO_ZONE))[0]
            if check and wrong is None and old != record.before:
                wrong = f'memory{section}: its state was {old}'
            if record.after == ABSENT:
                self.forget(section)
            else:
                self.blocks[section] = (record.after, record.flags)
        return wrong

    def forget(self, section: int) -> None:
        """Remove a block."""
        self.blocks.pop(section, None)
        for block in range(section * (SECTION // PAGEBLOCK), (section + 1) * (SECTION // PAGEBLOCK)):
            self.frames.pop(block, None)
            for words in self.words.values():
                words.pop(block, None)

    # --- against a snapshot -------------------------------------------------------------------------------------

    def load(self, part: Part) -> None:
        """Take over the state of a part; a block that the part does not mention is absent."""
        told = {r.pfn // SECTION + i for r in part.records if r.event == BLOCK for i in range(r.count // SECTION)}
        for section in [s for s in self.blocks if part.start <= s * SECTION < part.end and s not in told]:
            self.forget(section)
        for record in part.records:
            self.apply(record, check=False)

    def differences(self, truth: 'State', part: Part) -> Iterator[str]:
        """Yield the differences between a part and this state."""
        for section in sorted({*self.blocks, *truth.blocks}):
            if part.start < (section + 1) * SECTION and section * SECTION < part.end:
                yield from self._block_differences(section, truth, part)
        if part.last:
            yield from self._counter_differences(truth)

    def _block_differences(self, section: int, truth: 'State', part: Part) -> Iterator[str]:
        mine, its = (state.blocks.get(section, (ABSENT, NO_ZONE)) for state in (self, truth))
        # A snapshot does not see a block that has left the look-ups but is not removed yet; the records call it REMOVING.
        if mine != its and {mine[0], its[0]} != {ABSENT, REMOVING}:
            yield f'memory{section}: state and zone {mine}, really {its}'
        if its[0] not in (ONLINE, GOING_OFFLINE):
            return
        first = max(part.start, section * SECTION) // PAGEBLOCK
        for block in range(first, min(part.end, (section + 1) * SECTION) // PAGEBLOCK):
            for event, word in PAGEBLOCK_EVENTS.items():
                a, b = self.words[event].get(block, 0), truth.words[event].get(block, 0)
                if a != b:
                    yield f'pageblock {block * PAGEBLOCK:#x}: {word} {a}, really {b}'
            yield from self._frame_differences(block, truth)

    def _frame_differences(self, block: int, truth: 'State') -> Iterator[str]:
        a, b = self.frames.get(block, 0), truth.frames.get(block, 0)
        if isinstance(a, int) and isinstance(b, int):
            if a != b:
                yield f'frames {block * PAGEBLOCK:#x}+512: {name_of(a)}, really {name_of(b)}'
            return
        a, b = (array('H', [x]) * PAGEBLOCK if isinstance(x, int) else x for x in (a, b))
        if a == b:
            return
        wrong = [i for i in range(PAGEBLOCK) if a[i] != b[i]]
        yield (f'frame {block * PAGEBLOCK + wrong[0]:#x} and {len(wrong) - 1} more of its pageblock: '
               f'{name_of(a[wrong[0]])}, really {name_of(b[wrong[0]])}')

    def _counter_differences(self, truth: 'State') -> Iterator[str]:
        """Compare the zones' counters with those counted from the frames, unless a block is in transition."""
        if any(state not in (BLOCK_OFFLINE, ONLINE) for state, _ in self.blocks.values()):
            return
        for (zone, counter), value in sorted(truth.counters.items()):
            mine = self.zone_counters(zone)[counter]
            if mine != value:
                yield f'zone {zone}: {COUNTERS[counter]} {mine}, really {value}'

    def zone_counters(self, zone: int) -> list[int]:
        """Return a zone's counters, counted from the frames."""
        sections = [s for s, (state, z) in self.blocks.items() if z == zone]
        values = [0] * len(COUNTERS)
        if sections:
            values[0], values[1] = min(sections) * SECTION, (max(sections) + 1 - min(sections)) * SECTION
        for section in sections:
            for block in range(section * 64, (section + 1) * 64):
                content, isolated = self.frames.get(block, 0), self.words[ISOLATE].get(block, 0)
                values[6] += isolated
                for value, number in ({content: PAGEBLOCK} if isinstance(content, int) else Counter(content)).items():
                    kind = value & 0xff
                    values[2] += number * (kind not in NOT_MEMORY)
                    values[3] += number * (kind not in NOT_MANAGED)
                    values[5 if isolated else 4] += number * (kind == BUDDY)
        return values

    # --- as records ---------------------------------------------------------------------------------------------

    def part(self, seq: int) -> Part:
        """Return all of the state as a snapshot of one part."""
        records: list[Record] = []

        def add(event: int, pfn: int, count: int, value: int) -> None:
            last = records[-1] if records else None
            if last and (last.event, last.pfn + last.count, last.after | last.flags << 8) == (event, pfn, value):
                records[-1] = last._replace(count=last.count + count)
            else:
                records.append(Record(seq, event, SNAPSHOT_HART, value >> 8, 0, pfn, count, 0, value & 0xff))

        for section, (state, zone) in sorted(self.blocks.items()):
            add(BLOCK, section * SECTION, SECTION, state | zone << 8)
        for event, words in self.words.items():
            for block, value in sorted(words.items()):
                add(event, block * PAGEBLOCK, PAGEBLOCK, value)
        for block, content in sorted(self.frames.items()):
            if isinstance(content, int):
                add(FRAMES, block * PAGEBLOCK, PAGEBLOCK, content)
                continue
            for place, value in enumerate(content):
                add(FRAMES, block * PAGEBLOCK + place, 1, value)
        for (zone, counter), value in sorted(self.counters.items()):
            records.append(Record(seq, ZONE_COUNT, SNAPSHOT_HART, 0, 0, value, counter, zone, 0))
        return Part(seq, 0, END_OF_MEMORY, True, records)


def name_of(value: int) -> str:
    """Return a frame's type and flags."""
    return f'type {value & 0xff}' + (f' flags {value >> 8:#x}' if value >> 8 else '')


def pack_part(part: Part) -> bytes:
    """Pack a snapshot's part in the format of a session."""
    head = Record(part.seq, SNAP_PART, SNAPSHOT_HART, 0, 0, part.start, len(part.records) + 1, 0, 0)
    end = Record(part.seq, SNAP_END, SNAPSHOT_HART, 0, 0, part.end, 0, 0, int(part.last))
    return b''.join(record.pack() for record in (head, *part.records, end))


# --- sessions ---------------------------------------------------------------------------------------------------

@dataclass
class Boot:
    """The records since a start of the machine, in its order, and the snapshots' parts."""
    records: list[Record] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


@dataclass
class Session:
    """A session's header, and its boots: a reset begins a new boot, which counts from 0 again."""
    header: dict
    boots: list[Boot]
    cut: int = 0        # bytes after the last complete record

    @property
    def records(self) -> list[Record]:
        """The records of all boots."""
        return [record for boot in self.boots for record in boot.records]


def unpack(data: bytes) -> Iterable[Record]:
    """Parse consecutive records."""
    return (Record._make(values) for values in RECORD.iter_unpack(data))


def split(data: bytes) -> list[Boot]:
    """Split a stream into the live records and the snapshots' parts."""
    boots = [Boot()]
    stream = iter(unpack(data))
    for record in stream:
        if record.event != SNAP_PART or record.hart != SNAPSHOT_HART:
            if record.seq == 0 and boots[-1].records:
                boots.append(Boot())
            boots[-1].records.append(record)
            continue
        inside = [r for _, r in zip(range(record.count), stream)]
        if len(inside) < record.count or inside[-1].event != SNAP_END:
            break       # the file ends within a snapshot
        boots[-1].parts.append(Part(record.seq, record.pfn, inside[-1].pfn, bool(inside[-1].after), inside[:-1]))
    for boot in boots:
        # Records of one read are already merged by number; records of several reads must be sorted.
        boot.records.sort(key=lambda record: record.seq)
    return boots


def read_session(path: Path | str) -> Session:
    """Read a session file."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SessionError(f'{path}: {error.strerror}') from None
    line, newline, rest = data.partition(b'\n')
    try:
        header = json.loads(line)
        if header['format'] != 'ebbt' or header['record_bytes'] != RECORD.size or not newline:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise SessionError(f'{path}: does not begin with the header line of a session') from None
    if header['version'] != 1:
        raise SessionError(f'{path}: version {header["version"]}; this tool knows 1')
    whole = len(rest) - len(rest) % RECORD.size
    return Session(header, split(rest[:whole]), len(rest) - whole)


@dataclass
class Verdict:
    """The result of a replay."""
    records: int = 0
    missing: int = 0
    compared: int = 0
    nr_problems: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Add a difference; only the first few are kept."""
        self.nr_problems += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    @property
    def proved(self) -> bool:
        """True if the picture follows from the records, and at least one comparison was made."""
        return not self.nr_problems and not self.missing and self.compared > 0


class Replay:
    """The replay of records and snapshots, in order. After a difference it continues with the snapshot's state."""

    def __init__(self) -> None:
        self.state, self.verdict = State(), Verdict()
        self.next_seq: int | None = None
        self.known_to = 0       # the state of frames below this is known: from snapshots, or from boot on

    def run(self, session: Session) -> Verdict:
        """Replay a whole session."""
        for boot in session.boots:
            self.run_boot(boot)
        if not self.verdict.compared:
            self.verdict.add('nothing was compared: no snapshot follows the records')
        return self.verdict

    def run_boot(self, boot: Boot) -> None:
        """Replay a boot: from a start of the machine, or from the beginning of the session."""
        parts = iter(boot.parts)
        part = next(parts, None)
        if boot.records and boot.records[0].seq == 0:
            self.state, self.next_seq, self.known_to = State(), None, END_OF_MEMORY
        for record in boot.records:
            while part and part.seq <= record.seq:
                self.meet(part)
                part = next(parts, None)
            self.follow(record)
        while part:
            self.meet(part)
            part = next(parts, None)

    def follow(self, record: Record) -> None:
        """Apply a record."""
        if self.next_seq is not None and record.seq != self.next_seq:
            self.verdict.missing += (record.seq - self.next_seq) & SEQ_MASK
        self.next_seq = (record.seq + 1) & SEQ_MASK
        self.verdict.records += 1
        wrong = self.state.apply(record, check=self.known_to == END_OF_MEMORY)
        if wrong:
            self.verdict.add(f'record {record.seq} (event {record.event}, {record.pfn:#x}+{record.count}): {wrong}')

    def meet(self, part: Part) -> None:
        """Apply a part of a snapshot."""
        if part.start < self.known_to:
            truth = State()
            truth.load(part)
            for problem in self.state.differences(truth, part):
                self.verdict.add(f'snapshot at {part.seq}: {problem}')
            self.verdict.compared += 1
        self.state.load(part)
        self.known_to = max(self.known_to, part.end)


def replay(path: Path | str) -> Verdict:
    """Replay a session file."""
    return Replay().run(read_session(path))
