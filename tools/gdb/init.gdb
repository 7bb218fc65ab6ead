# SPDX-License-Identifier: BSD-2-Clause
# Settings of gdb for ebb; loaded by tools/gdb/attach before the kernel's symbols.
set architecture riscv:rv64
set confirm off
set pagination off
set print pretty on
set disassemble-next-line auto

define harts
    info threads
end
document harts
harts: what each hart is doing.
end
