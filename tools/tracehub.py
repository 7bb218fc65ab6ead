# SPDX-License-Identifier: BSD-2-Clause
"""Hands ebb's trace on to any number of readers, and records it: trace.sock and session.ebbt of a run directory.

ebb's trace port has one client and gives each record once. The hub is that client. It sends one question at a time, on behalf
of all readers that wait for its answer. It appends the records to session.ebbt, and sends each reader the records there from
the reader's own place on. Each reader has a thread, so a slow reader makes neither ebb nor another reader wait.
docs/reference/trace.md describes the protocol and the file.
"""

from __future__ import annotations

import bisect
import errno
import os
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import BinaryIO, Iterator

from replay import RECORD
from server import Work, serve
from traceport import PortError, StatusError, TracePort

NAMES = ('header', 'records', 'snapshot', 'dumpsys', 'view')
NAME_BYTES = 32
EVERY = 0.2                # seconds between two visits to the rings
BUSY = 0.02                # the same after a visit that found records
MUCH = 1 << 16             # after a visit that found this many bytes, the next visit follows at once
SILENT = 5.0               # seconds without a byte from ebb, after which the hub connects again and asks a second time
REACH = 0.05               # seconds between two attempts to reach QEMU's socket
MOST_READERS = 256
MOST_BYTES = 2 << 30       # the recording ends at this size, which no tool can replay anyway
KEYFRAME = 100             # records after which the hub also records a reader's snapshot
PIECE = 1 << 16


class Session:
    """The file session.ebbt: a header line, then records and snapshots. A place counts bytes of records, not of snapshots."""

    def __init__(self, path: Path, header: bytes):
        self._file = open(path, 'wb+', buffering=0)      # pylint: disable=consider-using-with
        self._end = 0
        self.place = 0                     # of the next record
        self.error = 0                     # errno that ended the recording
        self._starts: list[int] = []       # the places at which runs of records begin, ...
        self._offsets: list[int] = []      # ... and the offsets of these runs in the file
        self._in_run = False
        self._append(header)

    def _append(self, data: bytes) -> bool:
        if not self.error and self._end + len(data) > MOST_BYTES:
            self.error = errno.EFBIG
        try:
            if not self.error and self._file.write(data) == len(data):
                self._end += len(data)
                return True
            self.error = self.error or errno.ENOSPC
            self._file.truncate(self._end)
        except OSError as error:
            self.error = error.errno or errno.EIO
        return False

    def add_records(self, data: bytes) -> None:
        """Append whole records."""
        start = self._end
        if data and self._append(data):
            if not self._in_run:
                self._starts.append(self.place)
                self._offsets.append(start)
            self._in_run = True
            self.place += len(data)

    def add_snapshot(self, spool: BinaryIO) -> None:
        """Append a snapshot, whole or not at all."""
        start = self._end
        size = os.fstat(spool.fileno()).st_size
        if all(self._append(os.pread(spool.fileno(), PIECE, at)) for at in range(0, size, PIECE)):
            self._in_run = False
        else:
            self._end = start
            self._file.truncate(start)

    def read(self, place: int, end: int) -> Iterator[bytes]:
        """Yield the records between two places, in pieces."""
        while place < end:
            run = bisect.bisect_right(self._starts, place) - 1
            stop = self._starts[run + 1] if run + 1 < len(self._starts) else end
            size = min(PIECE, stop - place, end - place)
            yield os.pread(self._file.fileno(), size, self._offsets[run] + place - self._starts[run])
            place += size


class Job:
    """A question to ebb, for all readers that ask the same before it is sent."""

    def __init__(self, name: str, begin: int):
        self.name, self.done = name, threading.Event()
        self.status = 0
        self.begin, self.end = begin, 0              # places: when it was asked, and after its records
        self.spool: BinaryIO | None = None           # the answer, except to "records"


