# SPDX-License-Identifier: BSD-2-Clause
# Commands for ebb in gdb; loaded by tools/gdb/attach before the kernel's symbols.
set architecture riscv:rv64
set confirm off
set pagination off
set print pretty on
set disassemble-next-line auto

define mm-page
    set $page = vmemmap + ($arg0)
    printf "pfn 0x%lx: descriptor at %p, word 0x%x, count %u, owner 0x%lx\n", (unsigned long)($arg0), $page, $page->word, $page->count, $page->owner
end
document mm-page
mm-page PFN: the page descriptor of a frame, as it is in memory. If its pageblock is uniform, the
descriptor has not been written; the console's dump_page shows the frame's state.
end

define harts
    info threads
end
document harts
harts: what each hart is doing.
end
