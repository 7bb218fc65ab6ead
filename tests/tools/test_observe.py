# SPDX-License-Identifier: BSD-2-Clause
"""The host's tools and ebb's data: the ELF file's tables, the trace port, text between markers, ebb-dump."""

import base64
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
from pathlib import Path

import replay
from elf import Elf, ElfError
from patience import limit
from traceport import PortError, TracePort, decode_markers

TOP = Path(__file__).resolve().parent.parent.parent
KERNEL = Path(os.environ.get('O') or TOP / 'build') / 'ebb.elf'


class PageTest(unittest.TestCase):
    """docs/reference/numbers.md agrees with the headers; `make docs` writes it."""

    def test_numbers(self):
        with tempfile.TemporaryDirectory() as scratch:
            program = Path(scratch) / 'abi_tables'
            subprocess.run(['gcc', '-std=gnu11', '-Iinclude', '-o', program, 'tools/abi_tables.c'], cwd=TOP, check=True)
            page = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        self.assertEqual(page, (TOP / 'docs/reference/numbers.md').read_text())


class TablesTest(unittest.TestCase):
    """The numbers that tools/replay.py uses are those of the kernel."""

    def setUp(self):
        if not KERNEL.exists():
            self.skipTest(f'there is no {KERNEL.name} yet')
        self.elf = Elf(KERNEL)

    def test_events(self):
        names = {number: name for number, (name, _) in self.elf.events().items()}
        for number, name in ((replay.FRAMES, 'mm:frames'), (replay.TYPE, 'mm:pageblock_type'),
                             (replay.ISOLATE, 'mm:pageblock_isolate'), (replay.VALID, 'mm:pageblock_valid'),
                             (replay.BLOCK, 'mm:block_state'), (replay.ZONE_COUNT, 'mm:zone_count'),
                             (replay.SNAP_PART, 'snapshot:part'), (replay.SNAP_END, 'snapshot:end')):
            self.assertEqual(names[number], name)

    def test_words(self):
        words = self.elf.words()
        self.assertEqual((words['page_type'][replay.BUDDY], words['page_type'][replay.OFFLINE]), ('Buddy', 'Offline'))
        unmanaged = {'Offline', 'Firmware', 'Image', 'Boot', 'Memmap', 'Hole', 'Device'}
        self.assertEqual({words['page_type'][number] for number in replay.NOT_MANAGED}, unmanaged)
        self.assertEqual([words['zone_counter'][i] for i in range(len(replay.COUNTERS))], list(replay.COUNTERS))
        self.assertEqual([words['block_state'][i] for i in (replay.ABSENT, replay.BLOCK_OFFLINE, replay.ONLINE,
                                                            replay.GOING_OFFLINE, replay.REMOVING)],
                         ['absent', 'offline', 'online', 'going-offline', 'removing'])

    def test_layout(self):
        layout = self.elf.layout()
        self.assertEqual((layout['sizeof.page'], layout['PAGEBLOCKS_PER_SECTION']), (16, 64))
        self.assertIsNotNone(self.elf.physical(self.elf.symbol('ebb_trace')))
        self.assertIsNone(self.elf.physical(0x1000))
        self.assertEqual(len(self.elf.build_id()), 64)
        notes = subprocess.run(['readelf', '-n', KERNEL], capture_output=True, text=True, check=True).stdout
        build_id = re.search(r'Build ID: ([0-9a-f]+)', notes)
        self.assertIsNotNone(build_id, 'readelf finds no build id')
        self.assertEqual(self.elf.build_id(), build_id[1].ljust(64, '0'))

    def test_other_files_are_refused(self):
        for path in (TOP / 'Makefile', TOP / 'nothing'):
            with self.assertRaises(ElfError):
                Elf(path)


