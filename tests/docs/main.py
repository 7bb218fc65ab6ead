#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the commands of the pages of the documentation, compare their output with what the pages show, and print KTAP.

    main.py [--out DIR] [PAGE...]     PAGE: a file, or its name as a test; all pages by default
    main.py --write PAGE...           also put this run's output into the pages where it differs
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(TOP / 'tools')]
from machine import die_with_parent  # noqa: E402
from page import PageError, rewrite  # noqa: E402
from pages import name_of, pages_to_run  # noqa: E402
import play  # noqa: E402

WRITE_LIMIT = 0.5        # seconds to wait for output that a page shows and that does not come


def chosen(words: list[str]) -> dict[str, Path]:
    """Return the pages that were asked for."""
    there = pages_to_run(TOP)
    names = [name_of(Path(word)) for word in words] or list(there)
    for name in names:
        if name not in there:
            sys.exit(f'no page {name}; there are {", ".join(there)}')
    return {name: there[name] for name in names}


def run(name: str, page: Path, args: argparse.Namespace) -> list[str]:
    """Play one page; return what is wrong."""
    logs = Path(args.rundir or args.out / 'logs' / f'docs-{name}')
    try:
        player = play.play(page.relative_to(TOP), TOP, args.out, logs)
    except PageError as why:
        return [f'{page}: {why}']
    if args.write:
        print(f'    # {rewrite(page, player.script)} outputs written to {page}')
    return player.troubles


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pages', nargs='*')
    parser.add_argument('--out', type=Path, default=Path(os.environ.get('O') or 'build'))
    parser.add_argument('--rundir', default=None, help='where the log goes (default: OUT/logs/docs-PAGE)')
    parser.add_argument('--write', action='store_true', help='put the output of this run into the pages')
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    die_with_parent(signal.SIGTERM)
    args.out = args.out.resolve()
    if args.write:
        play.OUTPUT_LIMIT = WRITE_LIMIT
    os.chdir(TOP)
    wanted = chosen(args.pages)
    if not args.rundir:         # run by hand; tools/ktest runs this program in a build that is up to date
        environment = {**os.environ, 'O': os.path.relpath(args.out)}
        for command in (['tools/setup', 'test'], ['make', '--silent', 'all']):
            subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    print(f'KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: docs\n    1..{len(wanted)}', flush=True)
    failed = 0
    for number, (name, page) in enumerate(wanted.items(), 1):
        troubles = run(name, page, args)
        for trouble in troubles:
            print('\n'.join(f'    # {line}' for line in trouble.splitlines()))
        print(f'    {"not ok" if troubles else "ok"} {number} {name}', flush=True)
        failed += bool(troubles)
    print(f'{"not ok" if failed else "ok"} 1 docs')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
