# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about several clients of one machine: console, watcher, a program, and readers of the trace."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from client import ebb_ctl
from guest import COMMAND_LIMIT, Console, Guest, Port, expect, wait_for
from hotplug import block_of
from launched import TOP, Terminal
from machine import MIB
from patience import ended, talk
from plan import scenario
from recorder import prove
from replay import replay
from traceport import TracePort
from unixsock import connect

BLOCK = 128 * MIB
FRAMES = BLOCK // 4096


class Desk:
    """Terminals and pipes for programs that use a machine, closed at the end."""

    def __init__(self, guest: Guest, stack: ExitStack):
        self.guest, self._stack = guest, stack
        # The environment of a user: without the settings of the make that runs the tests, or of its terminal.
        self._environment = {name: value for name, value in os.environ.items()
                             if not name.startswith(('MAKE', 'MFLAGS', 'NO_COLOR'))} | {'TERM': 'vt100'}
        self._words = [f'O={Path(guest.machine.config.kernel).parent.resolve()}', f'RUN={guest.machine.rundir.resolve()}']

    def terminal(self, target: str, columns: int = 100, **environment: str) -> tuple[Terminal, Console]:
        """Start `make TARGET` at a terminal; return the terminal and its output."""
        made = Terminal(['make', '-C', str(TOP), '--no-print-directory', target, *self._words],
                        {**self._environment, **environment}, columns)
        self._stack.callback(made.close)
        return made, Console(made, self.guest.machine.rundir / f'{target}-{columns}.log')

    def pipe(self, target: str, text: str = '') -> tuple[int, str, str]:
        """Run `make TARGET` with input and output in pipes until it ends; return status, output and errors."""
        process = subprocess.Popen(['make', '-C', str(TOP), '--no-print-directory', target, *self._words], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self._environment)
        self._stack.callback(process.kill)
        out, err = talk(process, COMMAND_LIMIT, text)
        return process.returncode, out, err


def held_and_let_go(guest: Guest, user: Terminal, screen: Console) -> None:
    """Hold a command at the first console, as a single user does, and type "step" and "go" at the second."""
    block = block_of(guest, BLOCK)
    guest.run(f'alloc 0 movable at {block * FRAMES + 0x2345:#x}')
    start = len(guest.console.text)
    guest.type('hold evac:phase migrate')
    guest.console.wait_for(r'^hold: .*: make console$', COMMAND_LIMIT, start)
    guest.type(f'chmem -d -b {block}; echo do"ne"')
    wait_for(lambda: 'held at' in guest.run('hold'), 'nothing is held')
    user.type('hold\n')
    screen.wait_for(r'^held at evac:phase migrate$', COMMAND_LIMIT)
    user.type('step\n')
    screen.wait_for(r'^held at evac:phase verify$', COMMAND_LIMIT)
    user.type('go\n')
    guest.console.wait_for(r'^done$', COMMAND_LIMIT, start)
    expect(guest.blocks()[block] == 'offline', f'memory{block} is not offline')


def refused(guest: Guest, desk: Desk) -> None:
    """A socket in use refuses a second client, and says why and what to type instead; no client waits."""
    status, out, err = desk.pipe('console', 'lsmem\n')
    said = re.search(r'^console: taken: control\.sock serves one program at a time, now pid \d+ \(.*console.*\); '
                     r'end it, or type at the console of make run$', err, re.M)
    expect(status != 0 and out == '' and said is not None, f'a second console ends with {status}: {out!r} {err!r}')
    second = connect(guest.machine.rundir / 'port.sock')
    with second, second.makefile('rb') as lines:
        said = re.fullmatch(r'taken: port\.sock serves one program at a time, now pid \d+ .*; for a prompt, type: make console\n'
                            r'=-16\n', lines.read().decode())
    expect(said is not None, 'a second program at port.sock is not told')
    status, text = ebb_ctl(guest, 'resize', '400M')
    said = re.fullmatch(r"vm0: plugged 400M, as requested, after \S+ m?s, by the device's figure \(taken: control\.sock .*\)\n",
                        text)
    expect(status == 0 and said is not None, f'without a command port the client ends with {status}: {text!r}')


def hostile(guest: Guest, screen: Console) -> None:
    """A reader that never reads, a reader that ends within a name and a program that ends within a line stop no other client."""
    stuck = connect(guest.machine.rundir / 'trace.sock')
    stuck.sendall(b'snapshot\nrecords\ndumpsys\n' * 50)
    guest.port.close()
    for name, half in (('trace.sock', b'recor'), ('port.sock', b'alloc 0 movable; alloc 10 mov')):
        with connect(guest.machine.rundir / name) as dying:
            dying.sendall(half)
    guest.port = Port(guest.machine.rundir / 'port.sock')
    guest.resize(512 * MIB)
    screen.wait_for(r'plugged 512 MiB', COMMAND_LIMIT)
    guest.check()
    guest.resize(256 * MIB)
    guest.check()
    stuck.close()


def sees_all(guest: Guest) -> None:
    """Check that the sessions of the scenario's own recorder, of a late reader and of the launcher replay."""
    expect((wrong := prove(guest)) is None, f'the recorder: {wrong}')
    late, path = TracePort(guest.machine.rundir / 'trace.sock'), guest.machine.rundir / 'late.ebbt'
    head = late.fetch('header') + late.fetch('snapshot') + late.fetch('records')
    guest.resize(384 * MIB)
    path.write_bytes(head + late.fetch('snapshot') + late.fetch('records'))
    late.close()
    for file in (path, guest.machine.rundir / 'session.ebbt'):
        verdict = replay(file)
        expect(verdict.proved and verdict.records > 10, f'{file.name}: {verdict.problems[:3]}, {verdict.missing} missing, '
                                                        f'{verdict.records} records, {verdict.compared} compared')


