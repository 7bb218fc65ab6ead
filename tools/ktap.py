# SPDX-License-Identifier: BSD-2-Clause
"""Read KTAP version 1 (and TAP 14 subtests) line by line, and detect a run with output that contradicts itself.

Only leaves count: the result line of a list is only checked against the nested results. Lines that are not KTAP are the
guest's other output; the parser keeps those before a result for the report of its failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

RESULT = re.compile(r'^(?P<indent> *)(?P<not>not )?ok (?P<number>\d+)(?: -)?(?: (?P<name>[^#]*?))?\s*(?:#\s*(?P<directive>.*))?$')
PLAN = re.compile(r'^(?P<indent> *)1\.\.(?P<count>\d+)(?:\s*#.*)?$')
SUBTEST = re.compile(r'^(?P<indent> *)# Subtest: (?P<name>.+)$')
VERSION = re.compile(r'^(?P<indent> *)(?:KTAP version 1|TAP version 1[34])$')
INDENT = 4
PARAMETER_DEPTH = 2
CONTEXT = 40        # lines kept for the report of a failure


@dataclass
class Result:
    """A leaf of the tree."""
    name: str                # 'suite.case' or 'suite.case.parameter'
    status: str              # 'ok', 'failed' or 'skipped'
    note: str = ''           # why it was skipped
    context: list[str] = field(default_factory=list)


@dataclass
class _Level:
    """An open list of results."""
    name: str = ''
    planned: int | None = None
    seen: int = 0
    failed: int = 0
    leaves: int = 0          # results below it, also in nested lists


class Parser:
    """Takes lines, and returns each leaf when it is complete. Call finish() after the last line."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.problems: list[str] = []
        self.started = False
        self._levels: list[_Level] = []
        self._context: list[str] = []

    def count(self, status: str) -> int:
        """Count the leaves that ended with this status."""
        return sum(result.status == status for result in self.results)

    def feed(self, line: str) -> Result | None:
        """Take a line; return the leaf that it completes, if any."""
        line = line.rstrip('\r\n')
        if not self.started:
            if 'KTAP version 1' not in line and not VERSION.match(line):
                return None
            self.started = True
            self._levels = [_Level()]
            return None
        if match := VERSION.match(line):
            self._open(len(match['indent']) // INDENT)
        elif match := SUBTEST.match(line):
            self._subtest(len(match['indent']) // INDENT, match['name'].strip())
        elif match := PLAN.match(line):
            self._plan(len(match['indent']) // INDENT, int(match['count']))
        elif match := RESULT.match(line):
            return self._result(match)
        else:
            self._context = self._context[1 - CONTEXT:] + [line]
        return None

    def _open(self, depth: int) -> _Level:
        """Return the level of this depth; open it if the nesting has just become deeper."""
        while len(self._levels) <= depth:
            self._levels.append(_Level())
        return self._levels[depth]

    def _subtest(self, depth: int, name: str) -> None:
        # As in KUnit, this line is inside the list that it names. At depth 0 it would name the whole run.
        if depth > 0:
            self._open(depth).name = name

    def _plan(self, depth: int, count: int) -> None:
        level = self._open(depth)
        if level.planned is not None:
            self.problems.append(f'a second plan in {self._path(depth) or "the top level"}')
        level.planned = count

    def _path(self, depth: int) -> str:
        return '.'.join(level.name for level in self._levels[1:depth + 1] if level.name)

    def _result(self, match: re.Match) -> Result | None:
        depth = len(match['indent']) // INDENT
        level = self._open(depth)
        name = (match['name'] or '').strip() or match['number']
        level.seen += 1
        if int(match['number']) != level.seen:
            self.problems.append(f'{name}: result number {match["number"]} where {level.seen} was due')
        failed = bool(match['not'])
        if len(self._levels) > depth + 1:
            self._close_below(depth, name, failed)
            level.failed += failed
            return None
        skipped = (match['directive'] or '').upper().startswith('SKIP')
        status = 'skipped' if skipped else 'failed' if failed else 'ok'
        level.failed += status == 'failed'
        parents = self._path(depth)
        result = Result(f'{parents}.{name}' if parents else name, status, (match['directive'] or '')[4:].strip(), self._context)
        self._context = []
        self.results.append(result)
        return result

    def _close_below(self, depth: int, name: str, failed: bool) -> None:
        """Handle the result line of a list: everything below it is complete."""
        for inner in range(len(self._levels) - 1, depth, -1):
            level = self._levels.pop()
            self._check(level, level.name or name, inner)
            if level.failed and not failed and inner == depth + 1:
                self.problems.append(f'{name}: reports ok although {level.failed} of its results failed')

    def _check(self, level: _Level, name: str, depth: int) -> None:
        # As in KUnit, a generator yields a case's parameters, so no plan states their number.
        if level.planned is None:
            if depth < PARAMETER_DEPTH:
                self.problems.append(f'{name}: no plan')
        elif level.planned != level.seen:
            self.problems.append(f'{name}: {level.seen} of {level.planned} results')

    def finish(self) -> None:
        """Handle the end of the input: record what is missing."""
        if not self.started:
            self.problems.append('no "KTAP version 1" line')
            return
        if len(self._levels) > 1:
            self.problems.append(f'ended inside {self._path(len(self._levels) - 1) or "a suite"}')
        for depth, level in reversed(list(enumerate(self._levels))):
            self._check(level, self._path(depth) or 'the top level', depth)

    def last_words(self, lines: int = 15) -> list[str]:
        """Return the lines printed since the last result."""
        return self._context[-lines:]
