# SPDX-License-Identifier: BSD-2-Clause
"""Records of the trace as text, with the words of the kernel's own tables."""

from __future__ import annotations

import re

from replay import Record


def as_text(record: Record, hertz: int, events: dict[int, tuple[str, str]], words: dict[str, dict[int, str]]) -> str:
    """Return a line of ftrace's text form; the event's words come from the ELF file."""
    name, form = events.get(record.event, ('?:unknown', f'event={record.event}'))
    values = record._asdict() | {'end': record.pfn + record.count}

    def value(match: re.Match) -> str:
        number = values.get(match[1], 0)
        if match[2] and match[2] != 'pfn':
            return words.get(match[2], {}).get(number, str(number))
        return f'{number:x}' if 'pfn' in match.groups() or match[1] == 'end' else str(number)

    usec = record.time * 1000000 // (1000000000 if record.hart == 0xff else hertz or 1000000000)
    who = 'device' if record.hart == 0xff else 'ebb'
    return (f'{who:>16}-{0:<7} [{record.hart:03}] ..... {usec // 1000000:5}.{usec % 1000000:06}: {name.split(":")[1]}: '
            f'{re.sub("{([a-z]+)(?::([a-z_]+))?}", value, form)}')
