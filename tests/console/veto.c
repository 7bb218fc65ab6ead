/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's "veto": three listeners on the kernel's memory events, the middle one
 * of which refuses as often as it was told to. A scenario asks the outer two afterwards
 * whether each start that they saw had exactly one end.
 */
#include "kernel/shell.h"
#include "kernel/notifier.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/memory_hotplug.h"
#include "mm/mm.h"

struct witness {
	struct notifier_block nb;
	unsigned long starts, ends;
};

static int witness_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct witness *w = container_of(nb, struct witness, nb);

	(void)data;
	if (event == MEM_GOING_ONLINE || event == MEM_GOING_OFFLINE)
		w->starts++;
	else
		w->ends++;
	return 0;
}

static unsigned long refused_event;
static unsigned int refusals_left, refusals_made;

static int refuse(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	if (event != refused_event || refusals_left == 0)
		return 0;
	refusals_left--;
	refusals_made++;
	return -EBUSY;
}

static struct witness before = { .nb = { .fn = witness_event, .priority = 2, .name = "before" } };
static struct notifier_block refuser = { .fn = refuse, .priority = 1, .name = "veto" };
static struct witness after = { .nb = { .fn = witness_event, .priority = 0, .name = "after" } };

/* Listen from the first use on; -EEXIST of a later one is as it should be. */
static void listen(void)
{
	(void)register_memory_notifier(&kernel_mm, &before.nb);
	(void)register_memory_notifier(&kernel_mm, &refuser);
	(void)register_memory_notifier(&kernel_mm, &after.nb);
}

static int cmd_veto(int argc, char **argv, struct sink *out)
{
	unsigned int nr;

	listen();
	if (argc == 1) {
		sink_printf(out, "before %lu %lu, refused %u, after %lu %lu\n", before.starts,
			    before.ends, refusals_made, after.starts, after.ends);
		return 0;
	}
	if (argc != 3 || kstrtouint(argv[2], 0, &nr) != 0)
		return command_usage("veto", out);
	if (strcmp(argv[1], "online") == 0)
		refused_event = MEM_GOING_ONLINE;
	else if (strcmp(argv[1], "offline") == 0)
		refused_event = MEM_GOING_OFFLINE;
	else
		return command_usage("veto", out);
	refusals_left = nr;
	return 0;
}
COMMAND(veto, "veto [online COUNT | offline COUNT]",
	"refuse memory events (a test aid), or say who saw starts and ends", cmd_veto);
