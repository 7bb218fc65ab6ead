# SPDX-License-Identifier: BSD-2-Clause
"""The work of tools/ebb-ctl: find the devices of a running machine, show them, request sizes."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from follow import Follower, Guest, explain_stall, show_size, show_time
from qmp import Gone, Qmp, QmpError
from rundir import none_runs, with_advice
from sizes import count, parse_number, parse_size


# The meaning of the values of ebb-vmem's property x-driver for a waiting user.
DRIVER_WORDS = {
    'no-qemu': 'QEMU is not connected to the device: it does not reconnect to a restarted device; type make run again',
    'none': 'the guest runs no driver for the device (not booted yet?)',
    'stopped': 'the driver has stopped: the machine is paused, or the driver has reset the device',
    'broken-ring': "the driver's ring makes no sense: the device serves nothing until the driver resets it",
}


class CtlError(Exception):
    """An error to report to the user in one line."""


class UsageError(CtlError):
    """The command line is wrong."""


class State:
    """The sizes of a device, in bytes."""

    def __init__(self, data: dict):
        self.requested, self.plugged, self.block = data['requested-size'], data['size'], data['block-size']
        self.addr, self.region = data['memaddr'], data['max-size']


class Device:
    """A virtio-mem device: ebb-vmem's, reached by its control socket, or QEMU's own."""

    def __init__(self, name: str, qmp: Qmp, ours: bool):
        self.name, self.qmp, self.ours = name, qmp, ours
        self.path = f'/{name}' if ours else f'/machine/peripheral/{name}'

    def get(self, prop: str):
        """Read a property."""
        return self.qmp.execute('qom-get', path=self.path, property=prop)

    def shared_qmp(self) -> Qmp | None:
        """Return this device's connection if it is to QEMU's QMP, which serves only one client; else None."""
        return None if self.ours else self.qmp

    def state(self) -> State:
        """Read its present sizes."""
        for entry in self.qmp.execute('query-memory-devices'):
            if entry['type'] == 'virtio-mem' and entry['data'].get('id') == self.name:
                return State(entry['data'])
        raise CtlError(f'{self.name}: the device has gone')

    def request(self, size: int) -> None:
        """Ask the guest for a size."""
        self.qmp.execute('qom-set', path=self.path, property='requested-size', value=size)

    def answers(self) -> dict:
        """Read the number of times that the device gave each answer."""
        return self.get('x-answers') if self.ours else {}

    def driver_fault(self) -> str:
        """Describe the problem between device and driver, '' if there is none."""
        return DRIVER_WORDS.get(self.get('x-driver'), '') if self.ours else ''

    def answer_fault(self, before: dict) -> str:
        """Describe the answers that keep the guest from reaching the size, '' if there are none. @before is an earlier result
        of answers()."""
        for kind, now in self.answers().items():
            for answer in ('busy', 'error', 'nack'):
                if number := now[answer] - before[kind][answer]:
                    return f'the device answered {count(number, f"{kind} request")} with {answer.upper()}'
        if self.ours and (number := self.get('x-unanswered')):
            return f'no answer to {count(number, "request")}: an injected fault holds or has dropped it'
        return ''

    def unread(self) -> bool:
        """Return true if the guest has not read the requested size."""
        return self.ours and self.get('x-config-unread')


def qemu_devices(run: str) -> dict[str, Device]:
    """Find QEMU's own devices, in the order of their addresses."""
    qmp = Qmp(f'{run}/qmp.sock')
    found = sorted((entry['data'] for entry in qmp.execute('query-memory-devices')
                    if entry['type'] == 'virtio-mem' and entry['data'].get('id')), key=lambda data: data['memaddr'])
    return {data['id']: Device(data['id'], qmp, False) for data in found}


