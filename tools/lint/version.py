# SPDX-License-Identifier: BSD-2-Clause
"""The version in include/kernel/version.h is the newest one in CHANGELOG.md, and each version there has its bench."""

from __future__ import annotations

import re

from .common import Finding, files, text

HEADER, CHANGES, BENCH = 'include/kernel/version.h', 'CHANGELOG.md', 'docs/reference/bench'


def unmeasured(changes: str, known: tuple[str, ...]) -> list[Finding]:
    """Find versions without the figures of their bench."""
    return [Finding(CHANGES, changes.count('\n', 0, version.start()) + 1,
                    f'there is no {BENCH}/{version[1]}.json: `make bench`, then keep its bench.json there')
            for version in re.finditer(r'^## (\d\S+)', changes, re.M) if f'{BENCH}/{version[1]}.json' not in known]


def check() -> list[Finding]:
    """Compare the versions in both files."""
    version = re.search(r'^#define EBB_VERSION "(\d+\.\d+\.\d+)"$', text(HEADER), re.M)
    newest = re.search(r'^## (\S+)', text(CHANGES), re.M)
    if not version:
        return [Finding(HEADER, 0, 'EBB_VERSION is not "MAJOR.MINOR.PATCH"')]
    if not newest or newest.group(1) != version.group(1):
        return [Finding(CHANGES, 0, f'its first version is not {version.group(1)}, the EBB_VERSION of {HEADER}')]
    return unmeasured(text(CHANGES), files())
