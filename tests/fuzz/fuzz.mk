# SPDX-License-Identifier: BSD-2-Clause
# Fuzzers: each tests/fuzz/fuzz_NAME.c is a libFuzzer program, linked with lib/ and with the additions in
# FUZZ_SRCS_fuzz_NAME and FUZZ_LIBS_fuzz_NAME (below). tests/fuzz/corpus/fuzz_NAME/, if it exists, has the initial
# inputs.

FUZZCC ?= $(firstword $(foreach c,clang-19 clang-20 clang-21 clang-22 clang clang-14,\
	$(if $(shell command -v $(c)),$(c))) clang-19)
FUZZ_SAN := address,undefined
# "never": a thread that ends would leak ASan's fake stack, 170 KB of memory for each input that starts two threads.
FUZZ_CFLAGS := $(CSTD) $(WARN) -O1 -g -MMD -MP -Iinclude -Itests/host/include -I. -DEBB_DEBUG=1 \
	-fno-sanitize-recover=all -fsanitize=$(FUZZ_SAN) -fsanitize-address-use-after-return=never
FUZZ_COV := -fsanitize=fuzzer-no-link

FUZZ_LIBS_fuzz_fdt := -lfdt
# The byte-per-frame model and the replay of the trace, shared by two fuzzers.
FUZZ_MODEL := tests/fuzz/memory.c $(addprefix tests/model/,frames.c request.c frame_steps.c evac_steps.c replay.c)
FUZZ_BLOCKS := $(addprefix tests/model/,blocks.c block_requests.c block_parts.c block_steps.c listeners.c)
# The fuzzers explore the kernel, not the code that checks it.
$(patsubst %,$(O)/fuzz/o/%.o,$(FUZZ_MODEL) $(FUZZ_BLOCKS)): FUZZ_COV :=
FUZZ_SRCS_fuzz_buddy := $(HOST_LIB) $(FUZZ_MODEL)
FUZZ_SRCS_fuzz_hotplug := $(FUZZ_SRCS_fuzz_buddy) $(FUZZ_BLOCKS)
FUZZ_SRCS_fuzz_virtio_mem := $(HOST_LIB) $(wildcard tests/fake/*.c)

FUZZ_NAMES := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
FUZZERS += $(addprefix $(O)/fuzz/,$(FUZZ_NAMES))
fuzz_objs = $(patsubst %,$(O)/fuzz/o/%.o,$(sort tests/fuzz/$(1).c tests/fuzz/failed.c $(wildcard lib/*.c) $(FUZZ_SRCS_$(1))))
$(foreach n,$(FUZZ_NAMES),$(eval $(O)/fuzz/$(n): $(call fuzz_objs,$(n))))

$(addprefix $(O)/fuzz/,$(FUZZ_NAMES)): $(O)/fuzz/%:
	@mkdir -p $(O)/fuzz-corpus/$*; cp -n tests/fuzz/corpus/$*/* $(O)/fuzz-corpus/$*/ 2>/dev/null || :
	$(call say,FUZZLD,$@)$(FUZZCC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^ $(FUZZ_LIBS_$*)

$(O)/fuzz/o/%.o: %
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)$(FUZZCC) $(FUZZ_CFLAGS) $(FUZZ_COV) -c -o $@ $<

# fuzz_console is not a libFuzzer program and needs no clang: it derives its steps from a seed (tests/fuzz/console/).
# The code that it explores is built so that harts on one host thread take turns in each basic block
# (tests/host/turns.c).
CONSOLE_TURNS := $(filter-out lib/% tests/%,$(HOST_LIB))
CONSOLE_REST := $(filter-out $(CONSOLE_TURNS) tests/runner/%,$(HOST_LIB)) $(wildcard tests/fake/*.c tests/fuzz/console/*.c)
CONSOLE_OBJS := $(CONSOLE_TURNS:%.c=$(O)/host/turns/%.o) $(CONSOLE_REST:%.c=$(O)/host/asan/%.o)
FUZZERS += $(O)/fuzz/fuzz_console

$(O)/fuzz/fuzz_console: $(CONSOLE_OBJS)
	@mkdir -p $(@D)
	$(call say,HOSTLD,$@)$(HOSTCC) $(HOST_ASAN) -o $@ $^

$(O)/host/turns/%.o: %.c $(O)/host/.flags
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_ASAN) -fsanitize-coverage=trace-pc -c -o $@ $<

# The same steps as text, for the scenario two_consoles.
TEST_NEEDS += $(O)/fuzz/console_lines
$(O)/fuzz/console_lines: $(patsubst %,$(O)/host/asan/tests/fuzz/%.o,console_lines console/lines)
	@mkdir -p $(@D)
	$(call say,HOSTLD,$@)$(HOSTCC) $(HOST_ASAN) -o $@ $^

# corpus-fuzz_NAME: the files of a corpus as a test of the host, by gcc under ASan and UBSan (tests/fuzz/corpus.c).
# The corpus of fuzz_fdt needs Debian's libfdt, which only `make fuzz` installs.
CORPUS_NAMES := $(filter-out $(if $(wildcard /usr/include/libfdt.h),,fuzz_fdt),$(notdir $(wildcard tests/fuzz/corpus/*)))
CORPUS_CASES_fuzz_hotplug := tests/fuzz/emit_calls.c
HOST_TESTS += $(addprefix $(O)/host/corpus-,$(CORPUS_NAMES))
# The tools' tests let this program write a session.
TEST_NEEDS += $(O)/host/corpus-fuzz_hotplug
corpus_objs = $(patsubst %.c,$(O)/host/asan/%.o,$(sort tests/fuzz/$(1).c tests/fuzz/failed.c tests/fuzz/corpus.c \
	$(CORPUS_CASES_$(1)) $(wildcard lib/*.c) $(FUZZ_SRCS_$(1))))
$(foreach n,$(CORPUS_NAMES),$(eval $(O)/host/corpus-$(n): $(call corpus_objs,$(n))))

$(addprefix $(O)/host/corpus-,$(CORPUS_NAMES)): $(O)/host/corpus-%:
	$(call say,HOSTLD,$@)$(HOSTCC) $(HOST_ASAN) -o $@ $^ $(FUZZ_LIBS_$*)

-include $(wildcard $(O)/host/asan/tests/fuzz/*.d $(O)/host/asan/tests/model/*.d)
-include $(CONSOLE_TURNS:%.c=$(O)/host/turns/%.d) $(wildcard $(O)/host/asan/tests/fuzz/console/*.d)
-include $(wildcard $(addprefix $(O)/fuzz/o/,*/*.d */*/*.d */*/*/*.d))

fuzz: ## run all fuzzers, T=60 seconds altogether; SEED=N repeats the sessions of fuzz_console
	$(SETUP) fuzz
	$(MAKEO) fuzz-now

fuzz-now: $(FUZZERS)
	@tools/fuzz $(FUZZERS)

soak: ## two consoles type N=100000 commands at a machine that is resized: SEED= SMP=4 TRANSPORT=pci|mmio
	$(SETUP) test
	$(MAKEO) build $(O)/fuzz/console_lines
	@N=$(or $(N),100000) python3 tests/scenarios/main.py two_consoles --smp $(or $(SMP),4) \
		--transport $(or $(TRANSPORT),pci) --out '$(O)'
.PHONY: fuzz fuzz-now soak
