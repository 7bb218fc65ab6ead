# SPDX-License-Identifier: BSD-2-Clause
"""Short functions, short files, a small kernel."""

from __future__ import annotations

import json
import subprocess

from lint.common import Finding, kind, files, program, sources, text, without_comments, KERNEL_DIRS

FUNCTION_LINES = 60         # a function this long is too long
FILE_LINES = 600            # a file longer than this is too long
KERNEL_LINES = 23100        # code of the kernel proper, see docs/explanation/size.md
PARAMETERS = 5
MAKEFILE_LINES = 200


def code_lines(name: str) -> int:
    """Lines that are neither blank nor comment."""
    return sum(bool(line.strip()) for line in without_comments(name).split('\n'))


def kernel_code_lines() -> int:
    """The kernel proper: no tests, no test runner, no host tools."""
    return sum(code_lines(name) for name in sources('.c', '.h', '.S', under=KERNEL_DIRS) if 'ktest' not in name)


def functions() -> list[Finding]:
    """Functions that are too long or take too much, as universal-ctags sees them."""
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
            found.append(Finding(tag['path'], tag['line'], f'{tag["name"]}() has {length} lines; below {FUNCTION_LINES} please'))
        signature = tag.get('signature', '')
        if tag['path'].endswith(('.c', '.h')) and signature.count(',') + 1 > PARAMETERS and '...' not in signature:
            found.append(Finding(tag['path'], tag['line'], f'{tag["name"]}() has more than {PARAMETERS} parameters'))
    return found


def check() -> list[Finding]:
    """Sizes of functions, files and the kernel."""
    found = functions()
    for name in files():
        lines = text(name).count('\n')
        limit = MAKEFILE_LINES if name == 'Makefile' else FILE_LINES
        if kind(name) and lines > limit:
            found.append(Finding(name, limit + 1, f'{lines} lines; at most {limit} please'))
    total = kernel_code_lines()
    if total >= KERNEL_LINES:
        found.append(Finding('.', 0, f'the kernel proper has {total} lines of code; below {KERNEL_LINES} is promised'))
    return found
