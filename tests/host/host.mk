# SPDX-License-Identifier: BSD-2-Clause
# Host programs: the kernel's portable sources with the machine contract of tests/host, under sanitizers.
#
# All of lib/ mm/ kernel/ drivers/virtio/ is portable, except HOST_NOT: start-up (main.c smp.c), stacks in mapped frames
# (stack.c; the host's are in tests/host/fiber.c), trace rings in boot memory (trace_boot.c), the thread that reads the
# terminal (terminal.c), crashes on purpose (cmd_crash.c), and the two real transports. The test runner is included.
#
# ktest-tsan is the same program under ThreadSanitizer, built by clang, with four harts.
#
# Fuzzers link HOST_LIB without main.c, and call host_init() of tests/host/host.h first.
HOST_NOT := kernel/main.c kernel/smp.c kernel/stack.c kernel/trace/trace_boot.c kernel/console/terminal.c \
	kernel/console/cmd_crash.c drivers/virtio/virtio_mmio.c drivers/virtio/virtio_pci.c
HOST_PLATFORM := $(addprefix tests/host/,platform.c turns.c memory.c fiber.c devices.c boot.c)
HOST_LIB := $(filter-out $(HOST_NOT),$(foreach d,lib mm kernel kernel/* drivers/virtio drivers/virtio/* tests/runner,\
	$(wildcard $(d)/*.c))) $(HOST_PLATFORM)
HOST_SUITES := $(filter-out tests/runner/% tests/arch/% tests/bench/%,$(TSOURCES))
HOST_SOURCES := $(HOST_LIB) $(HOST_SUITES) tests/host/main.c $(wildcard tests/host/*_test.c)

HOST_CPPFLAGS := -Iinclude -Itests/host/include -Itests/host -I. -DEBB_DEBUG=$(DEBUG)
HOST_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_TSAN := -fsanitize=thread
# This makes clang do what gcc does with -fno-inline-functions: inline only functions that are marked inline.
TSAN_CALLS := -fno-optimize-sibling-calls -finline-hint-functions
TSANCC ?= $(firstword $(foreach c,clang-19 clang-20 clang-21 clang-22,$(if $(shell command -v $(c)),$(c))))

HOST_OBJS := $(addprefix $(O)/host/asan/,$(HOST_SOURCES:.c=.o))
TSAN_OBJS := $(addprefix $(O)/host/tsan/,$(HOST_SOURCES:.c=.o))
HOST_TESTS += $(O)/host/ktest

$(O)/host/ktest: $(HOST_OBJS)
	$(call say,HOSTLD,$@)$(HOSTCC) $(HOST_ASAN) -o $@ $(HOST_OBJS) -lpthread

$(O)/host/asan/%.o: %.c $(O)/host/.flags
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_ASAN) $(if $(filter tests/%,$<),$(TEST_CALLS)) \
		-c -o $@ $<

$(O)/host/ktest-tsan: $(TSAN_OBJS)
	$(call say,HOSTLD,$@)$(TSANCC) $(HOST_TSAN) -o $@ $(TSAN_OBJS) -lpthread

$(O)/host/tsan/%.o: %.c $(O)/host/.flags
	@mkdir -p $(@D)
	$(call say,TSANCC,$<)$(TSANCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_TSAN) $(if $(filter tests/%,$<),$(TSAN_CALLS)) \
		-c -o $@ $<

# A changed compiler or flag rebuilds the objects.
$(O)/host/.flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(HOSTCC) $(TSANCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_ASAN) $(HOST_TSAN) \
		$(TSAN_CALLS) $(TEST_CALLS)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Removing a source file relinks the program without it.
$(O)/host/ktest: $(O)/host/asan/.list
$(O)/host/asan/.list: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(HOST_OBJS)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# This test, in the guest and on the host, has the text of a document in it.
$(addprefix $(O)/,k/tests/kernel/lock_order_test.c.o $(foreach d,asan tsan,host/$(d)/tests/kernel/lock_order_test.o)): \
	docs/reference/locking.md

# The allocator and the list buddy, built to be as fast as the host allows: no sanitizers, no debug checks, one hart.
NATIVE_CPPFLAGS := -Itests/host/native/include $(patsubst -DEBB_DEBUG=%,-DEBB_DEBUG=0,$(HOST_CPPFLAGS))
NATIVE_OBJS := $(patsubst %.c,$(O)/host/native/%.o,$(HOST_LIB) tests/mm/list_buddy.c tests/host/native/bench_native.c)
TEST_NEEDS += $(O)/host/bench-native

$(O)/host/bench-native: $(NATIVE_OBJS)
	$(call say,HOSTLD,$@)$(HOSTCC) -o $@ $(NATIVE_OBJS) -lpthread

$(O)/host/native/%.o: %.c $(O)/host/.flags
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(HCFLAGS) $(NATIVE_CPPFLAGS) -c -o $@ $<

-include $(HOST_OBJS:.o=.d) $(TSAN_OBJS:.o=.d) $(NATIVE_OBJS:.o=.d)

.PHONY: test-tsan-now bench-native
bench-native: $(O)/host/bench-native
	@tools/bench-native

test-tsan-now: $(O)/host/ktest-tsan
	@tools/ktest host --host-tests $(foreach n,2 4 8,'$< --harts=$(n)')
