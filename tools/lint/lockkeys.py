# SPDX-License-Identifier: BSD-2-Clause
"""Each field that several harts could touch says what protects it, FreeBSD's way: letters after the field are a key, and the
file explains each key.

    /*
     * Lock keys:
     *   (c) constant after start
     *   (l) @lock
     */
    struct thing {
            spinlock_t lock;
            u32 count;      /* (l) */
            u32 size;       /* (c) */
    };

This holds for each struct that has a lock in it, and for the structs in LISTED. Locks themselves have no key. A field or
variable under a global lock is also __guarded_by() that lock, which clang's thread-safety analysis checks.
"""

from __future__ import annotations

import re

from lint.common import Finding, KERNEL_DIRS, sources, text

LISTED = {'mem_section', 'zone', 'mm', 'pcp', 'hart', 'thread', 'virtio_mem', 'virtqueue', 'trace_ring'}
STRUCT = re.compile(r'^(?:typedef |static )?struct (?:__capability\("\w+"\) )?(?P<name>\w+) \{\n(?P<body>.*?)^\}', re.M | re.S)
LOCK = re.compile(r'^\s*(?:spinlock_t|struct (?:mutex|wait_queue|notifier_chain)) \w+;')
KEYS = re.compile(r'/\* \((?P<keys>\w(?:, \w)*)\)')
LEGEND = re.compile(r'^ \* Lock keys:\n(?P<lines>(?: \* .*\n)+)', re.M)
EXPLAINED = re.compile(r'^ \* +\((?P<key>\w)\) \S', re.M)


def judge_struct(path: str, first_line: int, match: re.Match, explained: set[str]) -> tuple[list[Finding], set[str]]:
    """Return the fields of a struct that have no key, or a key without an explanation; and the keys that the struct uses."""
    found, used = [], set()
    for number, line in enumerate(match['body'].split('\n'), first_line + 1):
        if ';' not in line.split('/*')[0] or LOCK.match(line):
            continue
        field = line.split(';')[0].split('/*')[0].strip()
        keys = KEYS.search(line)
        if not keys:
            found.append(Finding(path, number, f'struct {match["name"]}: "{field}" has no lock key'))
            continue
        for key in keys['keys'].split(', '):
            used.add(key)
            if key not in explained:
                found.append(Finding(path, number, f'struct {match["name"]}: the lock key ({key}) is not explained in this file'))
    return found, used


def judge(path: str, source: str) -> tuple[list[Finding], set[str]]:
    """Return the faults of a file's lock keys, and the structs of LISTED that the file has."""
    found, seen, used = [], set(), set()
    explained = {key for legend in LEGEND.finditer(source) for key in EXPLAINED.findall(legend['lines'])}
    for match in STRUCT.finditer(source):
        if match['name'] not in LISTED and not any(map(LOCK.match, match['body'].split('\n'))):
            continue
        seen.add(match['name'])
        wrong, keys = judge_struct(path, source.count('\n', 0, match.start()) + 1, match, explained)
        found += wrong
        used |= keys
    found += [Finding(path, 0, f'the lock key ({key}) is explained, and no field has it') for key in sorted(explained - used)]
    return found, seen & LISTED


def check() -> list[Finding]:
    """Check the lock keys of the kernel's structs."""
    found, missing = [], set(LISTED)
    for path in sources('.c', '.h', under=KERNEL_DIRS):
        wrong, seen = judge(path, text(path))
        found += wrong
        missing -= seen
    return found + [Finding('tools/lint/lockkeys.py', 0, f'there is no struct {name}: take it off the list')
                    for name in sorted(missing)]
