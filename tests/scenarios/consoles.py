# SPDX-License-Identifier: BSD-2-Clause
"""Two consoles, at which users type a seed's commands while the device is resized: fuzz_console's steps on a
machine."""

from __future__ import annotations

import os
import random
import re
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

from guest import Failure, Guest, expect
from machine import MIB, MemDevice
from plan import scenario

COMMANDS = 600                      # commands of a test run; N= of `make soak`
LIST = 1000                         # steps of one seed
SHOWN = 40                          # of the last commands, when a failure is found
IMPATIENT = 0.5                     # seconds after which the scenario types Ctrl-C and "go"
HANGS = 90.0                        # seconds after which a command counts as hung; a thread is held for 60
CTRL_C = '\x03'
BAD = re.compile(r'Kernel panic|mm_check:|mm check: \d+ diff|spinlock .* held for')


def lines(build: str, seed: int) -> list[tuple[str, str]]:
    """Return the actors and their steps, from a seed."""
    program = [f'{build}/fuzz/console_lines', str(seed), str(LIST)]
    text = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    return [(actor, line) for actor, _, line in (step.partition(' ') for step in text.splitlines())]


class People:
    """Both consoles and the host; each has a thread, and takes a step when its last step has ended."""

    def __init__(self, guest: Guest, seed: int, commands: int):
        self.guest, self.seed, self.left = guest, seed, commands
        self.typed = open(guest.machine.rundir / 'typed', 'w', buffering=1)     # pylint: disable=consider-using-with
        self.last: deque[str] = deque(maxlen=SHOWN)
        self.frames: deque[int] = deque(maxlen=16)
        self.running: dict[str, float] = {}
        self.why: str | None = None
        self.lock = threading.Lock()

    def note(self, actor: str, line: str) -> str:
        """Replace a line's @N and @d by frames, and log the line before it is typed."""
        def frame(match: re.Match) -> str:
            known = list(self.frames)
            nth = int(match[1]) if match[1] != 'd' else len(known)      # no driver acts here
            return hex((known[-1 - nth] if nth < len(known) else 0x80000) + int(match[2] or 0))
        line = re.sub(r'@(\d+|d)(?:\+(\d+))?', frame, line)
        with self.lock:
            self.typed.write(f'{actor} {line}\n')
            self.last.append(f'{actor:9} {line}')
            self.running[actor] = time.monotonic()
        return line

    def heard(self, line: str, text: str) -> None:
        """Handle an answer: remember the frame that "alloc" gave; some words end the scenario."""
        if line.startswith('alloc') and (match := re.search(r'^pfn (0x[0-9a-f]+) order', text, re.M)):
            self.frames.append(int(match[1], 16))
        if match := BAD.search(text):
            self.why = self.why or text[match.start():].splitlines()[0]

    def at_the_port(self, line: str) -> None:
        """Run a line at the port."""
        status, text = self.guest.port.run(line, HANGS)
        self.heard(line, text)
        if line == 'mm check' and status:
            self.why = self.why or f'mm check: {text}'

    def at_the_terminal(self, line: str) -> None:
        """Run a line at the terminal, until the next prompt."""
        console = self.guest.console
        start = len(console.text)
        self.guest.type(line)
        end = console.wait_prompt(HANGS, start)
        self.heard(line, console.text[start:end])

    def at_the_device(self, line: str) -> None:
        """Request another size."""
        self.guest.devices['vm0'].request(int(line))
        time.sleep(0.005)

    def act(self, actor: str, steps: list[str]) -> None:
        """Run all steps of an actor."""
        does = {'port': self.at_the_port, 'terminal': self.at_the_terminal, 'device': self.at_the_device}[actor]
        try:
            for line in steps:
                if self.why:
                    return
                does(self.note(actor, line))
                self.running.pop(actor, None)
        except Failure as why:
            self.why = self.why or f'{actor}: {why}'
        finally:
            self.running.pop(actor, None)

    def hurry(self) -> None:
        """End long waits: release held threads, and cancel waiting commands."""
        with self.lock:
            late = [actor for actor, since in self.running.items() if time.monotonic() - since > IMPATIENT]
            for actor in late:
                self.running[actor] = time.monotonic()
        if 'terminal' in late:
            self.guest.keys(f'{CTRL_C}go\r')
        if 'port' in late:
            self.guest.port.send(CTRL_C.encode())

    def play(self, build: str) -> None:
        """Run list after list, until enough was typed or a failure was found."""
        seed = self.seed
        while self.left > 0 and not self.why:
            steps = lines(build, seed)[:self.left]
            threads = [threading.Thread(target=self.act, args=(name, [line for actor, line in steps if actor == name]),
                                        daemon=True)
                       for name in ('port', 'terminal', 'device')]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.05)
                self.hurry()
            self.left -= len(steps)
            seed += 1
        self.typed.close()
        if self.why:
            said = next((line for line in self.guest.console.text.splitlines() if 'Kernel panic' in line), self.why)
            raise Failure('\n'.join([f'seed {seed - 1}: {said}', f'the last commands, of all in {self.typed.name}:', *self.last]))


@scenario(limit=240.0, devices=(MemDevice(size=512 * MIB),))
def two_consoles(guest: Guest) -> None:
    """Whatever two users type, in any order, while the device is resized: commands may fail, but ebb never panics."""
    seed = int(os.environ.get('SEED') or random.randrange(1 << 31))
    guest.recorder.stop()
    guest.recorder.provable = False         # users switch trace events off, and clear the records
    people = People(guest, seed, int(os.environ.get('N') or COMMANDS))
    print(f'    # SEED={seed}', flush=True)
    people.play(str(Path(guest.machine.config.kernel).parent))
    guest.run('go; hold')
    for event in ('online', 'offline', 'cancel-offline', 'went-online'):
        guest.run(f'veto {event} 0')
    guest.run('mm check')
    violations = guest.devices['vm0'].get('x-violations') if guest.devices['vm0'].own else {'total': 0}
    expect(violations['total'] == 0, f'the driver broke rules: {violations}')
