/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace rings. A ring has one writer, its hart, with interrupts masked, and one
 * reader at a time. The writer never waits: if the reader is slow, the writer overwrites the
 * oldest records and counts them as lost.
 *
 * Record r of n lies in slot r % n, and record r + n overwrites it. The writer publishes
 * head before it starts on the next record, so a reader that has copied record r and then
 * finds head - r < n has a whole copy. Both sides copy words by atomic accesses, because their
 * copies may overlap in time.
 */
#include "arch/inline.h"
#include "kernel/panic.h"
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "kernel/trace/trace_table.h"
#include "lib/errno.h"
#include "lib/glob.h"
#include "lib/string.h"

#define RECORD_WORDS (sizeof(struct trace_record) / sizeof(u64))

/* A record as words, for copying. */
union record_words {
	struct trace_record record;
	u64 word[RECORD_WORDS];
};

struct trace_header ebb_trace = {
	.magic = TRACE_MAGIC,
	.version = TRACE_VERSION,
	.header_bytes = sizeof(struct trace_header),
	.record_bytes = sizeof(struct trace_record),
	.nr_rings = TRACE_MAX_RINGS,
	.seq = 1, /* trace_boot() sets 0 if tracing starts at boot */
};

/*
 * The target of struct hart's @trace_ring.
 *
 * @cleared: number of the first record that trace_dump() prints. trace_dump() also prints
 *	records that a reader has taken
 *
 * Lock keys:
 *   (c) constant after trace_ring_init(); only the hart writes the target, except
 *       @info->tail, which the reader writes
 *   (w) trace_clear() writes; others read with READ_ONCE()
 */
struct trace_ring {
	union record_words *slots;	/* (c) */
	struct trace_ring_info *info;	/* (c) */
	u64 cleared;			/* (w) */
};

static struct trace_ring rings[TRACE_MAX_RINGS];
static_assert(TRACE_MAX_RINGS == MAX_HARTS, "a ring for each hart");

void trace_ring_init(struct hart *hart, struct trace_record *records, phys_addr_t address)
{
	struct trace_ring *ring = &rings[hart->id];

	ring->slots = (union record_words *)records;
	ring->info = &ebb_trace.ring[hart->id];
	*ring->info = (struct trace_ring_info){ .records = address };
	hart->trace_ring = ring;
}

static_assert(offsetof(struct trace_record, event) == 4 &&
		      offsetof(struct trace_record, hart) == 6 &&
		      offsetof(struct trace_record, flags) == 7 &&
		      offsetof(struct trace_record, pfn) == 16 &&
		      offsetof(struct trace_record, before) == 28 &&
		      offsetof(struct trace_record, after) == 30,
	      "write_record() composes the words");

/*
 * Write the next record of a ring, with interrupts masked. The words are those of struct
 * trace_record.
 */
static inline void write_record(const struct hart *hart, u64 event,
				const struct trace_args *args)
{
	const struct trace_ring *ring = hart->trace_ring;
	struct trace_ring_info *info = ring->info;
	const u64 head = info->head, last = ebb_trace.nr_records - 1;
	union record_words *slot = &ring->slots[head & last];

	/*
	 * The reader must not touch the slot that is written next, so the ring holds one
	 * record fewer than it has slots.
	 */
	if (head - READ_ONCE(info->tail) >= last)
		WRITE_ONCE(info->lost, info->lost + 1);
	/*
	 * Order the previous store of head before the stores of the new words; pairs with
	 * the fence in read_record().
	 */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE_ONCE(slot->word[0],
		   __atomic_fetch_add(&ebb_trace.seq, 1, __ATOMIC_RELAXED) | event << 32 |
			   (u64)hart->id << 48 | (u64)args->flags << 56);
	WRITE_ONCE(slot->word[1], arch_time());
	WRITE_ONCE(slot->word[2], args->pfn);
	WRITE_ONCE(slot->word[3],
		   args->count | (u64)args->before << 32 | (u64)args->after << 48);
	STORE_RELEASE(info->head, head + 1);
}

void trace_record(enum trace_event_id event, const struct trace_args *args)
{
	unsigned long before;

	if (!trace_is_on(event))
		return;
	before = arch_irq_mask();
	if (likely(this_hart()->trace_ring))
		write_record(this_hart(), event, args);
	arch_irq_unmask(before);
}

void trace_record_at(struct trace_site *site, const struct trace_args *args)
{
	if (!trace_is_on(site->event))
		return;
	__atomic_fetch_add(&site->reached, 1, __ATOMIC_RELAXED);
	if (likely(!READ_ONCE(site->muted)))
		trace_record(site->event, args);
}

bool trace_is_on(enum trace_event_id event)
{
	return (READ_ONCE(ebb_trace.enabled) & BIT(event)) != 0;
}

int trace_set(const char *glob, enum trace_switch on)
{
	const struct trace_event_desc *desc;
	u64 mask = 0;
	int nr = 0;

	if (ebb_trace.nr_records == 0)
		return -ENODEV;
	for_each_trace_event(desc) {
		if (!glob_match(glob, desc->name))
			continue;
		mask |= BIT(desc->id);
		nr++;
	}
	if (on == TRACE_ON)
		__atomic_fetch_or(&ebb_trace.enabled, mask, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&ebb_trace.enabled, ~mask, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < MAX_HARTS; i++)
		WRITE_ONCE(harts[i].trace_mask, ebb_trace.enabled);
	return nr;
}

