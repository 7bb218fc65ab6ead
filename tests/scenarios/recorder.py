# SPDX-License-Identifier: BSD-2-Clause
"""A scenario's session.ebbt: taken from the trace port while the guest runs, or from its memory if the guest does not answer.

A thread empties the rings a few times a second. The recorder requests snapshots after each check and at the end. Then
it stops the machine, reads the state in the descriptors from outside, and replays everything.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from elf import Elf, ElfError
from machine import RAM_BASE, Machine
from outside import Memory, Outside, OutsideError, file_memory, qmp_memory
from qmp import Qmp, QmpError
from replay import RECORD, SessionError, Verdict, pack_part, replay
from traceport import PortError, TracePort

if TYPE_CHECKING:
    from guest import Guest

TAKE_EVERY = 0.2                               # seconds
PORT_LIMIT = 15.0                             # seconds without a byte
APPEND = 'trace_event=* trace_buf_size=1M'     # of each hart


class Recorder:
    """Writes one machine's session."""

    def __init__(self, machine: Machine):
        self.shared = machine.config.doors     # the launcher also takes records, into session.ebbt
        self.machine, self.path = machine, machine.rundir / ('reader.ebbt' if self.shared else 'session.ebbt')
        self.elf = Elf(machine.config.kernel)
        self.finished = False
        self._interrupted = False
        self.provable = True                   # False: the scenario has left something out on purpose
        self._port: TracePort | None = None
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._memory = -1                      # the machine's memory file stays open after its end
        self.path.with_suffix('.problem').unlink(missing_ok=True)
        self._file = open(self.path, 'wb', buffering=0)

    def keep_memory(self, path: str) -> None:
        """Keep the memory file of a machine that may end by itself."""
        self._memory = os.open(path, os.O_RDONLY)

    def start(self) -> None:
        """Begin to record; the machine must already take commands."""
        self._port = TracePort(self.machine.rundir / 'trace.sock', PORT_LIMIT)
        self._file.write(self._port.fetch('header'))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(TAKE_EVERY):
            if not self._take('records'):
                return

    def _take(self, *names: str) -> bool:
        """Add the port's answers to the session. Return False if the port no longer answers: the rest is then read from
        outside."""
        with self._lock:
            try:
                for name in names if self._port else ():
                    self._file.write(self._fetch(name))
                return self._port is not None
            except PortError:
                self._port = None
                return False

    def _fetch(self, name: str) -> bytes:
        """Fetch an answer. A guest that was reset in the middle of an answer does not send the rest: ask again, once."""
        assert self._port is not None
        try:
            return self._port.fetch(name)
        except PortError:
            if self._interrupted:
                raise
            self._port.close()
            self._port = TracePort(self.machine.rundir / 'trace.sock', PORT_LIMIT)
            self._end.wait(TAKE_EVERY)
            return self._port.fetch(name)

    def snapshot(self) -> None:
        """Take a snapshot, and the records before it."""
        if not self._take('snapshot', 'records'):
            raise PortError('the trace port does not answer')

    def port(self) -> TracePort:
        """Return the connection, for a caller that has stopped the recorder."""
        assert self._port is not None and self._thread is None
        return self._port

    def interrupt(self) -> None:
        """Stop waiting for the port."""
        self._interrupted = True
        port = self._port
        if port:
            port.interrupt()

    def stop(self) -> None:
        """Stop taking records from the port."""
        self._end.set()
        if self._thread:
            self._thread.join()
        self._thread = None

    def finish(self, qmp: Qmp | None) -> None:
        """Read the rest of the rings and the state in the descriptors from outside. The machine is stopped meanwhile."""
        self.stop()
        self.finished = True
        if qmp is not None:
            qmp.execute('stop')
            try:
                name = 'memory.part'
                self._add_outside(qmp_memory(qmp, self.machine.rundir / name, self.machine.path(name)))
            finally:
                qmp.execute('cont')
        elif self._memory >= 0:
            self._add_outside(file_memory(self._memory, RAM_BASE))

    def outlives(self) -> bool:
        """Return True if the machine's memory can be read after its end, which needs a memory file."""
        return self._memory >= 0

    def _add_outside(self, memory: Memory) -> None:
        seen = Outside(self.elf, memory)
        if not self._file.tell():
            self._file.write(json.dumps(seen.header()).encode() + b'\n')
        # The last piece before the port was lost may end inside a record.
        header = self.path.read_bytes().index(b'\n') + 1
        self._file.truncate(self._file.tell() - (self._file.tell() - header) % RECORD.size)
        self._file.seek(0, os.SEEK_END)
        self._file.write(b''.join(record.pack() for record in seen.records()))
        self._file.write(pack_part(seen.state().part(seen.seq())))

    def verdict(self) -> Verdict:
        """Replay the session."""
        return replay(self.path)

    def close(self) -> None:
        """Close everything."""
        self.stop()
        if self._port:
            self._port.close()
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1
        self._file.close()


def prove(guest: 'Guest') -> str | None:
    """Complete a guest's session and replay it; return what is wrong with it."""
    recorder = guest.recorder
    if recorder is None or recorder.finished:
        return None
    alive = guest.machine.qemu is not None and guest.machine.qemu.poll() is None
    try:
        if alive and guest.answers:
            recorder.snapshot()
        # The launcher has taken its records out of the rings, so this recorder cannot find the rest there.
        recorder.finish(guest.qmp() if alive and not recorder.shared else None)
        verdict = recorder.verdict()
    except (PortError, QmpError, OutsideError, SessionError, ElfError, OSError) as why:
        return f'session.ebbt: {why}'
    if verdict.proved or not recorder.provable or not (alive or recorder.outlives()):
        return None
    return '\n'.join([f'session.ebbt: {verdict.nr_problems} differences in {verdict.compared} parts of snapshots, '
                      f'{verdict.missing} records missing:', *verdict.problems[:8]])


def rescue(path: Path, guest: 'Guest') -> None:
    """Save what can be read after a failure, without messages."""
    guest.answers = False
    if guest.recorder:
        guest.recorder.interrupt()
    problem = prove(guest)
    if problem:
        path.with_suffix('.problem').write_text(problem + '\n')
