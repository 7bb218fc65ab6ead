/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command "pairs": each hart allocates and frees the same number of chunks. The command
 * measures no time: tools/bench compares the CPU time of the host threads that run the
 * harts. Other work on the host does not change this time.
 */
#include "tests/bench/bench.h"
#include "kernel/hart.h"
#include "kernel/console/shell.h"
#include "kernel/thread.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"

struct pairs_job {
	unsigned int order;
	unsigned int nr;
};

static int worker(void *arg)
{
	const struct pairs_job *job = arg;

	for (unsigned int i = 0; i < job->nr; i++) {
		unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL | GFP_NOWARN,
						job->order, PGTY_KERNEL);

		if (pfn == PFN_NONE)
			return -ENOMEM;
		free_pages(&kernel_mm, pfn, job->order);
		if (i % 64 == 0)
			cond_resched();
	}
	return 0;
}

/* Run the job on harts 0 to @harts - 1 at once. Return: 0, or the first error. */
static int run_pairs(unsigned int harts, struct pairs_job *job)
{
	struct thread *thread[MAX_HARTS];
	int err = 0, result;

	for (unsigned int i = 0; i < harts; i++)
		thread[i] = thread_create_on(i, "pairs", worker, job);
	for (unsigned int i = 0; i < harts; i++) {
		if (!thread[i] || thread_join(thread[i], WAIT_FOREVER, &result))
			result = -ENOMEM;
		err = err ? err : result;
	}
	return err;
}

static int cmd_pairs(int argc, char **argv, struct sink *out)
{
	struct pairs_job job;
	unsigned int harts;
	int err;

	if (argc != 4 || kstrtouint(argv[1], 10, &harts) ||
	    kstrtouint(argv[2], 10, &job.order) || kstrtouint(argv[3], 10, &job.nr) ||
	    !harts || harts > nr_harts() || job.order > MAX_PAGE_ORDER)
		return COMMAND_USAGE;
	err = run_pairs(harts, &job);
	if (err)
		sink_printf(out, "pairs: an allocation or a thread failed: error %d\n",
			    err);
	else
		sink_puts(out, "pairs: done\n");
	return err;
}
COMMAND(pairs, "pairs HARTS ORDER COUNT",
	"for the bench: allocate and free COUNT chunks on each of NR harts",
	"pairs 2 0 1000", cmd_pairs);