def find_devices(run: str) -> dict[str, Device]:
    """Find all devices of the machine in a run directory."""
    devices: dict[str, Device] = {}
    errors: list[QmpError] = []
    names = sorted(name.removesuffix('.ctl') for name in (os.listdir(run) if os.path.isdir(run) else []) if name.endswith('.ctl'))
    for name in names:
        try:
            devices[name] = Device(name, Qmp(f'{run}/{name}.ctl', 30.0), True)
        except QmpError as error:
            errors.append(error)
    if not devices and os.path.exists(f'{run}/qmp.sock'):
        try:
            devices = qemu_devices(run)
        except QmpError as error:
            errors.append(error)
    if not devices:
        nobody = CtlError(none_runs(Path(run)))
        raise next((error for error in errors if not isinstance(error, Gone)), nobody)
    return devices


def memory_files(run: str) -> list[tuple[int, int]]:
    """Return (size, bytes that the host holds) of each of QEMU's memory files, in the order in which QEMU made them."""
    found: dict[int, tuple[int, int]] = {}
    try:
        with open(f'{run}/qemu.pid', encoding='ascii') as file:
            fds = f'/proc/{int(file.read())}/fd'
        for number in sorted(int(name) for name in os.listdir(fds)):
            if os.readlink(f'{fds}/{number}').startswith('/memfd:'):
                stat = os.stat(f'{fds}/{number}')
                found.setdefault(stat.st_ino, (stat.st_size, 512 * stat.st_blocks))
    except (OSError, ValueError):
        pass                             # another user's process, or one that has just ended
    return list(found.values())


def host_bytes(devices: dict[str, Device], states: dict[str, State], run: str) -> dict[str, int | None]:
    """Return the bytes of each region that the host has allocated. ebb-vmem counts its own; each region of QEMU's own devices
    is a file."""
    files = [] if all(device.ours for device in devices.values()) else memory_files(run)
    found: dict[str, int | None] = {}
    for name, device in devices.items():
        mine = next((file for file in files if file[0] == states[name].region), None)
        if device.ours:
            found[name] = device.get('x-host-bytes')
        elif mine:
            files.remove(mine)
            found[name] = mine[1]
        else:
            found[name] = None
    return found


def cmd_status(args: dict) -> int:
    """Run ebb-ctl status."""
    devices = find_devices(args['run'])
    states = {name: device.state() for name, device in devices.items()}
    # The scan for stray bytes returns them to the host, so read HOST after the scan.
    stray = {name: device.get('x-stray-bytes') if device.ours else None for name, device in devices.items()}
    touched = {name: device.get('x-touched-bytes') if device.ours else None for name, device in devices.items()}
    host = host_bytes(devices, states, args['run'])
    if args['json']:
        print(json.dumps([{'dev': name, **vars(state), 'host': host[name], 'stray': stray[name], 'touched': touched[name]}
                          for name, state in states.items()]))
        return 0
    rows = [('DEVICE', 'REQUESTED', 'PLUGGED', 'HOST', 'STRAY', 'TOUCHED', 'BLOCK', 'REGION')]
    for name, s in states.items():
        rows.append((name, show_size(s.requested), show_size(s.plugged), show_size(host[name]), show_size(stray[name]),
                     show_size(touched[name]), show_size(s.block), f'{s.addr:#x}+{show_size(s.region)}'))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print('  '.join(cell.ljust(w) if i in (0, 7) else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(row, widths))).rstrip())
    return 0


def check_size(device: Device, size: int) -> None:
    """Refuse a size that the device cannot have, and suggest sizes that it can have."""
    now = device.state()
    if size > now.region:
        raise CtlError(f'{device.name} has {show_size(now.region)} at most')
    if size % now.block:
        below = size - size % now.block
        raise CtlError(f"{show_size(size)} is not a multiple of {device.name}'s block size {show_size(now.block)}: "
                       f'try {show_size(below)} or {show_size(min(below + now.block, now.region))}')


