# SPDX-License-Identifier: BSD-2-Clause
"""Plays a page: types its commands at shells, at the machine that the page starts and at gdb, and compares the output.

A command at `$ ` runs in a shell of its own and must succeed, unless the page shows that make reports its failure. The
commands in HOLD_A_TERMINAL keep running, and what is typed at their prompt follows in the same or in a later block.
Messages of the kernel come at any time, so they are compared as a sequence of their own: a block shows, in order, all
messages since the block before it on that terminal, and no others. Among messages, `...` also stands for any number of
them.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from normal import matches, normal
from page import CONSOLE, GDB, SHELL, SKIPS, PageError, Step, script
from patience import ended
from terminal import Terminal

COMMAND_LIMIT = 30.0     # seconds on an idle machine
BOOT_LIMIT = 30.0
OUTPUT_LIMIT = 8.0       # for output that comes by itself
HOLD_A_TERMINAL = re.compile(r'make (ut$|(run|debug|gdb|console|watch)\b(?!.*\b(?:poweroff|DRY=)))')
MESSAGE = re.compile(r'\[ *\d+\.\d{6}\] ')
PROMPTS = {CONSOLE: re.compile(r'ebb\S*> $'), GDB: re.compile(r'\(gdb\) $')}
AFTER_PROMPT = re.compile(r'ebb\S*> (?=\[ *\d+\.\d{6}\] )')       # a message that came while the prompt waited
QUIT = '\x01x'
# Variables that a user may have set: unset while the page runs, except those that decide how the build was made.
UNSET = ('O', 'MEM', 'VMEM', 'BLOCK', 'SMP', 'TRANSPORT', 'APPEND', 'CMD', 'RUN', 'DRY', 'T', 'V', 'EXACT', 'SEED', 'N', 'SIZE',
         'DEV', 'MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'MAKEOVERRIDES', 'EBB_COVERAGE')
BUILD = re.compile(r'\b(WERROR|DEBUG|COVERAGE|HOSTCC|CROSS|QEMU)=(\S+)')


def environment() -> dict[str, str]:
    """Return the environment of the page's commands: that of a user with no settings, for the current build."""
    kept = dict(BUILD.findall(os.environ.get('MAKEFLAGS', '')))
    rest = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**rest, **kept, 'TERM': 'vt100', 'LC_ALL': 'C.UTF-8'}


def checkout(top: Path, out: Path, directory: Path) -> None:
    """Make a built checkout of links, with a run directory and logs of its own."""
    for entry in top.iterdir():
        if entry.name not in ('.git', 'build') and not (out.exists() and entry.samefile(out)):
            (directory / entry.name).symlink_to(entry.resolve())
    build = directory / 'build'
    build.mkdir()
    for entry in out.iterdir() if out.exists() else ():
        if entry.name not in ('run', 'logs', 'bench.json'):
            (build / entry.name).symlink_to(entry.resolve())


class Held:
    """A program that holds a terminal, and how much of its output the page has shown so far."""

    def __init__(self, terminal: Terminal):
        self.terminal = terminal
        self.at = 0                         # the first row that no step has taken
        self.messages: list[str] = []       # seen and not compared yet
        self.waits = False                  # the prompt stood before the first row that no step has taken

    def prompted(self, rows: list[str], prompt: str) -> bool:
        """Return True if the prompt waits, below the rows that steps have taken."""
        if len(rows) <= self.at or rows[-1]:
            return len(rows) > self.at and PROMPTS[prompt].match(rows[-1]) is not None
        before = next((row for row in reversed(rows[self.at:-1]) if not MESSAGE.match(row)), None)
        return self.waits if before is None else AFTER_PROMPT.match(before) is not None

    def take(self) -> list[str]:
        """Return the complete rows since the last step, and note the messages among them."""
        ended, rows = self.terminal.ended, self.terminal.rows
        end = len(rows) if ended and rows[-1] else len(rows) - 1
        waits = any(self.prompted(rows, prompt) for prompt in PROMPTS)
        fresh, self.at = [AFTER_PROMPT.sub('', row) for row in rows[self.at:end]], max(self.at, end)
        self.messages += [row for row in fresh if MESSAGE.match(row)]
        self.waits = waits
        return fresh


