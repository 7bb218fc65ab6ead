# SPDX-License-Identifier: BSD-2-Clause
"""The formatter. Its versions disagree, so only one version counts; a machine without it skips the check.

The check is loose: a table aligned by hand may stay, so a file fails only if a large share of its lines differs.
"""

from __future__ import annotations

import difflib
import re
import subprocess
from pathlib import Path

from lint.common import Finding, program, sources, text

FORMATTER = 'clang-format-14'
TOLERATED = 0.20        # share of a file's lines that may differ


def formatted(name: str) -> str:
    """Return the file's text after formatting."""
    return subprocess.run([program(FORMATTER), name], capture_output=True, text=True, check=True).stdout


def loosely(whole: str) -> list[str]:
    """Return the lines without their inner spacing: the author decides about the columns of a table."""
    return [re.sub(r'(?<=\S)\s+', ' ', line).rstrip(' \\') for line in whole.splitlines()]


def check() -> list[Finding]:
    """Find files that differ too much."""
    found = []
    for name in sources('.c', '.h'):
        mine, wanted = loosely(text(name)), loosely(formatted(name))
        changed = [op for op in difflib.SequenceMatcher(None, mine, wanted, False).get_opcodes() if op[0] != 'equal']
        lines = sum(max(op[2] - op[1], op[4] - op[3]) for op in changed)
        if lines > max(10, TOLERATED * len(mine)):
            found.append(Finding(name, changed[0][1] + 1, f'{lines} of {len(mine)} lines differ from the output of {FORMATTER}, '
                                                         f'and not only in spacing; type: make format FILE={name}'))
    return found


def fix(names: list[str]) -> None:
    """Format files; if none is named, those that the check finds."""
    for name in names or [finding.path for finding in check()]:
        wanted = formatted(name)
        if wanted != Path(name).read_text():
            Path(name).write_text(wanted)
            print(f'formatted {name}')
