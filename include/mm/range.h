/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_RANGE_H
#define _MM_RANGE_H

/*
 * Ranges of frames, and how to walk over them: by section, by pageblock, and by the runs
 * of a section's mask. In such a mask, bit b stands for pageblock b.
 */
#include "lib/bitops.h"
#include "mm/page.h"

/* A range of frames. */
struct pfn_range {
	unsigned long start_pfn;
	unsigned long nr_pages;
};

/* Return the first frame after a range. */
static inline unsigned long range_end(const struct pfn_range *r)
{
	return r->start_pfn + r->nr_pages;
}

/* Return the first frame after the section or pageblock that a pfn lies in. */
static inline unsigned long section_end(unsigned long pfn)
{
	return (pfn | (PAGES_PER_SECTION - 1)) + 1;
}

static inline unsigned long pageblock_end(unsigned long pfn)
{
	return (pfn | (PAGEBLOCK_NR_PAGES - 1)) + 1;
}

/* Step to the next part of a range that lies in one aligned @unit of frames, if there is one. */
static inline bool range_next(struct pfn_range *part, const struct pfn_range *r,
			      unsigned long unit)
{
	const unsigned long pfn = range_end(part);

	*part = (struct pfn_range){ pfn, min((pfn | (unit - 1)) + 1, range_end(r)) - pfn };
	return pfn < range_end(r);
}

/* Set @part to the part of *@range that lies in each section, in ascending order. */
#define for_each_section_part(part, range)                                               \
	for ((part) = (struct pfn_range){ (range)->start_pfn, 0 };                       \
	     range_next(&(part), (range), PAGES_PER_SECTION);)

/* The same for each pageblock. */
#define for_each_pageblock_part(part, range)                                             \
	for ((part) = (struct pfn_range){ (range)->start_pfn, 0 };                       \
	     range_next(&(part), (range), PAGEBLOCK_NR_PAGES);)

static inline unsigned int pageblock_index(unsigned long pfn)
{
	return (pfn >> PAGEBLOCK_ORDER) % PAGEBLOCKS_PER_SECTION;
}

/* Return the mask of the pageblocks that a range touches; the range lies in one section. */
static inline u64 range_mask(const struct pfn_range *r)
{
	return GENMASK(pageblock_index(range_end(r) - 1), pageblock_index(r->start_pfn));
}

/* Return the lowest run of set bits in a mask, as a mask. */
static inline u64 mask_lowest_run(u64 mask)
{
	return mask & ~(mask + (mask & -mask));
}

/* Set @run to the mask of each run of set bits in @mask, from the lowest. */
#define for_each_run(run, mask)                                                          \
	for (u64 run##_left = (mask), run; (run = mask_lowest_run(run##_left)) != 0;     \
	     run##_left &= ~run)

#endif
