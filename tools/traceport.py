# SPDX-License-Identifier: BSD-2-Clause
"""Reads what ebb sends over the virtio console port org.ebb.trace, or as base64 between markers over any console."""

from __future__ import annotations

import base64
import binascii
import re
import socket
import time
from pathlib import Path
from typing import Iterator

from patience import Deadline
from unixsock import connect

LIMIT = 60.0      # seconds without a byte, on an idle machine


class PortError(Exception):
    """The port's answer is malformed or missing."""


class StatusError(PortError):
    """ebb has answered, with a status that is not 0."""

    def __init__(self, text: str, status: int):
        super().__init__(text)
        self.status = status


class TracePort:
    """A connection to the port's socket."""

    def __init__(self, path: Path | str, limit: float = LIMIT):
        self.path, self.limit = str(path), limit
        try:
            self._socket = connect(Path(path), limit)        # waits if others already wait
        except OSError as error:
            raise PortError(f'{path}: {error.strerror}') from None
        self._rest = bytearray()

    def _more(self) -> None:
        deadline, data = Deadline(self.limit), None
        while data is None:
            self._socket.settimeout(max(0.001, deadline.left()))
            try:
                data = self._socket.recv(1 << 18)
            except TimeoutError:
                if deadline.over():
                    raise PortError(f'{self.path}: nothing arrived for {self.limit:.0f} s') from None
            except OSError as error:
                raise PortError(f'{self.path}: {error.strerror}') from None
        if not data:
            raise PortError(f'{self.path}: closed by the other side')
        self._rest += data

    def _line(self) -> bytes:
        while (end := self._rest.find(b'\n')) < 0:
            self._more()
        line = bytes(self._rest[:end])
        del self._rest[:end + 1]
        return line

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of header, records, snapshot, dumpsys or view, as they arrive."""
        try:
            self._socket.sendall(name.encode() + b'\n')
        except OSError as error:
            raise PortError(f'{self.path}: {error.strerror}') from None
        while not (line := self._line()).startswith(b'='):
            if not re.fullmatch(rb'\+\d+', line):
                raise PortError(f'{self.path}: {name}: {line[:40]!r} is not the head of a piece')
            size = int(line[1:])
            while len(self._rest) < size:
                self._more()
            yield bytes(self._rest[:size])
            del self._rest[:size]
        if not re.fullmatch(rb'=-?\d+', line):
            raise PortError(f'{self.path}: {name}: {line[:40]!r} is not a status')
        if line != b'=0':
            raise StatusError(f'{self.path}: {name}: ebb reports status {line[1:].decode()}', int(line[1:]))

    def fetch(self, name: str, pause: float = 0.0) -> bytes:
        """Fetch all pieces of an answer as one; pause makes this reader slow, for tests."""
        out = bytearray()
        for piece in self.pieces(name):
            out += piece
            time.sleep(pause)
        return bytes(out)

    def interrupt(self) -> None:
        """Make a thread that waits for the port give up."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass        # the socket is no longer connected

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def decode_markers(text: str, name: str) -> bytes:
    """Decode the data that a console printed between the markers of a name, without the kernel's messages in between."""
    begin = text.rfind(f'-----BEGIN EBB {name}-----')
    end = re.compile(rf'^-----END EBB {re.escape(name)} (\d+) bytes status (-?\d+)-----', re.M).search(text, max(begin, 0))
    if begin < 0 or not end:
        raise PortError(f'no {name} between markers')
    lines = [line.strip() for line in text[begin:end.start()].splitlines()[1:]]
    whole = ''.join(line for line in lines if re.fullmatch(r'[A-Za-z0-9+/]{2,76}={0,2}', line))
    try:
        data = base64.b64decode(whole, validate=True)
    except binascii.Error as error:
        raise PortError(f'{name}: {error}') from None
    if len(data) != int(end[1]):
        raise PortError(f'{name}: {len(data)} bytes arrived, ebb sent {end[1]}')
    if end[2] != '0':
        raise PortError(f'{name}: ebb reports status {end[2]}')
    return data
