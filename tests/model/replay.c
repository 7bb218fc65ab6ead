/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The replay applies records to a picture of memory, and compares pictures: see the header.
 * It reads memory's own picture from words and descriptors, without mm/'s accessors, as a
 * tool outside the machine does (docs/reference/trace.md).
 */
#include "tests/model/replay.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/console/export.h"
#include "kernel/hart.h"
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "kernel/trace/trace_table.h"
#include "mm/memory_hotplug.h"
#include "mm/pageblock.h"
#include "tests/model/model.h"

#define NR_PAGEBLOCKS (REPLAY_SECTIONS * PAGEBLOCKS_PER_SECTION)
#define NR_RECORDS    (1U << 16)
#define FLAGS_TOLD    (PG_OFFLINE_SKIPPABLE | PG_CLAIMED | PG_PINNED | PG_HWPOISON)
#define NO_ZONE	      0xff

/* The three words of a pageblock, by their events. */
enum word {
	WORD_TYPE,
	WORD_ISOLATE,
	WORD_VALID,
	NR_WORDS
};
static const char *const word_names[] = { "migrate type", "isolated", "valid" };

/* A frame is type | flags << 8; while all frames agree, @all is the value of each. */
struct block_picture {
	bool mixed;
	u16 all;
	u8 word[NR_WORDS];
	u16 frame[PAGEBLOCK_NR_PAGES];
};

struct picture {
	struct block_picture pb[NR_PAGEBLOCKS];
	u8 state[REPLAY_SECTIONS];
	u8 zone[REPLAY_SECTIONS];
	u64 counter[NR_ZONES][NR_ZONE_COUNTERS];
};

static struct picture replayed, truth;
static struct trace_record ring[NR_RECORDS];
static unsigned long base;
static u32 next_seq;

/* --- records --------------------------------------------------------------- */

static u16 frame_at(const struct block_picture *pb, unsigned int i)
{
	return pb->mixed ? pb->frame[i] : pb->all;
}

static void set_frames(struct block_picture *pb, unsigned int off, unsigned int nr,
		       u16 value)
{
	if (nr == PAGEBLOCK_NR_PAGES) {
		pb->mixed = false;
		pb->all = value;
		return;
	}
	for (unsigned int i = 0; !pb->mixed && i < PAGEBLOCK_NR_PAGES; i++)
		pb->frame[i] = pb->all;
	pb->mixed = true;
	for (unsigned int i = off; i < off + nr; i++)
		pb->frame[i] = value;
}

static void apply_frames(struct picture *p, const struct trace_record *r, bool check)
{
	const u16 value = r->after | (r->flags & FLAGS_TOLD) << 8;
	u64 pfn = r->pfn, end = r->pfn + r->count, next;

	for (; pfn < end; pfn = next) {
		struct block_picture *pb = &p->pb[(pfn - base) >> PAGEBLOCK_ORDER];
		const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;

		next = min((pfn | (PAGEBLOCK_NR_PAGES - 1)) + 1, end);
		for (unsigned int i = off; check && r->before && i < off + (next - pfn);
		     i++)
			CHECK((frame_at(pb, i) & 0xff) == r->before,
			      "record %u says that pfn %#lx was %s; the records before say %s",
			      r->seq, (unsigned long)(pfn + i - off),
			      page_type_name(r->before),
			      page_type_name(frame_at(pb, i) & 0xff));
		set_frames(pb, off, next - pfn, value);
	}
}

static void apply_word(struct picture *p, const struct trace_record *r, enum word word,
		       bool check)
{
	for (u64 pfn = r->pfn; pfn < r->pfn + r->count; pfn += PAGEBLOCK_NR_PAGES) {
		u8 *w = &p->pb[(pfn - base) >> PAGEBLOCK_ORDER].word[word];

		CHECK(!check || r->flags || *w == r->before,
		      "record %u says that pageblock %#lx: %s was %u; the records before say %u",
		      r->seq, (unsigned long)pfn, word_names[word], r->before, *w);
		*w = r->after;
	}
}

