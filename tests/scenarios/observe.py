# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about ebb's own reports: the trace, its replay, and the files of dumpsys."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from guest import COMMAND_LIMIT, Guest, expect
from machine import MIB, MemDevice
from patience import limit
from plan import scenario
from recorder import prove
from replay import Replay, Session, Verdict, split
from traceport import decode_markers

SYSFS = '/sys/devices/system/memory'
STATE_EVENTS = ('mm:frames', 'mm:pageblock_type', 'mm:pageblock_isolate', 'mm:pageblock_valid', 'mm:block_state')
TRIES = 3        # the caches that hold chunks depend on which hart runs which thread
OTHER_EVENTS = {6: 'evac:phase', 7: 'evac:verdict', 8: 'evac:move', 9: 'virtio_mem:request', 10: 'virtio_mem:answer',
                11: 'virtio_mem:config'}


@dataclass
class Site:
    """A row of "trace sites": one trace_emit() of the sources."""
    number: int
    reached: int
    event: str
    place: str


def sites(guest: Guest) -> list[Site]:
    """Return the sites that record changes of memory."""
    rows = [line.split() for line in guest.run('trace sites').splitlines()]
    return [Site(int(row[0]), int(row[1]), row[3], row[4]) for row in rows if row[3] in STATE_EVENTS]


class Watch:
    """A replay that runs step by step during the scenario."""

    def __init__(self, guest: Guest):
        guest.recorder.stop()
        guest.recorder.provable = False     # the scenario leaves records out on purpose
        self._port = guest.recorder.port()
        self._replay = Replay()
        self.events: Counter[int] = Counter()
        # The replay does not begin at boot, but at the first snapshot.
        self._port.fetch('records')
        self.look()

    def look(self) -> Verdict:
        """Take a snapshot and the records before it; return the verdict of this step. The next step continues from the
        snapshot."""
        data = self._port.fetch('snapshot') + self._port.fetch('records')
        session = Session({}, split(data))
        self.events.update(record.event for record in session.records)
        self._replay.verdict = Verdict()
        return self._replay.run(session)


def take_and_free(guest: Guest, number: int, order: int, kind: str) -> None:
    """Allocate some chunks, then free them."""
    pfns = re.findall('0x[0-9a-f]+', guest.run('; '.join([f'alloc {order} {kind}'] * number)))
    guest.run('; '.join(f'free {pfn} {order}' for pfn in pfns))


def change_all(guest: Guest, watch: Watch) -> Verdict:
    """Reach every site that changes the state of memory; return the verdict of a replay."""
    device = guest.devices['vm0'].shape
    block = device.addr // (128 * MIB)
    state = f'{SYSFS}/memory{block + 1}/state'
    at = device.addr // 4096 + 512 * 70
    looks = []
    guest.resize(256 * MIB)
    for order in (0, 1, 4, 9, 10):
        for kind in ('unmovable', 'movable', 'reclaimable'):
            take_and_free(guest, 4, order, kind)
    # Each of the two kinds takes more than half of zone Normal, so some pageblock changes its type each time.
    take_and_free(guest, 19, 10, 'unmovable')
    looks.append(watch.look())
    take_and_free(guest, 19, 10, 'reclaimable')
    guest.run(f'alloc 0 movable at {at:#x}; alloc 3 movable at {at + 64:#x}; pin {at:#x}')
    looks.append(watch.look())
    guest.run(f'unpin {at:#x}; echo offline > {state}; echo online_kernel > {state}')
    guest.run(f'echo offline > {state}; echo online_movable > {state}')
    guest.resize(64 * MIB)
    looks.append(watch.look())
    guest.resize(0)
    looks.append(watch.look())
    return Verdict(missing=sum(v.missing for v in looks), compared=sum(v.compared for v in looks),
                   nr_problems=sum(v.nr_problems for v in looks), problems=[p for v in looks for p in v.problems])


@scenario(limit=180)
def emit_calls(guest: Guest) -> None:
    """If any single call that records a change is muted, the replay differs from the memory."""
    watch = Watch(guest)
    before = {site.number: site.reached for site in sites(guest)}
    verdict = change_all(guest, watch)
    expect(verdict.proved, f'with all calls the replay differs: {verdict.problems[:3]}, {verdict.missing} missing')
    for event, name in OTHER_EVENTS.items():
        expect(watch.events[event] > 0, f'no record of {name}')
    idle = [site.place for site in sites(guest) if site.reached == before[site.number] and '/mm/' in f'/{site.place}']
    expect(not idle, f'never reached: {", ".join(idle)}')
    unnoticed = [site.place for site in sites(guest) if '/mm/' in f'/{site.place}' and not notices(guest, watch, site)]
    expect(not unnoticed, f'no check notices that these are missing: {", ".join(unnoticed)}')


def notices(guest: Guest, watch: Watch, site: Site) -> bool:
    """Check that the replay differs when this call leaves no records."""
    guest.run(f'trace mute {site.number}')
    found = any(change_all(guest, watch).nr_problems for _ in range(TRIES))
    guest.run(f'trace unmute {site.number}')
    watch.look()
    return found


