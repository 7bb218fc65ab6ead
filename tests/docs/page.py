# SPDX-License-Identifier: BSD-2-Clause
"""A page as steps: what is typed at which prompt, and what the page shows after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pages import PROMPT, Block, blocks

SHELL, CONSOLE, GDB = '$', 'ebb>', '(gdb)'
SKIPS = '...'


@dataclass
class Step:
    """One command and its output. prompt and command are '' for output that stands before the first prompt of a block."""
    prompt: str
    command: str
    line: int                                   # of the page
    shown: list[str] = field(default_factory=list)
    last: bool = False                          # of its block
    compared: bool = True                       # False: the page shows no output, as in a `shell` block
    # The output that was seen, if it differs: for the report and for --write.
    seen: list[str] | None = None


class PageError(Exception):
    """The page cannot be run as it is written."""


def _shell_steps(block: Block) -> list[Step]:
    """Return the steps of a block without prompts: a command on each line that is not a comment."""
    return [Step(SHELL, line.partition('  #')[0].strip(), block.first + at, compared=False)
            for at, line in enumerate(block.lines) if line.strip() and not line.lstrip().startswith('#')]


def _console_steps(block: Block) -> list[Step]:
    """Return the steps of a block with prompts."""
    steps: list[Step] = []
    for at, line in enumerate(block.lines):
        if match := PROMPT.match(line):
            steps.append(Step(match[1], (match[2] or '').strip(), block.first + at))
        else:
            if not steps:
                steps.append(Step('', '', block.first))
            steps[-1].shown.append(line)
    return steps


def steps_of(block: Block) -> list[Step]:
    """Return the steps of a block that is run."""
    steps = _shell_steps(block) if block.mark == 'shell' and not block.prompts else _console_steps(block)
    if not steps:
        raise PageError(f'line {block.line}: the block has nothing to run')
    for step in steps:
        if step.command.endswith('\\'):
            raise PageError(f'line {step.line}: a command is a single line')
        if step.shown and all(line.strip() == SKIPS for line in step.shown) and step.prompt:
            raise PageError(f'line {step.line}: `...` alone compares nothing; show a line of the output')
    steps[-1].last = True
    return steps


def script(path: Path) -> list[list[Step]]:
    """Return all steps of a page, block by block."""
    return [steps_of(block) for block in blocks(path.read_text(encoding='utf-8')) if block.runs]


def rewrite(path: Path, script_of_page: list[list[Step]]) -> int:
    """Put the output that was seen into the page where it differs; a step with `...` stays as it is. Return the number of
    changes."""
    lines = path.read_text(encoding='utf-8').split('\n')
    changed = 0
    for step in reversed([step for steps in script_of_page for step in steps]):
        if step.seen is None or SKIPS in [line.strip() for line in step.shown]:
            continue
        begin = step.line if step.prompt else step.line - 1
        fence = lines[begin - 1] if begin else ''
        indent = ' ' * (len(fence) - len(fence.lstrip(' ')))
        lines[begin:begin + len(step.shown)] = [indent + text.rstrip() for text in step.seen]
        changed += 1
    path.write_text('\n'.join(lines), encoding='utf-8')
    return changed