class PortTest(unittest.TestCase):
    """A thread plays ebb at a socket."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.rundir = Path(directory.name)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.relpath(self.rundir / 'trace.sock'))
        self.listener.listen(1)
        self.addCleanup(self.listener.close)

    def play(self, *pieces):
        def run():
            connection, _ = self.listener.accept()
            with connection:
                connection.recv(100)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.01)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)

    def fetch(self, name='records', limit=5.0):
        port = TracePort(self.rundir / 'trace.sock', limit)
        try:
            return port.fetch(name)
        finally:
            port.close()

    def test_pieces_are_joined(self):
        self.play(b'+3\nab', b'\n+2\n', b'=0+0\n', b'=0\n')
        self.assertEqual(self.fetch(), b'ab\n=0')

    def test_an_error_is_told(self):
        self.play(b'+1\nx=-12\n')
        with self.assertRaisesRegex(PortError, 'status -12'):
            self.fetch()

    def test_nonsense_is_refused(self):
        self.play(b'hello\n')
        with self.assertRaisesRegex(PortError, 'not the head of a piece'):
            self.fetch()

    def test_a_port_that_closes(self):
        self.play(b'+9\nab')
        with self.assertRaisesRegex(PortError, 'closed'):
            self.fetch()

    def test_a_port_that_is_closed_before_it_is_asked(self):
        self.play(b'=0\n')
        port = TracePort(self.rundir / 'trace.sock', 5.0)
        self.addCleanup(port.close)
        self.assertEqual(port.fetch('records'), b'')
        time.sleep(0.1)
        with self.assertRaises(PortError):
            port.fetch('records')

    def test_a_port_that_is_silent(self):
        with self.assertRaisesRegex(PortError, 'nothing arrived'):
            self.fetch(limit=0.1)

    def dump(self, archive, *words):
        self.play(b'+%d\n' % len(archive), archive, b'=0\n')
        return subprocess.run([sys.executable, TOP / 'tools' / 'ebb-dump', '--rundir', self.rundir, *words],
                              capture_output=True, text=True, timeout=limit(20), check=False)

    @staticmethod
    def archive(*names):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as tar:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = 3
                tar.addfile(member, io.BytesIO(b'abc'))
        return out.getvalue()

    def test_ebb_dump_unpacks(self):
        done = self.dump(self.archive('proc/meminfo', 'sys/x/y'), self.rundir / 'tree')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual((self.rundir / 'tree/sys/x/y').read_bytes(), b'abc')

    def test_ebb_dump_writes_nowhere_else(self):
        for name in ('../outside', 'a/../../outside', '/outside'):
            done = self.dump(self.archive(name), self.rundir / 'tree')
            self.assertEqual(done.returncode, 1)
            self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertFalse((self.rundir / 'outside').exists())

    def serve_records(self):
        """Play ebb, which allocates a snapshot's own buffer before the snapshot and frees it afterwards: both leave
        records."""
        state = replay.State()
        state.blocks[1], state.frames = (replay.ONLINE, 0), {block: replay.BUDDY for block in range(64, 128)}
        ring, seq = [], 5

        def change(before, after):
            nonlocal seq
            record = replay.Record(seq, replay.FRAMES, 0, 0, seq, 70 * 512, 512, before, after)
            state.apply(record, check=False)
            ring.append(record.pack())
            seq += 1

        def answer(name):
            if name == 'records':
                data = b''.join(ring)
                ring.clear()
                return data
            if name == 'header':
                return b'{"format": "ebbt", "version": 1, "record_bytes": 32}\n'
            change(replay.BUDDY, 6)
            data = replay.pack_part(state.part(seq))
            change(6, replay.BUDDY)
            return data

        def run():
            for _ in range(8):
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    return
                with connection:
                    data = answer(connection.recv(100).decode().strip())
                    connection.sendall((b'+%d\n' % len(data) + data if data else b'') + b'=0\n')
        threading.Thread(target=run, daemon=True).start()

    def test_ebb_dump_leaves_a_proof(self):
        self.serve_records()
        words = [sys.executable, TOP / 'tools' / 'ebb-dump', '--rundir', self.rundir, '--session', self.rundir / 's.ebbt']
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit(20), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        verdict = replay.replay(self.rundir / 's.ebbt')
        self.assertTrue(verdict.proved, verdict)

    def test_ebb_dump_without_a_machine(self):
        self.listener.close()
        words = [sys.executable, TOP / 'tools' / 'ebb-dump', '--rundir', self.rundir / 'none', self.rundir / 'tree']
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit(20), check=False)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))


class MarkersTest(unittest.TestCase):
    """Bytes between markers, among a console's other output."""

    def text(self, data, size=None, status=0):
        lines = base64.encodebytes(data).decode().splitlines()
        lines.insert(1, '[    1.234567] virtio_mem: vm0: plugged 64 MiB as requested')
        return '\n'.join(['ebb> dumpsys', '-----BEGIN EBB dumpsys-----', *lines,
                          f'-----END EBB dumpsys {len(data) if size is None else size} bytes status {status}-----', 'ebb> '])

    def test_decoded(self):
        data = bytes(range(256)) * 3
        self.assertEqual(decode_markers(self.text(data), 'dumpsys'), data)

    def test_refused(self):
        for text in ('', self.text(b'abc', size=4), self.text(b'abc', status=-7), self.text(b'abc').replace('END', 'ND')):
            with self.assertRaises(PortError):
                decode_markers(text, 'dumpsys')
