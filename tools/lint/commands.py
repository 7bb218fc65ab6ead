# SPDX-License-Identifier: BSD-2-Clause
"""Checks that docs/reference/console.md names each command of the console, and no others."""

from __future__ import annotations

import re

from .common import Finding, sources, text

PAGE = 'docs/reference/console.md'
COMMAND = re.compile(r'^COMMAND\((\w+),', re.M)
TABLE = re.compile(r'^\| command \|.*?(?=^$)', re.M | re.S)
ROW = re.compile(r'^\| (`.*?) \| ', re.M)                   # the first cell: the commands with their arguments
TEST_AIDS = frozenset(('churn', 'contend', 'pairs'))                 # for a scenario and the bench alone; help shows them


def commands() -> dict[str, str]:
    """Return each command's file."""
    return {name: path for path in sources('.c') for name in COMMAND.findall(text(path))}


def judge(known: dict[str, str], page: str) -> list[Finding]:
    """Find commands that the page does not name, and words in its table that are not commands."""
    table = TABLE.search(page)
    cells = ROW.findall(table[0].replace('\\|', '/')) if table else []
    named = {code.split()[0] for cell in cells for code in re.findall(r'`([^`]+)`', cell)}
    return [*(Finding(path, 0, f'the command {name} has no row in {PAGE}')
              for name, path in known.items() if name not in named | TEST_AIDS),
            *(Finding(PAGE, 0, f'there is no command {name}') for name in sorted(named - set(known)))]


def check() -> list[Finding]:
    """Check the console's page."""
    return judge(commands(), text(PAGE))
