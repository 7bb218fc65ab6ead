# SPDX-License-Identifier: BSD-2-Clause
# `make coverage` builds everything a second time, in $(O)/coverage: the kernel records which functions ran, and the
# host's suites are built for gcov instead of the sanitizers. Only the sanitizers' symbolizer is linked, so that a
# failure names its line.
COVERAGE ?= 0
ifeq ($(COVERAGE),1)
KCFLAGS += -finstrument-functions
KCFLAGS_tests/coverage/functions.c := -fno-instrument-functions
# gcc links the function that writes the counts only if something refers to it: tests/host/platform.c does, weakly.
HOST_ASAN := -O0 --coverage -fprofile-update=atomic -Wl,-u,__gcov_dump -Wl,--no-as-needed -lasan
endif

.PHONY: coverage-now
coverage-now: build $(HOST_TESTS) $(TEST_NEEDS)
	@CROSS='$(CROSS)' tools/coverage --host-tests $(HOST_TESTS)