/* Return the number of the oldest record at or after @cursor that the ring still holds. */
static u64 oldest(const struct trace_ring_info *info, u64 cursor)
{
	const u64 head = __atomic_load_n(&info->head, __ATOMIC_ACQUIRE);
	const u64 room = ebb_trace.nr_records - 1;

	return head - cursor > room ? head - room : cursor;
}

/*
 * Copy the record at @cursor or, if it was overwritten, the oldest record after it. Return:
 * false if there is none.
 */
static bool read_record(const struct trace_ring *ring, u64 *cursor,
			struct trace_record *record)
{
	const struct trace_ring_info *info = ring->info;
	union record_words copy;

	for (;;) {
		const union record_words *slot;

		*cursor = oldest(info, *cursor);
		if (__atomic_load_n(&info->head, __ATOMIC_ACQUIRE) == *cursor)
			return false;
		slot = &ring->slots[*cursor & (ebb_trace.nr_records - 1)];
		for (unsigned int i = 0; i < RECORD_WORDS; i++)
			copy.word[i] = READ_ONCE(slot->word[i]);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (oldest(info, *cursor) == *cursor)
			break;
	}
	*record = copy.record;
	return true;
}

/* Get the next record of all rings, in the order of seq; move the cursor of its ring. */
static bool merge_next(u64 cursors[TRACE_MAX_RINGS], struct trace_record *record)
{
	struct trace_record candidate;
	int best = -1;

	for (unsigned int i = 0; i < TRACE_MAX_RINGS; i++) {
		if (rings[i].slots == NULL || !read_record(&rings[i], &cursors[i], &candidate))
			continue;
		if (best >= 0 && (s32)(candidate.seq - record->seq) > 0)
			continue;
		best = i;
		*record = candidate;
	}
	if (best < 0)
		return false;
	cursors[best]++;
	return true;
}

bool trace_take(struct trace_record *record)
{
	u64 cursors[TRACE_MAX_RINGS];
	bool found;

	for (unsigned int i = 0; i < TRACE_MAX_RINGS; i++)
		cursors[i] = READ_ONCE(ebb_trace.ring[i].tail);
	found = merge_next(cursors, record);
	/* Move only this ring's tail; the others keep theirs for the lost count. */
	if (found)
		WRITE_ONCE(ebb_trace.ring[record->hart].tail, cursors[record->hart]);
	return found;
}

u64 trace_lost(void)
{
	u64 lost = 0;

	for (unsigned int i = 0; i < TRACE_MAX_RINGS; i++)
		lost += READ_ONCE(ebb_trace.ring[i].lost);
	return lost;
}

void trace_dump(struct sink *out, unsigned int last)
{
	u64 cursors[TRACE_MAX_RINGS], total = 0;
	struct trace_record record;

	for (unsigned int i = 0; i < TRACE_MAX_RINGS; i++)
		if (rings[i].slots != NULL) {
			cursors[i] = oldest(rings[i].info, READ_ONCE(rings[i].cleared));
			total += READ_ONCE(rings[i].info->head) - cursors[i];
		}
	for (u64 i = 0; i < total && merge_next(cursors, &record); i++)
		if (last == 0 || i + last >= total)
			trace_print(&record, out);
	if (trace_lost() != 0)
		sink_printf(out, "# lost %lu record%s\n", trace_lost(), str_plural(trace_lost()));
}

/*
 * Mute or unmute a trace_emit() call of the sources. The sites are in the linker's order. A
 * muted call writes no records, as if it did not exist: the scenario "emit_calls" mutes each
 * call in turn, and the replay must notice.
 */
int trace_mute(unsigned long site, enum trace_switch on)
{
	if (site >= (unsigned long)(__stop_trace_sites - __start_trace_sites))
		return -ENOENT;
	WRITE_ONCE(__start_trace_sites[site].muted, on == TRACE_OFF);
	return 0;
}

void trace_list_sites(struct sink *out)
{
	const struct trace_site *site;

	for (site = __start_trace_sites; site < __stop_trace_sites; site++)
		sink_printf(out, "%3u %9u %-5s %-22s %s:%u\n",
			    (unsigned int)(site - __start_trace_sites), READ_ONCE(site->reached),
			    READ_ONCE(site->muted) ? "muted" : "-",
			    trace_event_find(site->event)->name, site->file, site->line);
}

#define PANIC_RECORDS 20

/* Print the newest records for a panic's report. */
static void print_newest(struct sink *out)
{
	trace_dump(out, PANIC_RECORDS);
}
PANIC_REPORT(print_newest);

void trace_clear(void)
{
	for (unsigned int i = 0; i < TRACE_MAX_RINGS; i++) {
		WRITE_ONCE(rings[i].cleared, READ_ONCE(ebb_trace.ring[i].head));
		WRITE_ONCE(ebb_trace.ring[i].tail, rings[i].cleared);
		WRITE_ONCE(ebb_trace.ring[i].lost, 0);
	}
}
