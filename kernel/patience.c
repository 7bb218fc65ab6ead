/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits on waits, counted in the time that the waiter saw pass.
 */
#include "kernel/patience.h"
#include "kernel/timer.h"

void patience_start(struct patience *patience, u64 limit_ns)
{
	patience->left_ns = limit_ns;
	patience->step_ns = limit_ns / PATIENCE_LOOKS + 1;
	patience->last_ns = ktime_ns();
}

bool patience_lasts(struct patience *patience)
{
	const u64 now = ktime_ns();
	const u64 seen = min(now - patience->last_ns, patience->step_ns);

	patience->last_ns = now;
	patience->left_ns -= min(seen, patience->left_ns);
	return patience->left_ns != 0;
}

u64 patience_next_look(const struct patience *patience)
{
	return ktime_ns() + patience->step_ns;
}
