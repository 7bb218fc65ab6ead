# SPDX-License-Identifier: BSD-2-Clause
# ebb's only Makefile: it builds the kernel; a program in tools/ does everything else. `make` prints the targets.
#
# Sources are found by wildcard: a new file needs no entry in a list. A part with its own build rules has a fragment
# (FRAGMENTS below), which may add to KCFLAGS, KLDFLAGS, KERNEL_OBJS, HOST_PROGRAMS (needed by `make run`), HOST_TESTS
# (programs that print KTAP, run by `make test-host`), TEST_NEEDS (files that the tools' tests use), FUZZERS, and may
# set KCFLAGS_<source> for one file. All paths are relative, because GNU make cannot name a file with a space in it;
# so the path of a checkout may have one.

O        ?= build
V        ?= 0
WERROR   ?= 0
DEBUG    ?= 1
HOSTCC   ?= gcc
override O := $(or $(strip $(O)),build)
ifneq ($(words $(O)),1)
$(error O=$(O): name one directory without a space in it, which make cannot handle)
endif
MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
unexport CC CFLAGS CPPFLAGS LDFLAGS

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

# A user waits for `make resize`, so targets that build nothing read no build rules.
ifneq ($(filter-out help resize status console watch,$(or $(MAKECMDGOALS),help)),)

# The cross compiler: the first of these prefixes that is installed; tools/setup installs the first of the list.
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

