# SPDX-License-Identifier: BSD-2-Clause
"""Checks of the kernel's sources by other compilers."""

from __future__ import annotations

import subprocess

from lint.common import Finding, KERNEL_CFLAGS, Skip, clang, compile_all, cross_gcc, sources

RISCV_GCC = ['-march=rv64imac', '-mabi=lp64', '-misa-spec=2.2', '-mcmodel=medany']
RISCV_CLANG = ['--target=riscv64-unknown-elf', '-march=rv64imac_zicsr_zifencei', '-mabi=lp64', '-mcmodel=medany']


def portable() -> list[Finding]:
    """Compile mm/ and lib/ for a machine without assembly, C library, or anything outside the contract."""
    command = [clang(), '--target=wasm64-unknown-unknown', *KERNEL_CFLAGS, '-Itests/host/include']
    targets = subprocess.run([clang(), '--print-targets'], capture_output=True, text=True, check=False).stdout
    if 'wasm64' not in targets:
        raise Skip(f'{clang()} has no wasm64; type: tools/setup lint')
    return compile_all(command, sources('.c', under=('mm', 'lib')))


def lock_contracts(names: list[str]) -> list[Finding]:
    """Check lock annotations, and clang's other warnings, in some files."""
    return compile_all([clang(), *RISCV_CLANG, *KERNEL_CFLAGS, '-Iarch/riscv/include', '-Wthread-safety'], names)


def thread_safety() -> list[Finding]:
    """Check lock annotations in all files of the kernel."""
    return lock_contracts(sources('.c', under=('arch', 'kernel', 'mm', 'drivers', 'lib')))


def headers() -> list[Finding]:
    """Compile each header alone."""
    command = [cross_gcc(), *RISCV_GCC, *KERNEL_CFLAGS, '-Iarch/riscv/include', '-x', 'c']
    return compile_all(command, sources('.h', under=('include', 'arch', 'mm', 'kernel', 'drivers')))
