# SPDX-License-Identifier: BSD-2-Clause
"""The test that runs the documentation, with pages and a machine of its own: it notices each kind of fault in a page."""

import os
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / 'tests' / 'docs'))
import budgets                  # noqa: E402
import pages                    # noqa: E402
from lint import docs           # noqa: E402
from normal import VARIES, matches, normal      # noqa: E402
from page import PageError, rewrite, script     # noqa: E402
from play import play           # noqa: E402
from terminal import Screen     # noqa: E402

# `make` as the pages use it: a machine with a counter, and a resize that leaves a message on its console.
MAKE = r'''#!{python}
import os, select, sys, time, tty
goal = sys.argv[1]
note = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'note')
def say(text):
    os.write(1, text.replace('\n', '\r\n').encode())
PROMPT = '(gdb) ' if goal == 'gdb' else 'ebb> '
if goal == 'debug':
    say('stopped\n'); time.sleep(600)
if goal == 'resize':
    size = sys.argv[2].partition('=')[2]
    if size == '9T':
        print('ebb-ctl: too large\nmake: *** [Makefile:9: resize] Error 2'); sys.exit(2)
    with open(note, 'a') as file:
        file.write(size + '\n')
    print(f'vm0: plugged {{size}}, as requested, after 4 ms'); sys.exit(0)
tty.setraw(0)
say('firmware\n[    0.055340] smp: 2 harts\nebb: ready\n' + PROMPT)
counter, line, told = 0, '', 0
while True:
    if os.path.exists(note):
        with open(note) as file:
            sizes = file.read().split()
        for size in sizes[told:]:
            told += 1
            say('\r\x1b[K[    %f] plugged %s\nebb> %s' % (time.monotonic() % 1000, size, line))
    if not select.select([0], [], [], 0.02)[0]:
        continue
    key = os.read(0, 1).decode()
    if key != '\r':
        line += key; say(key); continue
    say('\n')
    words, line = line.split(), ''
    if words == ['count']:
        counter += 1; say(f'\x1b[32mcounter {{counter}}\x1b[0m\nsteps 1\n')
    elif words == ['wait']:
        say('waiting\n'); time.sleep(0.2); say('waited\n')
    elif words == ['poweroff']:
        say('bye\n'); sys.exit(0)
    elif words:
        say(words[0] + ': unknown\n')
    say(PROMPT)
'''

PAGE = '''# A page

```console
$ make run
...
ebb: ready
ebb> count
counter 1
steps 1
```

In a second terminal:

```console
$ make resize SIZE=1G
vm0: plugged 1G, as requested, after 17 ms
$ echo one two
one two
```

1. In a list, and in a fence of its own:

   ```console
   [    3.317640] plugged 1G
   ebb> count
   counter 2
   ...
   ebb> wait
   waiting
   waited
   ```

```shell
true    # a comment
```
'''


