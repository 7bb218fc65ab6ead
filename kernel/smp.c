/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bring up the other harts.
 */
#include "arch/boot.h"
#include "kernel/hart.h"
#include "kernel/param.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "lib/string.h"
#include "mm/mm.h"

#define START_NS NSEC_PER_SEC

static u64 maxcpus = MAX_HARTS;
PARAM_UINT("maxcpus", maxcpus, "start at most this many harts");

void smp_register(const struct machine_info *info)
{
	const unsigned int nr = min((u64)info->nr_harts, max(maxcpus, (u64)1));

	for (unsigned int i = 0; i < nr; i++)
		if (hart_register(info->hartid[i]) == NULL)
			break;
}

static void secondary_main(void)
{
	sched_init_hart();
	hart_set_online();
	idle_loop();
}

static void start(unsigned int id)
{
	void *stack;

	if (mm_hart_init(&kernel_mm, id) != 0) {
		pr_err("hart %u is not started: no memory for its page cache", id);
		return;
	}
	stack = stack_get();
	if (stack == NULL) {
		pr_err("hart %u is not started: no memory for its stack", id);
		return;
	}
	if (arch_start_hart(id, hart_by_id(id), stack, secondary_main) != 0) {
		pr_err("hart %u is not started: the firmware refused", id);
		stack_put(stack);
	}
}

void smp_start(void)
{
	struct patience patience;
	unsigned int online = 1;

	for (unsigned int id = 1; id < nr_harts(); id++)
		start(id);
	patience_start(&patience, START_NS);
	for (unsigned int id = 1; id < nr_harts(); id++) {
		const struct hart *hart = hart_by_id(id);

		while (!hart_is_online(hart) && patience_lasts(&patience))
			arch_cpu_relax();
		if (hart_is_online(hart))
			online++;
		else
			pr_warn("hart %u (hartid %lu) did not come up", id, hart->hartid);
	}
	pr_info("smp: %u of %u hart%s online", online, nr_harts(), str_plural(nr_harts()));
}
