# SPDX-License-Identifier: BSD-2-Clause
"""Checks the pages of the documentation: the tests that they name as proofs, the functions and files that they name, and
the targets of their links exist; each block of code says what it is, and a block with prompts can be run by the test; the
README's figures are those that the bench compares with."""

from __future__ import annotations

import json
import os
import re
from functools import cache

from budgets import readme
from pages import MOST_NOT_RUN, RUN_MARKS, Block, blocks, pages_to_run

from .common import Finding, files, sources, text

SUITE = re.compile(r'struct ktest_suite \w+ = \{\s*\.name = "(\w+)"')
CASE = re.compile(r'KTEST_CASE(?:_[A-Z_]+)?\((\w+)|\.name = "(\w+)", \.run =')
PY_TEST = re.compile(r'^    def test_(\w+)\(', re.M)
STORY = re.compile(r'^@scenario\(.*?^def (\w+)\(', re.M | re.S)
PROOF = re.compile(r'^\*Proved by\*.*?(?=^\s*$|\Z)', re.M | re.S)
NAME = re.compile(r'`(\w+\.\w+)`|scenarios?\s`(\w+)`')
LINK = re.compile(r'\]\(([^)#:]+)(?:#[^)]*)?\)')

# A paragraph about what to read in Linux. Its files and functions are Linux's, not ours.
COMPARE = re.compile(r'^\*Compare with.*?(?=^\s*$|\Z)', re.M | re.S)
CODE = re.compile(r'`([^`\n]+)`')
CALL = re.compile(r'([A-Za-z_]\w*)\(\)')
FILE = re.compile(r'[\w./*-]*\w\.(?:c|h|S|py|mk|ld|md)'
                  r'|(?:\.?/)?(?:arch|docs|drivers|include|kernel|lib|mm|tests|tools|user)/[\w./*-]*')
DEFINED = (
    re.compile(r'^[A-Za-z_][\w \t*]*?\b(\w+)\((?!\*)', re.M),              # a function of C
    re.compile(r'^#\s*define (\w+)\(', re.M),
    re.compile(r'\(\*(?:const )?(\w+)\)\('),                               # a member that points to a function
    re.compile(r'^ *(?:async )?def (\w+)\(', re.M),
)
# Functions and files of Linux with which pages compare ours. A name that no page has, or that ebb has, too, is a finding.
LINUX = frozenset(('dump_page()', 'get_online_mems()', 'has_unmovable_pages()', 'offline_pages()', 'drivers/hv/hv_balloon.c',
                   'drivers/xen/balloon.c'))


def tests() -> set[str]:
    """Return the names of all tests: 'suite.case', the suites, the fuzzers, the scenarios, and the pages that run."""
    known = set()
    for path in sources('.c', under=('tests',)):
        cases = [''.join(names) for names in CASE.findall(text(path))]
        for suite in SUITE.findall(text(path)):
            known |= {suite, *(f'{suite}.{case}' for case in cases)}
    for path in sources('.py', under=('tests/tools',)):
        module = os.path.basename(path).removeprefix('test_').removesuffix('.py')
        known |= {f'{module}.{case}' for case in PY_TEST.findall(text(path))}
    known |= {f'docs.{name}' for name in pages_to_run()}
    for path in sources('.c', under=('tests/fuzz',)):
        known.add(os.path.basename(path).removesuffix('.c'))
    for path in sources('.py', under=('tests/scenarios',)):
        known |= set(STORY.findall(text(path)))
    return known


def unproved(path: str, known: set[str]) -> list[Finding]:
    """Find names of no test in a paragraph that begins with "Proved by": suite.case, or the word after "scenario"."""
    page = text(path)
    names = [(proof.start() + name.start(), name.group(1) or name.group(2))
             for proof in PROOF.finditer(page) for name in NAME.finditer(proof.group())]
    return [Finding(path, page.count('\n', 0, at) + 1, f'there is no test {name}') for at, name in names if name not in known]


def dead_links(path: str) -> list[Finding]:
    """Find links to files that do not exist."""
    page, here = text(path), os.path.dirname(path)
    return [Finding(path, page.count('\n', 0, link.start()) + 1, f'the target of the link does not exist: {link.group(1)}')
            for link in LINK.finditer(page) if not os.path.exists(os.path.join(here, link.group(1)))]


# --- functions and files ----------------------------------------------------------------------------------------

@cache
def functions() -> frozenset[str]:
    """Return all functions, macros with parameters, and members that point to functions."""
    found: set[str] = set()
    for path in sources('.c', '.h', '.S', '.py') + [name for name in files() if name.startswith('tools/') and '.' not in name]:
        for pattern in DEFINED:
            found |= set(pattern.findall(text(path)))
    return frozenset(found)


