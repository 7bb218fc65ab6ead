#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Play one scenario on one machine and print its result as KTAP. tools/ktest starts it, with a limit of its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(TOP / 'tools')]
from guest import Failure, Guest  # noqa: E402
from machine import Config, MachineError, describe_end, die_with_parent, image  # noqa: E402
from plan import load  # noqa: E402
from qmp import QmpError  # noqa: E402
from recorder import prove, rescue  # noqa: E402
from sizes import whole  # noqa: E402
from traceport import PortError  # noqa: E402


def play(guest: Guest, story) -> str | None:
    """Play the scenario; return why it failed, or None."""
    try:
        guest.boot()
        story.play(guest)
        if wrong := prove(guest):
            return wrong
        if guest.machine.qemu.poll() is None:
            guest.poweroff()
        return None
    except (Failure, MachineError, QmpError, PortError) as why:
        rescue(guest.machine.rundir / 'session.ebbt', guest)
        return str(why)
    except Exception:       # pylint: disable=broad-except
        why = traceback.format_exc()
        rescue(guest.machine.rundir / 'session.ebbt', guest)
        return why
    except SystemExit:      # the limit has passed: the scenario hangs
        rescue(guest.machine.rundir / 'session.ebbt', guest)
        raise
    finally:
        guest.stop()


def explain(guest: Guest, why: str) -> None:
    """Print the information about a failure for the user."""
    for line in why.splitlines():
        print(f'    # {line}')
    print("    # the console's last lines:")
    for line in guest.console.tail() if hasattr(guest, 'console') else ['(nothing)']:
        print(f'    #   {line}')
    for name, process in (('qemu', guest.machine.qemu), *guest.machine.devices.items()):
        if process is not None and process.returncode is not None:
            print(f'    # {name} {describe_end(process.returncode)}')
        for line in guest.machine.tail_of(name).splitlines():
            print(f'    # {name}: {line}')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('scenario')
    parser.add_argument('--transport', default='pci')
    parser.add_argument('--smp', type=whole(1, 64), default=2)
    parser.add_argument('--out', default=os.environ.get('O') or os.path.relpath(TOP / 'build'))
    parser.add_argument('--rundir', default=None)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    die_with_parent(signal.SIGTERM)
    story = next((s for s in load() if s.name == args.scenario), None)
    if story is None:
        parser.error(f'no scenario {args.scenario}; there are {", ".join(s.name for s in load())}')
    rundir = args.rundir or f'{args.out}/logs/scenario-{story.name}-{args.transport}-smp{args.smp}'
    print('KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: scenario\n    1..1', flush=True)
    try:
        guest = Guest(story, Config(kernel=image(args.out, tests=story.tests), rundir=rundir, transport=args.transport,
                                    smp=args.smp))
    except MachineError as error:
        sys.exit(f'main.py: {error}')
    why = play(guest, story)
    if why:
        explain(guest, why)
    verdict = 'not ok' if why else 'ok'
    print(f'    {verdict} 1 {story.name}\n{verdict} 1 scenario')
    return 1 if why else 0


if __name__ == '__main__':
    sys.exit(main())
