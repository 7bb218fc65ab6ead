# SPDX-License-Identifier: BSD-2-Clause
# ebb's only Makefile: it builds the kernel and hands everything else to a program in tools/. `make` prints the targets.
#
# Sources are found by wildcard: a new file needs no list. A part with build rules of its own has a fragment
# (FRAGMENTS below), which may add to KCFLAGS, KLDFLAGS, KERNEL_OBJS, HOST_PROGRAMS (wanted by `make run`),
# HOST_TESTS (programs that print KTAP, run by `make test-host`), TEST_NEEDS (what tests of the tools use), FUZZERS,
# and may set KCFLAGS_<source> for one file.
# All paths are relative, because GNU make cannot name a file with a space in it: so a checkout may have one.

O        ?= build
V        ?= 0
WERROR   ?= 0
DEBUG    ?= 1
HOSTCC   ?= gcc
MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
unexport CC CFLAGS CPPFLAGS LDFLAGS

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

# The cross compiler: the first of these prefixes that is installed; tools/setup installs the first one.
CROSSES  := riscv64-unknown-elf- riscv64-linux-gnu- riscv64-none-elf- riscv64-elf- riscv64-unknown-linux-gnu-
CROSS    ?= $(firstword $(foreach p,$(CROSSES),$(if $(shell command -v $(p)gcc),$(p))) $(firstword $(CROSSES)))
KCC      := $(CROSS)gcc

WARN     := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef $(if $(filter 1,$(WERROR)),-Werror)
CSTD     := -std=gnu2x -fno-common -fno-strict-aliasing -fno-omit-frame-pointer
KCFLAGS  := $(CSTD) $(WARN) -O2 -g -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
	-ffunction-sections -fdata-sections -march=rv64imac -mabi=lp64 -misa-spec=2.2 -mcmodel=medany \
	-Iinclude -Iarch/riscv/include -I. -DEBB_DEBUG=$(DEBUG)
KLDFLAGS := -nostdlib -static -no-pie -n --fatal-warnings --gc-sections --build-id=sha1
HCFLAGS  := $(CSTD) $(WARN) -O2 -g -MMD -MP

