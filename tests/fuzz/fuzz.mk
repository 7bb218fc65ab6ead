# SPDX-License-Identifier: BSD-2-Clause
# Fuzzers: each tests/fuzz/fuzz_NAME.c is a libFuzzer program, linked with lib/ and with what FUZZ_SRCS_fuzz_NAME and
# FUZZ_LIBS_fuzz_NAME (below) add. tests/fuzz/corpus/fuzz_NAME/, if there, holds inputs to start from.

FUZZCC ?= $(firstword $(foreach c,clang-19 clang-20 clang-21 clang-22 clang clang-14,\
	$(if $(shell command -v $(c)),$(c))) clang-19)
FUZZ_SAN := address,undefined
FUZZ_CFLAGS := $(CSTD) $(WARN) -O1 -g -MMD -MP -Iinclude -Itests/host/include -I. -DEBB_DEBUG=1 \
	-fno-sanitize-recover=all -fsanitize=fuzzer-no-link,$(FUZZ_SAN)

FUZZ_LIBS_fuzz_fdt := -lfdt
FUZZ_SRCS_fuzz_buddy := $(HOST_LIB)
FUZZ_SRCS_fuzz_virtio_mem := $(HOST_LIB) $(wildcard tests/fake/*.c)

FUZZ_NAMES := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
FUZZERS += $(addprefix $(O)/fuzz/,$(FUZZ_NAMES))
fuzz_objs = $(patsubst %,$(O)/fuzz/o/%.o,$(sort tests/fuzz/$(1).c $(wildcard lib/*.c) $(FUZZ_SRCS_$(1))))
$(foreach n,$(FUZZ_NAMES),$(eval $(O)/fuzz/$(n): $(call fuzz_objs,$(n))))

$(addprefix $(O)/fuzz/,$(FUZZ_NAMES)): $(O)/fuzz/%:
	@mkdir -p $(O)/fuzz-corpus/$*; cp -n tests/fuzz/corpus/$*/* $(O)/fuzz-corpus/$*/ 2>/dev/null || :
	$(call say,FUZZLD,$@)$(FUZZCC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^ $(FUZZ_LIBS_$*)

$(O)/fuzz/o/%.o: %
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)$(FUZZCC) $(FUZZ_CFLAGS) -c -o $@ $<

-include $(wildcard $(O)/fuzz/o/*/*.d $(O)/fuzz/o/*/*/*.d)
