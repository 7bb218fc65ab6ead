/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_BENCH_BENCH_H
#define _TESTS_BENCH_BENCH_H

/*
 * Rows of the budget table, measured in the guest. Each row prints the line
 *	bench: ID VALUE UNIT and tools/bench adds the budget and the figures of other
 * kernels.
 */
#include "kernel/sink.h"
#include "mm/page_alloc.h"
#include "tests/bench/instret.h"

/* @value in thousandths of @unit. */
void bench_row(struct sink *out, const char *id, u64 value_milli, const char *unit);

/*
 * The end of a row's window: instructions since @start, and those of any other thread or
 * interrupt within the next 10 ms. So work that a row only puts off still counts.
 * Context: may sleep; the machine does nothing else.
 */
u64 bench_since(u64 start);

/* Reports a row that could not be measured, and why: an error for the host. */
int bench_fail(struct sink *out, const char *id, const char *why);

/* The cost of only copying a page; 0 if there is no memory. */
u64 bench_copy_insn(void);

/* Each returns 0 or a negative errno after a bench_fail(). */
int bench_alloc(struct sink *out);
int bench_general(struct sink *out);
int bench_contig(struct sink *out);
int bench_hotplug(struct sink *out);
int bench_growth(struct sink *out);
int bench_device(struct sink *out);
int bench_irqs(struct sink *out);

/* Rows about views of memory: bench_growth() calls it while 64 GiB are online. */
int look_rows(struct sink *out);

#endif
