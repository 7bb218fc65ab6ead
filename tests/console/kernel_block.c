/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of the kernel's own memory: see the header. */
#include "tests/console/kernel_block.h"
#include "tests/mm/hotplug_window.h"

struct lent {
	struct ktest *test;
	struct memory_owner owner;
	unsigned long first, nr; /* block ids */
	enum mhp_online_type usual;
};

static void take_back(void *ctx)
{
	struct lent *lent = ctx;

	kernel_mm.default_online_type = lent->usual;
	for (unsigned long b = lent->first; b < lent->first + lent->nr; b++) {
		if (memory_block_state(&kernel_mm, b) == MEM_BLOCK_ONLINE)
			KTEST_EXPECT_EQ(lent->test,
					offline_memory_block(&kernel_mm, b, NULL, NO_WHY),
					0);
		if (memory_block_state(&kernel_mm, b) == MEM_BLOCK_OFFLINE)
			KTEST_EXPECT_EQ(lent->test,
					try_remove_memory(&kernel_mm, b, NO_WHY), 0);
	}
	unregister_memory_owner(&kernel_mm, &lent->owner);
}

unsigned long kernel_blocks_add(struct ktest *test, unsigned long nr,
				unsigned long nr_pages, u64 plugged)
{
	struct lent *lent = ktest_alloc(test, sizeof(*lent));
	const unsigned long pfn = window_find();

	if (pfn == PFN_NONE)
		ktest_skip(test, "no RAM above mem=; type: make ut MEM=");
	KTEST_ASSERT_LE(test, nr, WINDOW_BLOCKS);
	*lent = (struct lent){ .test = test,
			       .first = pfn >> SECTION_PFN_SHIFT,
			       .usual = kernel_mm.default_online_type };
	lent->owner.name = "lender";
	lent->owner.region = (struct pfn_range){ pfn, nr_pages };
	KTEST_ASSERT_EQ(test, register_memory_owner(&kernel_mm, &lent->owner, NO_WHY), 0);
	kernel_mm.default_online_type = MMOP_OFFLINE;
	ktest_add_action(test, take_back, lent);
	for (; lent->nr < nr; lent->nr++)
		KTEST_ASSERT_EQ(test,
				add_memory(&kernel_mm, lent->first + lent->nr,
					   &lent->owner, plugged, NO_WHY),
				0);
	return lent->first;
}
