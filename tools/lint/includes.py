# SPDX-License-Identifier: BSD-2-Clause
"""Checks that each directory includes only the directories that it may (README.md); storeys.py checks the order of the
storeys."""

from __future__ import annotations

import os
import re

from lint.common import Finding, sources, without_comments, text

FREESTANDING = ('stddef.h', 'stdint.h', 'stdbool.h', 'stdarg.h', 'limits.h')
CONTRACT = ('arch/machine.h', 'arch/inline.h', 'arch/this_hart.h')
PUBLIC = ('mm/', 'kernel/', 'lib/', 'virtio/', 'pci/', 'serial/', 'arch/')
HOSTED = {('include/lib/string.h', 'string.h')}      # on a host, its C library declares the same functions
# Directory: what its files may include, besides its own headers. Tests may include everything and are not listed.
ALLOWED = {
    'lib/': ('lib/',),
    'include/lib/': ('lib/',),
    'mm/': ('mm/', 'kernel/', 'lib/', *CONTRACT),
    'include/mm/': ('mm/', 'kernel/', 'lib/', *CONTRACT),
    'include/kernel/': ('kernel/', 'lib/', 'arch/'),
    'include/kernel/console/': ('kernel/', 'mm/', 'lib/'),
    'include/virtio/': ('virtio/', 'kernel/', 'mm/', 'lib/', *CONTRACT),
    'include/arch/': ('arch/', 'kernel/', 'mm/', 'lib/'),
    'drivers/': PUBLIC,
    'kernel/': PUBLIC,
    'arch/': (*PUBLIC, 'asm/'),
}
# A driver knows of sections only what memory_block_info() tells an owner.
MM_ONLY = {'drivers/': ('mm/section.h', re.compile(r'\b(mem_section|section_root|walk_section)\b'))}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)


def rule_of(name: str) -> str | None:
    """Return the longest rule that matches a file."""
    return max((prefix for prefix in ALLOWED if name.startswith(prefix)), key=len, default=None)


def judge(name: str, bracket: str, target: str, allowed: tuple[str, ...]) -> str | None:
    """Return the reason why an include is not allowed, or None."""
    if bracket == '<':
        fine = target in FREESTANDING or (name, target) in HOSTED
        return None if fine else f'<{target}>: only freestanding headers may come from the compiler'
    if '..' in target:
        return f'"{target}": paths start at include/'
    if target.startswith('mm/') and os.path.exists(target):     # in mm/ itself, not in include/mm/
        return None if name.startswith('mm/') else f'"{target}" is for mm/ and tests/ only'
    if '/' not in target:       # a private header beside the file
        return None if not name.startswith('include/') else f'"{target}": the path of a public header starts at include/'
    own = os.path.dirname(name) + '/'
    if not target.startswith(allowed) and not (target.startswith(own) and own.count('/') > 1):
        return f'"{target}": {rule_of(name)} may include {", ".join(allowed)} only'
    return None


def reaches_in(name: str, code: list[str], original: list[str]) -> list[Finding]:
    """Find lines that include a header, or name (outside of comments) a symbol, that is private to mm/."""
    found = []
    for header, names in (rule for prefix, rule in MM_ONLY.items() if name.startswith(prefix)):
        for number, (bare, line) in enumerate(zip(code, original), 1):
            include, named = INCLUDE.match(line), names.search(bare)
            what = header if include and include[2] == header else named and named[0]
            if what:
                found.append(Finding(name, number, f'{what}: a driver asks memory_block_info()'))
    return found


def check() -> list[Finding]:
    """Find includes in the kernel's files that point in the wrong direction."""
    found = []
    for name in sources('.c', '.h', '.S'):
        rule = rule_of(name)
        if rule is None:
            continue
        code, original = without_comments(name).split('\n'), text(name).split('\n')
        found += reaches_in(name, code, original)
        for number, line in enumerate(original, 1):
            match = INCLUDE.match(line)
            if match and code[number - 1].lstrip().startswith('#'):
                reason = judge(name, match[1], match[2], ALLOWED[rule])
                if reason:
                    found.append(Finding(name, number, f'include {reason}'))
    return found
