/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_HART_H
#define _KERNEL_HART_H

/*
 * Per-hart state. Logical hart ids are dense, and 0 is the boot hart; the number that
 * the firmware uses for a hart is arbitrary.
 */
#include "lib/types.h"

/* ebb uses up to this many harts; the boot logs that it leaves out the others. */
#define MAX_HARTS 8

#define CACHELINE_BYTES 64

/* Words of struct hart that belong to the machine (trap entry scratch). */
#define HART_ARCH_WORDS 8

struct thread;
struct trace_ring;

/**
 * enum hart_state - the states of a hart
 * @HART_ABSENT: no such hart, or not started
 * @HART_ONLINE: runs threads and takes part in grace periods
 * @HART_STOPPED: panic() stopped it, or it was taken down; takes part in nothing
 */
enum hart_state {
	HART_ABSENT,
	HART_ONLINE,
	HART_STOPPED,
};

/**
 * struct hart - one hart's own state
 * @arch: the machine's, at offset 0 so that assembly can reach it through tp
 * @trace_mask: not 0 if any trace event is on; the only word that trace_emit() reads
 * @mm_pcp: the page allocator's frames of this hart; only mm/ knows the type
 * @current: the thread that runs here now
 * @idle: the thread that runs here when nothing else can
 * @id: logical id, below MAX_HARTS
 * @spin_depth: spinlocks held now; a hart that holds one must not sleep
 * @irq_depth: interrupt handlers on the stack now
 * @state: enum hart_state, written by the hart itself and by panic()
 * @hartid: number in device tree and firmware
 * @quiesce: request of another hart to this one, see kernel/quiesce.c
 * @idling: the hart waits for an interrupt, or is about to: other harts must kick it
 * @trace_ring: the ring of this hart's records, kernel/trace/trace.c
 * @switches: number of switches to another thread on this hart
 * @irqs: interrupts taken here
 * @irqs_off_since: arch_time() when interrupts were masked; 0 while they are on
 * @irqs_off_by: the code that masked them
 * @irqs_off_longest: longest stretch so far in ticks; 0 unless this is a debug build
 * @irqs_off_longest_by: the code that masked them then
 *
 * Lock keys:
 *   (c) constant once the hart is online
 *   (o) the hart itself alone
 *   (w) the hart itself writes, others read with READ_ONCE()
 *   (a) several harts write: atomic operations, or WRITE_ONCE() and READ_ONCE()
 */
struct hart {
	u64 arch[HART_ARCH_WORDS];		/* (o) */

	u64 trace_mask;				/* (a) */
	void *mm_pcp;				/* (c) */
	struct thread *current;			/* (w) */
	struct thread *idle;			/* (c) */
	u32 id;					/* (c) */
	u32 spin_depth;				/* (o) */
	u32 irq_depth;				/* (o) */
	u32 state;				/* (w) */
	u64 hartid;				/* (c) */

	/* Other harts write these, so they have their own cache line. */
	u32 quiesce __aligned(CACHELINE_BYTES);	/* (a) */
	u32 idling;				/* (a) */

	struct trace_ring *trace_ring __aligned(CACHELINE_BYTES); /* (c) */
	u64 switches;				/* (w) */
	u64 irqs;				/* (w) */
	u64 irqs_off_since;			/* (o) */
	const void *irqs_off_by;		/* (o) */
	u64 irqs_off_longest;			/* (w) */
	const void *irqs_off_longest_by;	/* (w) */
} __aligned(CACHELINE_BYTES);

static_assert(offsetof(struct hart, arch) == 0, "assembly reaches arch through tp");
static_assert(offsetof(struct hart, trace_mask) == CACHELINE_BYTES, "hot words share a line");

/* static inline struct hart *this_hart(void): the hart that runs this code. */
#include "arch/this_hart.h"

/* The harts by logical id; entries from nr_harts() on are HART_ABSENT. */
extern struct hart harts[MAX_HARTS];

/**
 * nr_harts() - count the harts found, including harts that failed to start
 */
unsigned int nr_harts(void);

/**
 * hart_by_id() - get a hart by its logical id
 * @id: any number
 *
 * Return: the hart, or NULL if no hart has that id.
 */
struct hart *hart_by_id(unsigned int id);

/**
 * hart_register() - give the next logical id to a hart of the machine
 * @hartid: the number the firmware knows it by
 *
 * Context: boot hart, before the hart runs. The first call is for the boot hart.
 * Return: the hart, HART_ABSENT until it calls hart_set_online(); NULL if there are
 * already MAX_HARTS.
 */
struct hart *hart_register(u64 hartid);

/**
 * hart_set_online() - mark the calling hart as online
 *
 * Context: the hart itself, this_hart() valid.
 */
void hart_set_online(void);

/**
 * hart_set_stopped() - mark the calling hart as stopped
 *
 * Context: the hart itself; it holds no lock and serves no request.
 */
void hart_set_stopped(void);

/**
 * hart_is_online() - check whether a hart runs threads
 * @hart: any hart
 */
static inline bool hart_is_online(const struct hart *hart)
{
	return __atomic_load_n(&hart->state, __ATOMIC_ACQUIRE) == HART_ONLINE;
}

/* Visit every hart that is online now; the set may change meanwhile. */
#define for_each_hart(hart)                                                              \
	for (const struct hart *end_ = ((hart) = harts) + nr_harts(); (hart) < end_; (hart)++) \
		if (!hart_is_online(hart))                                               \
			continue;                                                        \
		else

#endif