static void apply_state(struct picture *p, const struct trace_record *r, bool check)
{
	for (u64 pfn = r->pfn; pfn < r->pfn + r->count; pfn += PAGES_PER_SECTION) {
		const unsigned int s = (pfn - base) >> SECTION_PFN_SHIFT;

		CHECK(!check || p->state[s] == r->before,
		      "record %u says that block of pfn %#lx was %s; the records before say %s",
		      r->seq, (unsigned long)pfn, memory_block_state_name(r->before),
		      memory_block_state_name(p->state[s]));
		p->state[s] = r->after;
		p->zone[s] = r->after == MEM_BLOCK_ABSENT ? NO_ZONE : r->flags;
		if (r->after == MEM_BLOCK_ABSENT)
			memset(&p->pb[s * PAGEBLOCKS_PER_SECTION], 0,
			       PAGEBLOCKS_PER_SECTION * sizeof(p->pb[0]));
	}
}

static void apply(struct picture *p, const struct trace_record *r, bool check)
{
	CHECK(r->event == TRACE_ZONE_COUNT ||
		      (r->pfn >= base &&
		       r->pfn + r->count <= base + REPLAY_SECTIONS * PAGES_PER_SECTION),
	      "record %u: pfn %#lx", r->seq, (unsigned long)r->pfn);
	switch (r->event) {
	case TRACE_FRAMES:
		apply_frames(p, r, check);
		break;
	case TRACE_PAGEBLOCK_TYPE:
	case TRACE_PAGEBLOCK_ISOLATE:
	case TRACE_PAGEBLOCK_VALID:
		apply_word(p, r, r->event - TRACE_PAGEBLOCK_TYPE, check);
		break;
	case TRACE_BLOCK_STATE:
		apply_state(p, r, check);
		break;
	case TRACE_ZONE_COUNT:
		p->counter[r->before][r->count] = r->pfn;
		break;
	default:
		CHECK(false, "record %u of event %u", r->seq, r->event);
	}
}

/* A copy of the records for tools/replay.py, which must compute the same state. */
static FILE *session;

static void session_write(const void *records, size_t len)
{
	CHECK(!session || fwrite(records, len, 1, session) == 1, "session");
}

static void session_open(void)
{
	const char *path = getenv("EBB_SESSION");

	if (!path)
		return;
	session = fopen(path, "w");
	CHECK(session && fprintf(session,
				 "{\"format\": \"ebbt\", \"version\": 1, \"record_bytes\": %zu}\n",
				 sizeof(struct trace_record)) > 0,
	      "%s", path);
}

static void follow_until(u32 seq)
{
	struct trace_record r;

	CHECK(trace_lost() == 0, "%lu records lost", (unsigned long)trace_lost());
	while (next_seq != seq) {
		CHECK(trace_take(&r) && r.seq == next_seq, "record %u is missing",
		      next_seq);
		session_write(&r, sizeof(r));
		apply(&replayed, &r, true);
		next_seq++;
	}
}

void replay_follow(void)
{
	follow_until(READ_ONCE(ebb_trace.seq));
}

/* --- pictures compared ----------------------------------------------------- */

static bool has_frames(u8 state)
{
	return state == MEM_BLOCK_ONLINE || state == MEM_BLOCK_GOING_OFFLINE;
}

static void compare_pageblock(unsigned int b, const char *source)
{
	const struct block_picture *mine = &replayed.pb[b], *its = &truth.pb[b];
	const unsigned long pfn = base + ((unsigned long)b << PAGEBLOCK_ORDER);

	for (unsigned int w = 0; w < NR_WORDS; w++)
		CHECK(mine->word[w] == its->word[w],
		      "pageblock %#lx: %s: the records say %u, %s says %u", pfn,
		      word_names[w], mine->word[w], source, its->word[w]);
	if (!mine->mixed && !its->mixed && mine->all == its->all)
		return;
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i++) {
		const u16 a = frame_at(mine, i), t = frame_at(its, i);

		CHECK(a == t,
		      "pfn %#lx: the records say %s flags %#x, %s says %s flags %#x",
		      pfn + i, page_type_name(a & 0xff), a >> 8, source,
		      page_type_name(t & 0xff), t >> 8);
	}
}

