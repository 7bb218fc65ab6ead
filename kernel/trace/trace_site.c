/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace_emit() calls of the sources, one row each, in the linker's order. A muted
 * call writes no records, as if the call were not there: the scenario "emit_calls"
 * mutes each in turn, and the replay must notice.
 */
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "kernel/trace/trace_table.h"
#include "lib/errno.h"

int trace_mute(unsigned long site, enum trace_switch on)
{
	if (site >= (unsigned long)(__stop_trace_sites - __start_trace_sites))
		return -ENOENT;
	WRITE_ONCE(__start_trace_sites[site].muted, on == TRACE_OFF);
	return 0;
}

void trace_list_sites(struct sink *out)
{
	const struct trace_site *site;

	for (site = __start_trace_sites; site < __stop_trace_sites; site++)
		sink_printf(out, "%3u %9u %-5s %-22s %s:%u\n",
			    (unsigned int)(site - __start_trace_sites), READ_ONCE(site->reached),
			    READ_ONCE(site->muted) ? "muted" : "-",
			    trace_event_find(site->event)->name, site->file, site->line);
}
