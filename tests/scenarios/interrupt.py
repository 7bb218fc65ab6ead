# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about requests that wait: Ctrl-C, what else ends them, their messages, and hold points by hand."""

from __future__ import annotations

import fcntl
import re
import sys
import termios
from collections.abc import Callable

from guest import COMMAND_LIMIT, RESIZE_LIMIT, Guest, Port, expect, wait_for
from hotplug import SYSFS, block_of
from machine import MIB
from plan import scenario

CTRL_C = b'\x03'


def pinned(guest: Guest) -> tuple[int, int]:
    """Plug memory and pin a page in it; return the memory block and the frame."""
    guest.resize(256 * MIB)
    block = block_of(guest, 128 * MIB)
    pfn = block * (128 * MIB // 4096) + 0x2345
    guest.run(f'alloc 0 movable at {pfn:#x}; pin {pfn:#x}')
    return block, pfn


def until_it_waits(guest: Guest, begin: Callable[[], None], go: Callable[[], object]) -> None:
    """Begin a request, hold it where its wait begins, release it with go(), and return."""
    guest.run('hold evac:phase wait')
    start = len(guest.console.text)
    begin()
    guest.console.wait_for(r'evac: held at pfn 0x', COMMAND_LIMIT, start)
    go()


def go_by_hand(guest: Guest) -> None:
    """Type "go" at the terminal, because the port is taken."""
    start = len(guest.console.text)
    guest.type('go; echo w"ent"')
    guest.console.wait_for(r'^went$', COMMAND_LIMIT, start)


def taken(guest: Guest) -> dict[str, str]:
    """Count frames by type, except free frames, which go in and out of caches."""
    return {name: number for name, number in re.findall(r'^(\S+) +(\d+) frames$', guest.run('mm census'), re.M)
            if name not in ('Buddy', 'Cached')}


def expect_unchanged(guest: Guest, block: int, before: dict[str, str]) -> None:
    """Check that a cancelled request has left nothing isolated or changed."""
    expect(guest.read(f'{SYSFS}/memory{block}/state') == 'online\n', 'the block did not stay online')
    wait_for(lambda: taken(guest) == before, f'frames are {taken(guest)}, were {before}')
    guest.check()


def logged(guest: Guest, words: str) -> None:
    """Wait until a line of the log has exactly these words."""
    wait_for(lambda: any(line.endswith(f'] {words}') for line in guest.run('dmesg').splitlines()),
             f'the log does not say {words!r}')


def cancelled(block: int, pfn: int) -> str:
    """Return a pattern for the line about a block that stays because a user cancelled the wait for a page."""
    return (rf'^memory{block}: offline failed: cancelled, pfn {pfn:#x} is pinned, type Driver, owner console '
            r'\(.*\d+ ms\); unpin it first$')


@scenario()
def ctrl_c_on_the_terminal(guest: Guest) -> None:
    """Ctrl-C ends a command that waits for a pinned page; the command names the page, and other input is not lost."""
    block, pfn = pinned(guest)
    state = f'{SYSFS}/memory{block}/state'
    before = taken(guest)
    guest.console.wait_for(r'^ebb> ', COMMAND_LIMIT)
    start = len(guest.console.text)
    until_it_waits(guest, lambda: guest.type(f'chmem -d -w 600 -b {block}; echo ne"ver"'), lambda: guest.run('go'))
    expect(guest.read(state) == 'going-offline\n', 'the block does not go offline')
    guest.type('echo be"fore"')
    guest.type('\x03echo be"hind"')
    line = guest.console.wait_for(cancelled(block, pfn), COMMAND_LIMIT, start)
    logged(guest, line[0])
    line = guest.console.wait_for(r'^before$', COMMAND_LIMIT, line.end())
    guest.console.wait_for(r'^behind$', COMMAND_LIMIT, line.end())
    expect('never' not in guest.console.text, 'the rest of the line was run')
    expect_unchanged(guest, block, before)

    guest.run(f'unpin {pfn:#x}; hold evac:phase migrate')
    start = len(guest.console.text)
    guest.type(f'echo offline > {state}')
    wait_for(lambda: 'held at evac:phase migrate' in guest.run('hold'), 'nothing is held')
    guest.type('\x03')
    line = guest.console.wait_for(rf'^memory{block}: offline failed: cancelled.*(?=\n)', COMMAND_LIMIT, start)
    guest.run('go')
    logged(guest, line[0])
    expect_unchanged(guest, block, before)
    guest.run(f'chmem -d -b {block}')
    guest.resize(0)
    guest.check()


@scenario()
def ctrl_c_on_the_port(guest: Guest) -> None:
    """On the command port, the byte 3 ends the running command; so does a program when it closes the port."""
    block, pfn = pinned(guest)
    before = taken(guest)
    command = f'chmem -d -w 600 -b {block}; echo never\n'.encode()
    until_it_waits(guest, lambda: guest.port.send(command), lambda: go_by_hand(guest))
    guest.port.send(b'echo before\n' + CTRL_C + b'echo behind\n')
    status, text = guest.port.answer(COMMAND_LIMIT)
    expect(status == -4 and re.search(cancelled(block, pfn), text) is not None, f'status {status}: {text}')
    for word in ('before', 'behind'):
        expect(guest.port.answer(COMMAND_LIMIT) == (0, f'{word}\n'), f'{word} was lost')
    logged(guest, text.strip())
    expect_unchanged(guest, block, before)

    contig = f'contig 700 at {pfn - 300:#x} wait 600\n'.encode()
    until_it_waits(guest, lambda: guest.port.send(contig), lambda: go_by_hand(guest))
    guest.port.send(CTRL_C)
    status, text = guest.port.answer(COMMAND_LIMIT)
    expect(status == -4 and f'contig: cancelled, pfn {pfn:#x} is pinned, type Driver, owner console' in text,
           f'status {status}: {text}')
    logged(guest, text.strip().replace('contig:', 'contig: 700 frames failed:'))
    expect_unchanged(guest, block, before)

    until_it_waits(guest, lambda: guest.port.send(command + b'echo nobody\n'), lambda: go_by_hand(guest))
    guest.port.close()
    guest.port = Port(guest.machine.rundir / 'port.sock')
    expect(guest.port.run('echo next') == (0, 'next\n'), 'the next program gets another answer')
    expect_unchanged(guest, block, before)
    guest.run(f'unpin {pfn:#x}; chmem -d -b {block}')
    guest.resize(0)
    guest.check()


@scenario()
def unplug_that_fails(guest: Guest) -> None:
    """The obstacle to an unplug is in the log and in "vmem" while it lasts; a request for another size ends the round."""
    block, pfn = pinned(guest)
    device = guest.devices['vm0']
    words = rf'memory{block}: pfn {pfn:#x} is pinned, type Driver, owner console'
    start = len(guest.console.text)
    device.request(0)
    line = guest.console.wait_for(rf'vm0: requested 0 MiB, plugged (\d+) MiB: ({words})', RESIZE_LIMIT, start)
    expect(re.search(rf'^  last failure: {re.escape(line[2])}', guest.run('vmem'), re.M) is not None,
           'vmem does not say what the log says')
    device.request(int(line[1]) * MIB)
    wait_for(lambda: '  last failure: none\n' in guest.run('vmem'), 'vmem still shows a failure')

    guest.resize(256 * MIB)
    guest.run('hold evac:phase')
    device.request(0)
    wait_for(lambda: 'held at' in guest.run('hold'), 'nothing is held')
    device.request(256 * MIB)
    wait_for(lambda: 'nothing is held' in guest.run('hold'), 'the round does not end')
    guest.run('go')
    guest.wait_size(256 * MIB)
    guest.check()
    guest.run(f'unpin {pfn:#x}')
    guest.resize(0)
    guest.check()


@scenario()
def step_by_step(guest: Guest) -> None:
    """A user holds an evacuation at a phase, steps to the next two, and lets it go."""
    block, pfn = pinned(guest)
    guest.run(f'unpin {pfn:#x}')
    expect(guest.run('step') == 'nothing is held\n', 'something is held')
    guest.run('hold evac:phase migrate')
    guest.console.wait_for(r'^ebb> ', COMMAND_LIMIT)
    guest.type(f'chmem -d -w 1 -b {block}')
    guest.console.wait_for(r'evac: held at pfn 0x', COMMAND_LIMIT)
    guest.run('sleep 1500')     # longer than the deadline
    for phase in ('verify', 'commit', 'idle'):
        guest.run('step')
        wait_for(lambda at=f'held at evac:phase {phase}\n': guest.run('hold') == at, f'it does not step to {phase}')
    expect(guest.run('step') == 'nothing is held\n', 'there is another phase')
    wait_for(lambda: guest.read(f'{SYSFS}/memory{block}/state') == 'offline\n', 'the block did not go offline')
    guest.run('go')
    guest.resize(0)
    guest.check()


@scenario(devices=())
def typed_ahead(guest: Guest) -> None:
    """Input typed while a command runs is run after it, completely, whether or not the command checks for Ctrl-C."""
    words = [f'word{number}' for number in range(150)]
    for command in ('sleep 700', 'mm check; mm check; mm check'):
        guest.console.wait_for(r'ebb> \Z', COMMAND_LIMIT)
        start = len(guest.console.text)
        guest.type('\r'.join([command, *(f'echo {word[:2]}"{word[2:]}"' for word in words)]))
        for word in words:
            start = guest.console.wait_for(rf'^{word}$', COMMAND_LIMIT, start).end()


def unread(port: Port) -> int:
    """Count the bytes that have arrived but were not read."""
    return int.from_bytes(fcntl.ioctl(port.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


def at_the_terminal(guest: Guest, line: str) -> None:
    """Run a command at the terminal while another client's answers stall: the command must not wait for that client."""
    start = len(guest.console.text)
    guest.type(f'{line}; echo d"one"')
    guest.console.wait_for(r'^done$', COMMAND_LIMIT, start)
    expect('an answer is cut' not in guest.console.text, f'"{line}" waited for the client that reads nothing')


@scenario()
def client_that_reads_nothing(guest: Guest) -> None:
    """A client that reads nothing stalls only its own answers: other clients can still read, change and resize the memory."""
    guest.resize(512 * MIB)
    block = max(guest.blocks())
    files = 'cat ' + ' '.join(['/proc/iomem'] * 8) + '; vmem; mm check; map'
    guest.port.send(f'{files}\n'.encode() * 100)
    looks = [0]

    def stands_still() -> bool:
        looks.append(unread(guest.port))
        return looks[-1] > 0 and len(set(looks[-20:])) == 1
    wait_for(stands_still, 'the answers to fill the socket', RESIZE_LIMIT)
    for line in (f'chmem -d -b {block}', 'vmem', 'cat /proc/iomem', 'mm check', f'chmem -e -b {block}', 'vmem reset'):
        at_the_terminal(guest, line)
    guest.devices['vm0'].request(256 * MIB)
    guest.console.wait_for('vm0: plugged 256 MiB as requested', RESIZE_LIMIT)
    at_the_terminal(guest, 'lsmem')
    expect('a sink that waits' not in guest.console.text, 'a writer held a lock')
    statuses = {guest.port.answer(RESIZE_LIMIT, files)[0] for _ in range(100)}
    expect(statuses == {0}, f'the client reads at last, and finds {statuses}')
    guest.check()