@cache
def paths() -> frozenset[str]:
    """Return all files, their names without a directory, and all directories."""
    found = set()
    for path in files():
        found |= {path, os.path.basename(path)}
        parts = path.split('/')
        found |= {'/'.join(parts[:n]) + '/' for n in range(1, len(parts))}
    return frozenset(found)


def is_there(name: str) -> bool:
    """Return True if a file or directory exists. A `*` stands for anything."""
    name = name.removeprefix('./')
    if '*' in name:
        pattern = re.compile(re.escape(name).replace(r'\*', '.*'))
        return any(pattern.fullmatch(path) for path in paths())
    return name in paths() or f'{name}/' in paths() or any(path.endswith(f'/{name}') for path in paths())


def prose(page: str) -> str:
    """Return a page with its blocks of code and its comparisons blanked; line numbers stay."""
    lines = page.split('\n')
    for block in blocks(page):
        for at in range(block.first - 1, block.first - 1 + len(block.lines)):
            lines[at] = ''
    return COMPARE.sub(lambda match: '\n' * match.group().count('\n'), '\n'.join(lines))


def named(path: str) -> list[tuple[int, str, bool]]:
    """Return (offset, name, whether it is there) of each function and file in a page's prose."""
    page, found = prose(text(path)), []
    for code in CODE.finditer(page):
        word = code.group(1)
        found += [(code.start(), call.group(1) + '()', call.group(1) in functions()) for call in CALL.finditer(word)]
        if FILE.fullmatch(word):
            found.append((code.start(), word, is_there(word)))
    return found


def missing(path: str) -> list[Finding]:
    """Find functions and files that a page names and that are neither ours nor Linux's."""
    page = prose(text(path))
    return [Finding(path, page.count('\n', 0, at) + 1, f'there is no {name}')
            for at, name, there in named(path) if not there and name not in LINUX]


def stale_linux(pages: list[str]) -> list[Finding]:
    """Find names in LINUX that ebb now has, too, or that no page has."""
    there = {name: ours for page in pages for _, name, ours in named(page)}
    return [Finding('tools/lint/docs.py', 1, f'LINUX: {name} is {"ours" if name in there else "in no page"}')
            for name in sorted(LINUX) if there.get(name, True)]


# --- blocks -----------------------------------------------------------------------------------------------------

def block_fault(block: Block) -> str | None:
    """Return the fault of a block's mark, or None."""
    if not block.mark:
        return 'a block of code without a mark: console, shell, text, c, make, json ...'
    if block.prompts and block.mark not in RUN_MARKS:
        return f'a block with prompts is marked {block.mark}; mark it console, so that the test runs it'
    if block.mark in RUN_MARKS and block.info and block.why_not_run is None:
        return f'"{block.info}" after the mark: only "not run: REASON" may stand there'
    return None


def unmarked(path: str) -> list[Finding]:
    """Find blocks with a missing or wrong mark."""
    return [Finding(path, block.line, fault) for block in blocks(text(path)) if (fault := block_fault(block))]


def too_many_not_run(pages: list[str]) -> list[Finding]:
    """Find the blocks that are not run beyond the allowed number."""
    skipped = [(page, block) for page in pages for block in blocks(text(page)) if block.mark in RUN_MARKS and block.why_not_run]
    return [Finding(page, block.line, f'{len(skipped)} blocks are not run; at most {MOST_NOT_RUN} may be')
            for page, block in skipped[MOST_NOT_RUN:]]


# --- figures ----------------------------------------------------------------------------------------------------

RECORDED = 'tests/bench/recorded.json'
NEAR = 0.02          # of the recorded figure, as `make bench` allows


def stale_figures(page: str, recorded: dict[str, float]) -> list[tuple[int, str]]:
    """Return (line, text) of each row of the README's table that differs from the bench's records and bounds."""
    rows = zip(page.splitlines(), readme(page, recorded, NEAR).splitlines())
    return [(number, f'this row should be: {right}') for number, (row, right) in enumerate(rows, 1) if row != right]


def figures() -> list[Finding]:
    """Check the README's figures."""
    return [Finding('README.md', line, what) for line, what in stale_figures(text('README.md'), json.loads(text(RECORDED)))]


def check() -> list[Finding]:
    """Check all pages."""
    known = tests()
    pages = sources('.md')
    found = [finding for page in pages for finding in unproved(page, known) + dead_links(page) + missing(page) + unmarked(page)]
    return found + stale_linux(pages) + too_many_not_run(pages) + figures()
