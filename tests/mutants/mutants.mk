# SPDX-License-Identifier: BSD-2-Clause
# Faults that are planted on purpose, one at a time, in a copy of the tree. Each tests/mutants/NAME.patch says what it plants
# and which test must fail then.
.PHONY: mutants
mutants: ## plant each fault of tests/mutants and see that its test fails: T='page-*' takes a part
	$(SETUP) run
	@tools/mutants
