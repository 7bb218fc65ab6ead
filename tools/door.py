# SPDX-License-Identifier: BSD-2-Clause
"""A door in front of a QEMU socket, which serves one client and lets a second client wait without a word.

A door passes bytes between the first client and QEMU, in both directions. While that client is connected, the door sends any
other client a line that names the first client's program and says what to type, and disconnects it.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import Callable

from cmdport import CTRL_C, STATUS_LINE
from server import Work, serve
from unixsock import connect, peer

EBUSY = 16
TRY_AGAIN = 0.02        # seconds between two attempts to reach QEMU, which may still be starting
DRAIN = 0.2             # seconds for the last bytes of a closed client to reach QEMU
FORGET = 0.8            # the longest wait in seconds of a new client for the door to notice that the last has closed
SETTLE, MOST_SETTLE = 0.5, 8.0      # seconds until the door asks ebb again: the first pause, and the longest
TOO_LONG = b'x' * 1024  # more than ebb takes in one line
LINGER = 5.0            # seconds for a refused client to read the line
PIECE = 65536
STATUS_BYTES = 32       # longer than any line with a status


def port_words(name: str, advice: str) -> Callable[[str], bytes]:
    """Return the refusal of a command port: a line, then a status as at the end of any answer."""
    return lambda holder: f'taken: {name} serves one program at a time, now {holder}; {advice}\n=-{EBUSY}\n'.encode()


def qmp_words(name: str, advice: str) -> Callable[[str], bytes]:
    """Return the refusal of a QMP socket, in JSON."""
    def words(holder: str) -> bytes:
        text = f'taken: at {name} QEMU serves one client at a time, now {holder}; {advice}'
        return json.dumps({'error': {'class': 'GenericError', 'desc': text}}).encode() + b'\r\n'
    return words


def pump(source: socket.socket, target: socket.socket, count: Callable[[bytes], None]) -> None:
    """Count bytes and pass them on, until either side closes."""
    try:
        while data := source.recv(PIECE):
            count(data)
            target.sendall(data)
    except OSError:
        pass


class Business:
    """The input that a client of a command port has left in ebb: lines without an answer, or an unfinished line."""

    def __init__(self) -> None:
        self._asked = self._answered = 0
        self._in_line = False
        self._rest = b''

    def sent(self, data: bytes) -> None:
        """Note bytes that the client has sent."""
        self._asked += data.count(b'\n')
        if text := data.replace(CTRL_C, b''):
            self._in_line = not text.endswith(b'\n')

    def heard(self, data: bytes) -> None:
        """Note bytes that ebb has sent."""
        *lines, rest = (self._rest + data).split(b'\n')
        self._rest = rest[-STATUS_BYTES:]
        self._answered += sum(STATUS_LINE.fullmatch(line) is not None for line in lines)

    def done(self) -> bool:
        """Return true if the client has left no input in ebb."""
        return self._asked == self._answered and not self._in_line


def shut(connection: socket.socket) -> None:
    """End a connection that may have ended already; a thread that waits for its bytes continues."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def hung_up(client: socket.socket, seconds: float | None) -> bool:
    """Wait until a client has closed, at most @seconds (None: for ever). A client that only shuts down its sending side has
    not closed."""
    poll = select.poll()
    poll.register(client, 0)        # a hang-up is always reported
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def settle(inner: socket.socket, client: socket.socket) -> bool:
    """Make ebb end what the last client of a command port left unfinished. QEMU announces a new client on a different queue
    than the bytes, so ebb cannot always tell which client sent a byte. ebb drops a line that is too long, and everything
    before it. Return False if the client leaves or QEMU closes meanwhile."""
    pause, heard = SETTLE, b''
    while True:
        word = f'next-client-{os.urandom(4).hex()}\n'.encode()
        inner.sendall(CTRL_C + TOO_LONG + b'\necho ' + word)
        end = time.monotonic() + pause
        while (left := end - time.monotonic()) > 0:
            if select.select([inner], [], [], min(left, TRY_AGAIN))[0]:
                if not (data := inner.recv(PIECE)):
                    return False
                heard = (heard + data)[-64:]
                if heard.endswith(word + b'=0\n'):
                    return True
            elif hung_up(client, 0):
                return False
        pause = min(2 * pause, MOST_SETTLE)         # ebb is booting or busy, or QEMU has lost the bytes


class Door:
    """The door in front of one socket; its threads end with the process. @settles: the socket is a command port of ebb."""

    def __init__(self, outer: Path, inner: Path, words: Callable[[str], bytes], settles: bool = False):
        self._inner, self._words, self._settles = inner, words, settles
        self._last = Business()                     # of the last client
        self._changed = threading.Condition()
        self._holder: socket.socket | None = None
        serve(outer, self._admit)

    def _decided(self) -> bool:
        """Return false if the holder has closed but its thread has not noticed yet: a program may connect again at once."""
        return self._holder is None or not hung_up(self._holder, 0)

    def _admit(self, client: socket.socket) -> Work:
        """Make a client the holder; else refuse it."""
        with self._changed:
            self._changed.wait_for(self._decided, FORGET)
            if self._holder:
                return partial(self._refuse, self._words(peer(self._holder)))
            self._holder = client
            return self._pass

    @staticmethod
    def _refuse(refusal: bytes, client: socket.socket) -> None:
        """Send the refusal, and close when the client has read it: closing earlier would lose the line."""
        client.settimeout(LINGER)
        client.sendall(refusal)
        client.shutdown(socket.SHUT_WR)
        while client.recv(PIECE):
            pass

    def _reach(self, client: socket.socket) -> socket.socket | None:
        """Connect to QEMU; None if the client leaves before QEMU listens."""
        while True:
            try:
                return connect(self._inner)
            except OSError:
                if hung_up(client, TRY_AGAIN):
                    return None

    def _pass(self, client: socket.socket) -> None:
        """Serve a client until the client or QEMU closes."""
        try:
            if inner := self._reach(client):
                with inner:
                    self._relay(client, inner)
        finally:
            with self._changed:
                self._holder = None
                self._changed.notify_all()

    def _relay(self, client: socket.socket, inner: socket.socket) -> None:
        """Pass bytes in both directions until the client closes, or QEMU does; then close the client's connection too."""
        if not self._settles or self._last.done() or settle(inner, client):
            self._last = mine = Business()
            threading.Thread(target=self._answer, args=(inner, client, mine), daemon=True).start()
            forward = threading.Thread(target=pump, args=(client, inner, mine.sent), daemon=True)
            forward.start()
            hung_up(client, None)
            forward.join(DRAIN)         # ebb may not be reading
        shut(inner)

    @staticmethod
    def _answer(inner: socket.socket, client: socket.socket, business: Business) -> None:
        """Pass on what QEMU sends; when QEMU closes, end the client's connection."""
        pump(inner, client, business.heard)
        shut(client)