def tell_result(follower: Follower, reached: bool, seconds: float, as_json: bool) -> None:
    """Report the end of a resize, in a line for a user or a program."""
    device, now, guest, size = follower.device, follower.now, follower.guest, follower.size
    offline = min(now.plugged, guest.offline_bytes(now.addr, now.region)) if reached else 0
    words = [f'plugged {show_size(now.plugged)}']
    if not reached:
        words = [f'stays at {show_size(now.plugged)}, {show_size(size)} are requested, nothing has moved for '
                 f'{time.monotonic() - follower.moved:.0f} s: {explain_stall(follower)}']
    elif now.plugged == size:
        words += [f'as requested, after {show_time(seconds)}']
    else:
        words[0] += (f': the guest plugs {show_size(follower.granule())} at a time and stays below the {show_size(size)} '
                     'that are requested')
    if offline:
        words.append(f'{"all" if offline == now.plugged else show_size(offline)} of it added, not online')
    if reached and not guest.port:
        words.append(f"by the device's figure ({guest.why_not})")
    if as_json:
        print(json.dumps({'dev': device.name, 'reached': reached, 'requested': size, 'plugged': now.plugged,
                          'offline': offline if guest.port else None, 'by': 'guest' if guest.port else 'device',
                          'ms': round(seconds * 1000, 1), 'text': ', '.join(words)}))
    else:
        print(f'{device.name}: {", ".join(words)}', file=sys.stdout if reached else sys.stderr)


def cmd_resize(args: dict) -> int:
    """Run ebb-ctl resize."""
    devices = find_devices(args['run'])
    device = devices.get(args['dev'])
    if not device:
        raise CtlError(f'there is no device {args["dev"]}; there is {", ".join(devices)}')
    check_size(device, args['size'])
    follower = Follower(device, Guest(args['run']), args['size'], args['patience'])
    device.request(args['size'])
    follower.begun = follower.moved = time.monotonic()
    reached = follower.run()
    tell_result(follower, reached, time.monotonic() - follower.begun, args['json'])
    return 0 if reached else 1


COMMANDS = {'resize': cmd_resize, 'status': cmd_status}


def parse(words: list[str], root: str) -> dict:
    """Parse the command line. Raises UsageError."""
    env = os.environ.get
    args = {'run': env('RUN') or (os.path.join(env('O') or os.path.join(root, 'build'), 'run')), 'dev': 'vm0',
            'patience': 15.0, 'json': False}
    plain, words = [], list(words)
    while words:
        option, equals, value = words.pop(0).partition('=')
        if option == '--json' and not equals:
            args['json'] = True
        elif option in ('--run', '--dev', '--patience'):
            if not equals and not words:
                raise UsageError(f'{option} needs a value')
            args[option[2:]] = value if equals else words.pop(0)
        elif option.startswith('-') and not option[1:2].isdigit():       # -1M is a size, and a wrong one
            raise UsageError(f'{option}: unknown option; expected one of: --run --dev --patience --json --help')
        else:
            plain.append(option + equals + value)
    wanted = {'resize': 2, 'status': 1}
    if not plain or len(plain) != wanted.get(plain[0]):
        raise UsageError('expected `resize SIZE` or `status`; see --help')
    try:
        args['patience'] = parse_number(str(args['patience']), 0.1, 86400, 'a number of seconds')
        args['size'] = parse_size(plain[1]) if plain[0] == 'resize' else 0
    except ValueError as error:
        raise UsageError(str(error)) from None
    args['command'] = plain[0]
    return args


def main(words: list[str], usage: str, root: str) -> int:
    """Run the program. The status is 0, 1 if the size was not reached, 2 for a wrong command line."""
    if '--help' in words or '-h' in words:
        print(usage)
        return 0
    try:
        args = parse(words, root)
        status = COMMANDS[args['command']](args)
        sys.stdout.flush()
        return status
    except (CtlError, QmpError) as error:
        text = with_advice(Path(args['run']), str(error), True) if isinstance(error, Gone) else str(error)
        if '--json' in words:
            print(json.dumps({'reached': False, 'text': text}))
        print(f'ebb-ctl: {text}', file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:           # the reader of the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
