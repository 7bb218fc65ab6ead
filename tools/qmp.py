# SPDX-License-Identifier: BSD-2-Clause
"""A small QMP client, for QEMU and for ebb-vmem's control socket, which speaks the same protocol."""

from __future__ import annotations

import errno
import json
import select
from pathlib import Path

from patience import Deadline
from unixsock import connect

CONNECT_LIMIT = 5.0      # seconds to the greeting
CONNECT_WORDS = {
    errno.ECONNREFUSED: 'nothing listens there',
    errno.EAGAIN: 'other clients are already waiting for it (QEMU serves one at a time)',
}


class QmpError(Exception):
    """The other side refused, closed the connection, or did not answer in time."""


class Gone(QmpError):
    """The other side is no longer there."""


class Qmp:
    """A connection. self.events keeps events that arrive during a command."""

    def __init__(self, path, timeout: float = 10.0):
        self.path, self.timeout = str(path), timeout
        self.events: list[dict] = []
        self._rest = b''
        try:
            self._socket = connect(Path(path), timeout)
        except OSError as error:
            kind = Gone if error.errno == errno.ECONNREFUSED else QmpError
            raise kind(f'{path}: {CONNECT_WORDS.get(error.errno or 0, error.strerror or error)}') from None
        self._greet(Deadline(min(timeout, CONNECT_LIMIT)))

    def _greet(self, deadline: Deadline) -> None:
        try:
            greeting = self._receive(deadline)
            if greeting is None:
                raise QmpError(f'{self.path}: does not answer: it stands still, or serves another client '
                               '(QEMU serves one client at a time)')
            if 'error' in greeting:     # the launcher refuses a second client
                raise QmpError(greeting['error'].get('desc'))
            self.execute('qmp_capabilities')
        except QmpError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the file descriptor, for select()."""
        return self._socket.fileno()

    def _receive(self, deadline: Deadline) -> dict | None:
        """Receive the next message; None if none arrived before the deadline."""
        while b'\n' not in self._rest:
            self._socket.settimeout(max(0.001, deadline.left()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                if deadline.over():
                    return None
                continue
            except OSError as error:
                raise Gone(f'{self.path}: {error.strerror}') from None
            if not data:
                raise Gone(f'{self.path}: the other side has gone')
            self._rest += data
        line, self._rest = self._rest.split(b'\n', 1)
        try:
            return json.loads(line)
        except ValueError:
            raise QmpError(f'{self.path}: {line[:40]!r} is not QMP') from None

    def execute(self, command: str, **arguments):
        """Send a command and return its result."""
        words = {name.replace('_', '-'): value for name, value in arguments.items()}
        request = {'execute': command} | ({'arguments': words} if words else {})
        self._socket.settimeout(self.timeout)
        try:
            self._socket.sendall(json.dumps(request).encode() + b'\n')
        except OSError as error:
            raise Gone(f'{self.path}: {error.strerror or error}') from None
        deadline = Deadline(self.timeout)
        while answer := self._receive(deadline):
            if 'event' in answer:
                self.events.append(answer)
            elif 'error' in answer:
                raise QmpError(f'{command}: {answer["error"].get("desc")}')
            elif 'return' in answer:
                return answer['return']
        raise QmpError(f'{self.path}: no answer to {command} within {self.timeout:g} s')

    def take_events(self) -> list[dict]:
        """Return the events that have arrived; do not wait."""
        while b'\n' in self._rest or select.select([self._socket], [], [], 0)[0]:
            message = self._receive(Deadline(0))
            if message is None:
                break
            if 'event' in message:
                self.events.append(message)
        taken, self.events = self.events, []
        return taken

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
