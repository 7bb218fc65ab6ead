#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The places that a guest chooses for its pages: the rows unplug_success, unmovable_fits and free_huge_after_churn of `make
bench`.

A machine boots, and its device plugs memory. The command `churn` fills the memory, frees a part and fills it again; then the
device shrinks to 0. The device reports how much is still plugged, and how many requests it got. So any guest that drives
virtio-mem and has `churn` on its console can be measured; tools/place.py also runs alone: see docs/reference/make.md.
"""

from __future__ import annotations

import argparse
import os
import re
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import GIB, MIB, Config, Machine, MachineError, MemDevice
from qmp import Qmp

STEP = 0.25         # seconds between two looks at the device
SEEDS, HARTS = (1, 2, 3, 4, 5), (1, 4)
LIMIT = 300.0       # the longest time of a step, in seconds
QUIET, BUSY = 5.0, 0.1      # a size is final if for QUIET seconds it is unchanged and QEMU uses less of a CPU than this
FITS_MEM, FITS_SIZE = 128 * MIB, 4 * GIB
# HARTS SEED UNMOVABLE% ORDER KEEP% REFILL%
UNPLUG_CHURN = 'churn {harts} {seed} 10 4 25 40'
FITS_CHURN = 'churn {harts} {seed} 40 4 50 100'
HUGE_CHURN = 'churn {harts} {seed} 0 0 50 0'
DONE = (r'^churn: ([^:\n]*): holds (\d+) frames, (\d+) movable and (\d+) unmovable chunks; (\d+) refused; '
        r'([\d.]+) % of the free frames in whole pageblocks\s*$')
Rows = dict[str, tuple[float, str]]


@dataclass(frozen=True)
class Guest:
    """The kernel that is measured: ebb's image with the tests, or another kernel."""
    out: str
    kernel: str
    append: str = 'lock_check=0'
    prompt: str = 'ebb> '
    extra: list[str] = field(default_factory=list)      # options for QEMU: an initrd


class Session:
    """A running guest and its console."""

    def __init__(self, guest: Guest, name: str, harts: int, mem: int, size: int):
        config = Config(kernel=guest.kernel, rundir=f'{guest.out}/logs/bench-{name}', append=guest.append, smp=harts, mem=mem,
                        qemu=os.environ.get('QEMU') or f'{guest.out}/qemu/qemu-system-riscv64', vmem=f'{guest.out}/ebb-vmem',
                        devices=[MemDevice(size=size)] if size else [], extra=guest.extra, reboot=False)
        self.guest, self.name, self.machine, self.text = guest, name, Machine(config), ''

    def __enter__(self) -> Session:
        self.qemu = self.machine.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.wait(re.escape(self.guest.prompt))
        return self

    def __exit__(self, *what) -> None:
        self.machine.stop()

    def wait(self, pattern: str) -> re.Match:
        """Read the console until a pattern appears."""
        deadline = time.monotonic() + LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self.qemu.stdout, selectors.EVENT_READ)
            while not (found := re.search(pattern, self.text, re.M)):
                data = os.read(self.qemu.stdout.fileno(), 65536) if selector.select(deadline - time.monotonic()) else b''
                if not data:
                    raise MachineError(f'{self.name}: the console did not print {pattern!r}; it printed {self.text[-500:]!r}')
                self.text += data.decode(errors='replace').replace('\r', '')
            return found

    def churn(self, line: str) -> re.Match:
        """Type a churn command; return the line in which the guest says what it holds."""
        self.text = ''
        os.write(self.qemu.stdin.fileno(), line.encode() + b'\n')
        done = self.wait(DONE)
        if done[1] != 'done':
            raise MachineError(f'{self.name}: {line}: it printed {done[0]!r}')
        return done

    def device(self) -> tuple[Qmp, str]:
        """Connect to the device, or to the QEMU that has it. Return the connection and the device's path."""
        own = self.machine.kind == 'vhost-user'
        qmp = Qmp(self.machine.rundir / ('vm0.ctl' if own else 'qmp.sock'))
        return qmp, '/vm0' if own else '/machine/peripheral/vm0'

    def cpu_seconds(self) -> float:
        """Return the CPU time that QEMU has used."""
        times = Path(f'/proc/{self.qemu.pid}/stat').read_text().rsplit(')', 1)[1].split()[11:13]
        return sum(map(int, times)) / os.sysconf('SC_CLK_TCK')

    def resize(self, size: int) -> tuple[int, int]:
        """Request a size, and wait until the device has it or nothing moves. Return the size and the number of requests."""
        qmp, path = self.device()
        try:
            get = lambda name: qmp.execute('qom-get', path=path, property=name)     # noqa: E731
            requests, now, quiet, deadline = get('x-requests'), get('size'), 0, time.monotonic() + LIMIT
            qmp.execute('qom-set', path=path, property='requested-size', value=size)
            while now != size and quiet < QUIET / STEP and time.monotonic() < deadline:
                before, used = now, self.cpu_seconds()
                time.sleep(STEP)
                now = get('size')
                quiet = quiet + 1 if now == before and self.cpu_seconds() - used < BUSY * STEP else 0
            return now, get('x-requests') - requests
        finally:
            qmp.close()


def unplug(guest: Guest, harts: int, seed: int) -> tuple[float, int]:
    """Churn with a tenth of the chunks unmovable, then shrink to 0. Return the percentage unplugged, and the requests."""
    with Session(guest, f'place-{harts}-{seed}', harts, GIB, GIB) as session:
        plugged, _ = session.resize(GIB)
        held = session.churn(UNPLUG_CHURN.format(harts=harts, seed=seed))
        left, requests = session.resize(0)
    success = 100 * (plugged - left) / GIB
    print(f'  unplug, {harts} harts, seed {seed}: {success:.2f} %, {requests} requests, holds {held[2]} frames', file=sys.stderr)
    return success, requests


def fits(guest: Guest, harts: int, seed: int) -> float:
    """Churn, 40 % unmovable, in a small guest with a large device. Return the percentage of unmovable requests granted."""
    with Session(guest, 'place-fits', harts, FITS_MEM, FITS_SIZE) as session:
        session.resize(FITS_SIZE)
        held = session.churn(FITS_CHURN.format(harts=harts, seed=seed))
    granted, refused = int(held[4]), int(held[5])
    print(f'  fits, {harts} harts, seed {seed}: {held[0]}', file=sys.stderr)
    return 100 * granted / max(granted + refused, 1)


def free_huge(guest: Guest, seed: int) -> float:
    """Measure fragmentation as LLFree does: the percentage of the free frames that lie in whole free pageblocks."""
    with Session(guest, 'place-huge', 1, GIB, 0) as session:
        return float(session.churn(HUGE_CHURN.format(harts=1, seed=seed))[6])


def measure(guest: Guest) -> Rows:
    """Measure the rows; each is the worst of its runs."""
    runs = [unplug(guest, harts, seed) for harts in HARTS for seed in SEEDS]
    return {
        'unplug_success': (min(success for success, _ in runs), '%'),
        'unplug_success_requests': (float(max(requests for _, requests in runs)), 'request'),
        'unmovable_fits': (min(fits(guest, harts, seed) for harts, seed in zip(HARTS, SEEDS)), '%'),
        'free_huge_after_churn': (min(free_huge(guest, seed) for seed in SEEDS[:2]), '%'),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description='Measure where a guest, which need not be ebb, places its pages.')
    parser.add_argument('--out', default='build', help='where ebb-vmem and QEMU are')
    parser.add_argument('--kernel', default='build/ebb-test.elf')
    parser.add_argument('--append', default='lock_check=0', help="the kernel's command line")
    parser.add_argument('--initrd', help='for a kernel that needs one')
    parser.add_argument('--prompt', default='ebb> ', help='what the console prints when it takes a line')
    args = parser.parse_args()
    extra = ['-initrd', args.initrd] if args.initrd else []
    for name, (value, unit) in measure(Guest(args.out, args.kernel, args.append, args.prompt, extra)).items():
        print(f'{name} {value:.2f} {unit}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
