# SPDX-License-Identifier: BSD-2-Clause
"""The only list of the things that differ between two runs of a page. Everything else is compared character by character."""

from __future__ import annotations

import re

# (what it is, what it looks like, what stands for it)
VARIES = (
    ('the time of a message', r'^\[ *\d+\.\d{6}\]', '[TIME]'),
    ('how long a failed request took, if it took a millisecond', r' \(\d+ ms\)|(?<=\w), \d+ ms(?=\))', ''),
    ('how long something took', r'(\bafter |\bwithin |\bfor |, )\d+(\.\d+)? (ms|s)\b', r'\1TIME'),
    ('an address of the kernel', r'0x[fF]{8}[0-9a-fA-F]{8}\b', 'ADDRESS'),
    ('the thread, the hart and the time of a record', r'^ +ebb-\d+ +\[\d+\] \S+ +\d+\.\d{6}:', 'RECORD:'),
    ('the version', r'\bfirst light \(\d+\.\d+\.\d+\)', 'first light (VERSION)'),
    ('the path of the checkout', r'(?<![\w./])/[\w./-]*/build/', 'CHECKOUT/build/'),
    ('a seed', r'\b(SEED|ktest\.seed)=\d+', r'\1=SEED'),
    ('how long interrupts were off', r'\boff for \d+ ns at most, by \w+', 'off for TIME at most'),
    ('a line of a source file', r'(?<=\.c, line )\d+', 'N'),
    ('a line of the Makefile', r'\[Makefile:\d+:', '[Makefile:N:'),
)
RULES = [(re.compile(pattern), stands) for _, pattern, stands in VARIES]


def normal(line: str) -> str:
    """Return a line without the parts that differ between two runs."""
    for pattern, stands in RULES:
        line = pattern.sub(stands, line)
    return line.rstrip()


def matches(shown: list[str], seen: list[str]) -> bool:
    """Return True if a run printed what the page shows. A line `...` of the page stands for any number of lines."""
    want, have = [normal(line) for line in shown], [normal(line) for line in seen]
    parts: list[list[str]] = [[]]
    for line in want:
        if line.strip() == '...':
            parts.append([])
        else:
            parts[-1].append(line)
    if len(parts) == 1:
        return want == have
    first, last = parts[0], parts[-1]
    if have[:len(first)] != first or len(have) < len(first) + len(last) or have[len(have) - len(last):] != last:
        return False
    have = have[len(first):len(have) - len(last)]
    for part in parts[1:-1]:
        at = next((at for at in range(len(have) - len(part) + 1) if have[at:at + len(part)] == part), None)
        if at is None:
            return False
        have = have[at + len(part):]
    return True
