/* SPDX-License-Identifier: BSD-2-Clause */
/* contig: empty a range of frames by hand, show what is in the way, and free the range. */
#include "kernel/console/memory_block.h"
#include "kernel/console/shell.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/contig.h"

#define MOST_FRAMES (1UL << 30)

/* Parse the words after the number of frames: pairs of a word and a number. */
static bool parse_rest(int argc, char **argv, u64 *pfn, unsigned int *wait_s)
{
	int i;

	for (i = 2; i + 1 < argc; i += 2) {
		if (!(strcmp(argv[i], "at") == 0 && !kstrtou64(argv[i + 1], 0, pfn) &&
		      *pfn != PFN_NONE) &&
		    !(strcmp(argv[i], "wait") == 0 && !kstrtouint(argv[i + 1], 10, wait_s)))
			return false;
	}
	return i == argc;
}

static int cmd_contig(int argc, char **argv, struct sink *out)
{
	struct evac_limits limits;
	struct mm_failure why = { .pfn = PFN_NONE };
	u64 nr, pfn = PFN_NONE;
	unsigned int wait_s = 0;
	int err = 0;

	if (argc < 2 || kstrtou64(argv[1], 0, &nr) || nr - 1 >= MOST_FRAMES ||
	    !parse_rest(argc, argv, &pfn, &wait_s))
		return COMMAND_USAGE;
	limits = command_limits(EVAC_FOR_USER_CONTIG, wait_s);
	if (pfn != PFN_NONE)
		err = alloc_contig_range(&kernel_mm, pfn, pfn + nr, &limits, &why);
	else if ((pfn = alloc_contig_pages(&kernel_mm, nr, &limits, &why)) == PFN_NONE)
		err = mm_reason_errno(why.reason);
	if (err) {
		sink_puts(out, "contig: ");
		mm_failure_print(&why, out);
		sink_puts(out, "\n");
		return err;
	}
	free_contig_range(&kernel_mm, pfn, nr);
	sink_printf(out, "pfn 0x%lx nr %lu: %lu page%s moved\n", pfn, nr, why.migrated,
		    str_plural(why.migrated));
	return 0;
}
COMMAND(contig, "contig NR [at PFN] [wait SECONDS]",
	"empty NR contiguous frames and give them back: what is in the way?",
	"contig 512", cmd_contig);
