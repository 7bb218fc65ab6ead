# SPDX-License-Identifier: BSD-2-Clause
"""Numbers that a user types, for all tools: sizes, counts, seconds. Other texts are refused with a reason."""

from __future__ import annotations

import re

UNITS = 'KMGT'
SIZE = re.compile(r'0*(0x[0-9a-f]{1,16}|[0-9]{1,20})([KMGT]?)(i?B)?', re.ASCII | re.IGNORECASE)
NUMBER = re.compile(r'[0-9]{1,9}(\.[0-9]{1,9})?', re.ASCII)


def parse_size(text: str) -> int:
    """Return the bytes of '128M', '4G', '1GiB', '2097152' or '0x200000'. Raises ValueError with a sentence for the user."""
    match = SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f'{text!r} is not a size; sizes look like 128M, 4G or 0x200000')
    size = int(match[1], 16 if match[1][1:2] in ('x', 'X') else 10)
    size <<= 10 * (UNITS.index(match[2].upper()) + 1) if match[2] else 0
    if size >= 1 << 64:
        raise ValueError(f'{text!r} does not fit in 64 bits')
    return size


def format_size(size: int) -> str:
    """Return the shortest exact way to write a size: 128M, 1536K, 5."""
    for power in (3, 2, 1):
        if size and size % (1 << 10 * power) == 0:
            return f'{size >> 10 * power}{UNITS[power - 1]}'
    return str(size)


def count(number: int, noun: str) -> str:
    """Write a number of things: 1 page, 2 pages."""
    return f'{number} {noun}{"" if number == 1 else "s"}'


def parse_number(text: str, low: float, high: float, what: str) -> float:
    """Parse a plain number from low to high: no sign, no exponent, no NaN. Raises ValueError with a sentence for the user."""
    match = NUMBER.fullmatch(text)
    if not match or not low <= float(text) <= high:
        raise ValueError(f'{text!r} is not {what} from {low:g} to {high:g}')
    return float(text)


def whole(low: int, high: int):
    """Return a type for argparse: a whole number from low to high."""
    def number(text: str) -> int:
        if not re.fullmatch('[0-9]{1,20}', text, re.ASCII) or not low <= int(text) <= high:
            from argparse import ArgumentTypeError      # pylint: disable=import-outside-toplevel
            raise ArgumentTypeError(f'{text!r} is not a whole number from {low} to {high}')
        return int(text)
    return number
