# SPDX-License-Identifier: BSD-2-Clause
"""The budget table: for each row of `make bench` the bound that must hold, the goal, the limit, and Linux's figures.

A limit is the work that no kernel with this interface can leave out. It was counted or measured in a small program
that does only this work (13 instructions for a change of a pageblock's word, 2.4 for writing a descriptor), so the difference
between a row and its limit is ebb's own work. Linux is 7.2.13, in two configurations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Budget:
    """A row of the table. None: no figure. @limit_is lists the work that makes up the limit."""
    must: float | None
    goal: float | None
    limit: float | None = None
    limit_is: str = ''
    linux: tuple[float, float] | None = None    # the lowest and the highest figure
    more: bool = False                          # a larger value is better


def named_bytes() -> int:
    """Find the bytes of the image that docs/explanation/size.md names for all capabilities together."""
    page = (TOP / 'docs' / 'explanation' / 'size.md').read_text(encoding='utf-8')
    return sum(int(row[1].replace(',', '')) for row in re.finditer(r'^\|[^|]+\|[^|]+\| [\d,]+ \| ([\d,]+) \|$', page, re.M))


BUDGETS = {
    'page_meta_bytes': Budget(16.2, 1, 16, 'a descriptor', (64, 64)),
    'order0_pair': Budget(95, 78, 33, 'a pop, a push, a check, two stores, two calls: 20; the loop: 13', (785, 1_313)),
    'order9_pair': Budget(140, 100, 43, 'a change of the pageblock each way: 30; the loop: 13', (5_002, 6_520)),
    'rand_free': Budget(350, 142, 25, 'the check, the descriptor, the free bit', (510, 510)),
    'bulk_free_shuffled': Budget(250, 120, 25, 'the check, the descriptor, the free bit'),
    'churn_0': Budget(150, 110, 50, 'the check, the descriptor, the free bit, each way'),
    'mix_0_4': Budget(270, 190, 50, 'the check, the descriptor, the free bit, each way'),
    'pair_counted': Budget(120, 95, 37, 'order0_pair, and the count is set and cleared'),
    'bulk_alloc': Budget(10, 9, 4, 'a descriptor and a frame number are stored', (561, 659)),
    'bulk_free': Budget(22, 12, 5, 'a frame number is loaded, a descriptor is checked and stored', (531, 635)),
    'contig_4m': Budget(600, 300, 26, '2 pageblocks change', (51_000, 175_000)),
    'contig_4m_cached': Budget(None, None),
    'contig_128m': Budget(2_500, 1_200, 832, '64 pageblocks change', (2.3e6, 2.6e6)),
    'online_128m': Budget(7_500, 5_000, 394, '64 words of pageblocks are written', (1.6e6, 6.0e6)),
    'online_touch_128m': Budget(150_000, 100_000, 79_000, '32,768 descriptors are written'),
    'offline_128m': Budget(7_500, 5_000, 841, '64 pageblocks change', (2.2e6, 9.8e6)),
    'plug_1g': Budget(70_000, 45_000, 3_200, '8 times online_128m, and a request', (13.2e6, 15.2e6)),
    'plug_1g_requests': Budget(1, 1, 1, 'a request can name 128 GiB', (8, 8)),
    'unplug_1g': Budget(70_000, 45_000, 6_700, '512 pageblocks change, and a request', (59.7e6, 72.7e6)),
    'unplug_1g_requests': Budget(1, 1, 1, 'a request can name 128 GiB', (8, 8)),
    'unplug_used_1g': Budget(2.0, 1.4, 1, 'the copy'),
    'unplug_used_1g_3': Budget(2.0, 1.4, 1, 'the copy'),
    'migrate_page': Budget(1.3, 1.1, 1, 'the copy', (3.9, 4.1)),
    'online_growth': Budget(1.05, 1.01, 1, 'no growth', (3.9, 3.9)),
    'offline_traced': Budget(30_000, 22_000, 841, 'as offline_128m: tracing costs nothing'),
    'meminfo_64g': Budget(100_000, 20_000, 2_000, 'five numbers are printed'),
    'buddyinfo_64g': Budget(2e6, None, 131_000, 'a step of 4 instructions for each pageblock'),
    'map_64g': Budget(2e6, None, 262_000, 'a letter, of 8 instructions, for each pageblock'),
    'lsmem_64g': Budget(2e6, None, 410_000, 'a line of 80 letters for each block, 10 instructions a letter'),
    'census_64g': Budget(2e6, None, 131_000, 'a step of 4 instructions for each pageblock'),
    'announce_1t': Budget(300_000, 100_000, 0, 'what is not plugged costs nothing'),
    'announce_1t_bytes': Budget(1 << 20, 256 << 10, 0, 'what is not plugged needs nothing'),
    'unplug_success': Budget(99.5, 100, 100, 'all of it', (87.9, 92.4), more=True),
    'unplug_success_requests': Budget(4, 1, 1, 'a request can name 128 GiB', (347, 450)),
    'unmovable_fits': Budget(100, 100, 100, 'all requests', more=True),
    'free_huge_after_churn': Budget(None, 93.2, 100, 'free frames lie together; goal: LLFree', (0.3, 0.3), more=True),
    'contention_4': Budget(1.5, 1.1, 1, 'sharing costs nothing'),
    'boot': Budget(400_000, 250_000, None, '', (52e6, 57e6)),
    'irqs_off_offline': Budget(2_000, None),
    'irqs_off_online': Budget(2_000, None),
    'irqs_off_contig': Budget(2_000, None),
    'irqs_off_wait': Budget(5_000, None),
    'irqs_off_refused': Budget(40_000, None),
    'irqs_off_message': Budget(40_000, None),
    'irqs_off_dmesg': Budget(40_000, None),
    'image_bytes': Budget((240 << 10) + named_bytes(), 192 << 10, None, '', (4.05e6, 4.05e6)),
}


# `make bench NATIVE=1`: the host's ns for ebb's allocator, divided by those for the list buddy of tests/mm/.
NATIVE = {
    'pair': Budget(None, None),
    'pair_9': Budget(1.0, None),
    'singles': Budget(None, None),
    'rand_free': Budget(1.4, 1.0),
    'churn_0': Budget(0.9, 0.7),
    'mix_0_4': Budget(1.6, 1.2),
}


def figure(value: float | None) -> str:
    """Format a number as the table shows it."""
    if value is None:
        return '-'
    return f'{value:,.0f}' if value >= 100 or value == int(value) else f'{value:,.2f}'


def short(value: float) -> str:
    """Format a figure of another kernel, with three digits."""
    if value >= 1e6:
        return f'{value / 1e6:.3g}M'
    return f'{value / 1e3:.3g}k' if value >= 1e4 else f'{value:,g}'


def linux(budget: Budget) -> str:
    """Format Linux's figures."""
    return '-' if budget.linux is None else '-'.join(dict.fromkeys(short(value) for value in budget.linux))


