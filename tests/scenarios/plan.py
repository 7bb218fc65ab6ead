# SPDX-License-Identifier: BSD-2-Clause
"""The list of scenarios, and the machines on which a test run boots them."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from machine import MIB, MemDevice

if TYPE_CHECKING:
    from guest import Guest

PAIRS = [(transport, smp) for smp in (1, 2, 4, 8) for transport in ('pci', 'mmio')]


@dataclass
class Scenario:
    """A scenario: a machine, and the actions on it. limit is in seconds and covers everything, including the boot."""
    name: str
    play: Callable[['Guest'], None]
    limit: float
    mem: int
    devices: tuple[MemDevice, ...]
    append: str
    holes: tuple[tuple[int, int], ...] = ()
    without: tuple[str, ...] = ()
    tests: bool = False     # the image with the in-kernel tests, which has the command ut
    harts: int = 1          # the least number of harts
    launcher: bool = False  # tools/run starts the machine, as `make run` does; several clients can use it at once


@dataclass
class Run:
    """A scenario on one machine."""
    scenario: str
    transport: str
    smp: int
    limit: float
    log_name: str = field(init=False)

    def __post_init__(self) -> None:
        self.log_name = f'scenario-{self.scenario}-{self.transport}-smp{self.smp}'


SCENARIOS: list[Scenario] = []


def scenario(limit: float = 60.0, mem: int = 128 * MIB, devices: tuple[MemDevice, ...] = (MemDevice(size=1024 * MIB),),
             append: str = '', holes: tuple[tuple[int, int], ...] = (), without: tuple[str, ...] = (),
             tests: bool = False, harts: int = 1, launcher: bool = False):
    """Register a function as a scenario; its docstring says what must hold."""
    def register(play: Callable[['Guest'], None]):
        SCENARIOS.append(Scenario(play.__name__, play, limit, mem, devices, append, holes, without, tests, harts, launcher))
        return play
    return register


def load() -> list[Scenario]:
    """Return all scenarios, in the order of their files."""
    if not SCENARIOS:
        import boot, client, crash, faults              # noqa: F401, E401  # pylint: disable=C0415,W0611
        import hotplug, interrupt, observe, resize      # noqa: F401, E401  # pylint: disable=C0415,W0611
        import standstill, waiting, consoles, debugger  # noqa: F401, E401  # pylint: disable=C0415,W0611
        import several                                  # noqa: F401, E401  # pylint: disable=C0415,W0611
    return SCENARIOS


def planned_runs(glob: str, full: bool) -> list[Run]:
    """Return all pairs of scenarios and machines, or each scenario once, so that every machine is used at least once."""
    runs = []
    for number, story in enumerate(load()):
        if glob and not fnmatch.fnmatch(f'scenario.{story.name}', glob):
            continue
        pairs = [(transport, smp) for transport, smp in PAIRS if smp >= story.harts]
        for transport, smp in pairs if full else [pairs[number % len(pairs)]]:
            runs.append(Run(story.name, transport, smp, story.limit))
    return runs
