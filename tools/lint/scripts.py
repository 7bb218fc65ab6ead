# SPDX-License-Identifier: BSD-2-Clause
"""Shell scripts pass shellcheck, Python compiles."""

from __future__ import annotations

import re
import subprocess

from lint.common import Finding, files, kind, program, text

SHELLCHECK = re.compile(r'^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?P<text>.*)$', re.M)


def shell() -> list[Finding]:
    """Run shellcheck on everything that a shell runs."""
    names = [name for name in files() if kind(name) == 'shell']
    done = subprocess.run([program('shellcheck'), '-f', 'gcc', '-S', 'style', *names], capture_output=True, text=True,
                          check=False)
    return [Finding(m['path'], int(m['line']), m['text']) for m in SHELLCHECK.finditer(done.stdout)]


def python() -> list[Finding]:
    """Check the syntax of all Python, with this interpreter."""
    found = []
    for name in files():
        if kind(name) == 'python':
            try:
                compile(text(name), name, 'exec')
            except SyntaxError as error:
                found.append(Finding(name, error.lineno or 1, error.msg))
    return found
