/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in the bits of Linux's /proc/kpageflags, so that its readers (page-types and
 * the like) understand ebb. Compare with: Linux fs/proc/page.c, and the numbers in
 * include/uapi/linux/kernel-page-flags.h.
 */
#include "kernel/console/export.h"
#include "lib/bitops.h"
#include "mm/page.h"

enum {
	KPF_COMPOUND_HEAD = 15,
	KPF_COMPOUND_TAIL = 16,
	KPF_HWPOISON = 19,
	KPF_NOPAGE = 20,
	KPF_THP = 22,
};

/* Is it part of an allocated chunk of several frames, in Linux a compound page? */
static bool is_compound(const struct page_state *st)
{
	const enum page_mobility mobility = page_type_mobility(st->type);

	return st->order > 0 &&
	       (mobility == PAGE_MOBILITY_FIXED || mobility == PAGE_MOBILITY_OPS);
}

u64 kpageflags_of(const struct page_state *st)
{
	const int kpf = st ? page_type_kpf(st->type) : KPF_NOPAGE;
	u64 flags = kpf >= 0 ? BIT(kpf) : 0;

	if (!st)
		return flags;
	if (is_compound(st))
		flags |= BIT(st->flags & PG_TAIL ? KPF_COMPOUND_TAIL : KPF_COMPOUND_HEAD);
	if ((st->type == PGTY_ANON || st->type == PGTY_PAGECACHE) && st->order == PAGEBLOCK_ORDER)
		flags |= BIT(KPF_THP);
	if (st->flags & PG_HWPOISON)
		flags |= BIT(KPF_HWPOISON);
	return flags;
}
