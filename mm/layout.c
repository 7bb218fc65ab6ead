/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of include/mm/layout.h: everything that tools/ebbt needs to walk from the
 * symbol kernel_mm to every descriptor.
 */
#include "mm/layout.h"
#include "mm/pageblock.h"

/* clang-format off */
#define OFFSET(type, member) { #type "." #member, offsetof(struct type, member) }
#define SIZE(type)	     { "sizeof." #type, sizeof(struct type) }
#define CONSTANT(name)	     { #name, (u64)(name) }

static const struct layout_row rows[] __table("ebb_layout") = {
	OFFSET(mm, root),
	OFFSET(mm, zone),
	OFFSET(section_root, section),
	OFFSET(mem_section, start_pfn),
	OFFSET(mem_section, zone),
	OFFSET(mem_section, flags),
	OFFSET(mem_section, host_pfn),
	OFFSET(mem_section, state),
	OFFSET(mem_section, pb),
	OFFSET(pageblock, word),
	OFFSET(page, word),
#define X(name, field, meaning) OFFSET(zone, field),
	ZONE_COUNTERS(X)
#undef X
	SIZE(mm),
	SIZE(zone),
	SIZE(section_root),
	SIZE(mem_section),
	SIZE(pageblock),
	SIZE(page),
	CONSTANT(NR_SECTION_ROOTS),
	CONSTANT(SECTIONS_PER_ROOT),
	CONSTANT(PAGEBLOCKS_PER_SECTION),
	CONSTANT(NR_ZONES),
	CONSTANT(SECTION_ONLINE),
	CONSTANT(PB_VALID),
	CONSTANT(PB_ISOLATE),
	CONSTANT(PB_MT_SHIFT),
	CONSTANT(PB_MT_MASK),
	CONSTANT(PB_CONST_SHIFT),
	CONSTANT(PG_TAIL),
	CONSTANT(PG_POISON),
};
/* clang-format on */
