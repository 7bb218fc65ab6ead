# SPDX-License-Identifier: BSD-2-Clause
# The symbol table of backtraces (arch/riscv/symbols.c): a first link without it yields the functions for the table,
# and the final link includes the table. linker.ld puts it behind everything else, so nothing moves. The table states
# the length of the text, and the kernel refuses a table that does not match.

$(addprefix $(O)/k/,$(addsuffix .nosymbols.elf,$(IMAGES))): $(O)/k/%.nosymbols.elf: linker.ld $(O)/k/.flags
	$(call say,LD,$@)$(call link,$@,$(OBJS_$*))
$(O)/k/ebb.nosymbols.elf: $(KERNEL_OBJS)
$(O)/k/ebb-test.nosymbols.elf: $(KERNEL_OBJS) $(TEST_OBJS)

$(O)/k/%.symbols.o: $(O)/k/%.nosymbols.elf arch/riscv/symbols.awk
	$(call say,SYMBOLS,$@)$(CROSS)nm -n $< | LC_ALL=C awk -f arch/riscv/symbols.awk >$(O)/k/$*.symbols.S
	$(Q)$(KCC) $(KCFLAGS) -c -o $@ $(O)/k/$*.symbols.S
