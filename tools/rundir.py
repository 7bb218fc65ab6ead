# SPDX-License-Identifier: BSD-2-Clause
"""The run directory of a machine, for the tools that a user starts next to it."""

from __future__ import annotations

import os
from pathlib import Path

from patience import until

END_S = 1.0


def default_rundir() -> Path:
    """Return the directory where `make run` keeps its sockets, unless an option of the program names another directory."""
    return Path(os.environ.get('RUN') or f'{os.environ.get("O") or "build"}/run')


def runs(rundir: Path) -> bool:
    """Return true if a machine runs there."""
    try:
        stat = Path(f'/proc/{int((rundir / "qemu.pid").read_text())}/stat').read_text()
        return stat.rpartition(')')[2].split()[0] != 'Z'
    except (OSError, ValueError):
        return False


def none_runs(rundir: Path, ran: bool = False) -> str:
    """Return words that say that no machine runs there, and what to type. ran: a machine ran when the program began."""
    usual = Path(os.environ.get('O') or 'build') / 'run'
    if rundir.is_relative_to(Path.cwd()):
        rundir = rundir.relative_to(Path.cwd())
    what = f'the machine in {rundir} has ended; start it again' if ran else f'no machine runs in {rundir}; start one'
    return f'{what}: make run' + ('' if rundir.resolve() == usual.resolve() else f' RUN={rundir}')


def with_advice(rundir: Path, why: str, ran: bool = False) -> str:
    """Return the reason why a machine does not answer, and what to type. ran: it answered before. Waits up to END_S for a
    machine that has closed its sockets to end."""
    if not until(lambda: not runs(rundir), END_S):
        return f'{why}; `make status` shows whether the machine works, Ctrl-A X at its console ends it'
    return none_runs(rundir, ran)
