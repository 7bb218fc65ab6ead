# SPDX-License-Identifier: BSD-2-Clause
"""What other compilers say about the kernel's sources."""

from __future__ import annotations

import subprocess

from lint.common import Finding, KERNEL_CFLAGS, Skip, clang, compile_all, cross_gcc, sources

RISCV_GCC = ['-march=rv64imac', '-mabi=lp64', '-misa-spec=2.2', '-mcmodel=medany']
RISCV_CLANG = ['--target=riscv64-unknown-elf', '-march=rv64imac_zicsr_zifencei', '-mabi=lp64', '-mcmodel=medany']


def portable() -> list[Finding]:
    """mm/ and lib/ for a machine that is none: no assembly, no C library, nothing outside of the contract."""
    command = [clang(), '--target=wasm64-unknown-unknown', *KERNEL_CFLAGS, '-Itests/host/include']
    targets = subprocess.run([clang(), '--print-targets'], capture_output=True, text=True, check=False).stdout
    if 'wasm64' not in targets:
        raise Skip(f'{clang()} has no wasm64; type: tools/setup lint')
    return compile_all(command, sources('.c', under=('mm', 'lib')))


def lock_contracts(names: list[str]) -> list[Finding]:
    """Lock annotations, and clang's other warnings, for some files."""
    return compile_all([clang(), *RISCV_CLANG, *KERNEL_CFLAGS, '-Iarch/riscv/include', '-Wthread-safety'], names)


def thread_safety() -> list[Finding]:
    """The same for everything in the kernel."""
    return lock_contracts(sources('.c', under=('arch', 'kernel', 'mm', 'drivers', 'lib')))


def headers() -> list[Finding]:
    """Each header compiles alone."""
    command = [cross_gcc(), *RISCV_GCC, *KERNEL_CFLAGS, '-Iarch/riscv/include', '-x', 'c']
    return compile_all(command, sources('.h', under=('include', 'arch', 'mm', 'kernel', 'drivers')))