class Player:
    """Plays the blocks of one page."""

    def __init__(self, path: Path, directory: Path, log: Path):
        self.path, self.directory, self.log = path, directory, log
        self.script = script(path)
        self.troubles: list[str] = []
        self._environment = environment()
        self._held: dict[str, list[Held]] = {CONSOLE: [], GDB: []}
        self._all: list[Terminal] = []
        self._due: list[str] = []           # the messages that the page has shown in this block

    # --- what went wrong ----------------------------------------------------------------------------------------

    def _trouble(self, step: Step, text: str) -> None:
        self.troubles.append(f'{self.path}:{step.line}: {step.command or "(output)"}: {text}')

    def _differs(self, step: Step, seen: list[str], shown: list[str], what: str = 'the output differs') -> None:
        lines = [f'{what}; the page shows', *(f'  |{normal(line)}' for line in shown),
                 'and this run printed', *(f'  |{normal(line)}' for line in seen)]
        self._trouble(step, '\n'.join(lines))

    def _wrong_output(self, step: Step, seen: list[str]) -> None:
        step.seen = seen
        self._differs(step, seen, step.shown)

    # --- the shell ----------------------------------------------------------------------------------------------

    def _failed_as_shown(self, step: Step) -> bool:
        return any(re.match(r'make: \*\*\* .* Error \d+', line) for line in step.shown)

    def _shell(self, step: Step) -> None:
        terminal = Terminal(step.command, self.directory, self._environment, self.log)
        try:
            status = ended(terminal.process, COMMAND_LIMIT)
        except subprocess.TimeoutExpired:
            last = terminal.rows[-5:]
            raise PageError(f'line {step.line}: {step.command}: no end within {COMMAND_LIMIT:.0f} s: {last}') from None
        finally:
            terminal.stop()
        seen = terminal.rows if terminal.rows[-1] else terminal.rows[:-1]
        if step.compared and not matches(step.shown, seen):
            self._wrong_output(step, seen)
        if bool(status) != self._failed_as_shown(step):
            self._trouble(step, f'ended with status {status}: {seen}')

    # --- programs that hold a terminal --------------------------------------------------------------------------

    def _start(self, step: Step, prompt: str) -> None:
        """Start a program that keeps running; prompt: what the page shows next in the same block, or ''."""
        terminal = Terminal(step.command, self.directory, self._environment, self.log)
        self._all.append(terminal)
        held = Held(terminal)
        if prompt:
            there = terminal.wait_for(lambda rows: held.prompted(rows, prompt), BOOT_LIMIT)
        else:
            there = terminal.wait_for(lambda rows: matches([*step.shown, SKIPS], rows[:-1]), BOOT_LIMIT)
        rows = held.take()
        held.messages = []
        if not there or not matches(step.shown, rows):
            self._wrong_output(step, rows)
        if not there and prompt:
            raise PageError(f'line {step.line}: {step.command}: no prompt {prompt!r}')
        self._held[prompt if prompt in self._held else CONSOLE].append(held)

    def _at(self, step: Step, prompt: str) -> Held:
        alive = [held for held in self._held[prompt] if not held.terminal.ended]
        if not alive:
            raise PageError(f'line {step.line}: {step.command or "output"}: nothing runs that has the prompt {prompt!r}')
        return alive[-1]

    def _type(self, step: Step, goes_on: bool) -> None:
        """Type a line at a prompt and compare what it prints; goes_on: a later block shows the rest of the output."""
        held = self._at(step, step.prompt)
        self._await_messages(held)
        if not held.terminal.wait_for(lambda rows: held.prompted(rows, step.prompt), COMMAND_LIMIT):
            raise PageError(f'line {step.line}: {step.command}: there is no prompt to type at')
        if not step.command:
            if step.shown:
                raise PageError(f'line {step.line}: output of an empty command')
            return
        held.take()
        held.terminal.type(step.command + '\r')
        self._until_prompt(step, held, goes_on)
        self._compare(step, held, self._without_echo(step, held.take()))

    def _until_prompt(self, step: Step, held: Held, goes_on: bool) -> None:
        """Wait for the prompt after a command, or for the end of the program; if the command may keep running, for its
        output."""
        echo = held.at
        held.at, held.waits = echo + 1, False

        def done(rows: list[str]) -> bool:
            return held.prompted(rows, step.prompt) or (
                goes_on and step.shown != [] and matches([SKIPS, *step.shown, SKIPS], rows[echo + 1:-1]))
        there = held.terminal.wait_for(done, OUTPUT_LIMIT if goes_on else COMMAND_LIMIT)
        held.at = echo
        if not there and not goes_on and not held.terminal.ended:
            raise PageError(f'line {step.line}: {step.command}: no prompt within {COMMAND_LIMIT:.0f} s; '
                            f'the last rows: {held.terminal.rows[-3:]}')

    @staticmethod
    def _without_echo(step: Step, rows: list[str]) -> list[str]:
        """Return the rows without the row in which the command was typed, and without a prompt that still waits."""
        echo = next((at for at, row in enumerate(rows) if row == step.command or row.endswith(f' {step.command}')), None)
        return [row for at, row in enumerate(rows) if at != echo and not PROMPTS[step.prompt].match(row)]

    def _compare(self, step: Step, held: Held, rows: list[str]) -> None:
        plain = [row for row in rows if not MESSAGE.match(row)]
        if not matches([line for line in step.shown if not MESSAGE.match(line)], plain):
            self._wrong_output(step, rows)

    def _output(self, step: Step) -> None:
        """Compare the output before a block's first prompt with the output since the last block."""
        held = self._at(step, CONSOLE)
        self._await_messages(held)
        want = [line for line in step.shown if not MESSAGE.match(line)]

        def all_there(rows: list[str]) -> bool:
            return held.prompted(rows, CONSOLE) and matches([SKIPS, *want, SKIPS], rows[held.at:])
        if want:
            held.terminal.wait_for(all_there, OUTPUT_LIMIT)
        rows = [row for row in held.take() if not PROMPTS[CONSOLE].match(row)]
        if not matches(want, [row for row in rows if not MESSAGE.match(row)]):
            self._wrong_output(step, rows)

    def _await_messages(self, held: Held) -> None:
        """Wait until ebb has printed the messages that the page has shown so far in this block."""
        def all_there(rows: list[str]) -> bool:
            fresh = [AFTER_PROMPT.sub('', row) for row in rows[held.at:-1]]
            return matches([*self._due, SKIPS], held.messages + [row for row in fresh if MESSAGE.match(row)])
        held.terminal.wait_for(all_there, OUTPUT_LIMIT)

    def _note_due(self, step: Step) -> None:
        if any(map(MESSAGE.match, step.shown)):
            self._due += [line for line in step.shown if MESSAGE.match(line) or line.strip() == SKIPS]

    def _messages(self, steps: list[Step]) -> None:
        """Check that the console printed exactly the messages that the page shows for a block, in this order."""
        at_console = steps[0].prompt != SHELL and any(step.prompt in ('', CONSOLE) for step in steps)
        for held in self._held[CONSOLE][-1:] if at_console else ():
            self._await_messages(held)
            held.take()
            seen, held.messages = held.messages, []
            if not matches(self._due, seen):
                self._differs(steps[0], seen, self._due, 'the messages of this block differ')
                if not steps[0].prompt and steps[0].shown == self._due:
                    steps[0].seen = seen

    # --- the page -----------------------------------------------------------------------------------------------

    def _goes_on(self, number: int, step: Step) -> bool:
        """Return True if the next block that shows the console begins with output of this command."""
        if not step.last:
            return False
        later = next((steps[0] for steps in self.script[number + 1:] if steps[0].prompt in ('', CONSOLE)), None)
        return later is not None and later.prompt == ''

    def _block(self, number: int, steps: list[Step]) -> None:
        self._due = []
        for at, step in enumerate(steps):
            if not step.prompt:
                self._note_due(step)
            following = steps[at + 1].prompt if at + 1 < len(steps) else ''
            if step.prompt == SHELL and HOLD_A_TERMINAL.match(step.command):
                self._start(step, following if following != SHELL else '')
            elif step.prompt == SHELL:
                self._shell(step)
            elif step.prompt:
                self._type(step, self._goes_on(number, step))
            else:
                self._output(step)
            if step.prompt and step.prompt != SHELL:
                self._note_due(step)
        self._messages(steps)

    def play(self) -> list[str]:
        """Play all blocks; return what is wrong, [] if nothing is."""
        try:
            for number, steps in enumerate(self.script):
                self._block(number, steps)
        except PageError as why:
            self.troubles.append(f'{self.path}: {why}')
        finally:
            self.stop()
        return self.troubles

    def stop(self) -> None:
        """End the programs that the page has started, the last program first."""
        for terminal in reversed(self._all):
            terminal.stop()


def play(path: Path, top: Path, out: Path, logs: Path) -> Player:
    """Play a page in a checkout of its own; the player says what was wrong."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / 'page.log'
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix='ebb-page-') as directory:
        checkout(top, out, Path(directory))
        player = Player(path, Path(directory), log)
        player.play()
    return player
