# SPDX-License-Identifier: BSD-2-Clause
"""A client of the virtio console port org.ebb.console: one command per line, and each answer ends with "=<status>"
(port.sock)."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from patience import Deadline
from unixsock import connect

ANSWER_S = 20.0      # the longest wait for an answer, in seconds
SEND_S = 1.0         # the longest wait until the port has room for a line
CTRL_C = b'\x03'     # ends the running command
TAKEN = b'taken: '   # begins the refusal of a port that serves another program
STATUS_LINE = re.compile(rb'=(-?\d+)\r?')
STATUS = re.compile(rb'^' + STATUS_LINE.pattern + rb'\n', re.M)
WORDS = {
    errno.ENOENT: 'this machine has no command port',
    errno.ECONNREFUSED: 'nothing listens on the command port',
    errno.EAGAIN: 'other programs are already waiting for the command port',
    errno.EPIPE: 'the command port was closed',
    errno.ECONNRESET: 'the command port was closed',
}


class PortError(Exception):
    """The port cannot be used, or its answer is malformed."""


class CommandPort:
    """A connection. The port serves one client at a time: the launcher refuses a second client with a line that begins with
    "taken: ". Without the launcher, QEMU lets a second client connect and write, but never answers it."""
    error: type[Exception] = PortError

    def __init__(self, path):
        self._rest = b''
        try:
            self._socket = connect(Path(path), 1.0)
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> Exception:
        return self.error(WORDS.get(error.errno or 0, f'the command port: {error.strerror or error}'))

    def fileno(self) -> int:
        """Return the file descriptor, for select()."""
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Send any bytes: lines, or Ctrl-C."""
        try:
            self._socket.settimeout(SEND_S)
            self._socket.sendall(data)
        except OSError as error:
            raise self._failed(error) from None

    def receive(self, limit: float = 0.001) -> bool:
        """Receive what has arrived; True if anything arrived within the timeout."""
        self._socket.settimeout(max(0.001, limit))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except OSError as error:
            raise self._failed(error) from None
        if not data:
            raise self.error('the command port was closed')
        self._rest += data
        return True

    def answered(self) -> tuple[int, str] | None:
        """Return status and text of the oldest complete answer, or None."""
        match = STATUS.search(self._rest)
        if not match:
            return None
        text, self._rest = self._rest[:match.start()], self._rest[match.end():]
        if text.startswith(TAKEN):
            raise self.error(text.decode(errors='replace').strip())
        return int(match[1]), text.decode(errors='replace').replace('\r', '')

    def arrived(self) -> tuple[str, int | None]:
        """Return the whole lines of the oldest answer that have arrived, and its status once the answer is complete."""
        if found := self.answered():
            return found[1], found[0]
        cut = self._rest.rfind(b'\n') + 1
        text, self._rest = self._rest[:cut], self._rest[cut:]
        return text.decode(errors='replace').replace('\r', ''), None

    def answer(self, limit: float = ANSWER_S, line: str = '') -> tuple[int, str]:
        """Wait for the oldest answer; return its status and text."""
        deadline = Deadline(limit)
        while not (found := self.answered()):
            if not self.receive(deadline.left()) and deadline.over():
                raise self.error(f'no answer to {line!r} within {limit:.0f} s; so far: {self._rest!r}')
        return found

    def run(self, line: str, limit: float = ANSWER_S) -> tuple[int, str]:
        """Run one command line. Return its status and text."""
        self.send(line.encode() + b'\n')
        return self.answer(limit, line)

    def close(self) -> None:
        """Close the connection; this ends a running command."""
        self._socket.close()
