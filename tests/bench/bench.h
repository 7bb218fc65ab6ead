/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_BENCH_BENCH_H
#define _TESTS_BENCH_BENCH_H

/*
 * Rows of the budget table, measured in the guest. Each row prints a line "bench: ID VALUE
 * UNIT"; tools/bench adds the budget and the figures of other kernels.
 */
#include "kernel/sink.h"
#include "mm/page_alloc.h"
#include "tests/bench/instret.h"

/* Print a row; @value_milli is in thousandths of @unit. */
void bench_row(struct sink *out, const char *id, u64 value_milli, const char *unit);

/*
 * End a row's measurement. Work that the row has deferred to another thread or an interrupt
 * counts, too, if it runs in the next 10 ms.
 * Context: may sleep; the machine does nothing else.
 * Return: the instructions since @start, with the deferred work.
 */
u64 bench_since(u64 start);

/* Report that a row could not be measured, and why. Return: -EIO. */
int bench_fail(struct sink *out, const char *id, const char *why);

/* Return the instructions that copying a page takes; 0 if there is no memory. */
u64 bench_copy_insn(void);

/* Measure a group of rows. Return: 0, or a negative errno after bench_fail(). */
int bench_alloc(struct sink *out);
int bench_general(struct sink *out);
int bench_contig(struct sink *out);
int bench_hotplug(struct sink *out);
int bench_growth(struct sink *out);
int bench_device(struct sink *out);
int bench_irqs(struct sink *out);

/* Measure views of memory; bench_growth() calls this while 64 GiB are online. */
int look_rows(struct sink *out);

#endif
