# SPDX-License-Identifier: BSD-2-Clause
"""Shared by all lints: the files of the project and the form of a finding."""

from __future__ import annotations

import concurrent.futures
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KERNEL_DIRS = ('arch', 'kernel', 'mm', 'drivers', 'lib', 'include')
KERNEL_CFLAGS = ['-std=gnu2x', '-ffreestanding', '-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-Iinclude', '-I.',
                 '-DEBB_DEBUG=1']


@dataclass(frozen=True)
class Finding:
    """A violation of a rule."""
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: {self.text}'


class Skip(Exception):
    """A check cannot run here; the text says what to install."""


@cache
def files() -> tuple[str, ...]:
    """Return all files of the project: those that git has or would add, or without git everything outside build/."""
    listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], capture_output=True,
                            text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split('\0')
    else:
        names = [os.path.relpath(os.path.join(top, name)) for top, _, inside in os.walk('.') for name in inside]
        names = [name for name in names if not name.startswith(('build/', '.git/'))]
    return tuple(sorted({name for name in names if name and os.path.isfile(name)}))


def sources(*suffixes: str, under: tuple[str, ...] = ()) -> list[str]:
    """Return the files with one of the suffixes, below one of the directories."""
    return [name for name in files() if name.endswith(suffixes) and (not under or name.startswith(tuple(f'{d}/' for d in under)))]


@cache
def text(name: str) -> str:
    """Return a file's text."""
    return Path(name).read_text(errors='replace')


def kind(name: str) -> str:
    """Return 'c', 'shell', 'python', 'make' or ''."""
    if name.endswith(('.c', '.h', '.S', '.ld')):
        return 'c'
    if name.endswith('.py'):
        return 'python'
    if name.endswith('.mk') or os.path.basename(name) == 'Makefile':
        return 'make'
    first = text(name).split('\n', 1)[0] if '.' not in os.path.basename(name) or name.endswith(('.sh', '/run')) else ''
    if re.match(r'#!.*\bpython3\b', first):
        return 'python'
    if re.match(r'#!.*\b(ba|da)?sh\b', first) or name.endswith('.sh'):
        return 'shell'
    return ''


def without_comments(name: str) -> str:
    """Return a C file's text with comments and string contents blanked; line numbers stay."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match: re.Match) -> str:
        found = match.group()
        return '""' if found[0] == '"' else "' '" if found[0] == "'" else '\n' * found.count('\n') or ' '
    return pattern.sub(blank, text(name))


def program(*names: str) -> str:
    """Return the first of these programs that is installed."""
    for name in names:
        if shutil.which(name):
            return name
    raise Skip(f'{names[0]} is not installed; type: tools/setup lint')


def clang() -> str:
    """Return a clang that supports riscv64 and wasm64 well, if there is one."""
    return program('clang-19', 'clang-22', 'clang-21', 'clang-20', 'clang')


def cross_gcc() -> str:
    """Return the cross compiler, as the Makefile finds it."""
    prefix = os.environ.get('CROSS')
    return program(f'{prefix}gcc') if prefix else program('riscv64-unknown-elf-gcc', 'riscv64-linux-gnu-gcc')


MESSAGE = re.compile(r'^(?P<path>[^:\n]+):(?P<line>\d+):(?:\d+:)? (?:fatal )?(?:error|warning): (?P<text>.*)$', re.M)


def compile_one(command: list[str], name: str) -> list[Finding]:
    """Return the compiler's findings for a file."""
    done = subprocess.run([*command, name], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return []
    found = [Finding(m['path'], int(m['line']), m['text']) for m in MESSAGE.finditer(done.stderr)]
    return found or [Finding(name, 1, done.stderr.strip()[:500] or f'{command[0]} failed')]


def compile_all(command: list[str], names: list[str]) -> list[Finding]:
    """Return the compiler's findings for many files, each listed once."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [finding for part in pool.map(lambda name: compile_one(command, name), names) for finding in part]
    return sorted(set(found), key=lambda f: (f.path, f.line))
