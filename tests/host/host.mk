# SPDX-License-Identifier: BSD-2-Clause
# Host programs: the kernel's portable sources with the machine contract of tests/host, under sanitizers.
#
# Portable in kernel/ is everything but: main.c smp.c (start-up), stack.c (stacks in mapped frames; the host's are in
# tests/host/fiber.c), trace_boot.c (rings in boot memory), and the console thread and commands that belong to a
# terminal and a machine (HOST_NOT below). Portable are all of lib/ mm/ drivers/virtio/virtio_mem*.c and the ring.
#
# HOST_PLATFORM is what a program needs to have a hart, threads and memory: fuzzers link HOST_LIB without main.c and
# call host_init() of tests/host/host.h first.
HOST_NOT := kernel/main.c kernel/smp.c kernel/stack.c kernel/trace_boot.c
HOST_KERNEL := $(filter-out $(HOST_NOT),$(addprefix kernel/,$(addsuffix .c,sink printk hart spinlock quiesce sched \
	thread wait mutex timer workqueue notifier init param panic trace trace_print ktest ktest_filter ktest_report \
	ktest_resource ktest_param)))
HOST_PLATFORM := tests/host/platform.c tests/host/memory.c tests/host/fiber.c
HOST_LIB := $(wildcard lib/*.c) $(wildcard mm/*.c) $(HOST_KERNEL) $(HOST_PLATFORM)
HOST_SUITES := $(foreach d,lib mm kernel drivers fake,$(wildcard tests/$(d)/*.c))
HOST_SOURCES := $(HOST_LIB) $(wildcard drivers/virtio/*.c) $(HOST_SUITES) tests/host/main.c tests/host/boot.c
# Without mm/: what several harts do to locks, grace periods, traces and waiting.
TSAN_SOURCES := $(wildcard lib/*.c) $(HOST_KERNEL) $(HOST_PLATFORM) tests/host/main.c $(wildcard tests/kernel/*.c)

HOST_CPPFLAGS := -Iinclude -Itests/host/include -Itests/host -I. -DEBB_DEBUG=1
HOST_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_TSAN := -fsanitize=thread
TSANCC ?= $(firstword $(foreach c,clang-19 clang clang-14,$(if $(shell command -v $(c)),$(c))))

HOST_OBJS := $(addprefix $(O)/host/asan/,$(HOST_SOURCES:.c=.o))
TSAN_OBJS := $(addprefix $(O)/host/tsan/,$(TSAN_SOURCES:.c=.o))
HOST_TESTS += $(O)/host/ktest

$(O)/host/ktest: $(HOST_OBJS)
	$(call say,HOSTLD,$@)$(HOSTCC) $(HOST_ASAN) -o $@ $(HOST_OBJS) -lpthread

$(O)/host/asan/%.o: %.c $(O)/host/.flags
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_ASAN) -c -o $@ $<

$(O)/host/ktest-tsan: $(TSAN_OBJS)
	$(call say,HOSTLD,$@)$(TSANCC) $(HOST_TSAN) -o $@ $(TSAN_OBJS) -lpthread

$(O)/host/tsan/%.o: %.c $(O)/host/.flags
	@mkdir -p $(@D)
	$(call say,TSANCC,$<)$(TSANCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_TSAN) -c -o $@ $<

# A changed compiler, flag or list of sources rebuilds.
$(O)/host/.flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(HOSTCC) $(TSANCC) $(HCFLAGS) $(HOST_CPPFLAGS) $(HOST_ASAN) $(HOST_TSAN)' \
		'$(HOST_OBJS) $(TSAN_OBJS)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

-include $(HOST_OBJS:.o=.d) $(TSAN_OBJS:.o=.d)
