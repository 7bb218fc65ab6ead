# SPDX-License-Identifier: BSD-2-Clause
"""Rules that regular expressions can check: licence lines, leftovers, guards, columns, preprocessor branches, suites."""

from __future__ import annotations

import os
import re

from lint.common import Finding, files, kind, sources, text, without_comments

COLUMNS = {'c': 100, 'python': 130, 'shell': 130, 'make': 130}
LEFTOVER = re.compile(r'\b(TO' r'DO|FIX' r'ME|X' r'XX|for n' r'ow)\b')
CONDITIONAL = re.compile(r'^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b', re.M)
SPDX = 'SPDX-License-Identifier: BSD-2-Clause'


def line_of(whole: str, offset: int) -> int:
    """Return the line number of an offset."""
    return whole.count('\n', 0, offset) + 1


def every_file(name: str) -> list[Finding]:
    """Check the rules for all files of the project."""
    lines = text(name).split('\n')
    found = []
    if not any(SPDX in line for line in lines[:2]):
        found.append(Finding(name, 1, f'no "{SPDX}" in the first two lines'))
    for number, line in enumerate(lines, 1):
        if match := LEFTOVER.search(line):
            found.append(Finding(name, number, f'"{match.group()}": finish it, or file an issue'))
        if line != line.rstrip():
            found.append(Finding(name, number, 'trailing space'))
        if len(line.expandtabs(8)) > COLUMNS[kind(name)]:
            found.append(Finding(name, number, f'more than {COLUMNS[kind(name)]} columns'))
    if text(name) and not text(name).endswith('\n'):
        found.append(Finding(name, len(lines), 'no newline at the end'))
    return found


def header_guard(name: str) -> list[Finding]:
    """Check for a guard that ends in the file's name: include/mm/page.h has _MM_PAGE_H."""
    short = re.sub(r'\W', '_', os.path.basename(name)).upper()
    if re.search(rf'^#ifndef (_\w*_{short})\n#define \1$', text(name), re.M):
        return []
    return [Finding(name, 1, f'no guard "#ifndef _..._{short}"')]


def no_branches(name: str) -> list[Finding]:
    """Find preprocessor branches in mm/, which is one source for all machines."""
    code = without_comments(name)
    return [Finding(name, line_of(code, m.start()), 'preprocessor branch in mm/: put the difference into the machine contract')
            for m in CONDITIONAL.finditer(code)]


def suite_names(name: str) -> list[Finding]:
    """Check that tests/.../X_test.c has the suite X, and that suites are in such files only."""
    suites = re.findall(r'struct ktest_suite \w+ = \{[^}]*?\.name = "(\w+)"', text(name))
    linked = 'KTEST_SUITE(' in text(name)
    own = os.path.basename(name).removesuffix('_test.c')
    if own == os.path.basename(name):
        return [Finding(name, 1, 'a suite is in a file named after it: SUITE_test.c')] if linked else []
    return [] if own in suites else [Finding(name, 1, f'no suite "{own}": a file is named after its suite')]


def check() -> list[Finding]:
    """Check all rules on text."""
    found = [finding for name in files() if kind(name) for finding in every_file(name)]
    found += [finding for name in sources('.h') for finding in header_guard(name)]
    found += [finding for name in sources('.c', under=('tests',)) for finding in suite_names(name)]
    return found + [finding for name in sources('.c', under=('mm',)) for finding in no_branches(name)]
