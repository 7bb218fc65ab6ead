# SPDX-License-Identifier: BSD-2-Clause
# Plants faults on purpose, one at a time, in a copy of the tree. Each tests/mutants/NAME.patch says which fault it
# plants and which test must fail then.
.PHONY: mutants
mutants: ## plant each fault of tests/mutants and check that its test fails: T='page-*' runs a part
	$(SETUP) run
	@tools/mutants
