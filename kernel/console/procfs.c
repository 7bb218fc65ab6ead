/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of /proc about memory, in Linux's formats, so that users and scripts can read
 * those of both systems. There is one node, with two zones.
 *
 * Compare with: Linux mm/vmstat.c, fs/proc/meminfo.c.
 */
#include "kernel/hart.h"
#include "kernel/param.h"
#include "kernel/console/shell.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/vmstat.h"

#define PAGES_TO_KB(n) ((n) << (PAGE_SHIFT - 10))

static struct zone *zone_at(unsigned int i)
{
	return mm_zone(&kernel_mm, (enum zone_type)i);
}

static int show_cmdline(unsigned long, struct sink *out)
{
	sink_printf(out, "%s\n", command_line());
	return 0;
}
PSEUDO_FILE(cmdline, "/proc/cmdline", show_cmdline, NULL);

static void meminfo_row(struct sink *out, const char *name, unsigned long pages)
{
	sink_printf(out, "%-16s%8lu kB\n", name, PAGES_TO_KB(pages));
}

static int show_meminfo(unsigned long, struct sink *out)
{
	unsigned long managed = 0, nr_free = pcp_cached_pages(&kernel_mm), low = 0;
	unsigned int i;

	for (i = 0; i < NR_ZONES; i++) {
		managed += zone_at(i)->managed;
		nr_free += zone_free_pages(zone_at(i));
		low += zone_at(i)->wmark[WMARK_LOW];
	}
	meminfo_row(out, "MemTotal:", managed);
	meminfo_row(out, "MemFree:", nr_free);
	meminfo_row(out, "MemAvailable:", nr_free > low ? nr_free - low : 0);
	meminfo_row(out, "Slab:", READ_ONCE(kernel_mm.nr_slab));
	meminfo_row(out, "PageTables:", READ_ONCE(kernel_mm.nr_pgtable));
	return 0;
}
PSEUDO_FILE(meminfo, "/proc/meminfo", show_meminfo, NULL);

static void print_counts(struct sink *out, int width, const unsigned long *nr, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		sink_printf(out, "%*lu ", width, nr[i]);
	sink_puts(out, "\n");
}

static int show_buddyinfo(unsigned long, struct sink *out)
{
	unsigned long sum[NR_PAGE_ORDERS], nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS];

	for (unsigned int i = 0; i < NR_ZONES; i++) {
		if (zone_at(i)->present == 0)
			continue;
		memset(sum, 0, sizeof(sum));
		zone_count_free(zone_at(i), nr);
		for (unsigned int mt = 0; mt < NR_MIGRATE_TYPES; mt++)
			for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
				sum[k] += nr[mt][k];
		sink_printf(out, "Node %d, zone %8s ", 0, zone_name(i));
		print_counts(out, 6, sum, NR_PAGE_ORDERS);
	}
	return 0;
}
PSEUDO_FILE(buddyinfo, "/proc/buddyinfo", show_buddyinfo, NULL);

static void pagetypeinfo_free(struct sink *out)
{
	unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS];
	unsigned int i, mt, k;

	sink_printf(out, "%-43s ", "Free pages count per migrate type at order");
	for (k = 0; k < NR_PAGE_ORDERS; k++)
		sink_printf(out, "%6u ", k);
	sink_puts(out, "\n");
	for (i = 0; i < NR_ZONES; i++) {
		if (zone_at(i)->present == 0)
			continue;
		zone_count_free(zone_at(i), nr);
		for (mt = 0; mt < NR_MIGRATE_TYPES; mt++) {
			sink_printf(out, "Node %4d, zone %8s, type %12s ", 0, zone_name(i),
				    migratetype_name(mt));
			print_counts(out, 6, nr[mt], NR_PAGE_ORDERS);
		}
	}
}

