# SPDX-License-Identifier: BSD-2-Clause
"""The lints find readers of sections that break the rule of docs/reference/locking.md, calls from a low storey to a high
one, parts that exceed their budget of lines, fields without a lock key, and faults that can no longer be planted."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from lint import accessors, commands, compilers, includes, lockkeys, mutants, sizes, storeys, style
from lint.common import Skip, cross_gcc

HEAD = ('#include "mm/memory_hotplug.h"\n#include "mm/section.h"\n'
        'enum zone_type planted(unsigned long pfn);\nenum zone_type planted(unsigned long pfn)\n')

RIGHT = HEAD + '''{
	enum zone_type type = ZONE_NORMAL;
	const struct mem_section *ms;
	const struct zone *zone;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, pfn);
	zone = ms ? section_zone(ms) : NULL;
	if (zone)
		type = zone->type;
	pfn_walk_end();
	return type;
}
'''


class SectionReaderTest(unittest.TestCase):
    """A correct reader in the kernel, and incorrect variants of it."""

    def findings(self, code):
        with tempfile.TemporaryDirectory() as top:
            name = str(Path(top) / 'planted.c')
            Path(name).write_text(code)
            try:
                found = accessors.looks_twice([name]) + compilers.lock_contracts([name])
                return ' '.join(f.text for f in found + [f for f in accessors.judge(accessors.watch([name])) if f.path == name])
            except Skip as skip:
                self.skipTest(str(skip))

    def planted(self, before, after):
        self.assertIn(before, RIGHT)
        return self.findings(RIGHT.replace(before, after))

    def test_right_reader(self):
        self.assertEqual(self.findings(RIGHT), '')

    def test_no_bracket(self):
        found = self.planted('pfn_walk_begin();', '').replace('pfn_walk_end();', '')
        self.assertIn("requires holding walk bracket 'walk_bracket'", found)

    def test_bracket_not_closed(self):
        self.assertIn("'walk_bracket' is still held", self.planted('pfn_walk_end();', ''))

    def test_lookup_of_those_who_keep(self):
        self.assertIn('pfn_to_section: kept sections are for', self.planted('walk_section', 'pfn_to_section'))

    def test_zone_by_itself(self):
        self.assertIn('zone: zones of kept sections are for', self.planted('section_zone(ms)', 'ms->zone'))

    def test_root_by_itself(self):
        found = self.planted('walk_section(&kernel_mm, pfn)', 'kernel_mm.root[pfn >> ROOT_PFN_SHIFT]->section[0]')
        self.assertIn('root: section roots are for', found)

    def test_two_lookups(self):
        found = self.planted('type = zone->type;', 'type = section_zone(walk_section(&kernel_mm, pfn))->type;')
        self.assertIn('planted() looks for a section in two places', found)
        self.assertIn("planted() looks for a section's zone in two places", found)


class StoreyTest(unittest.TestCase):
    """A small tree of sources in which one include or call points up."""

    def setUp(self):
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(top.name)

    def plant(self, name, code):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        return name

    def compiled(self, name, code):
        built = Path('k', f'{self.plant(name, code)}.o')
        built.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([cross_gcc(), '-march=rv64imac', '-mabi=lp64', '-c', '-o', built, name], check=True)
        except Skip as skip:
            self.skipTest(str(skip))
        return name

    def test_include_up(self):
        low = self.plant('kernel/include_up.c', '#include "lib/list.h"\n#include "kernel/trace/trace.h"\n')
        high = self.plant('kernel/console/include_up.c', '#include "kernel/trace/trace.h"\n#include "mm/mm.h"\n')
        header = self.plant('include/mm/include_up.h', '/* none */\n#include "virtio/virtio.h"\n')
        found, _ = storeys.include_arrows([low, high, header])
        self.assertEqual([str(f).split(':')[:3] for f in found],
                         [[low, '2', ' include "kernel/trace/trace.h" points up, from kernel/ to kernel/trace/'],
                          [header, '2', ' include "virtio/virtio.h" points up, from mm/ to virtio/']])

    def test_call_up(self):
        low = self.compiled('mm/call_up.c', 'int own(void);\nint asked(void);\nint own(void)\n{\n\treturn asked();\n}\n')
        high = self.compiled('drivers/call_up.c', 'int own(void);\nint asked(void);\nint asked(void)\n{\n\treturn own();\n}\n')
        found, _ = storeys.call_arrows([low, high], 'k')
        self.assertEqual([str(f).split(':')[:3] for f in found],
                         [[low, '2', f' asked of {high} points up, from mm/ to drivers/']])

    def test_way_up(self):
        name = self.plant('kernel/stack.c', '#include "mm/page_alloc.h"\n#include "mm/mm.h"\n')
        found, used = storeys.include_arrows([name])
        self.assertEqual(used, {(name, 'mm/page_alloc.h')})
        self.assertEqual([(f.path, f.line) for f in found], [(name, 2)])
        self.assertIn('needs no mm/page.h any more', ' '.join(f.text for f in storeys.unused('headers', used)))


class BudgetTest(unittest.TestCase):
    """A part with one line more than its budget causes a finding."""

    PAGE = '\n'.join([*(f'| {part.name} | {part.goal:,} | {part.budget:,} | a way |' for part in sizes.PARTS),
                      f'| together | {sum(p.goal for p in sizes.PARTS):,} | {sum(p.budget for p in sizes.PARTS):,} | |'])

    def test_part_of(self):
        parts = {'kernel/sched.c': 'base kernel', 'kernel/console/export.c': 'trace, export and hold',
                 'kernel/console/shell.c': 'console and views', 'include/mm/mm.h': 'mm'}
        for name, part in parts.items():
            self.assertEqual(sizes.part_of(name).name, part)
        self.assertIsNone(sizes.part_of('sound/core.c'))

    def test_budget(self):
        lines = {part.name: part.budget for part in sizes.PARTS}
        self.assertEqual(sizes.judge_parts(lines, self.PAGE), [])
        lines['lib'] += 1
        budget = sizes.part_of('lib/string.c').budget
        self.assertEqual([str(f) for f in sizes.judge_parts(lines, self.PAGE)],
                         [f'lib/:0: lib: {budget + 1} lines of code; its budget is {budget}'])

    def test_page(self):
        lines = dict.fromkeys((part.name for part in sizes.PARTS), 0)
        found = sizes.judge_parts(lines, self.PAGE.replace('| arch | 1,900', '| arch | 1,901'))
        self.assertEqual([f.text for f in found],
                         [f'has no row that begins with "| arch | 1,900 | {sizes.part_of("arch/").budget:,} |"'])


KEYED = '''/*
 * Lock keys:
 *   (c) constant after start
 *   (l) @lock
 */
struct thing {
	spinlock_t lock;
	u32 count;		/* (l) so many */
	int (*fn)(void *arg);	/* (c) */
	struct {
		u64 a;		/* (l, c) */
	} both;			/* (c) */
};
'''


class LockKeyTest(unittest.TestCase):
    """A struct with the right lock keys, and variants of it."""

    def planted(self, before, after):
        self.assertIn(before, KEYED)
        found, _ = lockkeys.judge('planted.h', KEYED.replace(before, after))
        return [str(finding) for finding in found]

    def test_right_keys(self):
        self.assertEqual(self.planted('count', 'number'), [])

    def test_no_key(self):
        self.assertEqual(self.planted('/* (l) so many */', '/* so many */'),
                         ['planted.h:8: struct thing: "u32 count" has no lock key'])

    def test_key_that_nothing_explains(self):
        self.assertEqual(self.planted('(l, c)', '(l, x)'),
                         ['planted.h:11: struct thing: the lock key (x) is not explained in this file'])

    def test_key_that_no_field_has(self):
        self.assertEqual(self.planted(' *   (l) @lock\n', ' *   (l) @lock\n *   (z) zone->lock\n'),
                         ['planted.h:0: the lock key (z) is explained, and no field has it'])

    def test_struct_without_a_lock(self):
        without = KEYED.replace('spinlock_t lock;', 'u32 lock;').replace('/* (l) so many */', '')
        self.assertEqual([f.text for f in lockkeys.judge('planted.h', without)[0]],
                         [f'the lock key ({key}) is explained, and no field has it' for key in 'cl'])

    def test_struct_on_the_list(self):
        found, seen = lockkeys.judge('planted.h', 'struct zone {\n\tu32 nr;\n};\n')
        self.assertEqual(([f.text for f in found], seen), (['struct zone: "u32 nr" has no lock key'], {'zone'}))


DRIVER = '''#include "mm/memory_hotplug.h"
/* A mem_section is mm's. */
static u64 plugged(struct memory_owner *owner)
{
	return memory_block_info(&kernel_mm, 16, owner).plugged;
}
'''


class DriverTest(unittest.TestCase):
    """A driver that asks mm for a block, and variants of it that look into the section."""

    def findings(self, code, name='drivers/planted.c'):
        bare = code.replace('/* A mem_section is mm\'s. */', '').split('\n')
        return ' '.join(f.text for f in includes.reaches_in(name, bare, code.split('\n')))

    def test_right_driver(self):
        self.assertEqual(self.findings(DRIVER), '')

    def test_names_a_section(self):
        code = DRIVER.replace('memory_block_info(', 'peek((const struct mem_section *)')
        self.assertIn('mem_section: a driver asks memory_block_info()', self.findings(code))
        self.assertEqual(self.findings(code, 'kernel/console/planted.c'), '')

    def test_includes_the_header(self):
        found = self.findings(DRIVER.replace('mm/memory_hotplug.h', 'mm/section.h'))
        self.assertIn('mm/section.h: a driver asks memory_block_info()', found)


class CommandsTest(unittest.TestCase):
    """The console's page, with a row too few or too many."""

    PAGE = '| command | what it does |\n|---|---|\n| `map [-n\\|-c]`, `go` | text of `ls` |\n\n| `other` | table |\n'

    def test_all_have_rows(self):
        self.assertEqual(commands.judge({'map': 'a.c', 'go': 'b.c', 'pairs': 'c.c'}, self.PAGE), [])

    def test_command_without_a_row(self):
        found = commands.judge({'map': 'a.c', 'go': 'b.c', 'ls': 'c.c'}, self.PAGE)
        self.assertEqual([(one.path, 'ls' in one.text) for one in found], [('c.c', True)])

    def test_row_without_a_command(self):
        found = commands.judge({'map': 'a.c'}, self.PAGE)
        self.assertEqual([(one.path, 'go' in one.text) for one in found], [(commands.PAGE, True)])


