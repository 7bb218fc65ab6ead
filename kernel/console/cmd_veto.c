/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's "veto": three listeners on the kernel's memory events. The middle listener
 * answers with an error; the user chooses how often, and at which priority it listens. A
 * scenario then checks that each start that the outer two saw had exactly one end. Compare
 * with: Linux lib/memory-notifier-error-inject.c.
 */
#include "kernel/console/shell.h"
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

static int witness_event(struct notifier_block *nb, unsigned long event, void *)
{
	struct witness *w = container_of(nb, struct witness, nb);

	if (event == MEM_GOING_ONLINE || event == MEM_GOING_OFFLINE)
		w->starts++;
	else
		w->ends++;
	return 0;
}

static unsigned long refused_event;
static unsigned int refusals_left, refusals_made;
static int refusal = -EBUSY;

static int refuse(struct notifier_block *, unsigned long event, void *)
{
	if (event != refused_event || refusals_left == 0)
		return 0;
	refusals_left--;
	refusals_made++;
	if (!refusals_left)
		memory_listener_relents(&kernel_mm);
	return refusal;
}

static struct witness before = {
	.nb = { .fn = witness_event, .priority = 2, .name = "before" }
};
static struct notifier_block refuser = { .fn = refuse, .priority = 1, .name = "veto" };
static struct witness after = {
	.nb = { .fn = witness_event, .priority = 0, .name = "after" }
};

/* Register at the first use; later calls get -EEXIST, which is fine. */
static void listen(void)
{
	(void)register_memory_notifier(&kernel_mm, &before.nb);
	(void)register_memory_notifier(&kernel_mm, &refuser);
	(void)register_memory_notifier(&kernel_mm, &after.nb);
}

/* Indexed by enum mem_event; "online" and "offline" are the starts, which a listener can refuse. */
static const char *const event_words[NR_MEM_EVENTS] = {
	[MEM_GOING_ONLINE] = "online",
	[MEM_CANCEL_ONLINE] = "cancel-online",
	[MEM_ONLINE] = "went-online",
	[MEM_GOING_OFFLINE] = "offline",
	[MEM_CANCEL_OFFLINE] = "cancel-offline",
	[MEM_OFFLINE] = "went-offline",
};

static void each_word(word_offer_fn offer, void *arg)
{
	for (unsigned int i = 0; i < NR_MEM_EVENTS; i++)
		offer(arg, event_words[i]);
}
WORD_LIST(CHANGE, each_word);

/* Parse a priority, which may be negative. */
static int parse_priority(const char *text, int *priority)
{
	const bool negative = *text == '-';
	unsigned int number;

	if (kstrtouint(text + negative, 0, &number) != 0 || number > INT_MAX)
		return -EINVAL;
	*priority = negative ? -(int)number : (int)number;
	return 0;
}

static int set_refusal(char **argv, unsigned int nr, unsigned int errno_nr, int priority)
{
	unsigned long event = 0;

	while (event < NR_MEM_EVENTS && strcmp(argv[1], event_words[event]) != 0)
		event++;
	if (event == NR_MEM_EVENTS)
		return -EINVAL;
	unregister_memory_notifier(&kernel_mm, &refuser);
	refuser.priority = priority;
	(void)!register_memory_notifier(&kernel_mm, &refuser);
	refused_event = event;
	refusal = -(int)errno_nr;
	refusals_left = nr;
	if (!nr)
		memory_listener_relents(&kernel_mm);
	return 0;
}

static int cmd_veto(int argc, char **argv, struct sink *out)
{
	unsigned int nr, errno_nr = EBUSY;
	int priority = 1;

	listen();
	if (argc == 1) {
		sink_printf(out, "before %lu %lu, refused %u, after %lu %lu\n",
			    before.starts, before.ends, refusals_made, after.starts,
			    after.ends);
		return 0;
	}
	if (argc < 3 || argc > 5 || kstrtouint(argv[2], 0, &nr) != 0 ||
	    (argc > 3 && kstrtouint(argv[3], 0, &errno_nr) != 0) ||
	    (argc > 4 && parse_priority(argv[4], &priority) != 0) ||
	    errno_nr - 1 >= 4095 || set_refusal(argv, nr, errno_nr, priority) != 0)
		return COMMAND_USAGE;
	return 0;
}
COMMAND(veto, "veto [CHANGE COUNT [ERRNO [PRIORITY]]]",
	"answer memory events with an error (a test aid), or show which listener saw starts "
	"and ends; CHANGE: "
	"online offline cancel-online cancel-offline went-online went-offline",
	"veto offline 1; chmem -d -b 18", cmd_veto);
