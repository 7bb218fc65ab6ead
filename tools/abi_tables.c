/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints docs/reference/numbers.md from the headers that define the numbers, so that
 * the page cannot differ from the kernel (`make docs`).
 */
#include "kernel/abi.h"
#include "kernel/trace/trace_events.h"

#include <stdio.h>

static void heading(const char *title, const char *text, const char *columns)
{
	int n = 1;

	printf("\n## %s\n\n%s\n\n%s\n|", title, text, columns);
	for (const char *c = columns + 1; *c; c++)
		n += *c == '|';
	while (--n)
		printf("---|");
	printf("\n");
}

static void page_types(void)
{
	heading("Frame types", "`enum page_type`, one for every frame of an online block.",
		"| number | name | count | alloc | mobility | kpageflags | owner word | meaning |");
#define X(name, str, count, alloc, mobility, kpf, owner, meaning)                             \
	printf("| %d | %s | %s | %s | %s | %d | %s | %s |\n", PGTY_##name, str, #count, #alloc, \
	       #mobility, kpf, owner, meaning);
	PAGE_TYPES(X)
#undef X
}

static void flags_and_zones(void)
{
	heading("Frame flags", "Bits next to the type.", "| bit | name | meaning |");
#define X(name, bit, str, meaning) printf("| %d | %s | %s |\n", bit, str, meaning);
	PAGE_FLAGS(X)
#undef X
	heading("Zones", "`enum zone_type`.", "| number | name | meaning |");
#define X(name, str, meaning) printf("| %d | %s | %s |\n", ZONE_##name, str, meaning);
	ZONES(X)
#undef X
	heading("Zone counters", "`enum zone_counter`, in `mm:zone_count` records; in frames, "
		"but the last counter in pageblocks.",
		"| number | field of `struct zone` | meaning |");
#define X(name, field, meaning) \
	printf("| %d | %s | %s |\n", ZONE_COUNTER_##name, #field, meaning);
	ZONE_COUNTERS(X)
#undef X
	heading("Migrate types", "`enum migratetype`, one for every pageblock.",
		"| number | name | meaning |");
#define X(name, str, meaning) printf("| %d | %s | %s |\n", MIGRATE_##name, str, meaning);
	MIGRATE_TYPES(X)
#undef X
}

static void blocks(void)
{
	heading("Memory block states", "`enum memory_block_state`, as in `memoryN/state`.",
		"| number | word | meaning |");
#define X(name, str, meaning) printf("| %d | %s | %s |\n", MEM_BLOCK_##name, str, meaning);
	BLOCK_STATES(X)
#undef X
	heading("Online types", "`enum mhp_online_type`, as written to `memoryN/state`.",
		"| number | word | meaning |");
#define X(name, str, meaning) printf("| %d | %s | %s |\n", MMOP_##name, str, meaning);
	ONLINE_TYPES(X)
#undef X
	heading("Memory notifier events", "`enum mem_event`.", "| number | word | meaning |");
#define X(name, str, meaning) printf("| %d | %s | %s |\n", MEM_##name, str, meaning);
	MEM_EVENTS(X)
#undef X
}

static void failures(void)
{
	heading("Phases of an evacuation", "`enum evac_phase`, in this order.",
		"| number | word | meaning |");
#define X(name, str, meaning) printf("| %d | %s | %s |\n", EVAC_##name, str, meaning);
	EVAC_PHASES(X)
#undef X
	heading("Reasons", "`enum mm_reason`: why an operation failed, and what helps.",
		"| number | words | hint |");
#define X(name, err, str, hint) printf("| %d | %s | %s |\n", MM_REASON_##name, str, hint);
	MM_REASONS(X)
#undef X
}

static void events(void)
{
	heading("Trace events", "Records of 32 bytes, `struct trace_record`.",
		"| id | name | fields |");
#define X(id, name, str, fields, text) printf("| %d | %s | %s |\n", id, str, fields);
	TRACE_EVENTS(X)
#undef X
}

int main(void)
{
	printf("# Numbers that leave the kernel\n\n"
	       "Made by `make docs` out of `include/kernel/abi.h` and "
	       "`include/kernel/trace/trace_events.h`.\nAppend only: a number keeps its meaning "
	       "for ever.\n");
	page_types();
	flags_and_zones();
	blocks();
	failures();
	events();
	return 0;
}
