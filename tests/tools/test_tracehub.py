# SPDX-License-Identifier: BSD-2-Clause
"""One trace for many readers: each gets each record once, at its own pace; a thread plays ebb at its trace port."""

import errno
import os
import re
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import replay
import tracehub
from patience import Deadline, limit, until
from replay import Record
from tracehub import Hub
from traceport import PortError, StatusError, TracePort
from unixsock import connect, listen

LIMIT = 10.0
HEADER = (b'{"format": "ebbt", "version": 1, "record_bytes": 32, "page_shift": 12, "pageblock_order": 9, "section_shift": 27, '
          b'"timebase_hz": 10000000, "enabled": 1, "lost": 0, "build_id": "00"}\n')
SNAPSHOT = replay.pack_part(replay.State().part(0))


def mark(seq):
    """Return a record of the runner's own event, which changes no memory."""
    return Record(seq, 17, 0, 0, seq, seq, 0, 0, 0).pack()


class Ebb:
    """Answers names as ebb does: it sends each record once."""

    def __init__(self, path):
        self.path, self.seq, self.taken = path, 0, 0
        self.names, self.status = [], {}
        self.silent = self.reset = False
        self.listener = listen(path)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                try:
                    for line in client.makefile('rb'):
                        self._answer(client, line.decode().strip())
                except OSError:
                    pass

    def _answer(self, client, name):
        self.names.append(name)
        while self.silent:
            time.sleep(0.01)
        data = {'header': HEADER, 'snapshot': SNAPSHOT, 'view': b'a map\n'}.get(name, b'')
        if name == 'records':
            end = self.seq
            data, self.taken = b''.join(mark(seq) for seq in range(self.taken, end)), end
        pieces = b''.join(b'+%d\n' % len(data[at:at + 50]) + data[at:at + 50] for at in range(0, len(data), 50))
        if self.reset:
            self.reset = False
            client.sendall(pieces[:len(pieces) // 2])
            raise OSError
        client.sendall(pieces + b'=%d\n' % self.status.get(name, 0))


class HubTest(unittest.TestCase):
    """A hub in this process, between sockets of a run directory."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.rundir = Path(directory.name)

    def begin(self, records=True):
        self.ebb = Ebb(self.rundir / 'inner.sock')
        self.addCleanup(self.ebb.listener.close)
        self.hub = Hub(self.rundir, self.rundir / 'inner.sock', records)
        return self.ebb

    def reader(self):
        port = TracePort(self.rundir / 'trace.sock', LIMIT)
        self.addCleanup(port.close)
        return port

    def seqs(self, data):
        return [record.seq for record in replay.unpack(data)]

    def test_each_reader_gets_each_record_once(self):
        ebb = self.begin()
        readers = [self.reader() for _ in range(3)]
        got = [[] for _ in readers]
        for step in range(30):
            ebb.seq += 7
            turn = step % 4
            if turn < 3:
                got[turn] += self.seqs(readers[turn].fetch('records'))
                self.assertEqual(got[turn], list(range(ebb.seq)), 'a reader does not get what was there when it asked')
        for reader, seqs in zip(readers, got):
            seqs += self.seqs(reader.fetch('records'))
            self.assertEqual(seqs, list(range(ebb.seq)))

    def test_many_readers_at_once(self):
        ebb = self.begin()
        results = []

        def read():
            port, seqs = TracePort(self.rundir / 'trace.sock', LIMIT), []
            while len(seqs) < 5000:
                seqs += self.seqs(port.fetch('records'))
            port.close()
            results.append(seqs)
        threads = [threading.Thread(target=read) for _ in range(20)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            ebb.seq += 100
            time.sleep(0.01)
        for thread in threads:
            thread.join(limit(30))
        self.assertEqual(results, [list(range(5000))] * 20)

    def test_a_reader_that_never_reads_stops_nobody(self):
        ebb = self.begin()
        ebb.seq = 40000         # more than a socket holds
        stuck = connect(self.rundir / 'trace.sock')
        self.addCleanup(stuck.close)
        stuck.sendall(b'records\nsnapshot\nrecords\n' * 100)
        reader = self.reader()
        self.assertEqual(len(reader.fetch('records')), 40000 * 32)
        for _ in range(20):
            ebb.seq += 10
            self.assertEqual(len(reader.fetch('records')), 10 * 32)
        self.assertEqual(reader.fetch('view'), b'a map\n')

    def test_a_late_reader_begins_with_a_snapshot(self):
        ebb = self.begin()
        ebb.seq = 1000
        self.assertEqual(len(self.reader().fetch('records')), 1000 * 32)
        late = self.reader()
        self.assertEqual(late.fetch('header'), HEADER)
        self.assertEqual(late.fetch('snapshot'), SNAPSHOT)
        ebb.seq = 1003
        self.assertEqual(self.seqs(late.fetch('records')), [1000, 1001, 1002])
        self.assertEqual(self.seqs(late.fetch('records')), [])

    def test_the_session_is_recorded(self):
        ebb = self.begin()
        for _ in range(3):
            ebb.seq += 150
            reader = self.reader()
            reader.fetch('records')
            reader.fetch('snapshot')
            reader.fetch('snapshot')        # too early to be worth recording
        whole = (self.rundir / 'session.ebbt').read_bytes()
        self.assertEqual(whole.count(SNAPSHOT), 3)
        session = replay.read_session(self.rundir / 'session.ebbt')
        self.assertEqual([record.seq for record in session.records], list(range(450)))
        self.assertEqual([part.seq for boot in session.boots for part in boot.parts], [0, 0, 0])

    def test_the_rings_are_emptied_without_a_reader(self):
        ebb = self.begin()
        ebb.seq = 77
        self.assertTrue(until(lambda: ebb.taken == 77, LIMIT))
        self.assertTrue(until(lambda: 'snapshot' in ebb.names, LIMIT), 'the records of a boot are compared with nothing')

    def test_with_the_suites_only_a_reader_takes_records(self):
        ebb = self.begin(records=False)
        ebb.seq = 77
        self.assertEqual(self.reader().fetch('view'), b'a map\n')
        time.sleep(3 * tracehub.EVERY)
        self.assertEqual(ebb.names, ['view'])
        self.assertEqual(self.seqs(self.reader().fetch('records')), list(range(77)))

    def test_a_reader_that_dies_in_a_name(self):
        ebb = self.begin()
        for half in (b'', b'rec', b'snapshot\nrecor'):
            dying = connect(self.rundir / 'trace.sock')
            dying.sendall(half)
            dying.close()
        ebb.seq = 5
        self.assertEqual(self.seqs(self.reader().fetch('records')), list(range(5)))

    def test_names_that_are_none(self):
        self.begin()
        client = connect(self.rundir / 'trace.sock', limit(LIMIT))
        self.addCleanup(client.close)
        client.sendall(b'nothing\n\nrecords' + b'x' * 5000 + b'\n\xff\xfe\nview\n')
        out = b''
        while not out.endswith(b'=0\n'):
            out += client.recv(1000)
        self.assertEqual(out, b'=-2\n' * 4 + b'+6\na map\n=0\n')

    def test_a_reset_in_the_middle_of_an_answer(self):
        ebb = self.begin(records=False)
        ebb.seq = 100
        reader = self.reader()
        self.assertEqual(len(reader.fetch('records')), 3200)
        ebb.seq, ebb.reset = 200, True
        seqs = self.seqs(reader.fetch('records'))
        self.assertEqual(seqs, list(range(100, 100 + len(seqs))), 'a record was cut')
        self.assertGreater(len(seqs), 10)
        ebb.reset = True
        self.assertEqual(reader.fetch('snapshot'), SNAPSHOT)

    def test_an_ebb_that_is_silent(self):
        with mock.patch.object(tracehub, 'SILENT', 0.1):
            ebb = self.begin(records=False)
            reader = self.reader()
            reader.fetch('view')
            ebb.silent = True
            for name in ('view', 'records'):
                with self.assertRaises(StatusError) as caught:
                    reader.fetch(name)
                self.assertEqual(caught.exception.status, -errno.ETIMEDOUT)
            ebb.silent = False
            # The hub does not take a late answer to the questions above for the answer to this question.
            self.assertEqual(self.first_answer(reader, 'view'), b'a map\n')

    @staticmethod
    def first_answer(reader, name):
        deadline = Deadline(LIMIT)
        while True:
            try:
                return reader.fetch(name)
            except StatusError:
                if deadline.over():
                    raise

    def test_no_ebb_at_all(self):
        with mock.patch.object(tracehub, 'SILENT', 0.1):
            self.hub = Hub(self.rundir, self.rundir / 'inner.sock', True)
            with self.assertRaisesRegex(StatusError, 'status -110'):
                self.reader().fetch('records')

    def test_a_status_is_handed_on(self):
        ebb = self.begin()
        ebb.seq, ebb.status = 5, {'records': -errno.EBUSY, 'snapshot': -errno.ENOMEM}
        reader = self.reader()
        for name, status in (('records', -errno.EBUSY), ('snapshot', -errno.ENOMEM)):
            with self.assertRaises(StatusError) as caught:
                reader.fetch(name)
            self.assertEqual(caught.exception.status, status)
        ebb.status = {}
        self.assertEqual(reader.fetch('snapshot'), SNAPSHOT)
        self.assertEqual(self.seqs(reader.fetch('records')), list(range(5)), 'records that came before an error are lost')

    def test_a_recording_that_is_full(self):
        with mock.patch.object(tracehub, 'MOST_BYTES', 2000):
            ebb = self.begin(records=False)
            ebb.seq = 40
            reader = self.reader()
            self.assertEqual(len(reader.fetch('records')), 40 * 32)
            ebb.seq = 80
            with self.assertRaisesRegex(StatusError, f'status -{errno.EFBIG}'):
                reader.fetch('records')
        session = replay.read_session(self.rundir / 'session.ebbt')
        self.assertEqual((session.cut, [record.seq for record in session.records][:40]), (0, list(range(40))))

    def test_a_disk_that_is_full(self):
        ebb = self.begin(records=False)
        reader = self.reader()
        with mock.patch.object(tracehub.tempfile, 'TemporaryFile') as spool:
            spool.return_value.write.side_effect = OSError(errno.ENOSPC, 'no room')
            with self.assertRaisesRegex(StatusError, f'status -{errno.ENOSPC}'):
                reader.fetch('snapshot')
        ebb.seq = 5
        self.assertEqual(reader.fetch('view'), b'a map\n')
        self.assertEqual(self.seqs(reader.fetch('records')), list(range(5)))

    def test_one_reader_too_many(self):
        with mock.patch.object(tracehub, 'MOST_READERS', 3):
            self.begin()
        readers = [self.reader() for _ in range(3)]
        for reader in readers:
            reader.fetch('view')
        with self.assertRaisesRegex(PortError, f'status -{errno.EMFILE}|Broken pipe'):
            self.reader().fetch('view')
        readers[0].close()
        self.assertTrue(until(lambda: self.may_enter(), LIMIT))

    def may_enter(self):
        try:
            return self.reader().fetch('view') == b'a map\n'
        except PortError:
            return False

    def test_no_file_is_left_open_for_a_reader_that_has_gone(self):
        self.begin(records=False)
        self.reader().fetch('snapshot')
        before = len(os.listdir('/proc/self/fd'))
        for _ in range(50):
            port = TracePort(self.rundir / 'trace.sock', LIMIT)
            port.fetch('snapshot')
            port.close()
        self.assertTrue(until(lambda: len(os.listdir('/proc/self/fd')) <= before + 2, LIMIT))
        self.assertFalse([name for name in os.listdir(self.rundir) if re.match('tmp', name)])


class SessionTest(unittest.TestCase):
    """A record or a snapshot that does not fit leaves no part of itself in the recording."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / 'session.ebbt'
        self.session = tracehub.Session(self.path, b'header\n')

    def test_a_disk_that_takes_half_of_a_record(self):
        self.session.add_records(b'r' * 32)
        disk = self.session._file                   # pylint: disable=protected-access
        full = mock.Mock(wraps=disk, write=lambda data: disk.write(data[:len(data) // 2]))
        with mock.patch.object(self.session, '_file', full):
            self.session.add_records(b's' * 32)
        self.assertEqual((self.session.error, self.session.place), (errno.ENOSPC, 32))
        self.assertEqual(self.path.read_bytes(), b'header\n' + b'r' * 32)

    def test_a_snapshot_that_fits_in_part(self):
        with tempfile.TemporaryFile() as spool, mock.patch.object(tracehub, 'PIECE', 4), \
                mock.patch.object(tracehub, 'MOST_BYTES', 20):
            spool.write(b's' * 16)
            spool.flush()
            self.session.add_snapshot(spool)
        self.assertEqual(self.session.error, errno.EFBIG)
        self.assertEqual(self.path.read_bytes(), b'header\n')


if __name__ == '__main__':
    unittest.main()
