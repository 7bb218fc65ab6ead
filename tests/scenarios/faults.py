# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios in which the memory device misbehaves. They need ebb-vmem, which can inject faults."""

from __future__ import annotations

import time

from guest import COMMAND_LIMIT, Guest, expect
from machine import MIB, MemDevice
from plan import scenario


@scenario()
def busy_answers(guest: Guest) -> None:
    """The driver retries a device that answers BUSY, with pauses; the size is reached."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('busy', count=3)
    guest.resize(256 * MIB)
    device.inject('busy', count=3)
    guest.resize(0)
    guest.check()


@scenario()
def late_answers(guest: Guest) -> None:
    """A slow device delays nothing else."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('delay', count=2, ms=700)
    device.request(256 * MIB)
    guest.run('lsmem')
    guest.wait_size(256 * MIB)
    guest.check()


@scenario()
def refused_requests(guest: Guest) -> None:
    """After a NACK the driver says what happened, and reaches the size later."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('nack', count=1)
    guest.resize(128 * MIB)
    guest.run('mm check')
    device.inject('nack', count=1)
    guest.resize(0)
    guest.check()


@scenario(append='virtio_mem.answer_timeout_ms=2000')
def nonsense_and_back(guest: Guest) -> None:
    """A device that answers ERROR, nonsense or nothing is reset, asked what it has, and used again: each size is reached."""
    device = guest.devices['vm0']
    if not device.own:
        return
    guest.recorder.provable = False     # STATE shows what a lost request did
    guest.resize(512 * MIB)
    for number, kind in enumerate(('error', 'garbage', 'short', 'bad-id', 'drop')):
        device.inject(kind, count=1)
        guest.resize((640 if number % 2 == 0 else 512) * MIB)
        guest.check()
    guest.console.wait_for('works again', COMMAND_LIMIT)
    expect('last failure: none' in guest.run('vmem'), 'vmem still names a failure')
    guest.resize(0)
    guest.check()


@scenario(append='virtio_mem.answer_timeout_ms=0')
def no_time_to_answer(guest: Guest) -> None:
    """With a limit of 0, ebb would give up each device at once: ebb refuses 0, and uses the default."""
    guest.console.wait_for('virtio_mem.answer_timeout_ms: "0" is not valid, expected a number from 1 to 3600000', COMMAND_LIMIT)
    for size in (64, 512, 0):
        guest.resize(size * MIB)
    expect('has not answered' not in guest.console.text, 'the device was given up')
    guest.check()


@scenario()
def reset_by_hand(guest: Guest) -> None:
    """`vmem reset` starts again with a device; plugged memory in use stays."""
    guest.resize(256 * MIB)
    expect('plugged 256 MiB' in guest.run('vmem reset'), 'not all of it is plugged after a reset')
    expect('plugged 256 MiB' in guest.run('vmem reset vm0'), 'not all of it is plugged after a second reset')
    guest.refuse('vmem reset vm9')
    guest.check()
    guest.resize(128 * MIB)
    guest.check()


@scenario(limit=90.0)
def device_process_dies(guest: Guest) -> None:
    """The driver detects that a device's process was killed, and says so in the log and in vmem; memory and guest live on."""
    if not guest.devices['vm0'].own:
        return
    guest.resize(64 * MIB)
    guest.recorder.provable = False     # the device may end in the middle of a request
    guest.machine.devices['vm0'].kill()
    guest.machine.devices['vm0'].wait(5)
    expect(guest.machine.dead_device() == 'vm0', 'the launcher did not notice')
    guest.console.wait_for('its process may have ended', COMMAND_LIMIT)
    expect('its process may have ended' in guest.run('vmem'), 'vmem does not say so')
    # QEMU (11.1) ends when a driver starts such a device again.
    expect('its process may have ended' in guest.refuse('vmem reset'), 'the reset was not refused')
    guest.run('mm check')
    guest.run('alloc 9 movable')
    guest.machine.stop()


@scenario(limit=120.0, devices=(MemDevice(size=6144 * MIB),))
def size_toggles_across_4_gib(guest: Guest) -> None:
    """A requested size that alternates around 4 GiB is never read as 0: at most 2 MiB come and go."""
    device = guest.devices['vm0']
    guest.resize(4096 * MIB)
    for turn in range(3000):
        device.request((4094 if turn % 2 == 0 else 4096) * MIB)
        if turn % 10 == 0:
            expect(device.get('size') >= 4094 * MIB, f'after {turn} changes {device.get("size") >> 20}M are plugged')
    guest.wait_size(4096 * MIB)
    guest.check()


@scenario(devices=(MemDevice(size=1024 * MIB),))
def refusals_fill_no_log(guest: Guest) -> None:
    """A device that refuses what it asks for, and keeps asking for another size, causes only a few lines in the log."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('nack', count=100000)
    start, begun = len(guest.console.text), time.monotonic()
    for turn in range(400):
        device.request((128 + turn % 7 * 128) * MIB)
        guest.run('sleep 10')
    lines = [line for line in guest.console.text[start:].splitlines() if 'virtio_mem' in line]
    most = 30 * (1 + (time.monotonic() - begun) / 10)      # the limit of lines in 10 s
    expect(3 <= len(lines) <= most, f'{len(lines)} lines: {lines[:5]}')
    device.inject('none')
    guest.resize(0)
    guest.check()
