# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios in which the memory device misbehaves. They need ebb-vmem, which can be told to."""

from __future__ import annotations

from guest import Guest
from machine import MIB
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
    guest.run('lsmem', limit=5)
    guest.wait_size(256 * MIB)
    guest.check()
