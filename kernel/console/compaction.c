/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction for the user, with Linux's files: /proc/sys/vm/compact_memory starts it, and
 * /sys/kernel/debug/extfrag shows how fragmented the free memory is.
 *
 * Compare with: Linux mm/compaction.c, mm/vmstat.c.
 */
#include "kernel/console/memory_block.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/compaction.h"
#include "mm/page_alloc.h"
#include "mm/vmstat.h"

static int show_compact_memory(unsigned long, struct sink *out)
{
	sink_puts(out, "compact_memory: write-only; \"echo 1 > /proc/sys/vm/compact_memory\" "
		       "compacts all memory\n");
	return -EPERM;
}

static int store_compact_memory(unsigned long, const char *word, struct sink *out)
{
	const struct evac_limits limits = command_limits(EVAC_FOR_COMPACT, 0);
	struct compaction_result result;
	struct mm_failure why;
	int err;

	if (strcmp(word, "1") != 0) {
		sink_printf(out, "\"%s\": expected 1\n", word);
		return -EINVAL;
	}
	err = compact_memory(&kernel_mm, &limits, &result, &why);
	sink_printf(out, "%lu page%s moved, %lu pageblock%s became free\n", result.moved,
		    str_plural(result.moved), result.emptied, str_plural(result.emptied));
	if (err) {
		sink_puts(out, "compact_memory: ");
		mm_failure_print(&why, out);
		sink_puts(out, "\n");
	}
	return err;
}
PSEUDO_FILE(compact_memory, "/proc/sys/vm/compact_memory", show_compact_memory,
	    store_compact_memory);

/* Print @n thousandths as a decimal number, after @plus if it is not negative. */
static void print_thousandths(struct sink *out, const char *plus, s32 n)
{
	const s32 size = n < 0 ? -n : n;

	sink_printf(out, "%s%d.%03d ", n < 0 ? "-" : plus, size / 1000, size % 1000);
}

/* Print a line for each zone with memory: the index of each order. */
static int show_index(struct sink *out, bool unusable)
{
	struct extfrag index[NR_PAGE_ORDERS];

	for (unsigned int z = 0; z < NR_ZONES; z++) {
		struct zone *zone = mm_zone(&kernel_mm, z);

		if (READ_ONCE(zone->present) == 0)
			continue;
		zone_extfrag(zone, index);
		sink_printf(out, "Node %d, zone %8s ", 0, zone_name(z));
		for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
			if (unusable)
				print_thousandths(out, "", index[k].unusable);
			else
				print_thousandths(out, " ", index[k].fragmentation);
		sink_puts(out, "\n");
	}
	return 0;
}

static int show_unusable_index(unsigned long, struct sink *out)
{
	return show_index(out, true);
}
PSEUDO_FILE(unusable_index, "/sys/kernel/debug/extfrag/unusable_index", show_unusable_index, NULL);

static int show_extfrag_index(unsigned long, struct sink *out)
{
	return show_index(out, false);
}
PSEUDO_FILE(extfrag_index, "/sys/kernel/debug/extfrag/extfrag_index", show_extfrag_index, NULL);
