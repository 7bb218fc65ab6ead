# SPDX-License-Identifier: BSD-2-Clause
"""The time to wait before a program counts as hung: limits grow with the machine's load, at most tenfold.

The source states a limit that is generous on an idle machine. This file measures how much slower the machine is now:
a fixed piece of work takes some seconds of a processor, and longer while other programs use the processors.
tools/ktest measures repeatedly while it runs, and writes the figure to the file that $EBB_LOAD names; without that
file a process measures itself.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable

MOST = 10.0              # limits grow at most this many times, so that a hang is still reported
VARIABLE = 'EBB_LOAD'
WORK = 0.05              # seconds of a processor: long enough to use up a sleeper's scheduling credit
EVERY = 2.0              # seconds between two measurements
REMEMBER = 15            # measurements to look back, so that a short pause in the load ends no limit early
POLL = 0.02


def measure() -> float:
    """Measure the time that a piece of work takes this thread now, divided by its time on an idle machine (1.0)."""
    start, busy = time.monotonic(), time.thread_time()
    while (used := time.thread_time() - busy) < WORK:
        pass
    return (time.monotonic() - start) / used


class Sampler:
    """Measures in its own thread while it is open, and writes the figure to a file."""

    def __init__(self, path: Path):
        self.path, self.samples = path, [1.0]
        self.highest = 1.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._take()
        os.environ[VARIABLE] = os.path.abspath(self.path)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._end.set()
        self._thread.join()
        os.environ.pop(VARIABLE, None)
        self.path.unlink(missing_ok=True)

    def _take(self) -> None:
        self.samples = self.samples[1 - REMEMBER:] + [measure()]
        self.highest = max(self.highest, self.samples[-1])
        fresh = self.path.with_suffix('.new')
        fresh.write_text(f'{max(self.samples):.2f}\n')
        fresh.rename(self.path)

    def _run(self) -> None:
        while not self._end.wait(EVERY):
            self._take()


_known = (1.0, 0.0)      # the figure, and the time at which it expires


def factor() -> float:
    """Return the current factor of limits: 1.0 to MOST."""
    global _known        # pylint: disable=global-statement
    figure, until = _known
    if time.monotonic() >= until:
        try:
            figure = float(Path(os.environ[VARIABLE]).read_text(encoding='ascii'))
        except (KeyError, OSError, ValueError):
            figure = measure()
        _known = figure, time.monotonic() + EVERY
    return min(max(figure, 1.0), MOST)


class Deadline:
    """A limit that begins now. It reads the load's factor only once its plain seconds are over, at each check."""

    def __init__(self, seconds: float, scale: Callable[[], float] = factor, clock: Callable[[], float] = time.monotonic):
        self.seconds, self._scale, self._clock = seconds, scale, clock
        self._start = clock()

    def left(self) -> float:
        """Return the seconds to wait before the next check; 0.0 when the limit is over."""
        gone = self._clock() - self._start
        if gone < self.seconds or not self.seconds:
            return self.seconds - min(gone, self.seconds)
        return max(0.0, self.seconds * self._scale() - gone)

    def over(self) -> bool:
        """Return true if no time is left."""
        return self.left() <= 0.0


def limit(seconds: float) -> float:
    """Return a limit under the current load, for callers that need a number."""
    return seconds * factor()


def until(truth: Callable[[], object], seconds: float) -> bool:
    """Poll a condition; False if it does not become true in time."""
    deadline = Deadline(seconds)
    while not truth():
        if deadline.over():
            return False
        time.sleep(POLL)
    return True


def ended(process: subprocess.Popen, seconds: float) -> int:
    """Wait for a process and return its status. Raises TimeoutExpired."""
    deadline = Deadline(seconds)
    while True:
        try:
            return process.wait(max(POLL, deadline.left()))
        except subprocess.TimeoutExpired:
            if deadline.over():
                raise


def talk(process: subprocess.Popen, seconds: float, text=None) -> tuple:
    """Communicate with a process until its end, and return its output. Raises TimeoutExpired."""
    deadline = Deadline(seconds)
    while True:
        try:
            return process.communicate(text, timeout=max(POLL, deadline.left()))
        except subprocess.TimeoutExpired:
            text = None      # communicate() must get the text only once
            if deadline.over():
                raise
