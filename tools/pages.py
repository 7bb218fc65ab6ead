# SPDX-License-Identifier: BSD-2-Clause
"""The pages of the documentation and the blocks of code in them, for the lint `docs` and the test that runs the pages.

A block marked `console` or `shell` is run. `console` has prompts: `$ ` for a shell, `ebb> ` for a machine's console,
`(gdb) ` for gdb. `shell` has a command on each line. A block that cannot be run says so, with the reason, after its
mark: "```shell not run: it asks for a password".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RUN_MARKS = ('console', 'shell')
PROMPT = re.compile(r'(\$|ebb>|\(gdb\))(?: (.*))?$')
MOST_NOT_RUN = 5         # blocks in all pages
FENCE = re.compile(r'( *)(`{3,}|~{3,})(.*)$')
LIST = re.compile(r'( *)([-*+]|\d+[.)]) +')
NOT_RUN = re.compile(r'not run: (\S.*)$')


@dataclass(frozen=True)
class Block:
    """A block of code. line: of the fence, or of the first line if there is no fence."""
    line: int
    info: str                   # the text of the fence, without the mark
    mark: str                   # '' if it has none
    lines: tuple[str, ...]      # without the fence's indentation
    indent: int
    fenced: bool

    @property
    def first(self) -> int:
        """The number of its first line of code."""
        return self.line + self.fenced

    @property
    def why_not_run(self) -> str | None:
        """The reason why it is not run, or None."""
        match = NOT_RUN.fullmatch(self.info)
        return match[1] if match else None

    @property
    def runs(self) -> bool:
        """True if the test runs it."""
        return self.mark in RUN_MARKS and self.why_not_run is None

    @property
    def prompts(self) -> bool:
        """True if a line begins with a prompt."""
        return any(PROMPT.match(line.lstrip()) for line in self.lines)


def _fenced(lines: list[str], at: int, fence: re.Match) -> Block:
    """Return the block that begins with this fence. It ends at the same fence, or with the page."""
    indent = len(fence[1])
    mark, _, info = fence[3].strip().partition(' ')
    body = []
    for line in lines[at + 1:]:
        if line.strip() == fence[2]:
            break
        body.append(line[min(indent, len(line) - len(line.lstrip())):])
    return Block(at + 1, info.strip(), mark, tuple(body), indent, True)


def _indented(lines: list[str], at: int, indent: int) -> Block:
    """Return the block of lines that are indented by this much or more."""
    body: list[str] = []
    for line in lines[at:]:
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            break
        body.append(line[indent:])
    while not body[-1].strip():
        body.pop()
    return Block(at + 1, '', '', tuple(body), indent, False)


def blocks(text: str) -> list[Block]:
    """Find all blocks of a page: fenced, or indented by four columns more than the text or the list around them."""
    lines, found = text.split('\n'), []
    at, content, after_blank = 0, 0, True
    while at < len(lines):
        line = lines[at]
        indent = len(line) - len(line.lstrip())
        fence = FENCE.match(line)
        if fence:
            block = _fenced(lines, at, fence)
            found.append(block)
            at += len(block.lines) + 2
            continue
        if item := LIST.match(line):
            content = item.end()
        elif line.strip() and indent < content:
            content = 0
        if line.strip() and after_blank and not item and indent >= content + 4:
            block = _indented(lines, at, content + 4)
            found.append(block)
            at += len(block.lines)
            after_blank = True
            continue
        after_blank = not line.strip()
        at += 1
    return found


def pages(top: Path = Path('.')) -> list[Path]:
    """List README.md, CONTRIBUTING.md and all pages of docs/."""
    front = [top / name for name in ('README.md', 'CONTRIBUTING.md')]
    return [path for path in front if path.exists()] + sorted((top / 'docs').rglob('*.md'))


def name_of(page: Path) -> str:
    """Return a page's name as a test case."""
    return re.sub(r'\W', '_', page.stem).lower()


def pages_to_run(top: Path = Path('.')) -> dict[str, Path]:
    """Find the pages with blocks to run, by their names."""
    return {name_of(page): page for page in pages(top) if any(block.runs for block in blocks(page.read_text(encoding='utf-8')))}
