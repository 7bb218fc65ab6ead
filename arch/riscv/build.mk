# SPDX-License-Identifier: BSD-2-Clause
# The symbol table of backtraces (arch/riscv/symbols.c): the kernel is linked once without it, its functions are
# listed in a table, and the real link takes the table along. linker.ld puts it behind everything else, so
# nothing moves; the table says how long the text was, and the kernel refuses one that does not fit.

SYMBOLS_INPUT := $(KERNEL_OBJS)
KERNEL_OBJS += $(O)/k/symbols.o

$(O)/k/nosymbols.elf: $(SYMBOLS_INPUT) linker.ld $(O)/k/.flags
	$(call say,LD,$@)$(CROSS)ld $(KLDFLAGS) -T linker.ld -o $@ $(SYMBOLS_INPUT) \
		"$$($(KCC) -march=rv64imac -mabi=lp64 -print-libgcc-file-name)"

$(O)/k/symbols.o: $(O)/k/nosymbols.elf arch/riscv/symbols.awk
	$(call say,SYMBOLS,$@)$(CROSS)nm -n $< | LC_ALL=C awk -f arch/riscv/symbols.awk >$(O)/k/symbols.S
	$(Q)$(KCC) $(KCFLAGS) -c -o $@ $(O)/k/symbols.S
