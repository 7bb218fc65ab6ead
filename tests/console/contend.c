/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command "contend", for scenarios about the limits of waits: until Ctrl-C, all harts
 * compete for one spinlock, and hold it nearly all the time. With "keep", a hart never
 * releases it.
 */
#include "arch/boot.h"
#include "kernel/hart.h"
#include "kernel/console/shell.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"

#define HOLD_TURNS 200 /* turns of a busy-wait loop */
#define KEEP_ROUND 1000
#define JOIN_NS	   (100 * NSEC_PER_SEC)

static DEFINE_SPINLOCK(contend_lock);
static bool keep, stop;
static u64 rounds; /* under contend_lock */

/* Stop this hart: it sleeps and never returns, and leaves the host's CPUs to the waiting harts. */
static void never_give_back(void)
{
	(void)arch_irq_save();
	for (;;)
		arch_idle();
}

static int contender(void *)
{
	while (!READ_ONCE(stop)) {
		spin_lock(&contend_lock);
		for (unsigned int i = 0; i < HOLD_TURNS; i++)
			arch_cpu_relax();
		if (++rounds > KEEP_ROUND && keep)
			never_give_back();
		spin_unlock(&contend_lock);
		cond_resched();
	}
	return 0;
}

static int cmd_contend(int argc, char **argv, struct sink *out)
{
	struct thread *thread[MAX_HARTS];
	unsigned int nr = 0;
	struct hart *hart;
	int err = 0;

	keep = argc == 2 && strcmp(argv[1], "keep") == 0;
	if (argc != 1 + keep)
		return COMMAND_USAGE;
	stop = false;
	rounds = 0;
	for_each_hart(hart)
		if ((thread[nr] = thread_create_on(hart->id, "contender", contender, NULL)))
			nr++;
	while (!command_interrupted(NULL))
		msleep(1);
	WRITE_ONCE(stop, true);
	for (unsigned int i = 0; i < nr; i++)
		if (thread_join(thread[i], ktime_ns() + JOIN_NS, NULL))
			err = -ETIMEDOUT;
	sink_printf(out, "contend: %llu rounds on %u harts\n", (unsigned long long)rounds, nr);
	return err;
}
COMMAND(contend, "contend [keep]", "for tests: all harts want one spinlock, until Ctrl-C",
	"contend", cmd_contend);
