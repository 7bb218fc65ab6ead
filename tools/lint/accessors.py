# SPDX-License-Identifier: BSD-2-Clause
"""Typed accessors are the only ones that touch a page descriptor or a pageblock's words (design section 3).

The compiler decides, not a regular expression: __only_for("...") in include/mm becomes the attribute "deprecated", and each
use is a warning with file and line, through whatever pointer, macro or inline function. Who needs the bytes of a descriptor
by a cast needs its address, so that is watched, too. Tests break descriptors on purpose and are not looked at.
"""

from __future__ import annotations

import os
import re

from lint.common import Finding, KERNEL_CFLAGS, clang, compile_all, sources
from lint.compilers import RISCV_CLANG

DESCRIPTORS = ('mm/internal.h', 'mm/page.c', 'mm/pageblock.c', 'mm/buddy.c', 'mm/pcp.c', 'mm/pcp_high.c', 'mm/free.c',
               'mm/check.c')
WATCHED = {
    'descriptors': DESCRIPTORS,
    # Those who map, unmap and poison the memory that descriptors lie in.
    'addresses of descriptors': (*DESCRIPTORS, 'include/mm/page.h', 'arch/riscv/paging.c', 'mm/memory_add.c',
                                 'mm/memory_hotplug.c', 'mm/mm_init.c'),
    'pageblock words': ('mm/internal.h', 'mm/page.c', 'mm/pageblock.c', 'mm/pageblock_index.c', 'mm/buddy.c', 'mm/pcp.c',
                        'mm/pcp_high.c', 'mm/page_isolation.c', 'mm/evac_commit.c', 'mm/check.c'),
}
USE = re.compile(r"'(?P<name>\w+)' is deprecated: (?P<what>[\w ]*\w)")


def judge(uses: list[Finding]) -> list[Finding]:
    """The uses that are somebody else's business; and files that are listed for nothing, as all are if nothing is seen."""
    found, needed = [], set()
    for use in uses:
        match, path = USE.search(use.text), os.path.normpath(use.path)
        if not match:
            found.append(use)
        elif path in WATCHED[match['what']]:
            needed.add((match['what'], path))
        else:
            found.append(Finding(path, use.line, f'{match["name"]}: {match["what"]} are for {", ".join(WATCHED[match["what"]])}'))
    return found + [Finding('tools/lint/accessors.py', 0, f'{name} needs no {what}: take it off the list')
                    for what, names in WATCHED.items() for name in names if (what, name) not in needed]


def check() -> list[Finding]:
    """Everything in the kernel that reaches into descriptors, and should not."""
    command = [clang(), *RISCV_CLANG, *KERNEL_CFLAGS, '-Iarch/riscv/include', '-ferror-limit=0',
               '-D__only_for(what)=__attribute__((deprecated(what)))']
    return judge(compile_all(command, sources('.c', under=('arch', 'kernel', 'mm', 'drivers', 'lib'))))
