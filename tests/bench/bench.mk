# SPDX-License-Identifier: BSD-2-Clause
# The rest of `make bench` is in the Makefile.
.PHONY: bench-plot
bench-plot: ## draw docs/reference/bench/bench.svg from the figures of each release beside it
	@tools/bench-plot
