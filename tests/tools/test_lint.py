# SPDX-License-Identifier: BSD-2-Clause
"""Readers of sections that break the rule of docs/reference/locking.md are found by the lints."""

import tempfile
import unittest
from pathlib import Path

from lint import accessors, compilers
from lint.common import Skip

HEAD = '#include "mm/memory_hotplug.h"\nenum zone_type planted(unsigned long pfn);\nenum zone_type planted(unsigned long pfn)\n'

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
    """One reader in the kernel that is right, and variants of it that are not."""

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