static bool is_memory(unsigned int type)
{
	return type != PGTY_HOLE && type != PGTY_DEVICE;
}

static bool is_managed(unsigned int type)
{
	return is_memory(type) && type != PGTY_OFFLINE &&
	       (type < PGTY_FIRMWARE || type > PGTY_MEMMAP);
}

static void count_pageblock(const struct block_picture *pb, u64 *sum)
{
	const unsigned int step = pb->mixed ? 1 : PAGEBLOCK_NR_PAGES;

	sum[ZONE_COUNTER_NR_ISOLATED] += pb->word[WORD_ISOLATE];
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i += step) {
		const unsigned int type = frame_at(pb, i) & 0xff;

		sum[ZONE_COUNTER_PRESENT] += is_memory(type) * step;
		sum[ZONE_COUNTER_MANAGED] += is_managed(type) * step;
		sum[pb->word[WORD_ISOLATE] ? ZONE_COUNTER_FREE_ISOLATED
					   : ZONE_COUNTER_FREE] +=
			(type == PGTY_BUDDY) * step;
	}
}

/* Compare a zone's counters with the sums over the frames that the records left. */
static void compare_counters(unsigned int z, const char *source)
{
	u64 sum[NR_ZONE_COUNTERS] = { 0 };
	unsigned long end = 0;

	for (unsigned int s = 0; s < REPLAY_SECTIONS; s++) {
		if (replayed.zone[s] != z)
			continue;
		if (!end)
			sum[ZONE_COUNTER_START_PFN] = base + s * PAGES_PER_SECTION;
		end = base + (s + 1) * PAGES_PER_SECTION;
		for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
			count_pageblock(&replayed.pb[s * PAGEBLOCKS_PER_SECTION + b],
					sum);
	}
	sum[ZONE_COUNTER_SPANNED] = end - sum[ZONE_COUNTER_START_PFN];
	for (unsigned int i = 0; i < NR_ZONE_COUNTERS; i++)
		CHECK(sum[i] == truth.counter[z][i],
		      "zone %u: counter %u: the records give %lu, %s says %lu", z,
		      i, (unsigned long)sum[i], source, (unsigned long)truth.counter[z][i]);
}

static void compare(const char *source)
{
	for (unsigned int s = 0; s < REPLAY_SECTIONS; s++) {
		CHECK(replayed.state[s] == truth.state[s] &&
			      replayed.zone[s] == truth.zone[s],
		      "block of pfn %#lx: the records say %s zone %u, %s says %s zone %u",
		      base + s * PAGES_PER_SECTION,
		      memory_block_state_name(replayed.state[s]), replayed.zone[s], source,
		      memory_block_state_name(truth.state[s]), truth.zone[s]);
		for (unsigned int b = 0;
		     has_frames(truth.state[s]) && b < PAGEBLOCKS_PER_SECTION; b++)
			compare_pageblock(s * PAGEBLOCKS_PER_SECTION + b, source);
	}
	for (unsigned int z = 0; z < NR_ZONES; z++)
		compare_counters(z, source);
}

/* --- what memory says ------------------------------------------------------ */

static void forget(struct picture *p)
{
	memset(p, 0, sizeof(*p));
	memset(p->zone, NO_ZONE, sizeof(p->zone));
}

/* Read the type and flags of a frame; a tail has those of its head. */
static u16 frame_of(unsigned long pfn)
{
	u32 w = vmemmap[pfn].word;

	if (PAGE_WORD_FLAGS(w) & PG_TAIL)
		w = vmemmap[pfn & ~((1UL << PAGE_WORD_ORDER(w)) - 1)].word;
	return PAGE_WORD_TYPE(w) | (PAGE_WORD_FLAGS(w) & FLAGS_TOLD) << 8;
}

static void read_pageblock(const struct mem_section *ms, unsigned int b,
			   struct block_picture *p)
{
	const u64 w = ms->pb[b].word;
	u32 constant = w >> PB_CONST_SHIFT;

