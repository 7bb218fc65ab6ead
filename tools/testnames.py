# SPDX-License-Identifier: BSD-2-Clause
"""The names of all tests, read from their sources, so that an unknown name is reported before anything is built."""

from __future__ import annotations

import difflib
import fnmatch
import re
from pathlib import Path

from pages import pages_to_run

TOP = Path(__file__).resolve().parent.parent
SUITE = re.compile(r'struct ktest_suite \w+\s*=\s*\{\s*\.name = "(\w+)"')
CASE = re.compile(r'KTEST_CASE\w*\(\s*(\w+)|\.name = "(\w+)"')


def _c_suites() -> dict[str, set[str]]:
    """Find the suites of the kernel's runner; a file's cases count for all of its suites."""
    found: dict[str, set[str]] = {}
    for path in TOP.glob('tests/*/*.c'):
        text = path.read_text(encoding='utf-8')
        for suite in SUITE.findall(text):
            found.setdefault(suite, set()).update(a or b for a, b in CASE.findall(text))
    return found


def _other_suites() -> dict[str, set[str]]:
    """Find the suites of the device, the fuzzers' corpora, the tools, the scenarios, and the pages of the documentation."""
    found: dict[str, set[str]] = {}
    for path in TOP.glob('tools/vmem/tests/*_test.c'):
        for suite, name in re.findall(r'^TEST\((\w+), (\w+)\)', path.read_text(encoding='utf-8'), re.M):
            found.setdefault(f'vmem_{suite}', set()).add(name)
    for path in TOP.glob('tests/fuzz/corpus/*'):
        found[path.name] = {'corpus', 'each_emit_call_is_needed'}
    for path in TOP.glob('tests/tools/test_*.py'):
        names = re.findall(r'^    def test_(\w+)', path.read_text(encoding='utf-8'), re.M)
        found[path.stem.removeprefix('test_')] = set(names)
    for path in TOP.glob('tests/scenarios/*.py'):
        names = re.findall(r'^@scenario\(.*?\)\ndef (\w+)', path.read_text(encoding='utf-8'), re.M | re.S)
        found.setdefault('scenario', set()).update(names)
    found['docs'] = set(pages_to_run(TOP))
    return found


def all_names() -> dict[str, set[str]]:
    """Find all cases, by suite."""
    found = _c_suites()
    for suite, names in _other_suites().items():
        found.setdefault(suite, set()).update(names)
    return found


def unknown(glob: str) -> str | None:
    """Describe the error in a glob over suite.case; None if the glob may match a test."""
    suite_glob, _, case_glob = glob.partition('.')
    names = all_names()
    suites = [suite for suite in names if fnmatch.fnmatchcase(suite, suite_glob)]
    if any(fnmatch.fnmatchcase(name, case_glob or '*') for suite in suites for name in names[suite]):
        return None
    choice = sorted({f'{suite}.{name}' for suite in suites for name in names[suite]}) if suites else sorted(names)
    wanted = glob if suites else suite_glob
    near = difflib.get_close_matches(wanted, choice, 5, 0.6) or [name for name in choice if suite_glob.strip('*') in name][:5]
    if not suites:
        near = [f'{name}.*' for name in near]
    return f'no test matches {glob!r}' + (f'; near it: {", ".join(near)}' if near else '; all names: tools/ktest --names')
