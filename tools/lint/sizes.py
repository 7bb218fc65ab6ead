# SPDX-License-Identifier: BSD-2-Clause
"""Short functions, short files, a small kernel: each part of the kernel has a budget of lines."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from lint.common import Finding, kind, files, program, sources, text, without_comments, KERNEL_DIRS

FUNCTION_LINES = 60         # a function this long is too long
FILE_LINES = 600            # a file longer than this is too long
PARAMETERS = 5
MAKEFILE_LINES = 200
SIZE_PAGE = 'docs/explanation/size.md'


@dataclass(frozen=True)
class Part:
    """A part of the kernel: its budget, its goal, and its files."""

    name: str
    budget: int         # lines of code that the lint enforces; lower it when the part shrinks
    goal: int           # lines that the part should come down to, as SIZE_PAGE says
    paths: tuple[str, ...]


# All parts together are the kernel proper. A path is a file or a directory; the longest path that matches a file decides.
PARTS = (
    Part('mm', 8135, 6200, ('mm/', 'include/mm/')),
    Part('virtio-mem', 2105, 1500, ('drivers/virtio/mem/', 'include/virtio/virtio_mem.h')),
    Part('virtio core, transports and PCI', 1470, 1350, (
        'drivers/virtio/', 'drivers/pci/', 'include/virtio/', 'include/pci/')),
    Part('ports', 1045, 850, (
        'drivers/virtio/console/', 'drivers/serial/', 'include/serial/', 'include/virtio/virtio_port.h',
        'kernel/console/console_port.c', 'kernel/console/trace_port.c')),
    Part('console and views', 3100, 2600, ('kernel/console/', 'include/kernel/console/')),
    Part('trace, export and hold', 1165, 1000, (
        'kernel/trace/', 'include/kernel/trace/', 'kernel/console/export.c', 'kernel/console/snapshot.c',
        'kernel/console/dumpsys.c', 'include/kernel/console/export.h',
        'mm/layout.c', 'include/mm/layout.h')),
    Part('device tree', 1785, 1200, (
        'lib/fdt.c', 'lib/fdt_addr.c', 'lib/fdt_find.c', 'lib/fdt_irq.c', 'lib/fdt_machine.c', 'lib/fdt_prop.c',
        'include/lib/fdt.h',
        'arch/riscv/machine_info.c', 'arch/riscv/machine_devices.c', 'arch/riscv/machine_probe.c',
        'include/arch/machine_info.h')),
    Part('arch', 2280, 1900, ('arch/', 'include/arch/')),
    Part('lock-order checker', 225, 230, ('kernel/lock_order.c', 'include/kernel/lock_order.h')),
    Part('base kernel', 2810, 2300, ('kernel/', 'include/kernel/')),
    Part('lib', 1305, 1050, ('lib/', 'include/lib/')),
)


def code_lines(name: str) -> int:
    """Count the lines that are neither blank nor comment."""
    return sum(bool(line.strip()) for line in without_comments(name).split('\n'))


def part_of(name: str) -> Part | None:
    """Return the part that a file belongs to."""
    fits = [(len(path), part) for part in PARTS for path in part.paths
            if name == path or path.endswith('/') and name.startswith(path)]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def part_lines() -> dict[str, int]:
    """Count the lines of each part of the kernel proper: no tests, no test runner (include/kernel/ktest*.h), no host tools."""
    lines = dict.fromkeys((part.name for part in PARTS), 0)
    for name in sources('.c', '.h', '.S', under=KERNEL_DIRS):
        if 'ktest' not in name:
            lines[part_of(name).name] += code_lines(name)
    return lines


def judge_parts(lines: dict[str, int], page: str) -> list[Finding]:
    """Find parts that are over their budget, and parts for which SIZE_PAGE names other numbers."""
    found = [Finding(part.paths[0], 0, f'{part.name}: {lines[part.name]} lines of code; its budget is {part.budget}')
             for part in PARTS if lines[part.name] > part.budget]
    for part in (*PARTS, Part('together', sum(part.budget for part in PARTS), sum(part.goal for part in PARTS), ())):
        row = f'| {part.name} | {part.goal:,} | {part.budget:,} |'
        if row not in page:
            found.append(Finding(SIZE_PAGE, 0, f'has no row that begins with "{row}"'))
    return found


def budgets() -> list[Finding]:
    """Find files that belong to no part, and paths that match no file; without any, call judge_parts()."""
    names = sources('.c', '.h', '.S', under=KERNEL_DIRS)
    found = [Finding(name, 0, 'belongs to no part of the kernel: add its path to PARTS in tools/lint/sizes.py')
             for name in names if not part_of(name)]
    found += [Finding(path, 0, f'{part.name}: PARTS in tools/lint/sizes.py has this path and nothing is there')
              for part in PARTS for path in part.paths if not any(name.startswith(path) for name in names)]
    return found or judge_parts(part_lines(), text(SIZE_PAGE))


def functions() -> list[Finding]:
    """Find functions that are too long or have too many parameters, according to universal-ctags."""
    names = [name for name in files() if name.endswith(('.c', '.h')) or kind(name) == 'python']
    done = subprocess.run([program('ctags'), '--output-format=json', '--fields=+neS', '--kinds-C=f', '--kinds-Python=fm',
                           '--langmap=C:.c.h', '-L', '-', '-f', '-'], input='\n'.join(names), capture_output=True, text=True,
                          check=True)
    found = []
    for tag in map(json.loads, done.stdout.splitlines()):
        if tag.get('kind') not in ('function', 'member', 'method') or 'end' not in tag:
            continue
        length = tag['end'] - tag['line'] + 1
        if length >= FUNCTION_LINES:
            found.append(Finding(tag['path'], tag['line'], f'{tag["name"]}() has {length} lines of {FUNCTION_LINES - 1}'))
        signature = tag.get('signature', '')
        if tag['path'].endswith(('.c', '.h')) and signature.count(',') + 1 > PARAMETERS and '...' not in signature:
            found.append(Finding(tag['path'], tag['line'], f'{tag["name"]}() has more than {PARAMETERS} parameters'))
    return found


def check() -> list[Finding]:
    """Check the sizes of functions, files and the kernel's parts."""
    found = functions()
    for name in files():
        lines = text(name).count('\n')
        limit = MAKEFILE_LINES if name == 'Makefile' else FILE_LINES
        if kind(name) and lines > limit:
            found.append(Finding(name, limit + 1, f'{lines} lines; the limit is {limit}'))
    return found + budgets()