class MutantsTest(unittest.TestCase):
    """A patch to this file, and a patch to a line that this file does not have."""

    def findings(self, line):
        patch = f'--- a/tests/tools/test_lint.py\n+++ b/tests/tools/test_lint.py\n@@ -1 +1 @@\n-{line}\n+planted\n'
        with tempfile.NamedTemporaryFile('w', suffix='.patch') as file:
            file.write(patch)
            file.flush()
            return [finding.text for finding in mutants.judge([file.name])]

    def test_applies(self):
        self.assertEqual(self.findings(Path('tests/tools/test_lint.py').read_text().splitlines()[0]), [])

    def test_does_not_apply(self):
        self.assertIn('does not apply: ', self.findings('no such line')[0])


class SuiteNameTest(unittest.TestCase):
    """A file of tests is named after its suite."""

    def findings(self, name, suite):
        with tempfile.TemporaryDirectory() as top:
            path = Path(top) / name
            path.write_text(f'static struct ktest_suite planted = {{ .name = "{suite}",\n.cases = c }};\nKTEST_SUITE(planted);\n')
            return ' '.join(finding.text for finding in style.suite_names(str(path)))

    def test_own_name(self):
        self.assertEqual(self.findings('buddy_test.c', 'buddy'), '')

    def test_another_name(self):
        self.assertIn('no suite "buddy"', self.findings('buddy_test.c', 'pages'))

    def test_no_test_file(self):
        self.assertIn('SUITE_test.c', self.findings('buddy.c', 'buddy'))