@scenario(limit=180, launcher=True)
def four_at_once(guest: Guest) -> None:
    """`make console`, `make watch`, a program at port.sock and recorders work at once; a socket in use refuses a second client
    and says why; when QEMU is killed, each ends with a line that says what to type."""
    guest.resize(384 * MIB)
    with ExitStack() as stack:
        desk = Desk(guest, stack)
        user, prompt = desk.terminal('console')
        prompt.wait_for(r'ebb\.2> ', COMMAND_LIMIT)
        watcher, screen = desk.terminal('watch', 40)
        _, plain = desk.terminal('watch', 101, NO_COLOR='1')
        screen.wait_for(r'plugged 384 MiB', COMMAND_LIMIT)
        held_and_let_go(guest, user, prompt)
        offline = block_of(guest, BLOCK)
        plain.wait_for(rf'memory{offline} +offline', COMMAND_LIMIT)
        refused(guest, desk)
        hostile(guest, screen)
        start = len(screen.text)
        watcher.resize(120, 40)
        screen.wait_for(r'memory\d+ +online +\S+ +\|', COMMAND_LIMIT, start)
        expect('\x1b[3' in screen.text and '\x1b[3' not in plain.text, 'NO_COLOR does not turn colours off')
        sees_all(guest)
        guest.answers = False
        os.kill(guest.machine.qemu_pid(), signal.SIGKILL)
        for shown, name in ((prompt, 'console'), (screen, 'watch'), (plain, 'watch')):
            shown.wait_for(rf'{name}: the machine in .* has ended; start it again: make run', COMMAND_LIMIT)
        expect(ended(guest.machine.qemu, COMMAND_LIMIT) == 128 + signal.SIGKILL, 'the launcher ends with another status')
        log = (guest.machine.rundir / 'launcher.log').read_text()
        expect('QEMU was ended by SIGKILL' in log, f'the launcher says {log!r}')


def late_answers(guest: Guest, user: Terminal, screen: Console) -> None:
    """Tab while the machine stands still: the console does not take the late answer for the next command's answer."""
    start = len(screen.text)
    guest.qmp().execute('stop')
    user.type('cat /proc/budd\t')
    screen.wait_for('\a', COMMAND_LIMIT, start)
    guest.qmp().execute('cont')
    user.type('\x15echo lat"er"; hold\n')
    said = screen.wait_for(r'^later\nnothing is held\n', COMMAND_LIMIT, start)
    screen.wait_for(r'ebb\.2> $', COMMAND_LIMIT, said.end())       # Ctrl-D before the prompt does not end the input
    expect('buddyinfo' not in screen.text[start:], 'the list of files is shown')


@scenario(limit=120, launcher=True)
def a_second_prompt(guest: Guest) -> None:
    """`make console`: Tab completes commands, their words and paths; Ctrl-C ends the running command; Ctrl-D leaves, and the
    next user may enter. In a pipe: answers without prompts, and status 1 for a command that fails."""
    with ExitStack() as stack:
        desk = Desk(guest, stack)
        user, prompt = desk.terminal('console')
        prompt.wait_for(r'ebb\.2> ', COMMAND_LIMIT)
        for keys, shown in (('dump_\t', 'dump_page '), ('\x15hold evac:phase migr\t', 'hold evac:phase migrate '),
                             ('\x15cat /proc/memi\t', 'cat /proc/meminfo '), ('\x15trace on evac:ph\t', 'trace on evac:phase '),
                             ('\x15vmem reset v\t', 'vmem reset vm0 '), ('\x15go;help logl\t', 'go;help loglevel ')):
            user.type(keys)
            prompt.wait_for(re.escape(shown), COMMAND_LIMIT)
        start = len(prompt.text)
        user.type('\x15sleep 100000; echo not\n')
        prompt.wait_for(r'sleep 100000; echo not\n', COMMAND_LIMIT, start)
        typed = len(prompt.text)
        user.type('\x03')
        prompt.wait_for(r'ebb\.2> $', COMMAND_LIMIT, typed)
        user.type('echo aft"er"\n')
        prompt.wait_for(r'^after$', COMMAND_LIMIT, start)
        expect(not re.search(r'^not$', prompt.text, re.M), 'Ctrl-C did not end the line')
        late_answers(guest, user, prompt)
        user.type('\x04')
        expect(ended(user.process, COMMAND_LIMIT) in (0, -signal.SIGINT), f'it ends with {user.process.returncode}')
        expect(desk.pipe('console', 'echo one\n\necho two\n') == (0, 'one\ntwo\n', ''), 'other answers in a pipe')
        status, text = ebb_ctl(guest, 'resize', '64M')      # the scenario has the first port
        expect(status == 0 and re.fullmatch(r'vm0: plugged 64M, as requested, after \S+ m?s\n', text) is not None,
               f'the client does not use the second port: {status}, {text!r}')
        status, out, _ = desk.pipe('console', 'nothing\necho two\n')
        expect(status != 0 and out.endswith('two\n'), f'after a command that fails: status {status}, {out!r}')
