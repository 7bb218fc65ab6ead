/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who called whom, by the chain of frame pointers: s0 points behind a record of the
 * caller's s0 and the return address. Traps are part of the chain (entry.S).
 */
#include "arch/thread.h"
#include "kernel/sink.h"

#include "arch.h"

#define MAX_FRAMES 32

struct frame_record {
	unsigned long fp; /* the caller's */
	unsigned long ra;
};

static void print_frame(unsigned long ra, struct sink *out)
{
	unsigned long offset;
	const char *name = symbol_lookup(ra, &offset);

	if (name)
		sink_printf(out, " [<%016lx>] %s+%#lx\n", ra, name, offset);
	else
		sink_printf(out, " [<%016lx>] ?\n", ra);
}

/* Reads the record below @fp if it lies inside a stack. */
static bool read_record(unsigned long fp, struct frame_record *record)
{
	const unsigned long at = fp - sizeof(*record);
	unsigned long low, high;
	u64 word[2];

	if (fp % sizeof(unsigned long) != 0 || !stack_bounds(at, &low, &high) || fp > high)
		return false;
	if (!probe_read((const void *)at, &word[0]) ||
	    !probe_read((const void *)(at + sizeof(u64)), &word[1]))
		return false;
	*record = (struct frame_record){ word[0], word[1] };
	return true;
}

/* On one stack callers lie higher; a trap may have changed stacks once. */
static bool goes_up(unsigned long from, unsigned long to)
{
	unsigned long low, high;

	return to > from || !stack_bounds(from - 1, &low, &high) || to <= low;
}

static void walk_frames(unsigned long fp, struct sink *out)
{
	struct frame_record record;
	unsigned int i;

	sink_puts(out, "Call Trace:\n");
	for (i = 0; i < MAX_FRAMES; i++) {
		if (!read_record(fp, &record) || record.ra == 0)
			return;
		print_frame(record.ra, out);
		if (record.fp == 0 || !goes_up(fp, record.fp))
			return;
		fp = record.fp;
	}
	sink_puts(out, " ...\n");
}

void arch_backtrace(struct sink *out)
{
	walk_frames((unsigned long)__builtin_frame_address(0), out);
}

void arch_backtrace_of(const struct arch_context *ctx, struct sink *out)
{
	/* arch_switch_to() leaves s0 and ra as a record at its frame's end. */
	walk_frames(ctx->sp + 112, out);
}