def verdict(name: str, value: float, budgets: dict[str, Budget] = BUDGETS) -> str:
    """Return 'goal', 'ok' or 'OVER'; '' for a row without a bound."""
    budget = budgets.get(name)
    if budget is None or budget.must is None:
        return ''
    sign = -1 if budget.more else 1
    return ('goal' if budget.goal is not None and sign * value <= sign * budget.goal else
            'ok' if sign * value <= sign * budget.must else 'OVER')


# --- the README's table -----------------------------------------------------------------------------------------------

ROW = re.compile(r'^\| `(\w+)` \((\w+)\) \| ([\d.,]+) \|.*$', re.M)


def readme_row(name: str, unit: str, value: float) -> str:
    """Make a row of the README's table."""
    budget = BUDGETS[name]
    return f'| `{name}` ({unit}) | {figure(value)} | {figure(budget.must)} | {figure(budget.goal)} | {figure(budget.limit)} |' \
           f' {linux(budget)} |'


def readme(page: str, measured: dict[str, float], near: float = 0) -> str:
    """Return the page with the measured figures and this file's bounds. A figure within @near of the measured one stays."""
    def row(old: re.Match) -> str:
        if old[1] not in BUDGETS:
            return old[0]
        before = float(old[3].replace(',', ''))
        value = measured.get(old[1], before)
        return readme_row(old[1], old[2], before if abs(before - value) <= near * value else value)
    return ROW.sub(row, page)
