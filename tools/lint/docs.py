# SPDX-License-Identifier: BSD-2-Clause
"""Checks the references in docs/: the tests that it names as proofs exist, and so do the targets of its links."""

from __future__ import annotations

import os
import re

from .common import Finding, sources, text

SUITE = re.compile(r'struct ktest_suite \w+ = \{\s*\.name = "(\w+)"')
CASE = re.compile(r'KTEST_CASE(?:_[A-Z_]+)?\((\w+)|\.name = "(\w+)", \.run =')
PY_TEST = re.compile(r'^    def test_(\w+)\(', re.M)
STORY = re.compile(r'^@scenario\(.*?^def (\w+)\(', re.M | re.S)
PROOF = re.compile(r'^\*Proved by\*.*?(?=^\s*$|\Z)', re.M | re.S)
NAME = re.compile(r'`(\w+\.\w+)`|scenarios?\s`(\w+)`')
LINK = re.compile(r'\]\(([^)#:]+)(?:#[^)]*)?\)')


def tests() -> set[str]:
    """'suite.case' of all worlds, the suites, and the scenarios."""
    known = set()
    for path in sources('.c', under=('tests',)):
        cases = [''.join(names) for names in CASE.findall(text(path))]
        for suite in SUITE.findall(text(path)):
            known |= {suite, *(f'{suite}.{case}' for case in cases)}
    for path in sources('.py', under=('tests/tools',)):
        module = os.path.basename(path).removeprefix('test_').removesuffix('.py')
        known |= {f'{module}.{case}' for case in PY_TEST.findall(text(path))}
    for path in sources('.c', under=('tests/fuzz',)):
        known.add(os.path.basename(path).removesuffix('.c'))
    for path in sources('.py', under=('tests/scenarios',)):
        known |= set(STORY.findall(text(path)))
    return known


def unproved(path: str, known: set[str]) -> list[Finding]:
    """Names in a paragraph that begins with "Proved by" but belong to no test: suite.case, or the word after "scenario"."""
    page = text(path)
    names = [(proof.start() + name.start(), name.group(1) or name.group(2))
             for proof in PROOF.finditer(page) for name in NAME.finditer(proof.group())]
    return [Finding(path, page.count('\n', 0, at) + 1, f'there is no test {name}') for at, name in names if name not in known]


def dead_links(path: str) -> list[Finding]:
    """Links to files that do not exist."""
    page, here = text(path), os.path.dirname(path)
    return [Finding(path, page.count('\n', 0, link.start()) + 1, f'the target of the link does not exist: {link.group(1)}')
            for link in LINK.finditer(page) if not os.path.exists(os.path.join(here, link.group(1)))]


def check() -> list[Finding]:
    """All pages."""
    known = tests()
    pages = sources('.md')
    return [found for page in pages for found in unproved(page, known) + dead_links(page)]
