# SPDX-License-Identifier: BSD-2-Clause
"""The storeys of the kernel (README.md): nothing includes or calls upwards, except through a registered operation.

A registered operation is a row that the linker puts into a table of the storey below (INITCALL, COMMAND, PARAM_UNKNOWN,
PANIC_REPORT, VPORT_SERVICE, ...), or a function that is passed to the storey below: neither names a symbol of the storey
above. So includes are read from the sources, and calls from the symbols of the objects that `make all` has built.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lint.common import Finding, KERNEL_DIRS, Skip, cross_gcc, sources, text, without_comments

# The lowest storey first. The longest prefix decides; include/X belongs to X.
STOREYS = (
    ('lib/',),
    ('arch/', 'kernel/'),
    ('kernel/trace/',),
    ('mm/',),
    ('drivers/', 'virtio/', 'pci/', 'serial/'),
    ('kernel/console/',),
    ('kernel/main.c',),         # the boot: it starts each storey in turn
    ('tests/',),
)


@dataclass(frozen=True)
class Way:
    """A way up that is allowed: which file takes it, which headers it includes for that, and which symbols it uses."""

    why: str
    headers: frozenset[str] = field(default_factory=frozenset)
    symbols: frozenset[str] = field(default_factory=frozenset)


def way(why: str, headers: str, symbols: str = '') -> Way:
    """Make a Way from names separated by blanks."""
    return Way(why, frozenset(headers.split()), frozenset(symbols.split()))


HART = "a hart's start asks mm for its page caches"
STACK = "a thread's stack is made of mm's frames"
RINGS = "the trace's rings lie in boot memory"
MACHINE = "arch's page tables and fault report ask mm through mm/pgtable.h, and map what boot memory is"
WAYS_UP = {
    'kernel/smp.c': way(HART, 'mm/mm.h', 'kernel_mm mm_hart_init'),
    'kernel/stack.c': way(STACK, 'mm/page.h mm/page_alloc.h', 'kernel_mm alloc_pages free_pages'),
    'kernel/trace/trace_boot.c': way(RINGS, 'mm/memblock.h', 'memblock memblock_alloc_from'),
    'arch/riscv/fault.c': way(MACHINE, 'mm/page.h mm/pgtable.h', 'mm_describe_fault'),
    'arch/riscv/paging.c': way(MACHINE, 'mm/memblock.h mm/page.h mm/pgtable.h',
                               'memblock pgtable_free_page pgtable_note pgtable_set_note'),
    'arch/riscv/pgtable.c': way(MACHINE, 'mm/memblock.h mm/pgtable.h',
                                'memblock memblock_alloc_type pgtable_alloc_page pgtable_free_page pgtable_note'
                                ' pgtable_set_note'),
    'arch/riscv/setup.c': way('the machine is described, the boot begins', '', 'kernel_main'),
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)
BUILT = os.path.join(os.environ.get('O') or 'build', 'k')


FLOOR = {room: number for number, rooms in enumerate(STOREYS) for room in rooms}


def room(name: str) -> str | None:
    """Return the room of a file, or of a header as an include names it; None for a header in its user's directory."""
    return max((room for room in FLOOR if name.removeprefix('include/').startswith(room)), key=len, default=None)


def above(low: str, high: str) -> bool:
    """Return True if the second file stands on a higher storey."""
    here, there = room(low), room(high)
    return here is not None and there is not None and FLOOR[there] > FLOOR[here]


def arrow(name: str, line: int, what: str, target: str) -> Finding:
    """Return the finding for one include or symbol that points up."""
    return Finding(name, line, f'{what} points up, from {room(name)} to {room(target)}: register an operation, or move what '
                               'stands too low')


def unused(kind: str, used: set[tuple[str, str]]) -> list[Finding]:
    """Find allowed ways up that no file uses."""
    return [Finding('tools/lint/storeys.py', 0, f'{name} needs no {target} any more: take it off the list')
            for name, w in WAYS_UP.items() for target in sorted(getattr(w, kind)) if (name, target) not in used]


def include_arrows(names: list[str]) -> tuple[list[Finding], set[tuple[str, str]]]:
    """Return the includes of a higher storey's headers, and the allowed ways up that were taken."""
    found, used = [], set()
    for name in names:
        for match in INCLUDE.finditer(text(name)):
            if not above(name, match[1]):
                continue
            if name in WAYS_UP and match[1] in WAYS_UP[name].headers:
                used.add((name, match[1]))
            else:
                found.append(arrow(name, text(name).count('\n', 0, match.start()) + 1, f'include "{match[1]}"', match[1]))
    return found, used


def includes() -> list[Finding]:
    """Find includes that point up, in the whole kernel."""
    found, used = include_arrows(sources('.c', '.h', '.S', under=KERNEL_DIRS))
    return found + unused('headers', used)


def symbols(names: list[str], built: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Return the source that defines each global symbol, and the symbols that each source wants from others."""
    objects = {os.path.join(built, f'{name}.o'): name for name in names}
    done = subprocess.run([cross_gcc().removesuffix('gcc') + 'nm', '-A', *objects], capture_output=True, text=True, check=True)
    home: dict[str, str] = {}
    wants: dict[str, set[str]] = {name: set() for name in names}
    for line in done.stdout.splitlines():
        path, rest = line.split(':', 1)
        kind, symbol = rest.split()[-2:]
        if kind in 'Uvw':
            wants[objects[path]].add(symbol)
        elif kind.isupper():
            home[symbol] = objects[path]
    return home, wants


def line_of(name: str, symbol: str) -> int:
    """Return the line where a source first names a symbol; 0 if a macro or an inline function names it."""
    match = re.search(rf'\b{re.escape(symbol)}\b', without_comments(name))
    return without_comments(name).count('\n', 0, match.start()) + 1 if match else 0


def call_arrows(names: list[str], built: str) -> tuple[list[Finding], set[tuple[str, str]]]:
    """Return the symbols of a higher storey that objects want, and the allowed ways up that were taken."""
    found, used = [], set()
    home, wants = symbols(names, built)
    for name in names:
        for symbol in sorted(wants[name]):
            if symbol not in home or not above(name, home[symbol]):
                continue
            if name in WAYS_UP and symbol in WAYS_UP[name].symbols:
                used.add((name, symbol))
            else:
                found.append(arrow(name, line_of(name, symbol), f'{symbol} of {home[symbol]}', home[symbol]))
    return found, used


def calls() -> list[Finding]:
    """Find calls and uses of variables that point up, in the objects of the last `make all`."""
    names = sources('.c', '.S', under=KERNEL_DIRS)
    for name in names:
        built = Path(BUILT, f'{name}.o')
        if not built.exists() or built.stat().st_mtime < Path(name).stat().st_mtime:
            raise Skip(f'{built} is not up to date; type: make all')
    found, used = call_arrows(names, BUILT)
    return found + unused('symbols', used)
