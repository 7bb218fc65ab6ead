/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page poisoning, page_poison=1: a free fills the frames with a pattern, and an
 * allocation checks the pattern, which catches a write after free and names the frame
 * and the byte. A frame that was never used has no pattern and no PG_POISON. While
 * poisoning is on, the harts' caches stay empty, so their fast paths need no poison check.
 * Compare with: Linux mm/page_poison.c.
 */
#include "arch/machine.h"
#include "kernel/param.h"
#include "lib/string.h"
#include "mm/pageblock.h"
#include "mm/poison.h"

#define POISON_BYTE 0xaa

bool page_poison;
PARAM_BOOL("page_poison", page_poison, "fill free pages with a pattern and check it");

void poison_fill(struct mm *mm, unsigned long pfn, unsigned long nr)
{
	if (!mm->phantom)
		memset(phys_to_virt(pfn_to_phys(pfn)), POISON_BYTE, nr << PAGE_SHIFT);
}

/* Check those frames that are still Buddy; pageblocks of either form; zone->lock held. */
void poison_check(struct mm *mm, unsigned long pfn, unsigned long nr)
{
	for (const unsigned long end = pfn + nr; pfn < end && !mm->phantom; pfn++) {
		const u32 desc = frame_word(pb_read(pfn_pageblock(mm, pfn)), pfn);
		const u8 *frame = phys_to_virt(pfn_to_phys(pfn));
		const u8 *bad;

		if (!(PAGE_WORD_FLAGS(desc) & PG_POISON) || PAGE_WORD_TYPE(desc) != PGTY_BUDDY)
			continue;
		bad = memchr_inv(frame, POISON_BYTE, PAGE_SIZE);
		if (bad)
			panic("pfn 0x%lx was written while it was free: byte 0x%lx is 0x%02x",
			      pfn, (unsigned long)(bad - frame), *bad);
	}
}
