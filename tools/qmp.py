# SPDX-License-Identifier: BSD-2-Clause
"""A small QMP client, for QEMU and for ebb-vmem's control socket, which speaks the same words."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path


class QmpError(Exception):
    """The other side refused, went away, or did not answer in time."""


class Qmp:
    """One connection. Events that arrive meanwhile are kept in self.events."""

    def __init__(self, path: Path | str, timeout: float = 10.0):
        self.path, self.timeout = str(path), timeout
        self.events: list[dict] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._rest = b''
        try:
            self._socket.connect(os.path.relpath(path))      # a socket's path has 108 bytes
        except OSError as error:
            raise QmpError(f'{path}: {error.strerror or error}') from None
        self._receive(time.monotonic() + timeout)
        self.execute('qmp_capabilities')

    def _receive(self, deadline: float) -> dict:
        while b'\n' not in self._rest:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise QmpError(f'{self.path}: no answer') from None
            except OSError as error:
                raise QmpError(f'{self.path}: {error.strerror}') from None
            if not data:
                raise QmpError(f'{self.path}: the connection was closed')
            self._rest += data
        line, self._rest = self._rest.split(b'\n', 1)
        return json.loads(line)

    def execute(self, command: str, **arguments):
        """Send a command and return what it returns."""
        words = {name.replace('_', '-'): value for name, value in arguments.items()}
        request = {'execute': command} | ({'arguments': words} if words else {})
        try:
            self._socket.sendall(json.dumps(request).encode() + b'\n')
        except OSError as error:
            raise QmpError(f'{self.path}: {error.strerror}') from None
        deadline = time.monotonic() + self.timeout
        while True:
            answer = self._receive(deadline)
            if 'event' in answer:
                self.events.append(answer)
            elif 'error' in answer:
                raise QmpError(f'{command}: {answer["error"].get("desc")}')
            elif 'return' in answer:
                return answer['return']

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