	p->word[WORD_TYPE] = (w & PB_MT_MASK) >> PB_MT_SHIFT;
	p->word[WORD_ISOLATE] = !!(w & PB_ISOLATE);
	p->word[WORD_VALID] = !!(w & PB_VALID);
	p->mixed = w & PB_VALID;
	if (!p->mixed && PAGE_WORD_FLAGS(constant) & PG_TAIL)
		constant = ms->pb[b - 1].word >> PB_CONST_SHIFT;
	p->all = PAGE_WORD_TYPE(constant) | (PAGE_WORD_FLAGS(constant) & FLAGS_TOLD) << 8;
	for (unsigned int i = 0; p->mixed && i < PAGEBLOCK_NR_PAGES; i++)
		p->frame[i] = frame_of(ms->start_pfn + b * PAGEBLOCK_NR_PAGES + i);
}

static void read_memory(void)
{
	forget(&truth);
	for (unsigned int s = 0; s < REPLAY_SECTIONS; s++) {
		const unsigned long nr = (base >> SECTION_PFN_SHIFT) + s;
		const struct mem_section *ms = kernel_mm.root[nr / SECTIONS_PER_ROOT]
						       ->section[nr % SECTIONS_PER_ROOT];

		if (!ms)
			continue;
		truth.state[s] = ms->state;
		truth.zone[s] = ms->zone ? ms->zone - kernel_mm.zone : NO_ZONE;
		for (unsigned int b = 0;
		     has_frames(ms->state) && b < PAGEBLOCKS_PER_SECTION; b++)
			read_pageblock(ms, b, &truth.pb[s * PAGEBLOCKS_PER_SECTION + b]);
	}
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		const struct zone *zone = &kernel_mm.zone[z];
		const u64 values[] = {
#define X(name, field, meaning) zone->field,
			ZONE_COUNTERS(X)
#undef X
		};

		memcpy(truth.counter[z], values, sizeof(values));
	}
}

void replay_compare(void)
{
	replay_follow();
	read_memory();
	compare("memory");
}

/* --- snapshots ------------------------------------------------------------- */

static u32 snapshot_seq;

/*
 * Apply a part of a snapshot when it is written. All parts have the same record number,
 * because nothing happens between them.
 */
static void take_part(struct sink *sink, const char *data, size_t len)
{
	const struct trace_record *r = (const struct trace_record *)data;
	const size_t nr = len / sizeof(*r);

	(void)sink;
	CHECK(nr >= 2 && r[0].event == TRACE_SNAP_PART && r[0].count == nr - 1 &&
		      r[nr - 1].event == TRACE_SNAP_END,
	      "a part of %zu bytes", len);
	CHECK(r[0].pfn == 0 || r[0].seq == snapshot_seq, "part %u, not %u", r[0].seq,
	      snapshot_seq);
	snapshot_seq = r[0].seq;
	session_write(data, len);
	for (size_t i = 1; i < nr - 1; i++)
		apply(&truth, &r[i], false);
}

static struct sink part_sink = { .write = take_part };

static int read_snapshot(void)
{
	forget(&truth);
	return snapshot_write(&part_sink);
}

void replay_snapshot(void)
{
	replay_compare();
	if (read_snapshot() == 0) {
		follow_until(snapshot_seq);
		compare("the snapshot");
	}
}

void replay_start(unsigned long base_pfn)
{
	struct trace_record r = { 0 };

	base = base_pfn;
	session_open();
	ebb_trace.nr_records = NR_RECORDS;
	trace_ring_init(this_hart(), ring, (uintptr_t)ring);
	CHECK(trace_set("mm:*", TRACE_ON) > 0, "no events");
	CHECK(read_snapshot() == 0, "no first snapshot");
	replayed = truth;
	/* Skip the records before the snapshot, which contains them. */
	for (next_seq = snapshot_seq; r.seq + 1 != next_seq;)
		CHECK(trace_take(&r), "record %u is missing", next_seq - 1);
	replay_compare();
}
