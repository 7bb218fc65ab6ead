/* SPDX-License-Identifier: BSD-2-Clause */
/* hold, step, go: make evacuations wait, so that another console can look at them. */
#include "kernel/abi.h"
#include "kernel/console/shell.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "kernel/trace/hold.h"

/* Limit on the wait of "step" until a thread is held again, which normally is soon. */
#define STEP_NS (200 * NSEC_PER_MSEC)

static const char *const phase_names[] = { EVAC_PHASES(TABLE_WORD) };

static void each_phase(word_offer_fn offer, void *arg)
{
	for (unsigned int i = 0; i < NR_EVAC_PHASES; i++)
		offer(arg, phase_names[i]);
}
WORD_LIST(PHASE, each_phase);

static const struct {
	const char *name;
	enum trace_event_id event;
} events[] = {
	{ "evac:phase", TRACE_EVAC_PHASE },
	{ "evac:verdict", TRACE_EVAC_VERDICT },
	{ "evac:move", TRACE_EVAC_MOVE },
};

/* Parse a phase's name or a pfn. */
static bool parse_at(const char *word, struct hold_place *place)
{
	unsigned long pfn;

	if (place->event == TRACE_EVAC_PHASE) {
		for (place->at = 0; place->at < NR_EVAC_PHASES; place->at++)
			if (!strcmp(word, phase_names[place->at]))
				return true;
		return false;
	}
	if (kstrtou64(word, 0, &pfn))
		return false;
	place->at = pfn;
	return true;
}

static int show_held(struct sink *out, u64 deadline_ns)
{
	struct hold_place where;

	if (!hold_wait(deadline_ns, &where))
		sink_puts(out, "nothing is held\n");
	else if (where.event == TRACE_EVAC_PHASE)
		sink_printf(out, "held at evac:phase %s\n", phase_names[where.at]);
	else
		sink_printf(out, "held at evac:%s pfn 0x%lx\n",
			    where.event == TRACE_EVAC_MOVE ? "move" : "verdict",
			    (unsigned long)where.at);
	return 0;
}

static int cmd_hold(int argc, char **argv, struct sink *out)
{
	struct hold_place place = { .at = HOLD_ANYWHERE };

	if (argc == 1)
		return show_held(out, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++)
		if (!strcmp(argv[1], events[i].name))
			place.event = events[i].event;
	if (!place.event || argc > 3)
		return COMMAND_USAGE;
	if (argc == 3 && !parse_at(argv[2], &place)) {
		const bool phase = place.event == TRACE_EVAC_PHASE;

		sink_printf(out, "hold: \"%s\" is no %s", argv[2],
			    phase ? "phase:" : "frame number");
		if (phase)
			each_phase(print_offer, out);
		sink_puts(out, "\n");
		return -EINVAL;
	}
	hold_set(&place);
	if (out == console_sink())
		sink_puts(out, "hold: a held command keeps its console busy; for \"step\" "
			       "and \"go\", open another: make console\n");
	return 0;
}
COMMAND(hold, "hold [evac:phase [PHASE] | evac:verdict [PFN] | evac:move [PFN]]",
	"make evacuations wait at a hold point, or show what is held",
	"hold evac:phase migrate", cmd_hold);

static int cmd_step(int, char **, struct sink *out)
{
	if (!hold_wait(0, NULL))
		return show_held(out, 0);
	hold_step();
	return show_held(out, ktime_ns() + STEP_NS);
}
COMMAND(step, "step", "let the held evacuation go on to the next such event, and show where",
	"step", cmd_step);

static int cmd_go(int, char **, struct sink *out)
{
	if (!hold_wait(0, NULL))
		sink_printf(out, "nothing is held%s\n",
			    READ_ONCE(hold_event) ? "; the hold point is unset" : "");
	hold_go();
	return 0;
}
COMMAND(go, "go", "unset the hold point and let the held evacuation go on", "go", cmd_go);
