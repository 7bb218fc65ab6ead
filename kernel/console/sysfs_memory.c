/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /sys/devices/system/memory: one directory per memory block, in Linux's formats.
 *
 * Compare with: Linux drivers/base/memory.c.
 */
#include "kernel/console/memory_block.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/memory_hotplug.h"
#include "mm/vmstat.h"

static void each_online_type(word_offer_fn offer, void *arg)
{
	for (unsigned int i = 0; i < NR_ONLINE_TYPES; i++)
		offer(arg, online_type_name((enum mhp_online_type)i));
}
WORD_LIST(WORD, each_online_type);

/*
 * Find the online type with that name. If there is none, print a line to @out and return
 * NR_ONLINE_TYPES.
 */
static enum mhp_online_type parse_online_type(const char *word, struct sink *out)
{
	for (unsigned int i = 0; i < NR_ONLINE_TYPES; i++)
		if (strcmp(word, online_type_name((enum mhp_online_type)i)) == 0)
			return (enum mhp_online_type)i;
	sink_printf(out, "\"%s\": expected one of:", word);
	each_online_type(print_offer, out);
	sink_puts(out, "\n");
	return NR_ONLINE_TYPES;
}

static int show_block_size(unsigned long, struct sink *out)
{
	sink_printf(out, "%lx\n", 1UL << SECTION_SHIFT);
	return 0;
}
PSEUDO_FILE(block_size, "/sys/devices/system/memory/block_size_bytes", show_block_size, NULL);

static int show_auto_online(unsigned long, struct sink *out)
{
	sink_printf(out, "%s\n",
		    online_type_name(READ_ONCE(kernel_mm.default_online_type)));
	return 0;
}

static int store_auto_online(unsigned long, const char *word, struct sink *out)
{
	enum mhp_online_type type = parse_online_type(word, out);

	if (type == NR_ONLINE_TYPES)
		return -EINVAL;
	WRITE_ONCE(kernel_mm.default_online_type, type);
	return 0;
}
PSEUDO_FILE(auto_online, "/sys/devices/system/memory/auto_online_blocks",
	    show_auto_online, store_auto_online);

static int show_state(unsigned long block, struct sink *out)
{
	sink_printf(out, "%s\n", memory_block_state_name(memory_block_state(&kernel_mm, block)));
	return 0;
}

static int store_state(unsigned long block, const char *word, struct sink *out)
{
	enum mhp_online_type type = parse_online_type(word, out);

	if (type == NR_ONLINE_TYPES)
		return -EINVAL;
	return memory_block_change(block, type, 0, out);
}
PSEUDO_FILE(state, "/sys/devices/system/memory/memory*/state", show_state, store_state);

static int show_online(unsigned long block, struct sink *out)
{
	sink_printf(out, "%d\n", memory_block_state(&kernel_mm, block) == MEM_BLOCK_ONLINE);
	return 0;
}

static int store_online(unsigned long block, const char *word, struct sink *out)
{
	if (strcmp(word, "0") != 0 && strcmp(word, "1") != 0) {
		sink_printf(out, "\"%s\": expected 0 or 1\n", word);
		return -EINVAL;
	}
	return memory_block_change(block, word[0] == '1' ? MMOP_ONLINE : MMOP_OFFLINE, 0, out);
}
PSEUDO_FILE(online, "/sys/devices/system/memory/memory*/online", show_online, store_online);

static int show_phys_index(unsigned long block, struct sink *out)
{
	sink_printf(out, "%08lx\n", block);
	return 0;
}
PSEUDO_FILE(phys_index, "/sys/devices/system/memory/memory*/phys_index", show_phys_index, NULL);

/* Show 0 for blocks with boot memory, which never leave; Linux shows 1 for all blocks. */
static int show_removable(unsigned long block, struct sink *out)
{
	sink_printf(out, "%d\n", memory_block_removable(block));
	return 0;
}
PSEUDO_FILE(removable, "/sys/devices/system/memory/memory*/removable", show_removable, NULL);

/* Show the zone of an online block; of an offline block, the default zone, then the others. */
static int show_valid_zones(unsigned long block, struct sink *out)
{
	enum zone_type zones[NR_ZONES];
	const unsigned int nr = memory_block_valid_zones(&kernel_mm, block, zones);

	for (unsigned int i = 0; i < nr; i++)
		sink_printf(out, "%s%s", i ? " " : "", zone_name(zones[i]));
	sink_puts(out, "\n");
	return 0;
}
PSEUDO_FILE(valid_zones, "/sys/devices/system/memory/memory*/valid_zones", show_valid_zones, NULL);
