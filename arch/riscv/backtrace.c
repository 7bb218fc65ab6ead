/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follows the chain of frame pointers: s0 points just past a record of the caller's s0 and
 * the return address. Traps are part of the chain (entry.S).
 */
#include "arch/thread.h"
#include "kernel/sink.h"

#include "arch.h"

#define MAX_FRAMES 32

struct frame_record {
	unsigned long fp; /* the caller's */
	unsigned long ra;
};

/*
 * Print one frame. @addr lies in the call instruction, because the next address may belong to
 * another function: a call that never returns may be a function's last instruction.
 */
static void print_frame(unsigned long addr, unsigned long behind, struct sink *out)
{
	unsigned long offset;
	const char *name = symbol_lookup(addr, &offset);

	if (name)
		sink_printf(out, " [<%016lx>] %s+%#lx\n", addr + behind, name,
			    offset + behind);
	else
		sink_printf(out, " [<%016lx>] ?\n", addr + behind);
}

/* Read the record below @fp if it lies inside a stack. */
static bool read_record(unsigned long fp, struct frame_record *record)
{
	const unsigned long at = fp - sizeof(*record);
	unsigned long low, high;
	u64 word[2];

	if (fp % sizeof(unsigned long) != 0 || !stack_bounds(at, &low, &high) ||
	    fp > high)
		return false;
	if (!arch_probe_read((const void *)at, &word[0]) ||
	    !arch_probe_read((const void *)(at + sizeof(u64)), &word[1]))
		return false;
	*record = (struct frame_record){word[0], word[1]};
	return true;
}

/*
 * Check that @to may be the caller of @from: callers lie at higher addresses of the same
 * stack, but a trap may have changed stacks once.
 */
static bool goes_up(unsigned long from, unsigned long to)
{
	unsigned long low, high;

	return to > from || !stack_bounds(from - 1, &low, &high) || to <= low;
}

static bool is_in_trap_entry(unsigned long ra)
{
	return ra > (unsigned long)trap_entry && ra <= (unsigned long)trap_entry_end;
}

/*
 * Correct the record of a leaf function, which keeps its return address in ra, and stores the
 * caller's frame pointer where other functions store the return address. Only a function that
 * a trap interrupted can be a leaf here; the trap's frame has its ra.
 */
static void fix_leaf(struct frame_record *record, const struct trap_frame *trap)
{
	unsigned long low, high;
	u64 ra;

	if (!stack_bounds(record->ra - 1, &low, &high) || !arch_probe_read(&trap->x[1], &ra))
		return;
	*record = (struct frame_record){record->ra, ra};
}

void arch_backtrace(struct sink *out)
{
	unsigned long fp = (unsigned long)__builtin_frame_address(0);
	const struct trap_frame *trap = NULL;
	struct frame_record record;
	bool at_trap = false; /* the record is a trap's, with the exact address */

	sink_puts(out, "Call Trace:\n");
	for (unsigned int i = 0; i < MAX_FRAMES; i++) {
		if (!read_record(fp, &record))
			return;
		if (trap)
			fix_leaf(&record, trap);
		if (record.ra == 0)
			return;
		print_frame(record.ra - !at_trap, !at_trap, out);
		trap = at_trap ? (const struct trap_frame *)fp - 1 : NULL;
		at_trap = is_in_trap_entry(record.ra);
		if (record.fp == 0 || !goes_up(fp, record.fp))
			return;
		fp = record.fp;
	}
	sink_puts(out, " ...\n");
}
