#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""main.py [MODULE [GLOB]]: run the unit tests of tools/ and print KTAP, so that `make test` counts them like all others."""

from __future__ import annotations

import fnmatch
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent.parent / 'tools')]


def name_of(test: unittest.TestCase) -> str:
    """Return 'module.test', like suite.case."""
    return f'{type(test).__module__.removeprefix("test_")}.{test.id().rsplit(".", 1)[1].removeprefix("test_")}'


def cases(suite) -> list[unittest.TestCase]:
    """Return all test cases below a suite."""
    if isinstance(suite, unittest.TestCase):
        return [suite]
    return [case for part in suite for case in cases(part)]


def run_case(number: int, case: unittest.TestCase) -> bool:
    """Run a test case, print its line, and return whether it passed."""
    result = unittest.TestResult()
    case.run(result)
    for _, trouble in result.errors + result.failures:
        print('\n'.join(f'    # {line}' for line in trouble.splitlines()))
    skip = f' # SKIP {result.skipped[0][1]}' if result.skipped else ''
    print(f'    {"ok" if result.wasSuccessful() else "not ok"} {number} {name_of(case).split(".")[1]}{skip}', flush=True)
    return result.wasSuccessful()


def main() -> int:
    module, glob = (sys.argv[1:] + ['*', '*'])[:2]
    found = unittest.defaultTestLoader.discover(str(HERE), pattern=f'test_{module}.py')
    wanted = [case for case in cases(found) if fnmatch.fnmatch(name_of(case), glob)]
    if not wanted:
        return 3
    modules = sorted({name_of(case).split('.')[0] for case in wanted})
    print(f'KTAP version 1\n1..{len(modules)}')
    bad = 0
    for place, module in enumerate(modules, 1):
        mine = [case for case in wanted if name_of(case).startswith(module + '.')]
        print(f'    KTAP version 1\n    # Subtest: {module}\n    1..{len(mine)}', flush=True)
        failed = sum(not run_case(number, case) for number, case in enumerate(mine, 1))
        print(f'{"not ok" if failed else "ok"} {place} {module}', flush=True)
        bad += failed
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
