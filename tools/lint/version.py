# SPDX-License-Identifier: BSD-2-Clause
"""The version in include/kernel/version.h is the newest one in CHANGELOG.md."""

from __future__ import annotations

import re

from .common import Finding, text

HEADER, CHANGES = 'include/kernel/version.h', 'CHANGELOG.md'


def check() -> list[Finding]:
    """Compare the two."""
    version = re.search(r'^#define EBB_VERSION "(\d+\.\d+\.\d+)"$', text(HEADER), re.M)
    newest = re.search(r'^## (\S+)', text(CHANGES), re.M)
    if not version:
        return [Finding(HEADER, 0, 'EBB_VERSION is not "MAJOR.MINOR.PATCH"')]
    if not newest or newest.group(1) != version.group(1):
        return [Finding(CHANGES, 0, f'its first version is not {version.group(1)}, the EBB_VERSION of {HEADER}')]
    return []
