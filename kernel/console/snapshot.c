/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot of all memory, in the same 32-byte records that trace its changes. A record
 * describes a run: of frames with equal type and flags, of pageblocks with equal migrate type,
 * isolation or validity, or of blocks with equal state. Replaying the records that follow must
 * lead to the state in the next snapshot.
 *
 * A part holds as many pageblocks as fit in the buffer, but at least one:
 *	SNAP_PART pfn count, then records, then SNAP_END pfn
 */
#include "arch/inline.h"
#include "kernel/console/export.h"
#include "kernel/quiesce.h"
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "lib/time.h"
#include "mm/memory_hotplug.h"
#include "mm/section.h"
#include "mm/slab.h"

#define BUFFER_BYTES 0x10000
#define MAX_RECORDS  (BUFFER_BYTES / sizeof(struct trace_record))
#define STOP_NS	     (5 * NSEC_PER_SEC)

/*
 * The most records that a step adds: one pageblock's frames, its three states, its block; all
 * counters; the end.
 */
#define ROOM_NEEDED (PAGEBLOCK_NR_PAGES + 4 + NR_ZONES * NR_ZONE_COUNTERS + 1)
static_assert(MAX_RECORDS > 2 * ROOM_NEEDED, "a part holds a pageblock");

/* The flags that are part of a frame's state, without PG_TAIL: records do not show chunks. */
#define FLAGS_TOLD (PG_OFFLINE_SKIPPABLE | PG_CLAIMED | PG_PINNED | PG_HWPOISON)

/* The kinds of runs, which grow in parallel. */
enum run { RUN_FRAMES, RUN_TYPE, RUN_ISOLATE, RUN_VALID, RUN_BLOCK, NR_RUNS };

/**
 * struct snapshot - the part that is being made
 * @records: room for MAX_RECORDS
 * @nr: records in use
 * @run: the last record of each kind, which may still grow
 * @next: first frame that is not covered yet
 * @last: this part is the last
 */
struct snapshot {
	struct trace_record *records;
	u32 nr;
	struct trace_record *run[NR_RUNS];
	unsigned long next;
	bool last;
};

static struct trace_record *add(struct snapshot *snap, enum trace_event_id event, u64 pfn)
{
	struct trace_record *r = &snap->records[snap->nr++];

	*r = (struct trace_record){ .seq = READ_ONCE(ebb_trace.seq), .event = event,
				    .hart = TRACE_HART_SNAPSHOT, .time = arch_time(), .pfn = pfn };
	return r;
}

static void add_run(struct snapshot *snap, enum run kind, u64 pfn, u32 count, u32 state)
{
	static const u8 event[NR_RUNS] = { TRACE_FRAMES, TRACE_PAGEBLOCK_TYPE,
					   TRACE_PAGEBLOCK_ISOLATE, TRACE_PAGEBLOCK_VALID,
					   TRACE_BLOCK_STATE };
	struct trace_record *r = snap->run[kind];

	if (!r || r->pfn + r->count != pfn || r->after != (state & 0xff) ||
	    r->flags != state >> 8 || r->count + count < count) {
		r = add(snap, event[kind], pfn);
		r->after = state & 0xff;
		r->flags = state >> 8;
		snap->run[kind] = r;
	}
	r->count += count;
}

static void add_frames(struct snapshot *snap, unsigned long pfn)
{
	const unsigned long end = pfn + PAGEBLOCK_NR_PAGES;
	struct page_state st;

	if (!page_state_get(&kernel_mm, pfn, &st))
		return;
	add_run(snap, RUN_TYPE, pfn, PAGEBLOCK_NR_PAGES, st.migratetype);
	add_run(snap, RUN_ISOLATE, pfn, PAGEBLOCK_NR_PAGES, st.isolated);
	add_run(snap, RUN_VALID, pfn, PAGEBLOCK_NR_PAGES, !st.uniform);
	if (st.uniform) {
		add_run(snap, RUN_FRAMES, pfn, PAGEBLOCK_NR_PAGES,
			st.type | (u32)(st.flags & FLAGS_TOLD) << 8);
		return;
	}
	for (; pfn < end && page_state_get(&kernel_mm, pfn, &st); pfn++)
		add_run(snap, RUN_FRAMES, pfn, 1, st.type | (u32)(st.flags & FLAGS_TOLD) << 8);
}

static void add_block(struct snapshot *snap, unsigned long block)
{
	const struct mem_section *ms;
	const struct zone *zone;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, block << SECTION_PFN_SHIFT);
	zone = section_zone(ms);
	add_run(snap, RUN_BLOCK, ms->start_pfn, PAGES_PER_SECTION,
		READ_ONCE(ms->state) | (u32)(zone ? zone->type : 0xff) << 8);
	pfn_walk_end();
}

static void add_zones(struct snapshot *snap)
{
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		const struct zone *zone = &kernel_mm.zone[z];
		const unsigned long values[] = {
#define X(name, field, meaning) zone->field,
			ZONE_COUNTERS(X)
#undef X
		};

		for (unsigned int i = 0; i < NR_ZONE_COUNTERS; i++) {
			struct trace_record *r = add(snap, TRACE_ZONE_COUNT, values[i]);

			r->count = i;
			r->before = z;
		}
	}
}

/* Make one part, while all other harts stand still. */
static void make_part(void *arg)
{
	struct snapshot *snap = arg;
	unsigned long block = snap->next >> SECTION_PFN_SHIFT, seen = PFN_NONE;
	struct trace_record *part;

	snap->nr = 0;
	for (unsigned int i = 0; i < NR_RUNS; i++)
		snap->run[i] = NULL;
	part = add(snap, TRACE_SNAP_PART, snap->next);
	while ((block = next_memory_block(&kernel_mm, block)) != PFN_NONE) {
		const unsigned long end = (block + 1) << SECTION_PFN_SHIFT;

		snap->next = max(snap->next, block << SECTION_PFN_SHIFT);
		if (snap->nr + ROOM_NEEDED > MAX_RECORDS)
			break;
		if (block != seen)
			add_block(snap, seen = block);
		for (; snap->next < end && snap->nr + ROOM_NEEDED <= MAX_RECORDS;
		     snap->next += PAGEBLOCK_NR_PAGES)
			add_frames(snap, snap->next);
		block = snap->next >> SECTION_PFN_SHIFT;
	}
	snap->last = block == PFN_NONE;
	if (snap->last) {
		snap->next = (unsigned long)NR_SECTION_ROOTS << ROOT_PFN_SHIFT;
		add_zones(snap);
	}
	part->count = snap->nr;
	add(snap, TRACE_SNAP_END, snap->next)->after = snap->last;
}

int snapshot_write(struct sink *out)
{
	struct snapshot snap = { .next = 0 };
	int err = 0;

	snap.records = alloc_pages_virt(&kernel_mm, GFP_KERNEL, BUFFER_BYTES);
	if (!snap.records)
		return -ENOMEM;
	while (!snap.last && !err) {
		err = stop_machine(make_part, &snap, STOP_NS);
		if (!err)
			out->write(out, (const char *)snap.records,
				   snap.nr * sizeof(struct trace_record));
	}
	free_pages_virt(&kernel_mm, snap.records, BUFFER_BYTES);
	return err;
}