class PageTest(unittest.TestCase):
    """Pages in a directory with a `make` that is a script."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name)
        (self.top / 'bin').mkdir()
        make = self.top / 'bin' / 'make'
        make.write_text(MAKE.format(python=sys.executable))
        make.chmod(0o755)
        path = f'{self.top / "bin"}:{os.environ["PATH"]}'
        self.enterContext(mock.patch.dict(os.environ, {'PATH': path}))

    def troubles(self, text):
        (self.top / 'bin' / 'note').unlink(missing_ok=True)
        page = self.top / 'page.md'
        page.write_text(text)
        return play(page, self.top, self.top / 'build', self.top / 'logs').troubles

    def planted(self, before, after):
        self.assertIn(before, PAGE)
        with mock.patch('play.OUTPUT_LIMIT', 0.2):
            found = self.troubles(PAGE.replace(before, after, 1))
        self.assertNotEqual(found, [], f'{after!r} was not noticed')
        return '\n'.join(found)

    def test_right_page(self):
        self.assertEqual(self.troubles(PAGE), [])

    def test_changed_number(self):
        self.assertIn('|counter 3', self.planted('counter 2', 'counter 3'))
        self.assertIn('|counter 7', self.planted('counter 1', 'counter 7'))

    def test_missing_command(self):
        self.planted('ebb> count\n', '')
        self.planted('$ echo one two\n', '')
        self.planted('$ make resize SIZE=1G\nvm0: plugged 1G, as requested, after 17 ms\n', '')

    def test_extra_line(self):
        self.planted('steps 1\n', 'steps 1\nsteps 2\n')
        self.planted('one two\n```', 'one two\nthree\n```')
        self.planted('[    3.317640] plugged 1G\n', '[    3.317640] plugged 1G\n[    3.400000] plugged 2G\n')

    def test_missing_line(self):
        self.planted('steps 1\n', '')
        self.planted('   [    3.317640] plugged 1G\n', '')
        self.planted('   waiting\n', '')

    def test_command_fails(self):
        self.assertIn('status 1', self.planted('true    # a', 'false    # a'))
        self.assertIn('status 2', self.planted('$ echo one two\none two', '$ make resize SIZE=9T\nebb-ctl: too large\n...'))
        self.planted('$ echo one two\none two', '$ false')
        self.planted('ebb> wait\n', 'ebb> wiat\n')

    def test_failure_that_the_page_shows(self):
        text = PAGE.replace('$ echo one two\none two',
                            '$ make resize SIZE=9T\nebb-ctl: too large\nmake: *** [Makefile:9: resize] Error 2')
        self.assertEqual(self.troubles(text), [])

    def test_failure_that_does_not_happen(self):
        self.planted('one two\n```', 'one two\nmake: *** [Makefile:9: resize] Error 2\n```')

    def test_output_that_goes_on(self):
        text = PAGE.replace('   waited\n   ```\n', '   ```\n\n```console\n$ echo between\nbetween\n```\n\n'
                            '```console\nwaited\nebb> count\ncounter 3\nsteps 1\n```\n')
        self.assertEqual(self.troubles(text), [])

    def test_machine_that_ends(self):
        text = PAGE + '\n```console\nebb> poweroff\nbye\n```\n'
        self.assertEqual(self.troubles(text), [])
        self.assertIn('nothing runs', '\n'.join(self.troubles(text + '\n```console\nebb> count\ncounter 3\n```\n')))

    def test_gdb(self):
        text = ('```console\n$ make debug\nstopped\n```\n\n```console\n$ make gdb\n...\nebb: ready\n'
                '(gdb) count\ncounter 1\nsteps 1\n```\n\n```console\n(gdb) count\ncounter 2\nsteps 1\n```\n')
        self.assertEqual(self.troubles(text), [])
        self.assertIn('|counter 3', '\n'.join(self.troubles(text.replace('counter 2', 'counter 3'))))

    def test_machine_that_does_not_start(self):
        with mock.patch('play.BOOT_LIMIT', 0.5):
            self.assertIn("no prompt 'ebb>'", self.planted('$ make run\n', '$ make run >/dev/null\n'))

    def test_skipping_everything_is_refused(self):
        with self.assertRaises(PageError):
            self.troubles(PAGE.replace('counter 1\nsteps 1', '...'))

    def test_write_mends_the_page(self):
        page = self.top / 'page.md'
        page.write_text(PAGE.replace('counter 1\nsteps 1', 'counter 5').replace('   waiting', '   sleeping'))
        player = play(page, self.top, self.top / 'build', self.top / 'logs')
        self.assertEqual(len(player.troubles), 2)
        self.assertEqual(rewrite(page, player.script), 2)
        self.assertEqual(page.read_text(), PAGE)

    def test_not_run_is_not_run(self):
        self.assertEqual(self.troubles(PAGE + '\n```console not run: it takes a day\n$ false\n```\n'), [])


class TextTest(unittest.TestCase):
    """Normal lines, elisions, the screen, and the blocks of a page."""

    def test_each_rule_is_needed(self):
        examples = ('[    1.317640] x', 'is Slab (12 ms)', 'as requested, after 4 ms', 'owner 0xffffffff80283cf8',
                    '             ebb-0       [000] .....     1.670237: answer: x', 'ebb: first light (0.9.0)',
                    '/home/me/ebb/build/qemu', 'SEED=17', 'off for 300 ns at most, by idle_wait',
                    'file kernel/sched.c, line 239.', '[Makefile:126: resize] Error 1')
        self.assertEqual(len(examples), len(VARIES))
        for (what, pattern, _), line in zip(VARIES, examples):
            self.assertRegex(line, pattern, what)

    def test_numbers_that_do_not_vary_stay(self):
        for line in ('vm0: plugged 1G', 'pfn 0x90a40 order 0', 'memory18: 2 retries', '0x88000000+4G'):
            self.assertEqual(normal(line), line)

    def test_elisions(self):
        seen = ['a', 'b', 'c', 'd', 'e']
        for shown in (['...'], ['a', '...', 'e'], ['...', 'c', '...'], ['a', '...'], ['...', 'b', '...', 'd', '...', 'e'], seen):
            self.assertTrue(matches(shown, seen), shown)
        for shown in (['b', '...'], ['...', 'd'], ['...', 'd', '...', 'b', '...'], ['a', 'b'], ['a', '...', 'a'], []):
            self.assertFalse(matches(shown, seen), shown)

    def test_screen(self):
        screen = Screen()
        screen.feed('ebb> ma\r\x1b[K[ 1.0] x\r\nebb> ma')
        screen.feed('p\x1b[1')
        screen.feed('D\x1b[31mq\x1b[0m\r\n')
        screen.feed('1\ttab')
        self.assertEqual(screen.rows, ['[ 1.0] x', 'ebb> maq', '1       tab'])

    def test_blocks(self):
        found = pages.blocks('text\n\n    indented\n    more\n\n- item\n\n      in the item\n  text\n\n'
                             '  ```c\n  int x;\n  ```\n\n~~~\na\n~~~\n')
        self.assertEqual([(block.line, block.mark, block.lines) for block in found],
                         [(3, '', ('indented', 'more')), (8, '', ('in the item',)), (11, 'c', ('int x;',)), (15, '', ('a',))])

    def test_steps_know_their_lines(self):
        with tempfile.NamedTemporaryFile('w', suffix='.md') as file:
            file.write(PAGE)
            file.flush()
            lines = PAGE.split('\n')
            for step in (step for steps in script(Path(file.name)) for step in steps if step.prompt):
                self.assertIn(step.command, lines[step.line - 1])


class BlockLintTest(unittest.TestCase):
    """The lint's rules about blocks and names, for pages that break them."""

    def faults(self, text):
        return ' '.join(filter(None, map(docs.block_fault, pages.blocks(text))))

    def test_mark(self):
        self.assertIn('without a mark', self.faults('```\nx\n```\n'))
        self.assertIn('without a mark', self.faults('text\n\n    $ ls\n'))
        self.assertEqual(self.faults('```text\nx\n```\n'), '')

    def test_prompt(self):
        for prompt in ('$ ls', 'ebb> map', '(gdb) harts', 'ebb>'):
            self.assertIn('marked text', self.faults(f'```text\nfirst\n{prompt}\n```\n'))
            self.assertEqual(self.faults(f'```console\n{prompt}\n```\n'), '')

    def test_reason(self):
        self.assertIn('not run: REASON', self.faults('```console not run\n$ ls\n```\n'))
        self.assertIn('not run: REASON', self.faults('```console norun: x\n$ ls\n```\n'))
        self.assertEqual(self.faults('```console not run: it takes a day\n$ ls\n```\n'), '')

    def test_names(self):
        with tempfile.NamedTemporaryFile('w', suffix='.md') as file:
            file.write('`evacuate()`, `no_such_function()`, `mm/evacuate.c`, `evacuate.c`, `mm/nothing.c`, `tests/mm/`, '
                       '`tests/*.xyz`\n'
                       '\n*Compare with Linux:* `mm/page_reporting.c`, `page_report()`.\n\n```c\n`gone()`\n```\n')
            file.flush()
            found = [finding.text for finding in docs.missing(file.name)]
        self.assertEqual(found, ['there is no no_such_function()', 'there is no mm/nothing.c', 'there is no tests/*.xyz'])

    def test_figures(self):
        rows = budgets.readme_row('boot', 'insn', 644700), budgets.readme_row('migrate_page', 'ratio', 1.31)
        page = '\n'.join([*rows, '| `other` (insn) | 7 | 2 |', ''])
        measured = {'boot': 644619.0, 'migrate_page': 1.31}
        self.assertEqual(docs.stale_figures(page, measured), [])
        found = docs.stale_figures(page, {'boot': 600000.0, 'migrate_page': 1.4})
        self.assertEqual([line for line, _ in found], [1, 2])
        self.assertIn('| `boot` (insn) | 600,000 | ', found[0][1])
        self.assertEqual([line for line, _ in docs.stale_figures(page.replace(' 250,000 ', ' 1 '), measured)], [1])

    def test_one_list_of_what_varies(self):
        users = [path for path in (TOP / 'tests' / 'docs').glob('*.py') if re.search(r'\[TIME\]|re\.sub\(', path.read_text())]
        self.assertEqual([path.name for path in users], ['normal.py'])
