# SPDX-License-Identifier: BSD-2-Clause
"""ebb's console as the user sees it: without the firmware's lines, and without control sequences if nothing obeys them."""

from __future__ import annotations

import os
import re
import time
from typing import TextIO

FIRST = b'ebb: first light'         # ebb's first line begins with it
REBOOT = b'ebb: reboot\r\n'
WIDTH = 80                          # columns of a terminal that does not report its size
FIRMWARE_LIMIT = 3.0                # seconds for which the firmware's lines are held back at most
SEQUENCE = re.compile(rb'\x1b\[[0-9;?]*([@-~])')
COLOUR = re.compile(rb'\x1b\[[0-9;]*m')
BEGUN = re.compile(rb'\x1b(\[[0-9;?]*)?$')     # an incomplete sequence: its end has not arrived yet
ERASE = b'J'                        # of the sequence after which the editor draws its line again


def obeys(stream: TextIO) -> bool:
    """Return true if a stream is a terminal that obeys control sequences."""
    return stream.isatty() and os.environ.get('TERM') != 'dumb'


def may_colour(stream: TextIO) -> bool:
    """Return true if a program may use colours on a stream, and draw its own lines again."""
    return obeys(stream) and not os.environ.get('NO_COLOR')


def draw_again(text: str, stream: TextIO) -> None:
    """Draw a line over the last one. The line is cut to the terminal's width, because a line that wraps cannot be drawn
    over."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns or WIDTH
    except OSError:
        width = WIDTH
    print(f'\r\033[K{text[:width - 1]}', end='', file=stream, flush=True)


class Curtain:
    """Holds back what the firmware prints, until ebb's first line opens it. If that line does not come, it opens by itself
    after FIRMWARE_LIMIT, and shows everything."""

    def __init__(self, hides: bool):
        self.hides, self.open = hides, not hides
        self.held, self.tail = b'', b''
        self.since: float | None = None

    def take(self, data: bytes) -> bytes:
        """Take what the machine printed; returns what to show."""
        if not self.hides:
            return data
        return self._pass(data) if self.open else self._hold(data)

    def _pass(self, data: bytes) -> bytes:
        """Show all up to a reboot, after which the firmware prints its lines again."""
        _, reboot, after = (self.tail + data).partition(REBOOT)
        if not reboot:
            self.tail = (self.tail + data)[1 - len(REBOOT):]
            return data
        self.open, self.tail = False, b''
        return data[:len(data) - len(after)] + self.take(after)

    def _hold(self, data: bytes) -> bytes:
        if data and self.since is None:
            self.since = time.monotonic()
        self.held += data
        if FIRST not in self.held:
            return b''
        self.held = self.held[self.held.rfind(b'\n', 0, self.held.index(FIRST)) + 1:]
        return self.take(self.lift())

    def lift(self) -> bytes:
        """Open the curtain; return what it held back."""
        shown, self.held, self.since, self.open = self.held, b'', None, True
        return shown

    def left(self) -> float | None:
        """Return the seconds until the curtain opens by itself, or None if it holds nothing back."""
        return None if self.since is None else max(0.0, self.since + FIRMWARE_LIMIT - time.monotonic())


class Filter:
    """Leaves out colours, or for a pipe or a file all control sequences and carriage returns."""

    def __init__(self, terminal: bool, colours: bool):
        self.terminal, self.colours = terminal, colours
        self.rest = b''
        self.at_start = True

    def take(self, data: bytes) -> bytes:
        """Take console output, in pieces of any size; returns what to show."""
        if self.terminal and self.colours:
            return data
        data = self.rest + data
        begun = BEGUN.search(data)
        self.rest = begun[0] if begun else b''
        data = data[:len(data) - len(self.rest)]
        if self.terminal:
            return COLOUR.sub(b'', data)
        parts = SEQUENCE.sub(lambda match: b'\0' if match[1] == ERASE else b'', data).replace(b'\r', b'').split(b'\0')
        shown = b''
        for number, part in enumerate(parts):
            # A line that the editor has erased ends here: the next text is a line of its own.
            text = b'\n' * (number > 0 and not self.at_start) + part
            self.at_start = text.endswith(b'\n') if text else self.at_start
            shown += text
        return shown
