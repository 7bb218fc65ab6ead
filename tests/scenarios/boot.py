# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios about starting and ending: machines without a device, odd memory, odd command lines."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

from guest import BOOT_LIMIT, COMMAND_LIMIT, RESIZE_LIMIT, Guest, expect
from machine import MIB, Machine, RAM_BASE
from patience import talk
from plan import scenario
from recorder import prove

NONSENSE = 'mem= loglevel=loud memhp_default_state=sideways =x == kunit.filtr=1 a.b.c=d,,, virtio_mem.nothing "unclosed x'


@scenario(devices=())
def no_device(guest: Guest) -> None:
    """Without a memory device ebb boots, works, and ends with status 0."""
    expect('ebb' in guest.run('help').lower() or guest.run('help') != '', 'help is empty')
    guest.run('lsmem')
    guest.run('mm check')


@scenario(append=NONSENSE)
def nonsense_on_the_command_line(guest: Guest) -> None:
    """Unknown and malformed parameters are logged; ebb boots anyway."""
    expect('kunit.filtr' in guest.console.text, 'the unknown kunit.filtr was not named')
    guest.resize(64 * MIB)
    guest.check()


@scenario(devices=(), holes=((RAM_BASE + 40 * MIB, 6 * MIB), (RAM_BASE + 100 * MIB, 1 * MIB)))
def memory_with_holes(guest: Guest) -> None:
    """ebb never touches or counts ranges that the device tree leaves out."""
    guest.run('mm check')
    total = guest.meminfo('MemTotal')
    expect(total <= 121 * MIB, f'MemTotal is {total / MIB:.1f} MiB; 121 are there')


@scenario(devices=())
def console_by_hand(guest: Guest) -> None:
    """The terminal: a prompt, a command, its answer, an unknown word."""
    guest.console.wait_for(r'^ebb> ', COMMAND_LIMIT)
    start = len(guest.console.text)
    guest.type('lsmem')
    guest.console.wait_for(r'^RANGE +SIZE +STATE', COMMAND_LIMIT, start)
    guest.type('nosuchword')
    guest.console.wait_for(r'nosuchword', COMMAND_LIMIT, start)
    why = guest.refuse('nosuchword')
    expect(re.search('nosuchword', why) is not None, f'the refusal does not name the word: {why}')


@scenario(devices=(), tests=True)
def ut_alone_lists(guest: Guest) -> None:
    """In the image with the tests "ut" by itself runs nothing: it lists the cases."""
    listed = guest.run('ut')
    expect(listed == guest.run('ut list'), f'ut alone answers {listed[:200]!r}')
    expect('\nhelp.examples\n' in listed and 'ok 1' not in listed, f'no list of cases: {listed[:200]!r}')


@scenario()
def half_typed_line(guest: Guest) -> None:
    """A message appears above the line that a user types. The line stays whole, also where it wraps at 40 columns. At that
    width, "map" draws a block in two lines."""
    guest.console.wait_for(r'ebb> \Z', COMMAND_LIMIT)
    half = 'echo a line of more than "forty" columns, half'
    guest.keys(f'\x1b[8;24;40t{half}')
    guest.console.wait_for(r'half\Z', COMMAND_LIMIT)
    start = len(guest.console.text)
    guest.devices['vm0'].request(64 * MIB)
    guest.console.wait_for(r'\x1b\[1A\x1b\[J\[ *[0-9.]+\] virtio_mem: vm0: plugged 64 MiB as requested\nebb> '
                           rf'{re.escape(half)}\Z', RESIZE_LIMIT, start)
    guest.type(' typed')
    guest.console.wait_for('^a line of more than forty columns, half typed$', COMMAND_LIMIT, start)
    guest.type('map -n 16')
    guest.console.wait_for(r'^memory16 +online +Normal\n\|KK.{30}\|\n\|.{32}\|\none letter.{0,30}\n', COMMAND_LIMIT, start)
    guest.resize(0)


