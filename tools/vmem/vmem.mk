# SPDX-License-Identifier: BSD-2-Clause
# The host's virtio-mem device, its tests, and the same device under sanitizers for the tests.
VMEM_DIR := tools/vmem
VMEM_SOURCES := $(wildcard $(VMEM_DIR)/*.c)
VMEM_CFLAGS := -std=gnu2x -D_GNU_SOURCE -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef \
	-O2 -g -MMD -MP -fno-strict-aliasing -Iinclude -I$(VMEM_DIR)
VMEM_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
VMEM_OBJS := $(VMEM_SOURCES:%.c=$(O)/vmem/%.o)
VMEM_ASAN_OBJS := $(VMEM_SOURCES:%.c=$(O)/vmem-asan/%.o)
VMEM_TEST_OBJS := $(patsubst %.c,$(O)/vmem-asan/%.o,$(wildcard $(VMEM_DIR)/tests/*.c))

$(O)/ebb-vmem: $(VMEM_OBJS)
	$(call say,HOSTLD,$@)$(HOSTCC) -o $@ $^

$(O)/vmem-asan/ebb-vmem: $(VMEM_ASAN_OBJS)
	$(call say,HOSTLD,$@)$(HOSTCC) $(VMEM_SANITIZE) -o $@ $^

$(O)/vmem-asan/test-vmem: $(VMEM_TEST_OBJS) $(filter-out %/main.o,$(VMEM_ASAN_OBJS))
	$(call say,HOSTLD,$@)$(HOSTCC) $(VMEM_SANITIZE) -o $@ $^

$(O)/vmem/%.o: %.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(VMEM_CFLAGS) -c -o $@ $<

$(O)/vmem-asan/%.o: %.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(VMEM_CFLAGS) $(VMEM_SANITIZE) -c -o $@ $<

# tests/tools/test_vmem_device.py drives the device under sanitizers.
$(O)/vmem-asan/test-vmem: | $(O)/vmem-asan/ebb-vmem

HOST_PROGRAMS += $(O)/ebb-vmem
TEST_NEEDS += $(O)/vmem-asan/ebb-vmem
HOST_TESTS += $(O)/vmem-asan/test-vmem
-include $(VMEM_OBJS:.o=.d) $(VMEM_ASAN_OBJS:.o=.d) $(VMEM_TEST_OBJS:.o=.d)

# A guest for QEMU that executes the commands of tests/tools/test_vmem_qemu.py, so that the device's tests need no kernel.
$(O)/vmem-asan/guest.elf: $(VMEM_DIR)/tests/guest/guest.c $(VMEM_DIR)/tests/guest/guest.ld
	@mkdir -p $(@D)
	$(call say,CC,$@)$(KCC) $(CSTD) -Wall -Wextra -Werror -O2 -g -ffreestanding -fno-pic -march=rv64imac -mabi=lp64 \
		-misa-spec=2.2 -mcmodel=medany -nostdlib -static -Wl,--build-id=none,--no-warn-rwx-segments -Iinclude \
		-T $(word 2,$^) -o $@ $<
$(O)/vmem-asan/test-vmem: | $(O)/vmem-asan/guest.elf
