# SPDX-License-Identifier: BSD-2-Clause
"""A kernel that does nothing, for tests in which a program plays QEMU."""

import struct

BASE, HEADS, CODE = 0x80200000, 64 + 56, bytes.fromhex('6f000000')      # code: a jump to itself


def stub_kernel(entry: int = BASE) -> bytes:
    """Return an ELF file for 64-bit RISC-V with one program header."""
    head = struct.pack('<16sHHIQQQIHHHHHH', b'\x7fELF\x02\x01\x01', 2, 243, 1, entry, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return head + struct.pack('<IIQQQQQQ', 1, 5, HEADS, BASE, BASE, len(CODE), len(CODE), 4) + CODE
