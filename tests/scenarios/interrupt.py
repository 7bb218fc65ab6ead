# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about requests that wait: Ctrl-C, who else ends them, what they say then, and hold points by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from guest import Guest, Port, expect
from hotplug import SYSFS, block_of
from machine import MIB
from plan import scenario

SOON = 1.0              # seconds in which a request ends that somebody has given up
IN_THE_WAIT = 0.3      # from the start of a request until it waits
CTRL_C = b'\x03'


def wait_for(truth: Callable[[], bool], what: str, limit: float = 5.0) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + limit
    while not truth():
        expect(time.monotonic() < deadline, f'{what} within {limit:.0f} s')
        time.sleep(0.02)


def pinned(guest: Guest) -> tuple[int, int]:
    """A memory block, and a frame of it whose page is pinned."""
    guest.resize(256 * MIB)
    block = block_of(guest, 128 * MIB)
    pfn = block * (128 * MIB // 4096) + 0x2345
    guest.run(f'alloc 0 movable at {pfn:#x}; pin {pfn:#x}')
    return block, pfn


def taken(guest: Guest) -> dict[str, str]:
    """Frames by type, but for the free ones, which go in and out of caches."""
    return {name: number for name, number in re.findall(r'^(\S+) +(\d+) frames$', guest.run('mm census'), re.M)
            if name not in ('Buddy', 'Cached')}


def expect_unchanged(guest: Guest, block: int, before: dict[str, str]) -> None:
    """What was given up has left nothing behind."""
    expect(guest.read(f'{SYSFS}/memory{block}/state') == 'online\n', 'the block did not stay online')
    expect((now := taken(guest)) == before, f'frames are {now}, were {before}')
    guest.check()


def logged(guest: Guest, words: str) -> None:
    """A line of the log, word by word."""
    expect(any(line.endswith(f'] {words}') for line in guest.run('dmesg').splitlines()), f'the log does not say {words!r}')


def cancelled(block: int, pfn: int) -> str:
    """The line of a block that stays, because somebody did not want to wait for a page any more."""
    return rf'^memory{block}: offline failed: cancelled, pfn {pfn:#x} is pinned, type Driver, owner 0x[0-9a-f]+ \(.*\d+ ms\)$'


@scenario()
def ctrl_c_on_the_terminal(guest: Guest) -> None:
    """Ctrl-C ends what waits for a pinned page, and names it; what is typed before and behind it is not lost."""
    block, pfn = pinned(guest)
    state = f'{SYSFS}/memory{block}/state'
    before = taken(guest)
    guest.console.wait_for(r'^ebb> ', 5)
    start = len(guest.console.text)
    guest.type(f'chmem -d -w 600 -b {block}; echo ne"ver"')
    wait_for(lambda: guest.read(state) == 'going-offline\n', 'the block does not go offline')
    time.sleep(IN_THE_WAIT)
    guest.type('echo be"fore"')
    guest.type('\x03echo be"hind"')
    line = guest.console.wait_for(cancelled(block, pfn), SOON, start)
    logged(guest, line[0])
    guest.console.wait_for(r'^behind$', 5, guest.console.wait_for(r'^before$', 5, line.end()).end())
    expect('never' not in guest.console.text, 'the rest of the line was run')
    expect_unchanged(guest, block, before)

    guest.run(f'unpin {pfn:#x}; hold evac:phase migrate')
    start = len(guest.console.text)
    guest.type(f'echo offline > {state}')
    wait_for(lambda: 'held at evac:phase migrate' in guest.run('hold'), 'nothing is held')
    guest.type('\x03')
    line = guest.console.wait_for(rf'^memory{block}: offline failed: cancelled.*$', SOON, start)
    guest.run('go')
    logged(guest, line[0])
    expect_unchanged(guest, block, before)
    guest.run(f'chmem -d -b {block}')
    guest.resize(0)
    guest.check()


@scenario()
def ctrl_c_on_the_port(guest: Guest) -> None:
    """The same on the command port: a byte 3 ends the command that runs, and so does a program that goes away."""
    block, pfn = pinned(guest)
    before = taken(guest)
    command = f'chmem -d -w 600 -b {block}; echo never\n'.encode()
    guest.port.send(command)
    time.sleep(IN_THE_WAIT)
    guest.port.send(b'echo before\n' + CTRL_C + b'echo behind\n')
    status, text = guest.port.answer(SOON)
    expect(status == -4 and re.search(cancelled(block, pfn), text) is not None, f'status {status}: {text}')
    for word in ('before', 'behind'):
        expect(guest.port.answer(SOON) == (0, f'{word}\n'), f'{word} was lost')
    logged(guest, text.strip())
    expect_unchanged(guest, block, before)

    guest.port.send(f'contig 700 at {pfn - 300:#x} wait 600\n'.encode())
    time.sleep(IN_THE_WAIT)
    guest.port.send(CTRL_C)
    status, text = guest.port.answer(SOON)
    expect(status == -4 and f'contig: cancelled, pfn {pfn:#x} is pinned, type Driver, owner 0x' in text,
           f'status {status}: {text}')
    logged(guest, text.strip().replace('contig:', 'contig: 700 frames failed:'))
    expect_unchanged(guest, block, before)

    guest.port.send(command + b'echo nobody\n')
    time.sleep(IN_THE_WAIT)
    guest.port.close()
    guest.port = Port(guest.machine.rundir / 'port.sock')
    expect(guest.port.run('echo next', SOON) == (0, 'next\n'), 'the next program gets another answer')
    expect_unchanged(guest, block, before)
    guest.run(f'unpin {pfn:#x}; chmem -d -b {block}')
    guest.resize(0)
    guest.check()


@scenario()
def unplug_that_fails(guest: Guest) -> None:
    """What stands in the way of an unplug is in the log and in "vmem", for as long as it does; another size ends a round."""
    block, pfn = pinned(guest)
    device = guest.devices['vm0']
    words = rf'memory{block}: pfn {pfn:#x} is pinned, type Driver, owner 0x[0-9a-f]+'
    start = len(guest.console.text)
    device.request(0)
    line = guest.console.wait_for(rf'vm0: requested 0 MiB, plugged (\d+) MiB: ({words})', 10, start)
    expect(re.search(rf'^  last failure: {re.escape(line[2])}', guest.run('vmem'), re.M) is not None,
           'vmem does not say what the log says')
    device.request(int(line[1]) * MIB)
    wait_for(lambda: '  last failure: none\n' in guest.run('vmem'), 'a failure is left')

    guest.resize(256 * MIB)
    guest.run('hold evac:phase')
    device.request(0)
    wait_for(lambda: 'held at' in guest.run('hold'), 'nothing is held')
    device.request(256 * MIB)
    wait_for(lambda: 'nothing is held' in guest.run('hold'), 'the round does not end', SOON)
    guest.run('go')
    guest.wait_size(256 * MIB)
    guest.check()
    guest.run(f'unpin {pfn:#x}')
    guest.resize(0)
    guest.check()


@scenario()
def step_by_step(guest: Guest) -> None:
    """A person holds an evacuation at a phase, goes on to the next, and the next, and lets it go."""
    block, pfn = pinned(guest)
    guest.run(f'unpin {pfn:#x}')
    expect(guest.run('step') == 'nothing is held\n', 'something is held')
    guest.run('hold evac:phase migrate')
    guest.console.wait_for(r'^ebb> ', 5)
    guest.type(f'chmem -d -w 1 -b {block}')
    guest.console.wait_for(r'evac: held at pfn 0x', 5)
    time.sleep(1.5)     # longer than the deadline
    for phase in ('verify', 'commit', 'idle'):
        expect((text := guest.run('step')) == f'held at evac:phase {phase}\n', f'step says {text!r}, not {phase}')
    expect(guest.run('step') == 'nothing is held\n', 'there is another phase')
    wait_for(lambda: guest.read(f'{SYSFS}/memory{block}/state') == 'offline\n', 'the block did not go offline')
    guest.run('go')
    guest.resize(0)
    guest.check()


@scenario(devices=())
def typed_ahead(guest: Guest) -> None:
    """What is typed while a command runs is run after it, all of it, whether the command looks for Ctrl-C or not."""
    words = [f'word{number}' for number in range(150)]
    for command in ('sleep 700', 'mm check; mm check; mm check'):
        guest.console.wait_for(r'ebb> \Z', 5)
        start = len(guest.console.text)
        guest.type('\r'.join([command, *(f'echo {word[:2]}"{word[2:]}"' for word in words)]))
        for word in words:
            start = guest.console.wait_for(rf'^{word}$', 10, start).end()
