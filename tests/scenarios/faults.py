# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios in which the memory device misbehaves. They need ebb-vmem, which can be told to."""

from __future__ import annotations

import time

from guest import COMMAND_LIMIT, Failure, Guest, expect
from machine import MIB, MemDevice
from plan import scenario


@scenario()
def busy_answers(guest: Guest) -> None:
    """A device that answers BUSY is asked again, with pauses; the size is reached."""
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
    """A device that takes its time holds up nothing else."""
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
    """NACK is no end: the driver says what happened and reaches the size later."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('nack', count=1)
    guest.resize(128 * MIB)
    guest.run('mm check')
    device.inject('nack', count=1)
    guest.resize(0)
    guest.check()


@scenario()
def error_answer(guest: Guest) -> None:
    """ERROR means that the driver and the device disagree: the device is given up, with a line, and ebb lives on."""
    device = guest.devices['vm0']
    if not device.own:
        return
    guest.resize(128 * MIB)
    device.inject('error', count=1)
    device.request(256 * MIB)
    guest.console.wait_for(r'calls PLUG .* an error', COMMAND_LIMIT)
    guest.run('mm check')
    guest.run('lsmem')


@scenario()
def device_process_dies(guest: Guest) -> None:
    """When the device's process is killed, QEMU ends, and nothing waits for ever."""
    if not guest.devices['vm0'].own:
        return
    guest.resize(64 * MIB)
    guest.recorder.provable = False     # it ends in the middle of whatever it does
    guest.machine.devices['vm0'].kill()
    guest.machine.devices['vm0'].wait(5)
    try:
        guest.run('lsmem')
    except (Failure, OSError):
        pass
    expect(guest.machine.dead_device() == 'vm0', 'the launcher did not notice')
    guest.machine.stop()


@scenario(limit=120.0, devices=(MemDevice(size=6144 * MIB),))
def size_toggles_across_4_gib(guest: Guest) -> None:
    """A requested size that goes to and fro across 4 GiB while it is read is never read as 0: 2 MiB at most come and go."""
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
    """A device that refuses whatever it asks for, and asks for another size again and again, leaves a few lines in the log."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('nack', count=100000)
    start, begun = len(guest.console.text), time.monotonic()
    for turn in range(400):
        device.request((128 + turn % 7 * 128) * MIB)
        guest.run('sleep 10')
    lines = [line for line in guest.console.text[start:].splitlines() if 'virtio_mem' in line]
    most = 30 * (1 + (time.monotonic() - begun) / 10)      # the limit is so many in 10 s
    expect(3 <= len(lines) <= most, f'{len(lines)} lines: {lines[:5]}')
    device.inject('none')
    guest.resize(0)
    guest.check()