# Two images of the same objects: the kernel, and the kernel with its tests linked in.
KSOURCES := $(wildcard arch/riscv/*.c arch/riscv/*.S kernel/*.c kernel/*/*.c mm/*.c \
	drivers/*/*.c drivers/*/*/*.c lib/*.c) \
	$(if $(filter 1,$(COVERAGE)),tests/coverage/functions.c)
TESTS := runner lib arch mm evacuate model kernel drivers console fake bench
TSOURCES := $(filter-out tests/model/replay.c,$(wildcard $(TESTS:%=tests/%/*.c)))
IMAGES := ebb ebb-test
KERNEL_OBJS := $(addprefix $(O)/k/,$(addsuffix .o,$(KSOURCES)))
TEST_OBJS := $(addprefix $(O)/k/,$(addsuffix .o,$(TSOURCES)))
HOST_PROGRAMS :=
HOST_TESTS :=
TEST_NEEDS :=
FUZZERS :=

FRAGMENTS := arch/riscv/build.mk lib/lib.mk tools/vmem/vmem.mk $(foreach d,bench host fuzz coverage mutants,tests/$(d)/$(d).mk)
include $(wildcard $(FRAGMENTS))

# Each call of a helper in a test keeps its frame, so that the runner can name the line in the test.
TEST_CALLS := -fno-optimize-sibling-calls -fno-inline-functions -fno-inline-small-functions -fno-inline-functions-called-once
$(foreach s,$(filter-out tests/bench/%,$(TSOURCES)),$(eval KCFLAGS_$(s) += $(TEST_CALLS)))

# --- the kernel ---------------------------------------------------------------------------------------------------
OBJS_ebb = $(KERNEL_OBJS)
OBJS_ebb-test = $(KERNEL_OBJS) $(TEST_OBJS)
link = $(CROSS)ld $(KLDFLAGS) -T linker.ld -Map $(1:.elf=.map) -o $(1) $(2) \
	"$$($(KCC) -march=rv64imac -mabi=lp64 -print-libgcc-file-name)"

$(addprefix $(O)/,$(addsuffix .elf,$(IMAGES))): $(O)/%.elf: $(O)/k/%.symbols.o
	$(call say,LD,$@)$(call link,$@,$(OBJS_$*) $<)

$(O)/k/%.o: % $(O)/k/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(KCC) $(KCFLAGS) $(KCFLAGS_$<) -MMD -MP -c -o $@ $<

# A changed compiler or flag rebuilds the affected files: the stamp is only touched when its text changes.
$(O)/k/.flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(KCC) $(KCFLAGS) $(KLDFLAGS) $(foreach s,$(KSOURCES) $(TSOURCES),$(KCFLAGS_$(s)))' \
		'$(patsubst $(O)/%,%,$(KERNEL_OBJS) $(TEST_OBJS))' >$@.$$$$; cmp -s $@.$$$$ $@ && rm $@.$$$$ || mv $@.$$$$ $@
FORCE:
.PHONY: FORCE

-include $(KERNEL_OBJS:.o=.d) $(TEST_OBJS:.o=.d)
endif

# --- targets ------------------------------------------------------------------------------------------------------
# Entry points first install missing tools, then build in a second make, which finds them.
export NATIVE O MEM VMEM BLOCK SMP TRANSPORT APPEND CMD QEMU RUN DRY T V EXACT COMMIT SEED
export PYTHONDONTWRITEBYTECODE := 1
CTL_RUN = $(if $(RUN),--run '$(RUN)')
SETUP = @tools/setup
NAMED = $(if $(T),@tools/ktest --names)
MAKEO = @+$(MAKE) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)) O='$(O)'

help: ## this list
	@tools/make-help Makefile tests/*/*.mk

all: ## build the kernel and the host tools
	$(SETUP) build
	$(MAKEO) build

build: $(addprefix $(O)/,$(addsuffix .elf,$(IMAGES))) $(HOST_PROGRAMS)

run: ## boot ebb in QEMU with a virtio-mem device: MEM=128M VMEM=4G SMP=2 TRANSPORT=pci|mmio APPEND= CMD='a; b' QEMU= DRY=1
	$(SETUP) run
	$(MAKEO) build
	@tools/run

ut: ## boot the image with the tests in it and run T='buddy.*'; without T: a prompt where `ut all` runs
	$(SETUP) run
	$(MAKEO) build
	@tools/run --tests '$(T)'

tour: ## the ten things below, played in one session; at a terminal it stops after each of them
	$(SETUP) run
	$(MAKEO) build
	@tools/tour

debug: ## the same as run, stopped at the first instruction, waiting for `make gdb`
	$(SETUP) run
	$(MAKEO) build
	@tools/run --gdb

gdb: ## attach gdb to `make debug`
	$(SETUP) gdb
	@tools/gdb/attach

resize: ## from a second terminal: SIZE=1G [DEV=vm0] requests that size and waits for it
	@tools/ebb-ctl $(CTL_RUN) resize $(or $(SIZE),$(error no size given; type: make resize SIZE=1G)) $(if $(DEV),--dev $(DEV))

console: ## from a second terminal: a second prompt, for `step` and `go` while a command at the first prompt is held
	@tools/ebb-console

watch: ## from a second terminal: the map and the counters, live
	@tools/ebb-watch

status: ## from a second terminal: requested, plugged, host, stray and touched bytes of every device
	@tools/ebb-ctl $(CTL_RUN) status

test: ## host and guest tests, scenarios, the docs' commands: T='suite.case' runs a part, V=1 names each test, SEED= repeats
	$(NAMED)
	$(SETUP) test
	$(MAKEO) test-now KINDS='tools host guest scenario docs'

test-host: ## the suites built for the host under ASan and UBSan, and those of the tools
	$(NAMED)
	$(SETUP) build
	$(MAKEO) test-host-now KINDS='tools host'

test-tsan: ## the suites built for the host under ThreadSanitizer, with 2, 4 and 8 threads as harts
	$(SETUP) tsan
	$(MAKEO) test-tsan-now

test-full: ## the same as test, with every scenario on every transport and number of harts
	$(NAMED)
	$(SETUP) test
	$(MAKEO) test-now KINDS='--full'

test-now: build
test-now test-host-now: $(HOST_TESTS) $(TEST_NEEDS)
	@tools/ktest $(KINDS) --host-tests $(HOST_TESTS)

coverage: ## lines and branches that the suites on the host run, and each function that neither host nor guest runs
	$(SETUP) run
	@+QEMU='$(or $(QEMU),$(abspath $(O))/qemu/qemu-system-riscv64)' \
		$(MAKE) -j$(shell nproc) O='$(O)/coverage' COVERAGE=1 coverage-now

bench: ## count instructions for the budget table, write build/bench.json; EXACT=1: only what repeats; NATIVE=1: the host's ns
	$(SETUP) $(if $(NATIVE),build,run)
	$(MAKEO) $(if $(NATIVE),bench-native,build)
	$(if $(NATIVE),,@+$(MAKE) -j$(shell nproc) O='$(O)/debug0' DEBUG=0 $(IMAGES:%='$(O)/debug0/%.elf'))
	$(if $(NATIVE),,@tools/bench --beside '$(O)/debug0')

lint: ## include directions, sizes, formatting, portability, shell scripts
	$(SETUP) lint
	@tools/ebb-lint

format: ## format the C sources that the lint finds with clang-format-14; FILE= names others
	@tools/ebb-lint --fix $(FILE)

check-headers: ## compile each header alone
	@tools/ebb-lint headers

docs: ## write docs/reference/numbers.md from the headers that define the numbers
	@mkdir -p $(O); $(HOSTCC) -std=gnu11 -Iinclude -o $(O)/abi_tables tools/abi_tables.c
	@$(O)/abi_tables >docs/reference/numbers.md

doctor: ## show each tool's version, QEMU's memory device, and what to install
	@tools/doctor

compile_commands.json: $(O)/k/.flags ## for editors: how each kernel source is compiled
	@tools/compile-commands '$(KCC) $(KCFLAGS)' $(KSOURCES) $(TSOURCES) >$@

.PHONY: help all build run ut tour debug gdb resize status console watch test test-host test-full test-tsan test-now \
	test-host-now bench coverage lint format check-headers docs doctor clean
clean: ## remove build output, but not QEMU (make clean ALL=1 removes it, too)
	@tools/clean "$(O)" $(ALL)
