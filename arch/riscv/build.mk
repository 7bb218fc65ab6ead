# SPDX-License-Identifier: BSD-2-Clause
# The symbol table of backtraces (arch/riscv/symbols.c): the kernel is linked once without it, its functions are
# listed in a table, and the real link takes the table along. linker.ld puts it behind everything else, so
# nothing moves; the table says how long the text was, and the kernel refuses one that does not fit.

$(addprefix $(O)/k/,$(addsuffix .nosymbols.elf,$(IMAGES))): $(O)/k/%.nosymbols.elf: linker.ld $(O)/k/.flags
	$(call say,LD,$@)$(call link,$@,$(OBJS_$*))
$(O)/k/ebb.nosymbols.elf: $(KERNEL_OBJS)
$(O)/k/ebb-test.nosymbols.elf: $(KERNEL_OBJS) $(TEST_OBJS)

$(O)/k/%.symbols.o: $(O)/k/%.nosymbols.elf arch/riscv/symbols.awk
	$(call say,SYMBOLS,$@)$(CROSS)nm -n $< | LC_ALL=C awk -f arch/riscv/symbols.awk >$(O)/k/$*.symbols.S
	$(Q)$(KCC) $(KCFLAGS) -c -o $@ $(O)/k/$*.symbols.S
