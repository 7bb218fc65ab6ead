# SPDX-License-Identifier: BSD-2-Clause
"""A terminal with a program on it, such as `make run`: what is typed, and the rows that a reader would see."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from pathlib import Path
from typing import Callable

from machine import die_with_parent
from patience import Deadline, limit

ROWS, COLUMNS = 50, 200
END_GRACE = 5.0          # seconds from a signal to the end of the program
SEQUENCE = re.compile(r'\x1b\[([0-9;?]*)([@-~])|\x1b[()][0-9A-Za-z]|\x1b[=>78]')


class Screen:
    """The rows of a terminal without an upper edge: what a VT100 shows for these bytes, without colours."""

    def __init__(self) -> None:
        self.rows = ['']
        self._row = self._column = 0
        self._rest = ''

    def feed(self, text: str) -> None:
        """Show more output."""
        text = self._rest + text
        self._rest = ''
        at = 0
        while at < len(text):
            if text[at] != '\x1b':
                self._show(text[at])
                at += 1
            elif match := SEQUENCE.match(text, at):
                self._move(match[1] or '', match[2] or '')
                at = match.end()
            elif len(text) - at < 16:
                self._rest = text[at:]      # the rest of the sequence is on its way
                return
            else:
                at += 1

    def _show(self, char: str) -> None:
        if char == '\n':
            self._row, self._column = self._row + 1, 0
        elif char == '\r':
            self._column = 0
        elif char == '\b':
            self._column = max(0, self._column - 1)
        elif char == '\t':
            self._column += 8 - self._column % 8
        elif char >= ' ':
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[:self._column] + char + row[self._column + 1:]
            self._column += 1
        while len(self.rows) <= self._row:
            self.rows.append('')

    def _move(self, numbers: str, final: str) -> None:
        number = int(numbers) if numbers.isdigit() else 0
        row = self.rows[self._row]
        if final == 'K':
            self.rows[self._row] = '' if number == 2 else row[:self._column]
        elif final == 'J' and number == 0:
            self.rows[self._row:] = [row[:self._column]]
        elif final == 'A':
            self._row = max(0, self._row - max(1, number))
        elif final == 'C':
            self._column += max(1, number)
        elif final == 'D':
            self._column = max(0, self._column - max(1, number))
        elif final == 'G':
            self._column = max(1, number) - 1


class Terminal:
    """A program on a terminal of its own. A thread reads what it prints."""

    def __init__(self, command: str, directory: Path, environment: dict[str, str], log: Path):
        self.command = command
        self._screen = Screen()
        self._changed = threading.Condition()
        self._closed = False
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', ROWS, COLUMNS, 0, 0))
        parent = os.getpid()

        def begin() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            die_with_parent(signal.SIGTERM, parent)
        self.process = subprocess.Popen(['bash', '-c', command], cwd=directory, env=environment, stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True, preexec_fn=begin)
        os.close(slave)
        self._thread = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._thread.start()

    def _read(self, log: Path) -> None:
        decoder = codecs.getincrementaldecoder('utf-8')('replace')
        with open(log, 'ab', buffering=0) as file:
            while True:
                try:
                    data = os.read(self._master, 65536)
                except OSError:         # the last program on the terminal has ended
                    data = b''
                file.write(data)
                with self._changed:
                    self._screen.feed(decoder.decode(data))
                    self._closed = not data
                    self._changed.notify_all()
                if not data:
                    return

    def type(self, text: str) -> None:
        """Type text at the terminal."""
        os.write(self._master, text.encode())

    @property
    def rows(self) -> list[str]:
        """All rows so far; the last may be incomplete."""
        with self._changed:
            return list(self._screen.rows)

    @property
    def ended(self) -> bool:
        """True if no program is left on the terminal."""
        with self._changed:
            return self._closed

    def wait_for(self, truth: Callable[[list[str]], bool], seconds: float) -> bool:
        """Wait until the rows are as expected; return False if they are not when time is up or the program has ended."""
        deadline = Deadline(seconds)
        with self._changed:
            while not truth(self._screen.rows):
                if self._closed or (not self._changed.wait(deadline.left()) and deadline.over()):
                    return truth(self._screen.rows)
            return True

    def stop(self) -> None:
        """End the program if it still runs."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(signum)
            try:
                self.process.wait(limit(END_GRACE))
            except subprocess.TimeoutExpired:
                continue
        self._thread.join(limit(END_GRACE))
        os.close(self._master)
