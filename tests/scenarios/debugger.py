# SPDX-License-Identifier: BSD-2-Clause
"""A scenario about the commands that ebb gives to gdb: what they print is what the kernel itself says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from guest import Guest, expect
from patience import limit
from plan import scenario

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
GDB_LIMIT = 60.0      # seconds for one run of gdb on an idle machine
TRIES = 5             # threads run between two looks, and their caches change


def gdb(guest: Guest, *commands: str) -> list[str]:
    """Let gdb run these commands on the stopped machine; return the output of each."""
    options = [word for command in commands for word in ('-ex', 'echo \\n=====\\n', '-ex', command)]
    done = subprocess.run([TOOLS / 'gdb' / 'attach', '-batch', *options], env={**os.environ, 'RUN': str(guest.machine.rundir)},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit(GDB_LIMIT), check=False)
    parts = done.stdout.split('\n=====\n')[1:]
    expect(len(parts) == len(commands), f'gdb ran {len(parts)} of {len(commands)} commands: {done.stdout}{done.stderr}')
    return [part + (done.stderr if len(commands) == 1 else '') for part in parts]


def free_by_kernel(guest: Guest) -> list[int]:
    """Count the free chunks of zone Normal by order, from /proc/buddyinfo; each of order 10 counts as two of order 9."""
    row = re.search(r'^Node 0, zone +Normal +([\d ]+)$', guest.read('/proc/buddyinfo'), re.M)
    expect(row is not None, '/proc/buddyinfo has no zone Normal')
    chunks = [int(nr) for nr in row[1].split()]
    return [*chunks[:9], chunks[9] + 2 * chunks[10]]


def free_by_gdb(guest: Guest) -> list[int]:
    """Count the free chunks of zone Normal by order, from gdb's mm-buddy."""
    rows = [line.split()[2:] for line in gdb(guest, 'mm-buddy')[0].splitlines() if line.startswith('Normal')]
    return [sum(map(int, column)) for column in zip(*rows)]


def second_is_refused(guest: Guest) -> None:
    """While one gdb is attached, another says so and ends."""
    first = subprocess.Popen([TOOLS / 'gdb' / 'attach', '-ex', 'echo attached\\n'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env={**os.environ, 'RUN': str(guest.machine.rundir)}, text=True)
    try:
        expect(any('attached' in line for line in first.stdout), 'the first gdb did not attach')
        second = subprocess.run([TOOLS / 'gdb' / 'attach', '-batch'], env={**os.environ, 'RUN': str(guest.machine.rundir)},
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit(GDB_LIMIT), check=False)
        expect(second.returncode == 1 and 'another gdb is attached' in second.stderr, f'the second gdb: {second.stderr}')
    finally:
        first.communicate('detach\nquit\n', timeout=limit(GDB_LIMIT))


@scenario(limit=180)
def gdb_commands(guest: Guest) -> None:
    """gdb's mm-buddy, mm-zones, mm-blocks, mm-page and threads say of the stopped machine what the console says of it."""
    expect(shutil.which('gdb-multiarch') is not None, 'there is no gdb-multiarch; type: tools/setup test')
    socket = f'unix:{guest.machine.rundir}/gdb.sock,server=on,wait=off'
    guest.qmp().execute('human-monitor-command', **{'command-line': f'gdbserver {socket}'})
    second_is_refused(guest)
    guest.resize(64 << 20)
    for _ in range(TRIES):
        before, seen, after = free_by_kernel(guest), free_by_gdb(guest), free_by_kernel(guest)
        if before == after:
            break
    expect(before == after == seen, f'chunks by order: the kernel says {before} and {after}, gdb says {seen}')
    pfn = int(re.search(r'pfn (0x[0-9a-f]+)', guest.run('alloc 0 unmovable'))[1], 16)
    zones, blocks, page, beyond, threads, waits, wrong = gdb(
        guest, 'mm-zones', 'mm-blocks', f'mm-page {pfn:#x}', 'mm-page 1', 'threads', 'threads 1', 'threads 999')
    managed = re.search(r'^ +managed +(\d+)$', guest.read('/proc/zoneinfo'), re.M)
    expect(managed is not None and re.search(rf'^Normal .*\b{managed[1]}\b', zones, re.M) is not None, f'mm-zones: {zones}')
    for number in guest.blocks():
        expect(re.search(rf'^memory{number} +online ', blocks, re.M) is not None, f'mm-blocks has no memory{number}: {blocks}')
    expect(page.startswith(f'frame {pfn:#x}: Kernel; memory{pfn >> 15} (online)'), f'mm-page: {page}')
    expect('console' in page, f'mm-page names no owner: {page}')
    expect('in no memory block' in beyond or beyond == '', f'mm-page 1: {beyond}')
    expect(re.search(r'^ *\d+ vm0 +blocked +\w+\(\)$', threads, re.M) is not None, f'threads: {threads}')
    expect(re.search(r'^ *1 kworker .*\n(    \w+(\+\d+)?\n)*    worker\+\d+$', waits, re.M) is not None, f'threads 1: {waits}')
    expect('Traceback' not in wrong, f'threads 999: {wrong}')
    guest.run(f'free {pfn:#x}')
    guest.check()
