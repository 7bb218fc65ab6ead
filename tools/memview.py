# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of ebb's memory for a terminal or a pipe: the map, the counters, and the newest events."""

from __future__ import annotations

import re
import shutil
import sys
from collections import deque
from itertools import groupby
from typing import TextIO

from screen import may_colour, obeys
from sizes import count

CELL = re.compile(r'(\x1b\[\d+m)?(.)(?:\x1b\[0m)?')         # a letter of the map, with its colour
COLOUR = re.compile(r'\x1b\[\d*m')
ROW = re.compile(r'memory(\d+) +(\S+) +(\S+) +\|(.*)\|$')
LEGEND = 'one letter'
NUMBER = re.compile(r'^(\w+):? +(\d+)', re.M)
CELLS = (64, 32, 16, 8)            # pageblocks of a memory block on one line: the most that fit
MAP_SHARE = 1 / 3                  # the least share of the map in the lines of a low terminal
NO_TERMINAL = (120, 0)             # columns; 0: any number of lines
HOME, TO_END_OF_LINE, TO_END, RESET = '\x1b[H', '\x1b[K', '\x1b[J', '\x1b[0m'
ENTER, LEAVE = '\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'   # the other screen, without a cursor


class View:
    """The text that ebb sends for "view": its map, the state of its virtio-mem devices, and its counters."""

    def __init__(self, text: str):
        lines = text.splitlines()
        self.rows = [(*row.groups()[:3], CELL.findall(row[4])) for row in map(ROW.match, lines) if row]
        self.legend = next((line for line in lines if line.startswith(LEGEND)), '')
        self.counters = {name: int(value) for name, value in NUMBER.findall(text)}
        self.devices = []
        for name, line in zip(lines, lines[1:]):
            if line.startswith('  requested '):
                self.devices.append(f'{name.partition(":")[0]}: {line.strip()}')

    def counter_lines(self) -> list[str]:
        """Return the counters that change when memory comes, moves and goes."""
        get = self.counters.get
        return [f'memory {get("MemTotal", 0) >> 10}M, free {get("MemFree", 0) >> 10}M, '
                f'{count(get("nr_isolate_pageblock", 0), "pageblock")} isolated',
                f'pages moved {get("pgmigrate_success", 0)}, not moved {get("pgmigrate_fail", 0)}; '
                f'blocks offline {get("offline_success", 0)}, refused {get("offline_fail", 0)}']


class News:
    """The newest records that a person can follow, and how many there were."""

    def __init__(self, kept: int = 5):
        self.number = 0
        self.lines: deque[str] = deque(maxlen=kept)

    def text(self) -> str:
        """Return the number of records, in words."""
        return count(self.number, 'record') if self.number else 'no records yet; in ebb, "trace on" makes it report each change'


def fold(words: str, width: int) -> list[str]:
    """Text in lines of a width, broken between words; colours take no room."""
    lines, room = [''], width
    for word in words.split(' '):
        length = len(COLOUR.sub('', word))
        if lines[-1] and room < length + 1:
            lines.append('')
            room = width
        if lines[-1]:
            lines[-1] += ' '
            room -= 1
        lines[-1] += word
        room -= length
    return lines


def coloured(cells: list[tuple[str, str]]) -> str:
    """Return letters, with each colour set once for all its neighbours."""
    runs = [(colour, ''.join(letter for _, letter in run)) for colour, run in groupby(cells, lambda cell: cell[0])]
    return ''.join(f'{colour}{letters}{RESET}' if colour else letters for colour, letters in runs)


def block_lines(row: tuple, width: int) -> list[str]:
    """Show a memory block in as many lines as a width needs."""
    number, state, zone, cells = row
    heads = (f'memory{number:<5} {state:<13} {zone:<7} |', f'memory{number:<5} |', f'{number:<4}|')
    fits = [(head, most) for most in CELLS for head in heads if len(head) + most < width]
    head, most = fits[0] if fits else (heads[-1], CELLS[-1])
    parts = [cells[at:at + most] for at in range(0, len(cells), most)]
    margin = ' ' * (len(head) - 1) + '|'
    return [(margin if at else head) + coloured(part) + '|' for at, part in enumerate(parts)]


