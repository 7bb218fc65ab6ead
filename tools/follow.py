# SPDX-License-Identifier: BSD-2-Clause
"""Waits until a machine has reached a size, and says what it waits for.

The device knows how much is plugged (its control socket sends an event), and the guest knows how much of that is in
use (its command port answers `vmem` and `lsmem`). The guest's figure decides. If the guest has no command port
(Linux), or other programs hold its ports, the device's figure decides, and the result says so.
"""

from __future__ import annotations

import re
import select
import sys
import time

from cmdport import TAKEN, CommandPort, PortError
from qmp import Qmp, QmpError
from screen import draw_again, may_colour

MIB = 1 << 20
GRANULE = 2 * MIB          # ebb plugs this much at a time, unless the device's block is larger
SETTLED_S = 3.0            # without a guest to ask, a size just below the requested one is final after this time unchanged
LOOK_S = (0.002, 0.25)     # interval between two polls without an event: the first and the last
SILENT_S = 0.3             # silence of the guest after which to check whether it listens, once the device has its size
PORT_S = 2.0               # silence of the guest after which the device's figure decides
LIVE_S = (0.3, 0.1)        # progress on a terminal: time to the first line, then the interval
LOG_S = (5.0, 10.0)        # the same without a terminal

RANGE = re.compile(r'^0x([0-9a-f]+)-0x([0-9a-f]+) +\S+ +offline\b', re.M)
VIEW = re.compile(r'requested (\d+) ([KM])iB, plugged (\d+) ([KM])iB( \(\d+ [KM]iB of it not in use\))?')
SHIFT = {'K': 10, 'M': 20}


