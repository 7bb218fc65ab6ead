# SPDX-License-Identifier: BSD-2-Clause
"""How long to wait before something counts as hung: limits grow with the machine's load, ten times at most.

A limit is written down as what is generous on an idle machine. How much slower the machine is now is measured: a fixed
piece of work takes so many seconds of a processor, and so many more while others have the processors. tools/ktest measures
again and again while it runs, and leaves the figure in the file that $EBB_LOAD names; without it a process measures itself.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable

MOST = 10.0              # no limit grows further, so that a hang is still reported
VARIABLE = 'EBB_LOAD'
WORK = 0.05              # seconds of a processor: long enough to use up what a sleeper has saved
EVERY = 2.0              # seconds between two measurements
REMEMBER = 15            # measurements: a moment without load ends no limit early
POLL = 0.02


def measure() -> float:
    """How many times longer than alone a piece of work takes this thread now; 1.0 on an idle machine."""
    start, busy = time.monotonic(), time.thread_time()
    while (used := time.thread_time() - busy) < WORK:
        pass
    return (time.monotonic() - start) / used


class Sampler:
    """Measures in a thread of its own for as long as it is open, and writes the figure to a file."""

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


_known = (1.0, 0.0)      # the figure, and until when it counts


def factor() -> float:
    """By how much limits are longer now: 1.0 to MOST."""
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
    """A limit that begins now. What it is multiplied by is looked at when it would be over, and again from then on."""

    def __init__(self, seconds: float, scale: Callable[[], float] = factor, clock: Callable[[], float] = time.monotonic):
        self.seconds, self._scale, self._clock = seconds, scale, clock
        self._start = clock()

    def left(self) -> float:
        """Seconds to wait before looking again; 0.0 when it is over."""
        gone = self._clock() - self._start
        if gone < self.seconds or not self.seconds:
            return self.seconds - min(gone, self.seconds)
        return max(0.0, self.seconds * self._scale() - gone)

    def over(self) -> bool:
        """Whether there is nothing left."""
        return self.left() <= 0.0


def limit(seconds: float) -> float:
    """A limit as a number, for who can only be told one: what it is with the load of now."""
    return seconds * factor()


def until(truth: Callable[[], object], seconds: float) -> bool:
    """Ask again and again; False if it does not come true in time."""
    deadline = Deadline(seconds)
    while not truth():
        if deadline.over():
            return False
        time.sleep(POLL)
    return True


def ended(process: subprocess.Popen, seconds: float) -> int:
    """Wait for a process; its status. Raises TimeoutExpired."""
    deadline = Deadline(seconds)
    while True:
        try:
            return process.wait(max(POLL, deadline.left()))
        except subprocess.TimeoutExpired:
            if deadline.over():
                raise


def talk(process: subprocess.Popen, seconds: float, text=None) -> tuple:
    """communicate(): what it prints until its end. Raises TimeoutExpired."""
    deadline = Deadline(seconds)
    while True:
        try:
            return process.communicate(text, timeout=max(POLL, deadline.left()))
        except subprocess.TimeoutExpired:
            text = None      # it is on its way
            if deadline.over():
                raise