KSOURCES := $(wildcard arch/riscv/*.c arch/riscv/*.S kernel/*.c mm/*.c drivers/*/*.c lib/*.c \
	$(foreach d,lib arch mm kernel drivers console fake bench,tests/$(d)/*.c))
# Suites about pure functions run on the host alone: the image that is shipped stays below 512 KiB.
KSOURCES := $(filter-out $(addprefix tests/lib/,bitmap_test.c fdt_machine_test.c fdt_test.c kstrtox_test.c list_test.c \
	text_test.c vsprintf_test.c) tests/mm/evac_layout.c \
	$(addprefix tests/mm/test_,evac_frames.c evac_model.c freebits.c isolation_blocks.c memblock.c wait_free.c),$(KSOURCES))
KERNEL_OBJS := $(addprefix $(O)/k/,$(addsuffix .o,$(KSOURCES)))
HOST_PROGRAMS :=
HOST_TESTS :=
TEST_NEEDS :=
FUZZERS :=

FRAGMENTS := arch/riscv/build.mk lib/lib.mk tests/host/host.mk tests/fuzz/fuzz.mk tools/vmem/vmem.mk
include $(wildcard $(FRAGMENTS))

# --- the kernel ---------------------------------------------------------------------------------------------------
$(O)/ebb.elf: $(KERNEL_OBJS) linker.ld $(O)/k/.flags
	$(call say,LD,$@)$(CROSS)ld $(KLDFLAGS) -T linker.ld -Map $(O)/ebb.map -o $@ $(KERNEL_OBJS) \
		"$$($(KCC) -march=rv64imac -mabi=lp64 -print-libgcc-file-name)"

# What runs once or at a person's pace is compiled for size, and so are the tests; what is measured is not.
FOR_SIZE := $(addprefix kernel/,cmd_%.c console.c init.c ktest%.c lineedit.c main.c param.c procfs%.c pseudofs.c shell.c \
	sysfs%.c trace_%.c) $(addprefix lib/,argv.c base64.c fdt%.c glob.c kstrtox.c levenshtein.c vsprintf.c) \
	$(addprefix arch/riscv/,backtrace.c fault.c machine_%.c symbols.c walk_print.c) drivers/pci/% drivers/serial/% \
	$(addprefix drivers/virtio/,console_port.c virtio.c virtio_console.c virtio_mem.c virtio_mmio.c virtio_pci.c vmem_cmd.c \
	vport.c) tests/%
$(foreach s,$(filter-out tests/bench/%,$(filter $(FOR_SIZE),$(KSOURCES))),$(eval KCFLAGS_$(s) += -Os))

$(O)/k/%.o: % $(O)/k/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(KCC) $(KCFLAGS) $(KCFLAGS_$<) -MMD -MP -c -o $@ $<

# A changed compiler or flag rebuilds what it concerns: the stamp is only touched when its text changes.
$(O)/k/.flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(KCC) $(KCFLAGS) $(KLDFLAGS) $(foreach s,$(KSOURCES),$(KCFLAGS_$(s)))' \
		'$(KERNEL_OBJS)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
FORCE:
.PHONY: FORCE

-include $(KERNEL_OBJS:.o=.d)

# --- what one does with it ----------------------------------------------------------------------------------------
# Entry points set up what is missing first and build in a second make, which sees what was installed.
export O MEM VMEM BLOCK SMP TRANSPORT APPEND CMD QEMU RUN DRY T V
export PYTHONDONTWRITEBYTECODE := 1
CTL_RUN = $(if $(RUN),--run '$(RUN)')
SETUP = @tools/setup
MAKEO = @+$(MAKE) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)) O='$(O)'

help: ## this list
	@tools/make-help Makefile

all: ## build the kernel and the host tools
	$(SETUP) build
	$(MAKEO) build

build: $(O)/ebb.elf $(HOST_PROGRAMS)

run: ## boot ebb in QEMU with a virtio-mem device: MEM=128M VMEM=4G SMP=2 TRANSPORT=pci|mmio APPEND= CMD='a; b' QEMU= DRY=1
	$(SETUP) run
	$(MAKEO) build
	@tools/run

debug: ## the same, stopped at the first instruction, waiting for `make gdb`
	$(SETUP) run
	$(MAKEO) build
	@tools/run --gdb

gdb: ## attach gdb to `make debug`
	$(SETUP) gdb
	@tools/gdb/attach

resize: ## from a second terminal: SIZE=1G [DEV=vm0] requests that size and waits for it
	@tools/ebb-ctl $(CTL_RUN) resize $(or $(SIZE),$(error say how much: make resize SIZE=1G)) $(if $(DEV),--dev $(DEV))

status: ## from a second terminal: requested, plugged, host and stray bytes of every device
	@tools/ebb-ctl $(CTL_RUN) status

test: ## host tests, guest tests and scenarios: T='suite.case' runs a part, V=1 names each
	$(SETUP) test
	$(MAKEO) test-now KINDS='tools host guest scenario'

test-host: ## the suites built for the host under ASan and UBSan, and those of the tools
	$(SETUP) build
	$(MAKEO) test-host-now KINDS='tools host'

test-full: ## the same as test, with every scenario on every transport and number of harts
	$(SETUP) test
	$(MAKEO) test-now KINDS='--full'

test-now: build
test-now test-host-now: $(HOST_TESTS) $(TEST_NEEDS)
	@tools/ktest $(KINDS) --host-tests $(HOST_TESTS)

bench: ## count instructions for each row of the budget table, and write build/bench.json
	$(SETUP) run
	$(MAKEO) build
	@tools/bench

fuzz: ## run all fuzzers, T=60 seconds altogether
	$(SETUP) fuzz
	$(MAKEO) fuzz-now

fuzz-now: $(FUZZERS)
	@tools/fuzz $(FUZZERS)

lint: ## include directions, sizes, formatting, portability, shell scripts
	$(SETUP) lint
	@tools/ebb-lint

format: ## put C sources into shape with clang-format-14
	@tools/ebb-lint --fix $(FILE)

check-headers: ## compile each header alone
	@tools/ebb-lint headers

docs: ## write docs/reference/numbers.md from the headers that define the numbers
	@mkdir -p $(O); $(HOSTCC) -std=gnu11 -Iinclude -o $(O)/abi_tables tools/abi_tables.c
	@$(O)/abi_tables >docs/reference/numbers.md

doctor: ## each tool's version, QEMU's memory device, and what to install
	@tools/doctor

compile_commands.json: $(O)/k/.flags ## for editors: how each kernel source is compiled
	@tools/compile-commands '$(KCC) $(KCFLAGS)' $(KSOURCES) >$@

.PHONY: help all build run debug gdb resize status test test-host test-full test-now test-host-now bench fuzz fuzz-now \
	lint format check-headers docs doctor clean
clean: ## remove what was built, but not QEMU (make clean ALL=1 removes it too)
	@tools/clean "$(O)" $(ALL)
