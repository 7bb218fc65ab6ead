# SPDX-License-Identifier: BSD-2-Clause
"""`make watch` draws every letter of the map at any width, and colours and cursor movements only where they belong."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from memview import COLOUR, Changes, News, Screen, View, fitted, picture
from patience import limit, talk

TOP = Path(__file__).resolve().parent.parent.parent
TOOLS = TOP / 'tools'
KERNEL = Path(os.environ.get('O') or TOP / 'build') / 'ebb.elf'
CELLS = 'KKU' + '.' * 50 + 'u' + ' ' * 10
BLOCKS = ((16, 'online', 'Normal'), (17, 'going-offline', 'Movable'), (4711, 'offline', '-'))
GREEN = ''.join(f'\x1b[32m{c}\x1b[0m' if c != ' ' else c for c in CELLS)
TEXT = ''.join(f'memory{number:<5} {state:<13} {zone:<7} |{GREEN}|\n' for number, state, zone in BLOCKS)
TEXT += '''one letter = 2 MiB: \x1b[90m_\x1b[0m unplugged, \x1b[32m.\x1b[0m free, blank hole
vm0: 0x88000000-0x187ffffff (4096 MiB), block 2 MiB, granule 2 MiB, pci 00:01.0
  requested 300 MiB, plugged 200 MiB, usable 556 MiB
  last failure: none
MemTotal:         131072 kB
MemFree:           65536 kB
nr_isolate_pageblock 3
pgmigrate_success 12345
'''


def news(*lines: str) -> News:
    made = News()
    made.number = 1234
    made.lines.extend(lines)
    return made


class Paper(io.StringIO):
    """A terminal, or a pipe."""

    def __init__(self, terminal: bool):
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class PictureTest(unittest.TestCase):
    """The lines of a picture."""

    def test_what_is_read(self):
        view = View(TEXT)
        self.assertEqual([row[:3] for row in view.rows], [('16', 'online', 'Normal'), ('17', 'going-offline', 'Movable'),
                                                          ('4711', 'offline', '-')])
        self.assertEqual(''.join(letter for _, letter in view.rows[1][3]), CELLS)
        self.assertEqual(view.devices, ['vm0: requested 300 MiB, plugged 200 MiB, usable 556 MiB'])
        self.assertEqual(view.counter_lines()[0], 'memory 128M, free 64M, 3 pageblocks isolated')
        self.assertIn('pages moved 12345,', view.counter_lines()[1])

    def test_every_width_shows_every_letter(self):
        for width in (20, 30, 40, 55, 77, 80, 101, 102, 200):
            lines = [COLOUR.sub('', line) for line in picture(View(TEXT), news('x' * 300), (width, 0), 'a note ' * 20)]
            with self.subTest(width):
                self.assertLessEqual(max(map(len, lines)), width)
                rows = [line.partition('|')[2].rstrip('|') for line in lines if line.endswith('|')]
                self.assertEqual(''.join(rows), CELLS * 3)

    def test_ebbs_own_map_is_folded_for_a_narrow_terminal(self):
        self.assertEqual(fitted(TEXT, 1000), TEXT)
        for width, count in ((99, 64), (66, 64), (65, 32), (40, 32), (33, 16)):
            lines = COLOUR.sub('', fitted(TEXT, width)).split('\n')
            with self.subTest(width):
                rows = [line.strip('|') for line in lines if line.endswith('|')]
                self.assertEqual(''.join(rows), CELLS * 3)
                self.assertEqual({len(row) for row in rows}, {count})
                self.assertTrue(any(re.fullmatch(r'memory\d+ +online +Normal', line) for line in lines))

    def test_a_low_terminal_says_what_it_leaves_out(self):
        for height in range(12, 20):
            lines = picture(View(TEXT), news(), (40, height), 'a note')
            with self.subTest(height):
                self.assertLessEqual(len(lines), height)
                self.assertTrue(any(' more block' in line for line in lines) or sum('|' in line for line in lines) == 6)
                self.assertEqual(lines[-1], 'a note')

    def test_a_low_terminal_shows_what_changed_last(self):
        changes, more = Changes(), TEXT + ''.join(f'memory{at:<5} online        Normal  |{GREEN}|\n' for at in range(100, 140))
        before = f'memory117   online        Normal  |{GREEN}|'
        self.assertIn(before, more)
        for view in (View(more), View(more.replace(before, f'memory117   offline       -       |{GREEN}|'))):
            changes.look(view)
        lines = [COLOUR.sub('', line) for line in picture(view, news(), (110, 12), '', changes)]
        self.assertEqual(len(lines), 12)
        shown = [line[6:9].strip() for line in lines if line.startswith('memory') and '|' in line]
        self.assertEqual((shown[:1], shown[-1]), (['16'], '117'))
        self.assertIn(f'... and {43 - len(shown)} more blocks', lines)

    def test_a_small_terminal_shows_the_map_before_the_words(self):
        cells = [(str(number), 'online', 'Normal', [('', letter) for letter in CELLS]) for number in range(16, 26)]
        view = View(TEXT)
        view.rows, view.legend = cells, 'one letter = 2 MiB: ' + 'M movable, ' * 16
        records = [f'1.{n}: request: dev=0' for n in range(5)]
        for size, left_out in (((80, 23), ()), ((40, 23), ('one letter',)), ((40, 15), ('one letter', 'request:'))):
            text = '\n'.join(picture(view, news(*records), size))
            self.assertIn('16 ', text, size)
            self.assertLessEqual(len(text.splitlines()), size[1], size)
            self.assertEqual(left_out, tuple(words for words in ('one letter', 'request:') if words not in text), size)


class ScreenTest(unittest.TestCase):
    """The text that a terminal and a pipe receive."""

    def drawn(self, terminal: bool, **environment: str) -> str:
        out = Paper(terminal)
        with mock.patch.dict(os.environ, {'NO_COLOR': '', 'TERM': 'vt100', **environment}), Screen(out) as screen:
            for view in (View(TEXT), View(TEXT), View(TEXT.replace('32mU', '32mM'))):
                screen.draw(view, news('block_state'))
        return out.getvalue()

    def test_a_pipe_gets_each_new_picture_as_text(self):
        for terminal, environment in ((False, {}), (False, {'NO_COLOR': '1'}), (True, {'TERM': 'dumb'})):
            text = self.drawn(terminal, **environment)
            self.assertFalse(set('\r\x1b') & set(text))
            self.assertEqual([text.count(first) for first in ('|KKU', '|KKM', 'block_state\n\n')], [3, 3, 2])

    def test_a_terminal_is_drawn_over_and_restored(self):
        text = self.drawn(True, COLUMNS='110', LINES='40')
        self.assertNotIn('\r', text)
        self.assertIn('\x1b[32mKKU', text)
        self.assertEqual((text.count('\x1b[H'), text.count('\x1b[?1049h'), text.count('\x1b[?1049l')), (2, 1, 1))
        self.assertTrue(text.endswith('\x1b[?25h\x1b[?1049l'))

    def test_colours_may_be_off(self):
        self.assertNotIn('\x1b[32m', self.drawn(True, NO_COLOR='1', COLUMNS='110', LINES='40'))


class AloneTest(unittest.TestCase):
    """Without a machine each program ends with one line that says what to type."""

    def test_no_machine(self):
        with tempfile.TemporaryDirectory() as nowhere:
            for name in ('console', 'watch'):
                for rundir in (Path(nowhere) / 'run', Path(nowhere)):
                    done = subprocess.run([sys.executable, str(TOOLS / f'ebb-{name}'), '--rundir', str(rundir)], text=True,
                                          capture_output=True, stdin=subprocess.DEVNULL, timeout=limit(20), check=False)
                    self.assertEqual((done.returncode, done.stdout), (1, ''))
                    self.assertRegex(done.stderr, rf'^{name}: no machine runs in \S+; start one: make run.*\n$')

    @unittest.skipUnless(KERNEL.exists(), 'needs a kernel')
    def test_output_that_is_lost(self):
        """A machine that does not answer: the words about it change each second."""
        with tempfile.TemporaryDirectory() as rundir, open('/dev/full', 'wb') as full:
            Path(rundir, 'qemu.pid').write_text(f'{os.getpid()}\n', encoding='ascii')
            Path(rundir, 'kernel').symlink_to(KERNEL.resolve())
            master, slave = pty.openpty()
            for out, status, said in ((slave, 128 + signal.SIGHUP, ''), (full, 1, 'watch: output: No space left on device\n')):
                watch = subprocess.Popen([sys.executable, str(TOOLS / 'ebb-watch'), '--rundir', rundir], text=True, stdout=out,
                                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env={**os.environ, 'TERM': 'vt100'})
                with watch:
                    if out is slave:
                        self.assertTrue(os.read(master, 100))
                        os.close(slave)
                        os.close(master)
                    self.assertEqual((talk(watch, 60)[1], watch.returncode), (said, status))


if __name__ == '__main__':
    unittest.main()
