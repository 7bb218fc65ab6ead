# SPDX-License-Identifier: BSD-2-Clause
"""The patches of tests/mutants/ apply to the sources, so that `make mutants` can plant every fault."""

from __future__ import annotations

import subprocess

from .common import Finding, sources


def judge(names: list[str]) -> list[Finding]:
    """Find the patches that do not apply; each finding has the last line that git printed."""
    found = []
    for name in names:
        done = subprocess.run(['git', 'apply', '--check', '--unidiff-zero', name], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            found.append(Finding(name, 1, f'does not apply: {(done.stdout + done.stderr).strip().splitlines()[-1]}'))
    return found


def check() -> list[Finding]:
    """Check all patches."""
    return judge(sources('.patch', under=('tests/mutants',)))
