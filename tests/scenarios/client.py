# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about `make resize`: the output of tools/ebb-ctl for a real guest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from guest import Guest, Port, expect
from machine import MIB
from patience import limit
from plan import scenario

CTL = str(Path(__file__).resolve().parent.parent.parent / 'tools' / 'ebb-ctl')


def ebb_ctl(guest: Guest, *words: str) -> tuple[int, str]:
    """Run the client; return its status and text."""
    done = subprocess.run([sys.executable, '-S', '-E', CTL, '--run', str(guest.machine.rundir), *words], capture_output=True,
                          text=True, timeout=limit(60), check=False)
    return done.returncode, done.stdout + done.stderr


def says(guest: Guest, pattern: str, *words: str, status: int = 0) -> None:
    """Run the client, which has the command port to itself meanwhile; expect its status and a text that matches."""
    guest.port.close()
    try:
        got, text = ebb_ctl(guest, *words)
    finally:
        guest.port = Port(guest.machine.rundir / 'port.sock')
    expect(got == status, f'ebb-ctl {" ".join(words)} ended with {got}, not {status}: {text.strip()}')
    expect(re.fullmatch(pattern, text) is not None, f'{text!r} is not {pattern!r}')


@scenario()
def client_waits_for_the_guest(guest: Guest) -> None:
    """When the client says that a size is reached, the guest uses that memory."""
    if not guest.devices['vm0'].own:
        return                       # QEMU has only one QMP connection, and the scenario has it
    total = guest.meminfo('MemTotal')
    says(guest, r'vm0: plugged 512M, as requested, after \d+ ms\n', 'resize', '512M')
    expect(guest.meminfo('MemTotal') > total + 500 * MIB, 'the guest does not have it in use')
    guest.check()
    says(guest, r'vm0: plugged 0, as requested, after \d+ ms\n', 'resize', '0')
    expect(guest.meminfo('MemTotal') == total, 'the guest still has it')
    guest.check()


@scenario(append='memhp_default_state=offline')
def client_tells_added_from_online(guest: Guest) -> None:
    """With memhp_default_state=offline a size is reached when the memory is added."""
    if not guest.devices['vm0'].own:
        return
    says(guest, r'vm0: plugged 256M, as requested, after \d+ ms, all of it added, not online\n', 'resize', '256M')
    guest.run('chmem -e 128M')
    says(guest, r'vm0: plugged 384M, as requested, after \d+ ms, 256M of it added, not online\n', 'resize', '384M')
    guest.check()


@scenario()
def client_names_what_is_in_the_way(guest: Guest) -> None:
    """The client names an unmovable page, and a command port that another program holds."""
    if not guest.devices['vm0'].own:
        return
    guest.resize(256 * MIB)
    pfn = (guest.devices['vm0'].shape.addr + 128 * MIB) // 4096 + 0x123
    guest.run(f'alloc 0 unmovable at {pfn:#x}')
    says(guest, rf'vm0: stays at 2M, 0 are requested, .*: ebb says: memory\d+: .*pfn {pfn:#x} .*\n',
         'resize', '--patience', '2', '0', status=1)
    guest.run(f'free {pfn:#x}')
    guest.wait_size(0)
    status, text = ebb_ctl(guest, 'resize', '64M')      # the scenario holds the port
    expect(status == 0 and "by the device's figure (the command port does not answer" in text,
           f'status {status}: {text.strip()}')
    guest.check()


@scenario()
def client_names_a_device_given_up(guest: Guest) -> None:
    """A device that answers every request with ERROR: the client says, in ebb's words, that the guest has given it up."""
    device = guest.devices['vm0']
    if not device.own:
        return
    device.inject('error', count=1000)
    says(guest, r'vm0: stays at 0, 256M are requested, .*: the guest has given the device up: answered .* with ERROR; it is not '
         r'used until it has been reset\n', 'resize', '--patience', '2', '256M', status=1)
    device.inject('none')
    says(guest, r'vm0: plugged 256M, as requested, after \d+ ms\n', 'resize', '256M')
    guest.resize(0)
