/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing descriptors, chunk by chunk and frame by frame, and checking those of
 * PageOffline frames. Readers are in page.c.
 */
#include "mm/pageblock.h"

/*
 * Write the descriptors of @nr frames: @word, with a count in its upper half, and
 * @owner. One store writes word and count, so a reader without a lock never sees the new
 * type with a stale count.
 */
void frames_write(unsigned long pfn, unsigned long nr, u64 word, u64 owner)
{
	u64 *p = (u64 *)pfn_to_page(pfn);
	u64 *const end = p + 2 * nr;

	if (PAGE_WORD_TYPE(word) == PGTY_OFFLINE) {
		word |= (u64)OFFLINE_COUNT << 32;
		owner = OFFLINE_OWNER;
	}
#define FRAME(i) (WRITE_ONCE(p[2 * (i)], word), WRITE_ONCE(p[2 * (i) + 1], owner))
	for (; p + 32 <= end; p += 32) {
		FRAME(0), FRAME(1), FRAME(2), FRAME(3), FRAME(4), FRAME(5), FRAME(6), FRAME(7);
		FRAME(8), FRAME(9), FRAME(10), FRAME(11);
		FRAME(12), FRAME(13), FRAME(14), FRAME(15);
	}
	for (; p < end; p += 2)
		FRAME(0);
#undef FRAME
}

/*
 * Write the descriptors of one chunk: tails first, then the head with its count, so a
 * reader that sees the head also sees valid tails.
 */
void chunk_write(unsigned long pfn, unsigned int order, u32 word)
{
	if (order)
		frames_write(pfn + 1, (1UL << order) - 1, word | PG_TAIL << 8, 0);
	head_write(pfn_to_page(pfn), word);
}

/* Count the frames from @pfn on, up to @end, that have equal descriptors. */
static unsigned long equal_frames(unsigned long pfn, unsigned long end)
{
	const u64 *p = (const u64 *)pfn_to_page(pfn), *const stop = p + 2 * (end - pfn);
	const u64 word = p[0], owner = p[1];

	while ((p += 2) < stop && p[0] == word && p[1] == owner)
		;
	return end - pfn - (unsigned long)(stop - p) / 2;
}

/*
 * Check PageOffline frames of one pageblock before they get another type. Panics if a
 * canary has changed (in a debug build) or if @release is set and a frame is not
 * PageOffline.
 */
void offline_check(const struct mem_section *ms, unsigned long pfn, unsigned long nr,
		   bool release)
{
	const struct pageblock *pb = &ms->pb[pageblock_index(pfn)];
	const u64 w = pb_read(pb);
	const bool valid = w & PB_VALID;
	const unsigned long end = pfn + nr;

	for (; pfn < end; pfn = valid ? pfn + equal_frames(pfn, end) : end) {
		const struct page *page = pfn_to_page(pfn);
		const enum page_type type = PAGE_WORD_TYPE(frame_word(w, pfn));
		const u64 owner = valid ? page->owner : pageblock_owner(pb);

		if (release && type != PGTY_OFFLINE)
			panic("%s: release of pfn 0x%lx: it is %s, not Offline", ms->mm->name, pfn,
			      page_type_name(type));
		if (!EBB_DEBUG || type != PGTY_OFFLINE)
			continue;
		if (valid && page->count != OFFLINE_COUNT)
			panic("%s: pfn 0x%lx is Offline, its count is 0x%x instead of 0x%x",
			      ms->mm->name, pfn, page->count, OFFLINE_COUNT);
		if (owner != OFFLINE_OWNER)
			panic("%s: pfn 0x%lx is Offline, its %sowner is 0x%lx instead of 0x%lx",
			      ms->mm->name, pfn, valid ? "" : "pageblock's ",
			      (unsigned long)owner, OFFLINE_OWNER);
	}
}