@scenario(devices=(), without=('/soc/test@100000', '/poweroff', '/reboot'))
def no_power_switch(guest: Guest) -> None:
    """A machine that cannot be ended halts, and says what it lacks."""
    guest.recorder.snapshot()
    guest.type('poweroff')
    guest.console.wait_for(r'^ebb: halted: .*\(SBI SRST\).* sifive,test0', COMMAND_LIMIT)
    guest.answers = False
    expect((wrong := prove(guest)) is None, f'the state read from outside proves nothing: {wrong}')
    guest.machine.stop()


@scenario(devices=())
def plain_kernel_has_no_tests(guest: Guest) -> None:
    """The kernel without tests says what to type. Its status is 3 if the command line asks for tests, but not if a user
    does."""
    expect(re.search(r'make ut', guest.refuse('ut all')) is not None, 'ut does not say what to type')
    expect(re.search(r'make bench', guest.refuse('bench alloc')) is not None, 'bench does not say what to type')
    for append in ('kunit.filter_glob=buddy.*', 'autorun="ut all; poweroff"', 'autorun="bench alloc; poweroff"'):
        status, text = boot_alone(guest, append)
        expect(status == 3, f'{append}: status {status}, not 3')
        expect(len(re.findall(r'no tests in it', text)) == 1, f'{append}: not one line: {text[-300:]!r}')


@scenario(devices=())
def reboot_where_there_is_none(guest: Guest) -> None:
    """With QEMU's -no-reboot, "reboot" ends the machine once, with status 0."""
    status, text = boot_alone(guest, 'autorun=reboot')
    expect(status == 0, f'status {status}, not 0')
    expect(len(re.findall(r'^ebb: ready', text, re.M)) == 1, f'it did not boot once: {text[-300:]!r}')


@scenario(devices=())
def machines_that_ebb_refuses(guest: Guest) -> None:
    """If ebb cannot run on a machine, it says why and what to do; then the machine ends."""
    status, text = boot_alone(guest, '', '-machine', 'aia=aplic')
    expect(status == 3, f'AIA: status {status}, not 3')
    expect(re.search(r'has an AIA interrupt controller; ebb drives a PLIC: start QEMU with -M virt,aia=none$', text, re.M)
           is not None, f'AIA is not named: {text[-300:]!r}')
    _, text = boot_alone(guest, '', '-cpu', 'rv64,mmu=off')     # ends through the firmware, which cannot give a status
    expect(re.search(r'^ebb: this hart has neither Sv48 nor Sv39 paging: use a 64-bit CPU with an MMU, e\.g\. -cpu rv64$', text,
                     re.M) is not None, f'the MMU is not named: {text[-300:]!r}')


@scenario(devices=(), tests=True)
def three_levels_of_tables(guest: Guest) -> None:
    """Page tables come and go under Sv39 as under Sv48, the default."""
    _, text = boot_alone(guest, 'autorun="ut arch_*; poweroff"', '-cpu', 'rv64,sv48=off')
    expect('# Totals: pass:' in text and ' fail:0 ' in text, f'the suites did not pass: {text[-1000:]!r}')


@scenario(devices=(), tests=True)
def firmware_console(guest: Guest) -> None:
    """Text written before the UART is mapped arrives, as lines or, through older firmware, as characters."""
    start = len(guest.console.text)
    guest.run('ut early_console.*')
    for way in ('lines', 'characters'):
        guest.console.wait_for(rf'^early console: {way}\n{way}: 0{"x" * 300}1$', COMMAND_LIMIT, start)


def boot_alone(guest: Guest, append: str, *extra: str) -> tuple[int, str]:
    """Run another machine besides the guest's, with more options for QEMU, until it ends; return its status and output."""
    config = replace(guest.machine.config, append=append, rundir=f'{guest.machine.rundir}/alone', port=False, reboot=False,
                     extra=list(extra))
    machine = Machine(config)
    try:
        qemu = machine.start(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        text = talk(qemu, BOOT_LIMIT)[0].decode(errors='replace').replace('\r', '')
        return qemu.returncode, text
    finally:
        machine.stop()