def terminal_width() -> int:
    """Return the columns of the terminal at standard output; without a terminal, more than any line has."""
    return shutil.get_terminal_size(NO_TERMINAL).columns if sys.stdout.isatty() else sys.maxsize


def fitted(text: str, width: int) -> str:
    """Fold the map in ebb's text as ebb does on a narrow terminal: the letters stand below the block's name."""
    lines = []
    for line in text.split('\n'):
        row = ROW.match(line)
        if len(COLOUR.sub('', line)) <= width or not (row or line.startswith(LEGEND)):
            lines.append(line)
        elif row:
            cells, most = CELL.findall(row[4]), next((most for most in CELLS if most + 2 <= width), CELLS[-1])
            lines.append(line[:row.start(4) - 1].rstrip())
            lines += [f'|{coloured(cells[at:at + most])}|' for at in range(0, len(cells), most)]
        else:
            lines += fold(line, width)
    return '\n'.join(lines)


class Changes:
    """The blocks that changed last, which a small terminal shows."""

    def __init__(self) -> None:
        self._cells: dict[str, object] = {}
        self._looks = 0
        self._changed: dict[str, int] = {}      # by block: the look that saw the last change

    def look(self, view: View) -> None:
        """Compare a picture with the last one."""
        self._looks += 1
        now = {row[0]: row for row in view.rows}
        self._changed.update({block: self._looks for block, row in now.items() if self._cells.get(block) != row})
        self._cells = now

    def newest(self, view: View, heights: list[int], room: int) -> set[int]:
        """Return the places of the rows to show: those that changed last, as many as fit."""
        kept: set[int] = set()
        for at in sorted(range(len(heights)), key=lambda at: -self._changed.get(view.rows[at][0], 0)):
            room -= heights[at]
            if room < 0:
                break
            kept.add(at)
        return kept


def picture(view: View, news: News, size: tuple[int, int], note: str = '', changes: Changes = Changes()) -> list[str]:
    """Return all lines of a picture of (columns, lines), the note last. If lines is not 0, the map is cut to the lines that
    are left. If these are fewer than the map's share, the picture leaves out the legend, then the records."""
    width, height = size
    above = [line for device in view.devices for line in fold(device, width)]
    legend, records = fold(view.legend, width), [line[:width] for line in news.lines]
    counters = [line for text in (*view.counter_lines(), news.text()) for line in fold(text, width)]
    end = fold(note, width) if note else []
    blocks = [block_lines(row, width) for row in view.rows]
    for below in (legend + counters + records + end, counters + records + end, counters + end):
        room = height - len(above) - len(below) if height else sum(map(len, blocks))
        if room >= min(height * MAP_SHARE, sum(map(len, blocks))):
            break
    rows = sum(blocks, [])
    if len(rows) > room:
        kept = changes.newest(view, list(map(len, blocks)), room - 1)
        rows = sum((lines for at, lines in enumerate(blocks) if at in kept), [])
        rows.append(f'... and {count(len(blocks) - len(kept), "more block")}')
    return [*above, *rows, *below]


class Screen:
    """Standard output: a terminal on which each picture replaces the last, or a pipe that gets each new picture."""

    def __init__(self, out: TextIO = sys.stdout):
        self._out, self._terminal, self._colours = out, obeys(out), may_colour(out)
        self._last: tuple = ()
        self._changes = Changes()

    def __enter__(self) -> 'Screen':
        self._write(ENTER if self._terminal else '')
        return self

    def __exit__(self, *_) -> None:
        self._write(LEAVE if self._terminal else '')

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def draw(self, view: View, news: News, note: str = '') -> None:
        """Show a picture, if it differs from the last one or the terminal has another size."""
        size = shutil.get_terminal_size(NO_TERMINAL)
        width, height = (size.columns, size.lines) if self._terminal else (size.columns, 0)
        self._changes.look(view)
        lines = picture(view, news, (width, max(height - 1, 0)), note, self._changes)
        if not self._colours:
            lines = [COLOUR.sub('', line) for line in lines]
        if (lines, width, height) == self._last:
            return
        self._last = (lines, width, height)
        if self._terminal:
            self._write(HOME + ''.join(f'{line}{TO_END_OF_LINE}\n' for line in lines[:height - 1]) + TO_END)
        else:
            self._write('\n'.join(lines) + '\n\n')
