/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_TRACE_TRACE_H
#define _KERNEL_TRACE_TRACE_H

/*
 * Binary trace: every change of state of frames, pageblocks and memory blocks
 * leaves one 32-byte record for the whole range in a ring of the hart that made
 * it. With tracing off, an emit costs one load of a per-hart word and one branch.
 */
#include "kernel/hart.h"
#include "kernel/trace/trace_events.h"
#include "lib/types.h"

struct sink;

/**
 * struct trace_args - the fields of a record that the emitter knows
 * @pfn: see the event's row in kernel/trace/trace_events.h, as for all fields
 * @count: usually frames
 * @before: state before
 * @after: state after
 * @flags: further information about the event
 */
struct trace_args {
	u64 pfn;
	u32 count;
	u16 before;
	u16 after;
	u8 flags;
};

/**
 * struct trace_site - one trace_emit() in the sources
 * @file: its source file
 * @line: its line
 * @event: TRACE_*
 * @muted: write no records here, so that a test can show that each site is needed
 * @reached: how often a hart reached it while its event was on
 */
struct trace_site {
	const char *file;
	u16 line;
	u8 event;
	u8 muted;
	u32 reached;
};

extern struct trace_site __start_trace_sites[], __stop_trace_sites[];

/**
 * trace_record() - write a record if its event is on; use trace_emit()
 * @event: TRACE_*
 * @args: the fields
 *
 * Context: any; takes no lock, masks interrupts for a few instructions.
 */
void trace_record(enum trace_event_id event, const struct trace_args *args);

/* Do trace_record() for trace_emit(): count at the site, and write nothing if it is muted. */
void trace_record_at(struct trace_site *site, const struct trace_args *args);

/*
 * trace_emit(TRACE_FRAMES, .pfn = pfn, .count = nr, .before = old, .after = new):
 * write one record, if that event is on. Call it under the lock, or right after the
 * compare-and-swap, that made the change. Unnamed arguments are 0; with tracing off no
 * argument is evaluated.
 */
#define trace_emit(_event, ...)                                                          \
	do {                                                                             \
		static struct trace_site _site __table("trace_sites") = {                \
			.file = __FILE__, .line = __LINE__, .event = (_event),           \
		};                                                                       \
		if (unlikely(READ_ONCE(this_hart()->trace_mask)))                        \
			trace_record_at(&_site, &(const struct trace_args){ __VA_ARGS__ });\
	} while (0)

/**
 * trace_ring_init() - give a hart its ring
 * @hart: the hart
 * @records: storage; never freed
 * @address: address of @records for the header, for readers
 *
 * Call it before the hart runs. All rings have the same number of records, a power of two,
 * which "trace_buf_size=" sets in bytes.
 */
void trace_ring_init(struct hart *hart, struct trace_record *records, phys_addr_t address);

/**
 * trace_boot() - make the harts' rings out of boot memory and turn on the events of
 * "trace_event="
 *
 * Context: boot, when memblock_alloc() and the direct map work.
 * Return: 0; -ENOMEM (tracing stays off).
 */
int trace_boot(void);

/**
 * trace_set() - turn events on or off on all harts
 * @glob: names such as "mm:*"; "*" is all
 * @on: TRACE_ON or TRACE_OFF
 *
 * Context: thread.
 * Return: the number of events that @glob matches; the caller should report 0 as an error.
 * -ENODEV if there are no rings.
 */
enum trace_switch { TRACE_OFF, TRACE_ON };
int trace_set(const char *glob, enum trace_switch on);

/**
 * trace_is_on() - check whether an event is on
 * @event: its id
 */
bool trace_is_on(enum trace_event_id event);

/**
 * trace_take() - take the oldest record that no reader has taken
 * @record: filled in
 *
 * Merges the rings of all harts in the order of seq. One reader at a time; writers continue.
 *
 * Context: thread.
 * Return: false if there is none.
 */
bool trace_take(struct trace_record *record);

/**
 * trace_lost() - count the records that were overwritten before they were taken
 */
u64 trace_lost(void);

/**
 * trace_print() - print one record as a line of ftrace's text form
 * @record: any record, of this kernel or of a device
 * @out: the destination
 */
void trace_print(const struct trace_record *record, struct sink *out);

/**
 * trace_dump() - print the records in the rings, taken or not, without taking them
 * @out: the destination
 * @last: print only this many of the newest records; 0 is all
 *
 * Context: thread or panic.
 */
void trace_dump(struct sink *out, unsigned int last);

/**
 * trace_clear() - forget all records and the lost count
 *
 * Context: thread; tracing should be off.
 */
void trace_clear(void);

/**
 * trace_list() - list the events, their ids and whether they are on
 * @out: the destination
 */
void trace_list(struct sink *out);

/**
 * trace_mute() - mute or unmute one trace_emit() of the sources
 * @site: its number in trace_list_sites()
 * @on: TRACE_OFF: write no records there; TRACE_ON: write them
 *
 * Return: 0; -ENOENT if there is no such site.
 */
int trace_mute(unsigned long site, enum trace_switch on);

/**
 * trace_list_sites() - list every trace_emit(): number, how often reached, event, place
 * @out: the destination
 */
void trace_list_sites(struct sink *out);

extern struct trace_header ebb_trace;

#endif
