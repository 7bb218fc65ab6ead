# SPDX-License-Identifier: BSD-2-Clause
"""Only typed accessors may touch a page descriptor or a pageblock's words (docs/explanation/page-states.md), and code
that does not keep a section must look it up as a walker (docs/reference/locking.md).

The compiler decides, not a regular expression: __only_for("...") in include/mm becomes the attribute "deprecated", and each
use is a warning with file and line, through whatever pointer, macro or inline function. A cast to the bytes of a
descriptor needs its address, so this lint also watches addresses. Tests break descriptors on purpose and are not checked.

clang's thread-safety analysis checks that a walker's look-up is in the walk bracket. This file checks, function by
function, that a walker looks up only once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess

from lint.common import Finding, KERNEL_CFLAGS, clang, compile_all, program, sources, without_comments
from lint.compilers import RISCV_CLANG

DESCRIPTORS = ('mm/descriptor.h', 'mm/descriptor.c', 'mm/pageblock.h', 'mm/page.c', 'mm/pageblock.c', 'mm/pcp.c',
               'mm/page_alloc.c', 'mm/check.c')
KEEPERS = ('mm/contig.c', 'mm/evacuate.c', 'mm/frames.c', 'mm/memory_hotplug.c', 'mm/memory_owner.c', 'mm/memory_plug.c',
           'mm/migrate.c', 'mm/page_alloc.c', 'mm/page_isolation.c', 'mm/pcp.c')
WATCHED = {
    'descriptors': DESCRIPTORS,
    # The files that map, unmap and poison the memory of descriptors.
    'addresses of descriptors': (*DESCRIPTORS, 'mm/buddy.c', 'include/mm/page.h', 'arch/riscv/paging.c', 'mm/memory_block.c',
                                 'mm/memory_hotplug.c', 'mm/mm_init.c'),
    # The files that write pageblock words; all files read them by pb_read().
    'pageblock words': ('mm/pageblock.h', 'mm/pageblock.c', 'mm/pageblock_index.c', 'mm/frames.c'),
    # The files that keep sections: by the hotplug lock, by their own frames, or by an isolated range. All others are walkers.
    'kept sections': (*KEEPERS, 'include/mm/section.h', 'mm/buddy.c', 'mm/check.c', 'mm/evac_scan.c', 'mm/memory_block.c',
                      'mm/mm_init.c', 'mm/mm_reserve.c', 'mm/sparse.c'),
    'pageblocks of kept sections': ('mm/mm_reserve.c', 'mm/page.c', 'mm/pcp.h', 'mm/poison.c'),
    # The files that get a section from a file that keeps sections, or from the search index under zone->lock.
    'zones of kept sections': (*KEEPERS, 'mm/buddy.c', 'mm/check.c', 'mm/pageblock.c', 'mm/pageblock_index.c', 'mm/sparse.c'),
    'section roots': ('mm/check.c', 'mm/mm_init.c', 'mm/pageblock_index.c', 'mm/sparse.c'),
}
# A walker's look-ups: a second one in the same function may find another result.
LOOKS = {'a section': re.compile(r'\b(walk_section|walk_next_section|walk_block|online_section)\('),
         "a section's zone": re.compile(r'\bsection_zone\(')}
USE = re.compile(r"'(?P<name>\w+)' is deprecated: (?P<what>[\w ]*\w)")


def judge(uses: list[Finding]) -> list[Finding]:
    """Find uses in files that are not listed, and listed files that have no use. If the compiler reports nothing, no listed
    file has one."""
    found, needed = [], set()
    for use in uses:
        match, path = USE.search(use.text), os.path.normpath(use.path)
        if not match:
            found.append(use)
        elif path in WATCHED[match['what']]:
            needed.add((match['what'], path))
        else:
            found.append(Finding(path, use.line, f'{match["name"]}: {match["what"]} are for {", ".join(WATCHED[match["what"]])}'))
    return found + [Finding('tools/lint/accessors.py', 0, f'{name} does not use {what}: remove it from the list')
                    for what, names in WATCHED.items() for name in names if (what, name) not in needed]


def watch(names: list[str]) -> list[Finding]:
    """Find each use of a watched item, with the compiler."""
    command = [clang(), *RISCV_CLANG, *KERNEL_CFLAGS, '-Iarch/riscv/include', '-ferror-limit=0',
               '-D__only_for(what)=__attribute__((deprecated(what)))']
    return compile_all(command, names)


def looks_twice(names: list[str]) -> list[Finding]:
    """Find functions in which a walker looks up a section, or loads its zone, in two places."""
    done = subprocess.run([program('ctags'), '--output-format=json', '--fields=+ne', '--kinds-C=f', '-L', '-', '-f', '-'],
                          input='\n'.join(names), capture_output=True, text=True, check=True)
    found = []
    for tag in map(json.loads, done.stdout.splitlines()):
        body = '\n'.join(without_comments(tag['path']).split('\n')[tag['line']:tag.get('end', tag['line'])])
        found += [Finding(tag['path'], tag['line'], f'{tag["name"]}() looks for {what} in two places; keep the first result')
                  for what, look in LOOKS.items() if len(look.findall(body)) > 1]
    return found


def check() -> list[Finding]:
    """Find all accesses in the kernel that bypass the accessors, and walkers that look up twice."""
    names = sources('.c', under=('arch', 'kernel', 'mm', 'drivers', 'lib'))
    return judge(watch(names)) + looks_twice(names)