def files_of(guest: Guest, archive: bytes) -> Path:
    """Unpack the archive below the run directory; return the directory."""
    directory = Path(tempfile.mkdtemp(prefix='dumpsys-', dir=guest.machine.rundir))
    tar = directory / 'dump.tar'
    tar.write_bytes(archive)
    subprocess.run(['tar', '-xf', 'dump.tar'], cwd=directory, check=True)
    tar.unlink()
    return directory


def total(text: str, name: str) -> str:
    """Return a size from lsmem's last lines."""
    match = re.search(rf'^{name}: +(\S+)$', text, re.M)
    expect(match is not None, f'lsmem says nothing about {name}')
    return match[1]


@scenario(limit=120, mem=64 * MIB, devices=(MemDevice(size=384 * MIB),))
def files_for_linux_tools(guest: Guest) -> None:
    """dumpsys: Debian's lsmem prints its tree with ebb's totals; kpageflags counts what the census counts."""
    guest.resize(300 * MIB)
    block = guest.devices['vm0'].shape.addr // (128 * MIB)
    guest.run(f'echo offline > {SYSFS}/memory{block}/state')
    guest.recorder.stop()
    port = guest.recorder.port()
    fast = port.fetch('dumpsys')
    slow = port.fetch('dumpsys', pause=0.002)
    expect(len(fast) == len(slow), f'a slow reader gets {len(slow)} bytes, a fast one {len(fast)}')
    directory = files_of(guest, fast)
    check_kpageflags(guest, directory)
    guest.console.wait_for(r'^ebb> ', COMMAND_LIMIT)
    start = len(guest.console.text)
    guest.type('dumpsys header')
    guest.console.wait_for(r'^-----END EBB header.*\n', COMMAND_LIMIT, start)
    expect(b'"ebbt"' in decode_markers(guest.console.text[start:], 'header'), 'the console sends another header')
    typed = files_of(guest, decode_markers(guest.run('dumpsys', 60), 'dumpsys'))
    names = [sorted(str(p.relative_to(d)) for p in d.rglob('*') if p.is_file()) for d in (directory, typed)]
    expect(names[0] == names[1], 'the console and the port send other files')
    lsmem = shutil.which('lsmem')
    if lsmem is None:
        print('    # lsmem is not installed: not compared with util-linux')
        return
    theirs = subprocess.run([lsmem, '--sysroot', str(directory)], capture_output=True, text=True, check=True).stdout
    ours = guest.run('lsmem')
    for name in ('Memory block size', 'Total online memory', 'Total offline memory'):
        expect(total(theirs, name) == total(ours, name), f'{name}: lsmem says {total(theirs, name)}, ebb {total(ours, name)}')
    shutil.rmtree(directory)
    shutil.rmtree(typed)


KPF = {10: 'Buddy', 23: 'Offline', 26: 'PageTable', 7: 'Slab'}


def check_kpageflags(guest: Guest, directory: Path) -> None:
    """Check that the counts of frames by type agree: Linux's bits, ebb's words, and `mm census`."""
    words = array('Q', (directory / 'proc/kpageflags').read_bytes())
    counted = Counter(words)
    census = dict(re.findall(r'^(\S+) +(\d+)', guest.run('mm census'), re.M))
    for bit, name in KPF.items():
        seen = sum(number for value, number in counted.items() if value >> bit & 1)
        expect(abs(seen - int(census.get(name, 0))) <= 1024, f'{name}: kpageflags counts {seen}, ebb {census.get(name)}')
    expect(words[0] == 1 << 20, 'kpageflags says that frame 0 is there')


@scenario()
def silent_guest(guest: Guest) -> None:
    """A guest that no longer answers still leaves its session, read from its memory."""
    guest.resize(200 * MIB)
    guest.recorder.stop()
    guest.resize(100 * MIB)
    guest.answers = False
    expect((wrong := prove(guest)) is None, f'the state read from outside proves nothing: {wrong}')


def ebbt(*words: str) -> None:
    """Run tools/ebbt, which must succeed."""
    done = subprocess.run([sys.executable, 'tools/ebbt', *words], capture_output=True, text=True, timeout=limit(60), check=False)
    expect(done.returncode == 0, f'ebbt {" ".join(words)}: {(done.stdout + done.stderr).strip()}')


@scenario()
def hung_guest(guest: Guest) -> None:
    """A hart hangs: "ebbt rescue" reads the rest of the session from outside, and the rest continues the records taken
    before."""
    guest.resize(200 * MIB)
    guest.recorder.snapshot()
    guest.recorder.stop()
    guest.resize(100 * MIB)
    guest.type('crash hang')
    guest.answers = False
    guest.console.wait_for(r'crash hang', COMMAND_LIMIT)
    if guest.devices['vm0'].own:        # otherwise the scenario has QEMU's own QMP, which serves one client
        rescued, elf = guest.machine.rundir / 'rescued.ebbt', guest.machine.config.kernel
        ebbt('rescue', str(rescued), '--rundir', str(guest.machine.rundir), '--elf', elf)
        rescued.write_bytes(guest.recorder.path.read_bytes() + rescued.read_bytes().partition(b'\n')[2])
        ebbt('replay', str(rescued))
    expect((wrong := prove(guest)) is None, f'the state read from outside proves nothing: {wrong}')
    guest.machine.stop()