def show_size(size: int | None) -> str:
    """Format a size for the user: exact if that is short."""
    if size is None:
        return '-'
    for shift, unit in ((40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')):
        if size and size % (1 << shift) == 0:
            return f'{size >> shift}{unit}'
    return str(size) if size < MIB else f'{size / MIB:.2f}M'


def show_time(seconds: float) -> str:
    """Format a time, in milliseconds while those are readable."""
    return f'{max(1, round(seconds * 1000))} ms' if seconds < 10 else f'{seconds:.1f} s'


class View:
    """The guest's report about a device."""

    def __init__(self, text: str, addr: int):
        lines = text[max(0, text.find(f': {addr:#x}-')):].splitlines()
        match = VIEW.search('\n'.join(lines[1:]))
        self.known = f': {addr:#x}-' in text and match is not None
        self.requested = self.plugged = self.granule = 0
        self.given_up = bool(lines) and ', given up' in lines[0]
        self.held, self.trouble = False, ''
        if not match or not self.known:
            return
        self.requested = int(match[1]) << SHIFT[match[2]]
        self.plugged, self.held = int(match[3]) << SHIFT[match[4]], bool(match[5])
        granule = re.search(r'granule (\d+) ([KM])iB', lines[0])
        self.granule = int(granule[1]) << SHIFT[granule[2]] if granule else GRANULE
        trouble = re.search(r'last failure: (.*)', '\n'.join(lines))
        self.trouble = trouble[1] if trouble and trouble[1] != 'none' else ''

    def in_use(self, size: int) -> bool:
        """Return true if the guest uses as much of the requested size as whole granules allow."""
        return self.known and self.requested == size and not self.held and self.plugged == size // self.granule * self.granule


class Guest:
    """Asks the guest one question at a time; if that is not possible, why_not says why."""

    def __init__(self, run: str):
        self.run, self.why_not, self.view = run, '', None
        self.port: CommandPort | None = None
        self.pending, self.asked = False, 0.0        # asked: when the question was sent
        self.sockets = ['port.sock', 'control.sock']
        self.connect()

    def connect(self) -> None:
        """Take the next command port."""
        try:
            self.port = CommandPort(f'{self.run}/{self.sockets.pop(0)}')
        except PortError as error:
            self.port, self.why_not = None, self.why_not or str(error)

    def ask(self) -> None:
        """Send the question, if no other is open."""
        if self.port and not self.pending:
            self.pending, self.asked = True, time.monotonic()
            self._guarded(lambda: self.port.send(b'vmem\n'))

    def take(self, addr: int) -> bool:
        """Take an answer into self.view; False if none has arrived."""
        found: list[tuple[int, str]] = []

        def receive() -> None:
            self.port.receive()
            found.extend(filter(None, [self.port.answered()]))
        if self.port and self.pending:
            self._guarded(receive)
        if found:
            self.view, self.pending = View(found[0][1], addr), False
        return bool(found)

    def refresh(self, addr: int) -> None:
        """Ask for the guest's view again, and wait at most PORT_S for the answer: the reason for a stall must be up to
        date."""
        if not self.port:
            return
        try:
            if self.pending:
                self.port.answer(PORT_S)
            self.pending = True
            self.port.send(b'vmem\n')
            self.view, self.pending = View(self.port.answer(PORT_S)[1], addr), False
        except PortError:
            pass                             # explain_stall() says that the port does not answer

    def offline_bytes(self, addr: int, region: int) -> int:
        """Count the bytes of a region that are added but not online."""
        found: list[str] = []

        def ask() -> None:
            self.port.send(b'lsmem\n')
            while not found or not found[-1].startswith('RANGE'):     # answers arrive in the order of the questions
                found.append(self.port.answer(PORT_S)[1])
        if self.port:
            self._guarded(ask)
        ranges = [(int(m[1], 16), int(m[2], 16) + 1) for m in RANGE.finditer(found[-1] if found else '')]
        return sum(max(0, min(end, addr + region) - max(start, addr)) for start, end in ranges)

    def _guarded(self, action) -> None:
        try:
            action()
        except PortError as error:
            self.give_up(str(error))

    def give_up(self, why: str) -> None:
        """Stop asking: the device's figure decides. If another program uses the port, try the other port."""
        if self.port:
            self.port.close()
        self.port, self.pending, self.view, self.why_not = None, False, None, why
        if why.startswith(TAKEN.decode()) and self.sockets:
            self.connect()

    def check(self, there: float, qmp) -> None:
        """Decide whether to wait longer for an answer. @there is the time at which the device reached its size."""
        silent = time.monotonic() - max(there, self.asked)
        if not self.pending or silent < SILENT_S:
            return
        if silent > PORT_S:
            self.give_up('the command port does not answer; another program may hold it')
        elif not listens(self.run, qmp):
            self.give_up('the guest has no command port')


def listens(run: str, qmp) -> bool:
    """Return true if the guest has opened the command port, according to QEMU, or if that is unknown."""
    own = None
    try:
        own = None if qmp else Qmp(f'{run}/qmp.sock', 0.5)
        ports = {chardev['label']: chardev for chardev in (qmp or own).execute('query-chardev')}
        return ports.get('port', {}).get('frontend-open', True)
    except QmpError:
        return True
    finally:
        if own:
            own.close()


class Progress:
    """Reports the progress of a long wait: redraws a line on a terminal, prints one at long intervals elsewhere."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = may_colour(self.stream)
        self.after, self.every = LIVE_S if self.live else LOG_S
        self.drawn = False

    def due(self) -> float:
        """Return the seconds from the start to the next line."""
        return self.after

    def say(self, seconds: float, text: str) -> None:
        """Print the progress, that many seconds after the start."""
        if seconds < self.after:
            return
        self.after = seconds + self.every
        self.drawn = True
        if self.live:
            draw_again(text, self.stream)
        else:
            print(text, file=self.stream, flush=True)

    def end(self) -> None:
        """Clear the line."""
        if self.live and self.drawn:
            draw_again('', self.stream)


def progress_text(name: str, start: int, plugged: int, size: int, seconds: float) -> str:
    """Format the progress as text."""
    span, left = abs(size - start), abs(size - plugged)
    done = 100 * max(0, span - left) // span if span else 100
    return f'{name}: plugged {show_size(plugged)} of {show_size(size)} requested ({done}%), {seconds:.1f} s'


class Follower:
    """A wait for a size of a device."""

    def __init__(self, device, guest: Guest, size: int, patience: float):
        self.device, self.guest, self.size, self.patience = device, guest, size, patience
        self.progress = Progress()
        self.begun = self.moved = self.there = time.monotonic()     # moved: last change of size; there: size reached
        self.pause, self.next_look = LOOK_S[0], self.begun
        self.start = self.now = device.state()
        self.before = device.answers()

    def granule(self) -> int:
        """Return the size of a step in which the guest plugs."""
        view = self.guest.view
        return view.granule if view and view.known else max(GRANULE, self.now.block)

    def below(self) -> bool:
        """Return true if the device has the requested size rounded down to whole granules: ebb plugs no part of a granule."""
        return self.now.plugged == self.size - self.size % self.granule()

    def reached(self, t: float) -> bool:
        """Return true if the wait is over, by the guest's figure or by the device's."""
        view = self.guest.view
        if self.guest.port:
            return view is not None and view.in_use(self.size)
        return self.now.plugged == self.size or (self.below() and t - self.moved > SETTLED_S)

    def confirmed(self) -> bool:
        """Return true if the device has the size that the guest reports; the guest is ahead while blocks leave."""
        self.now = self.device.state()
        return not self.guest.view or self.now.plugged == self.guest.view.plugged

    def look(self, t: float) -> None:
        """Query the device, and start a query of the guest."""
        last, self.now = self.now.plugged, self.device.state()
        if self.now.plugged != last:
            self.moved, self.pause = t, LOOK_S[0]
        if not self.below():
            self.there = t
        self.guest.ask()
        self.next_look = t + self.pause
        self.pause = min(2 * self.pause, LOOK_S[1])

    def wait(self, t: float) -> None:
        """Wait for an event, an answer, or the time of the next poll; an event makes the poll due."""
        until = min(self.next_look, self.begun + self.progress.due())
        sockets = [self.device.qmp, *([self.guest.port] if self.guest.pending else [])]
        select.select(sockets, [], [], max(0.0, until - t))
        if self.device.qmp.take_events():
            self.pause, self.next_look = LOOK_S[0], 0.0
        self.guest.take(self.now.addr)

    def run(self) -> bool:
        """Return true if the size was reached; false if nothing has changed for longer than the user's patience."""
        try:
            while True:
                t = time.monotonic()
                if self.reached(t) and self.confirmed():
                    return True
                if t - self.moved > self.patience:
                    self.guest.refresh(self.now.addr)
                    return self.reached(t) and self.confirmed()
                if t >= self.next_look:
                    self.look(t)
                self.guest.check(self.there, self.device.shared_qmp())
                self.progress.say(t - self.begun, progress_text(self.device.name, self.start.plugged, self.now.plugged,
                                                                self.size, t - self.begun))
                self.wait(t)
        finally:
            self.progress.end()


def explain_stall(follower: Follower) -> str:
    """Explain why the size is not reached; name the obstacle."""
    device, now, view = follower.device, follower.now, follower.guest.view
    if fault := device.driver_fault():
        return fault
    if view and view.given_up:
        return f'the guest has given the device up: {view.trouble or "its log says why"}'
    if fault := device.answer_fault(follower.before):
        return fault
    if view and view.trouble:
        return f'ebb says: {view.trouble}'
    if device.unread():
        return 'the guest has not read the requested size: it hangs, or has given the device up; in ebb, `vmem` says which'
    silent = ('; the command port does not answer: the guest hangs, QEMU stands still, or another program holds the port'
              if follower.guest.pending and not view else '')
    if now.plugged > follower.size:
        return 'the guest cannot free the rest; in ebb, `vmem` names what is in the way' + silent
    return 'the guest does not accept more; in ebb, `vmem` says why' + silent