static int show_pagetypeinfo(unsigned long, struct sink *out)
{
	unsigned long nr[NR_MIGRATE_TYPES];
	unsigned int i, mt;

	sink_printf(out, "Page block order: %d\nPages per block:  %lu\n\n", PAGEBLOCK_ORDER,
		    PAGEBLOCK_NR_PAGES);
	pagetypeinfo_free(out);
	sink_printf(out, "\n%-23s", "Number of blocks type ");
	for (mt = 0; mt < NR_MIGRATE_TYPES; mt++)
		sink_printf(out, "%12s ", migratetype_name(mt));
	sink_puts(out, "\n");
	for (i = 0; i < NR_ZONES; i++) {
		if (zone_at(i)->present == 0)
			continue;
		zone_count_blocks(zone_at(i), nr);
		sink_printf(out, "Node %d, zone %8s ", 0, zone_name(i));
		print_counts(out, 12, nr, NR_MIGRATE_TYPES);
	}
	return 0;
}
PSEUDO_FILE(pagetypeinfo, "/proc/pagetypeinfo", show_pagetypeinfo, NULL);

static void zoneinfo_pagesets(const struct zone *zone, struct sink *out)
{
	unsigned int h;

	sink_puts(out, "\n  pagesets");
	for (h = 0; h < nr_harts(); h++) {
		struct pcp_info info;

		pcp_read_info(zone, h, &info);
		sink_printf(out, "\n    cpu: %i\n              count:    %lu\n"
				 "              high:     %lu\n              batch:    %lu",
			    (int)h, info.count, info.high, info.batch);
	}
}

/* Print a zone. Each counter is read without a lock, so the lines may not add up. */
static void zoneinfo_zone(const struct zone *zone, struct sink *out)
{
	sink_printf(out, "Node %d, zone %8s", 0, zone_name(zone->type));
	sink_printf(out, "\n  pages free     %lu\n        boost    %lu\n        min      %lu"
			 "\n        low      %lu\n        high     %lu",
		    zone_free_pages(zone), 0UL, READ_ONCE(zone->wmark[WMARK_MIN]),
		    READ_ONCE(zone->wmark[WMARK_LOW]), READ_ONCE(zone->wmark[WMARK_HIGH]));
	sink_printf(out, "\n        spanned  %lu\n        present  %lu\n        managed  %lu"
			 "\n        cma      %lu\n        protection: (0, 0)",
		    READ_ONCE(zone->spanned), READ_ONCE(zone->present),
		    READ_ONCE(zone->managed), 0UL);
	if (READ_ONCE(zone->present) == 0) {
		sink_puts(out, "\n");
		return;
	}
	sink_printf(out, "\n      %-12s %lu\n      %-12s %lu", "nr_free_pages",
		    zone_free_pages(zone), "nr_isolate_pageblock", READ_ONCE(zone->nr_isolated));
	zoneinfo_pagesets(zone, out);
	sink_printf(out, "\n  node_unreclaimable:  %u\n  start_pfn:           %lu\n", 0,
		    READ_ONCE(zone->start_pfn));
}

static int show_zoneinfo(unsigned long, struct sink *out)
{
	unsigned int i;

	for (i = 0; i < NR_ZONES; i++)
		zoneinfo_zone(zone_at(i), out);
	return 0;
}
PSEUDO_FILE(zoneinfo, "/proc/zoneinfo", show_zoneinfo, NULL);

static int show_vmstat(unsigned long, struct sink *out)
{
	unsigned long nr_free = 0, isolated = 0;
	unsigned int i;

	for (i = 0; i < NR_ZONES; i++) {
		nr_free += zone_free_pages(zone_at(i));
		isolated += zone_at(i)->nr_isolated;
	}
	sink_printf(out, "nr_free_pages %lu\nnr_isolate_pageblock %lu\n", nr_free, isolated);
	for (i = 0; i < NR_VM_EVENTS; i++)
		sink_printf(out, "%s %lu\n", vm_event_name(i), vm_event_read(&kernel_mm, i));
	return 0;
}
PSEUDO_FILE(vmstat, "/proc/vmstat", show_vmstat, NULL);