class Hub:
    """The client of ebb's trace port, and the server of the readers."""

    def __init__(self, rundir: Path, inner: Path, records: bool):
        self._rundir, self._inner, self._records = rundir, inner, records
        self._port: TracePort | None = None
        self.session: Session | None = None
        self._snapshot_at = -1                       # place of the last snapshot in the session; -1: there is none
        self._jobs: dict[str, Job] = {}              # not sent yet
        self._pause = EVERY                          # until the next visit to the rings
        self._asked = threading.Condition()
        self._readers = threading.BoundedSemaphore(MOST_READERS)
        (rundir / 'session.ebbt').unlink(missing_ok=True)
        threading.Thread(target=self._talk, daemon=True).start()
        serve(rundir / 'trace.sock', self._admit)

    # --- to ebb -------------------------------------------------------------------------------------------------

    def ask(self, name: str) -> Job:
        """Queue a question for ebb; the answer covers all that ebb recorded before this call."""
        with self._asked:
            if name not in self._jobs:
                self._jobs[name] = Job(name, self.session.place if self.session else 0)
                self._asked.notify()
            return self._jobs[name]

    def _next_job(self) -> Job:
        """Wait for the oldest question; if none comes, the next job polls the rings."""
        with self._asked:
            self._asked.wait_for(lambda: self._jobs, self._pause if self._records else None)
            name = next(iter(self._jobs), 'records')
            return self._jobs.pop(name, None) or Job(name, 0)

    def _talk(self) -> None:
        while True:
            job = self._next_job()
            try:
                self._answer(job)
            except StatusError as error:
                job.status = error.status
            except (PortError, OSError) as error:    # silence, or no room for the spool
                job.status = -(getattr(error, 'errno', 0) or errno.ETIMEDOUT)
                self._hang_up()                      # otherwise the rest of this answer would be read as the next one
            job.done.set()

    def _answer(self, job: Job) -> None:
        """Get the answer to a job. Ask a second time after an error: a reset in the middle of an answer makes ebb forget the
        rest."""
        try:
            self._answer_once(job)
        except StatusError:
            raise
        except PortError:
            self._hang_up()
            self._answer_once(job)

    def _answer_once(self, job: Job) -> None:
        if self.session is None and job.name in ('records', 'snapshot'):
            self.session = Session(self._rundir / 'session.ebbt', b''.join(self._fetch('header')))
        if job.name == 'records':
            self._take_records(job)
        else:
            self._spool(job)

    def _fetch(self, name: str) -> Iterator[bytes]:
        if self._port is None:
            self._port = self._reach()
        return self._port.pieces(name)

    def _reach(self) -> TracePort:
        """Connect to QEMU, which may still be starting."""
        end = time.monotonic() + SILENT
        while True:
            try:
                return TracePort(self._inner, SILENT)
            except PortError:
                if time.monotonic() > end:
                    raise
                time.sleep(REACH)

    def _hang_up(self) -> None:
        if self._port:
            self._port.close()
        self._port = None

    def _take_records(self, job: Job) -> None:
        """Append the records in the rings. After an error, keep the records that have arrived: the rings no longer have them."""
        session, rest = self.session, b''
        assert session is not None
        begin = session.place
        boots = session.place == 0
        for piece in self._fetch('records'):
            rest += piece
            whole = len(rest) - len(rest) % RECORD.size
            boots = boots or (whole > 0 and rest[:4] == bytes(4))
            session.add_records(rest[:whole])
            rest = rest[whole:]
        job.end = session.place
        found = job.end - begin
        self._pause = 0.0 if found >= MUCH else BUSY if found else EVERY
        job.status = -session.error
        if boots and self._records and session.place > max(0, self._snapshot_at):
            self._take_snapshot()

    def _take_snapshot(self) -> None:
        """Record the first snapshot of a boot, with which its records can be compared."""
        try:
            self._spool(Job('snapshot', 0))
        except StatusError:
            pass                        # ebb has no memory for a snapshot: a later snapshot for a reader will do

    def _spool(self, job: Job) -> None:
        """Fetch an answer into a file without a name, from which each reader's thread sends it at the reader's pace."""
        spool = tempfile.TemporaryFile(dir=self._rundir, buffering=0)   # pylint: disable=consider-using-with
        for piece in self._fetch(job.name):
            spool.write(piece)
        job.spool = spool
        session = self.session
        if job.name == 'snapshot' and session and (
                self._snapshot_at < 0 or session.place - self._snapshot_at >= KEYFRAME * RECORD.size):
            session.add_snapshot(spool)
            self._snapshot_at = session.place

    # --- to the readers -----------------------------------------------------------------------------------------

    def _admit(self, _client: socket.socket) -> Work:
        free = self._readers.acquire(blocking=False)        # pylint: disable=consider-using-with
        return self._read_names if free else self._refuse

    @staticmethod
    def _refuse(client: socket.socket) -> None:
        client.sendall(b'=-%d\n' % errno.EMFILE)

    def _read_names(self, client: socket.socket) -> None:
        """Serve one reader until it closes."""
        reader = Reader(self, client)
        try:
            with client.makefile('rb') as lines:
                while (name := next_name(lines)) is not None:
                    reader.answer(name)
        finally:
            self._readers.release()


def next_name(lines: BinaryIO) -> str | None:
    """Read the next line without its newline; None at the end of the stream; '?' for a line that is too long."""
    line = lines.readline(NAME_BYTES)
    name = line
    while line and not line.endswith(b'\n'):
        line = lines.readline(NAME_BYTES)
        name = b'?' if line else b''
    return name.rstrip(b'\n').decode(errors='replace') if name else None


class Reader:
    """One client of trace.sock, with its own place in the records."""

    def __init__(self, hub: Hub, client: socket.socket):
        self._hub, self._client = hub, client
        self._place: int | None = None         # of the next record to send; None: neither records nor a snapshot were sent

    def answer(self, name: str) -> None:
        """Answer one name."""
        if name not in NAMES:
            self._end(-errno.ENOENT)
            return
        job = self._hub.ask(name)
        job.done.wait()
        if name == 'records':
            self._send_records(job.end)
        elif job.spool:
            self._send_spool(job.spool)
            if name == 'snapshot' and self._place is None:
                self._place = job.begin
        self._end(job.status)

    def _send_records(self, end: int) -> None:
        place = self._place or 0
        if self._hub.session and end > place:
            for piece in self._hub.session.read(place, end):
                self._send(piece)
        self._place = max(place, end)

    def _send_spool(self, spool: BinaryIO) -> None:
        at = 0
        while data := os.pread(spool.fileno(), PIECE, at):
            self._send(data)
            at += len(data)

    def _send(self, data: bytes) -> None:
        self._client.sendall(b'+%d\n' % len(data) + data)

    def _end(self, status: int) -> None:
        self._client.sendall(b'=%d\n' % status)
