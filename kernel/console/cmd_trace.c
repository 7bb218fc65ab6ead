/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace command: select events, and print the records in ftrace's text form. */
#include "kernel/console/shell.h"
#include "kernel/trace/trace.h"
#include "kernel/trace/trace_table.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"

static int trace_switch(const char *glob, enum trace_switch on, struct sink *out)
{
	int nr = trace_set(glob, on);

	if (nr == 0) {
		sink_printf(out, "trace: no event \"%s\"; \"trace list\" shows them\n",
			    glob);
		return -ENOENT;
	}
	if (nr < 0)
		sink_puts(out, "trace: there are no rings; boot with more memory\n");
	return nr < 0 ? nr : 0;
}

static int trace_show(const char *count, struct sink *out)
{
	unsigned int last = 0;

	if (count && kstrtouint(count, 10, &last)) {
		sink_printf(out, "trace: \"%s\" is not a number of records\n", count);
		return -EINVAL;
	}
	trace_dump(out, last);
	return 0;
}

static int trace_mute_site(const char *number, enum trace_switch on, struct sink *out)
{
	unsigned long site;

	if (kstrtou64(number, 10, &site) == 0 && trace_mute(site, on) == 0)
		return 0;
	sink_printf(out, "trace: \"%s\" is not a site; \"trace sites\" lists them\n", number);
	return -ENOENT;
}

static void each_event(word_offer_fn offer, void *arg)
{
	const struct trace_event_desc *desc;

	for_each_trace_event(desc)
		offer(arg, desc->name);
}
WORD_LIST(EVENT, each_event);

static int cmd_trace(int argc, char **argv, struct sink *out)
{
	const char *verb = argc >= 2 ? argv[1] : "";
	const char *arg = argc == 3 ? argv[2] : NULL;

	if (argc < 2 || argc > 3)
		return COMMAND_USAGE;
	if (strcmp(verb, "on") == 0)
		return trace_switch(arg ? arg : "*", TRACE_ON, out);
	if (strcmp(verb, "off") == 0)
		return trace_switch(arg ? arg : "*", TRACE_OFF, out);
	if (strcmp(verb, "dump") == 0)
		return trace_show(arg, out);
	if (strcmp(verb, "mute") == 0 && arg)
		return trace_mute_site(arg, TRACE_OFF, out);
	if (strcmp(verb, "unmute") == 0 && arg)
		return trace_mute_site(arg, TRACE_ON, out);
	if (strcmp(verb, "sites") == 0 && !arg)
		trace_list_sites(out);
	else if (strcmp(verb, "list") == 0 && !arg)
		trace_list(out);
	else if (strcmp(verb, "clear") == 0 && !arg)
		trace_clear();
	else
		return COMMAND_USAGE;
	return 0;
}
COMMAND(trace, "trace on|off [EVENT] | dump [N] | list | clear | sites | mute|unmute SITE",
	"record changes of state, and print the records",
	"trace on mm:*; trace dump 10", cmd_trace);
