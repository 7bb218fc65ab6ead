# SPDX-License-Identifier: BSD-2-Clause
"""Sessions: a replay accepts correct sessions, and detects every fault in others."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import replay
from replay import (ABSENT, BLOCK, BUDDY, END_OF_MEMORY, FRAMES, ISOLATE, OFFLINE, ONLINE, SECTION, TYPE, VALID, ZONE_COUNT, Part,
                    Record, SessionError, State, pack_part)

TOP = Path(__file__).resolve().parent.parent.parent
HOTPLUG = Path(os.environ.get('O') or TOP / 'build') / 'host' / 'corpus-fuzz_hotplug'

KERNEL, PINNED, MOVABLE, FIRST = 6, 1 << 3, 1, 5 * SECTION
HEADER = {'format': 'ebbt', 'version': 1, 'record_bytes': 32}


class ReplayTest(unittest.TestCase):
    """Each test writes its own session."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / 'session.ebbt'
        self.records = []

    def say(self, event, pfn, count, before, after, flags=0):
        self.records.append(Record(len(self.records), event, 0, flags, 0, pfn, count, before, after))

    def boot(self):
        """Record a block that is all free, and the allocation of a chunk in it."""
        self.say(TYPE, FIRST, SECTION, 0, MOVABLE, 1)
        self.say(ISOLATE, FIRST, SECTION, 0, 0, 1)
        self.say(VALID, FIRST, SECTION, 0, 0, 1)
        self.say(FRAMES, FIRST, SECTION, 0, OFFLINE)
        self.say(BLOCK, FIRST, SECTION, ABSENT, ONLINE)
        self.say(FRAMES, FIRST, SECTION, OFFLINE, BUDDY)
        self.say(VALID, FIRST, 512, 0, 1)
        self.say(FRAMES, FIRST + 8, 8, BUDDY, KERNEL)

    def truth(self, **changes):
        """Return the state after the records as a snapshot, with these changes."""
        state = State()
        for record in self.records:
            state.apply(record)
        for counter, value in enumerate(state.zone_counters(0)):
            state.counters[0, counter] = value
        for name, change in changes.items():
            getattr(state, name).update(change)
        return state.part(len(self.records))

    def write(self, *streams, header=None):
        body = b''.join(s if isinstance(s, bytes) else pack_part(s) if isinstance(s, Part) else s.pack() for s in streams)
        self.path.write_bytes(json.dumps(header or HEADER).encode() + b'\n' + body)
        return replay.replay(self.path)

    def test_equal_is_proved(self):
        self.boot()
        verdict = self.write(*self.records, self.truth())
        self.assertEqual((verdict.problems, verdict.proved, verdict.records, verdict.compared), ([], True, 8, 1))

    def test_any_missing_change_is_noticed(self):
        self.boot()
        self.say(FRAMES, FIRST + 8, 8, KERNEL, KERNEL, PINNED)
        part = self.truth()
        for left_out in range(len(self.records)):
            rest = [r for i, r in enumerate(self.records) if i != left_out]
            renumbered = [r._replace(seq=i) for i, r in enumerate(rest)]
            verdict = self.write(*renumbered, part)
            # A missing first VALID record is noticed: a later record has its value as "before".
            unseen = (self.records[left_out].flags == 1 and self.records[left_out].after == 0
                      and self.records[left_out].event != VALID)
            self.assertEqual(verdict.proved, unseen, f'{self.records[left_out]}: {verdict.problems}')

    def test_a_gap_proves_nothing(self):
        self.boot()
        part = self.truth()
        del self.records[3]
        verdict = self.write(*self.records, part)
        self.assertEqual((verdict.missing, verdict.proved), (1, False))

    def test_no_snapshot_proves_nothing(self):
        self.boot()
        self.assertFalse(self.write(*self.records).proved)

    def test_each_kind_of_difference_is_told(self):
        self.boot()
        for changes, word in (({'frames': {FIRST // 512 + 3: KERNEL}}, 'type 1, really type 6'),
                              ({'blocks': {5: (ONLINE, 1)}}, 'memory5'),
                              ({'blocks': {9: (ONLINE, 0)}}, 'memory9'),
                              ({'counters': {(0, 4): 1}}, 'free 32760, really 1')):
            verdict = self.write(*self.records, self.truth(**changes))
            self.assertFalse(verdict.proved)
            self.assertIn(word, ' '.join(verdict.problems))

    def test_words_of_pageblocks_are_compared(self):
        self.boot()
        for event, name in replay.PAGEBLOCK_EVENTS.items():
            part = self.truth()
            part.records.append(Record(0, event, 0xfe, 0, 0, FIRST + 512, 512, 0, 2))
            self.assertIn(f'{name} ', ' '.join(self.write(*self.records, part).problems))

    def test_begins_at_a_snapshot(self):
        self.boot()
        first = self.truth()
        late = [Record(len(self.records), FRAMES, 0, 0, 0, FIRST + 8, 8, KERNEL, BUDDY)]
        self.records += late
        part = self.truth()
        self.assertTrue(self.write(first, *late, part).proved)
        self.assertFalse(self.write(first, part).proved)

    def test_parts_cover_memory_piece_by_piece(self):
        self.boot()
        whole = self.truth()
        middle = FIRST + 1024
        low = [r._replace(count=min(r.count, middle - r.pfn)) if r.event != BLOCK else r for r in whole.records
               if r.event != ZONE_COUNT and r.pfn < middle]
        high = [r if r.event in (BLOCK, ZONE_COUNT) else
                r._replace(pfn=max(r.pfn, middle), count=r.pfn + r.count - max(r.pfn, middle))
                for r in whole.records if r.event in (BLOCK, ZONE_COUNT) or r.pfn + r.count > middle]
        parts = [Part(8, 0, middle, False, low), Part(8, middle, END_OF_MEMORY, True, high)]
        verdict = self.write(*self.records, *parts)
        self.assertEqual((verdict.problems, verdict.compared), ([], 2))
        self.assertTrue(self.write(*parts, *parts).proved)

    def test_a_reset_begins_anew(self):
        self.boot()
        self.assertTrue(self.write(*self.records, *self.records, self.truth()).proved)

    def test_a_block_that_left_is_gone(self):
        self.boot()
        self.say(BLOCK, FIRST, SECTION, ONLINE, ABSENT)
        self.assertTrue(self.write(*self.records, self.truth()).proved)

    def test_cut_files_and_other_files(self):
        self.boot()
        part = pack_part(self.truth())
        self.assertTrue(self.write(*self.records, part, part[:40], b'x').proved)
        for text in (b'', b'x\n', b'{}\n', b'[1]\n', json.dumps(HEADER | {'version': 9}).encode() + b'\n'):
            self.path.write_bytes(text)
            with self.assertRaises(SessionError):
                replay.replay(self.path)
        with self.assertRaises(SessionError):
            replay.replay(self.path / 'nothing')

    def test_many_differences_are_counted(self):
        self.boot()
        verdict = self.write(*self.records, self.truth(frames={FIRST // 512 + i: KERNEL for i in range(40)}))
        self.assertEqual(len(verdict.problems), replay.MOST_PROBLEMS)
        self.assertGreaterEqual(verdict.nr_problems, 40)


class BothReplayersTest(unittest.TestCase):
    """tests/model/replay.c and this replayer compare their states with snapshots; the former ends the program at a
    difference."""

    def test_both_come_to_the_same_state(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / 'session.ebbt'
            subprocess.run([HOTPLUG.resolve(), 'kunit.filter_glob=*.corpus'], cwd=TOP, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env={**os.environ, 'EBB_SESSION': str(path)})
            session = replay.read_session(path)
        verdict = replay.Replay().run(session)
        self.assertEqual((verdict.problems, verdict.missing, verdict.proved), ([], 0, True))
        self.assertGreater(verdict.records, 10000)
        self.assertGreater(verdict.compared, 50)
        records = session.boots[0].records
        place = next(i for i in range(len(records) // 2, len(records)) if records[i].event == FRAMES)
        records[place] = records[place]._replace(after=records[place].after ^ 1)
        self.assertFalse(replay.Replay().run(session).proved)
