/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Failures as text: one line each, with the frame, its type, its owner and the effort;
 * every reason has words, a hint and an errno.
 */
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "arch/machine.h"
#include "mm/slab.h"
#include "tests/kernel/log.h"
#include "tests/mm/hotplug_window.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

struct wording {
	struct mm_failure why;
	const char *text;
};

static const struct wording wordings[] = {
	{ { .reason = MM_REASON_UNMOVABLE,
	    .pfn = 0x90a40,
	    .type = PGTY_SLAB,
	    .retries = 3,
	    .elapsed_ns = 12345678,
	    .detail = "kmalloc-256" },
	  "pfn 0x90a40 is Slab, cache kmalloc-256 (3 retries, 12 ms); its type never "
	  "moves, so its owner must free it" },
	{ { .reason = MM_REASON_UNMOVABLE, .pfn = 1, .type = PGTY_KERNEL },
	  "pfn 0x1 is Kernel; its type never moves, so its owner must free it" },
	/* The owner word of a page table says which entries are in use. */
	{ { .reason = MM_REASON_UNMOVABLE, .pfn = 1, .type = PGTY_PGTABLE, .owner = 5 },
	  "pfn 0x1 is PageTable; its type never moves, so its owner must free it" },
	/* Nobody frees these. */
	{ { .reason = MM_REASON_UNMOVABLE, .pfn = 0x80000, .type = PGTY_FIRMWARE },
	  "pfn 0x80000 is Firmware; it is never freed" },
	{ { .reason = MM_REASON_UNMOVABLE, .pfn = 0x80200, .type = PGTY_IMAGE },
	  "pfn 0x80200 is Image; it is never freed" },
	{ { .reason = MM_REASON_CANCELLED,
	    .cause = MM_REASON_UNMOVABLE,
	    .pfn = 0x80300,
	    .type = PGTY_BOOT },
	  "cancelled, pfn 0x80300 is Boot; it is never freed" },
	{ { .reason = MM_REASON_UNMOVABLE, .pfn = 0x88000, .type = PGTY_MEMMAP },
	  "pfn 0x88000 is Memmap; it leaves last, with the whole block" },
	{ { .reason = MM_REASON_NOT_SKIPPABLE,
	    .pfn = 2,
	    .type = PGTY_OFFLINE,
	    .detail = "vm0" },
	  "pfn 0x2 is offline and not skippable, owner vm0; only its driver can bring it back" },
	{ { .reason = MM_REASON_PINNED,
	    .pfn = 3,
	    .type = PGTY_DRIVER,
	    .owner = 0x80401230,
	    .retries = 1,
	    .migrated = 1 },
	  "pfn 0x3 is pinned, type Driver, owner 0x80401230 (1 retry, 1 page moved); unpin it "
	  "first" },
	{ { .reason = MM_REASON_DEADLINE,
	    .pfn = 4,
	    .type = PGTY_DRIVER,
	    .migrated = 20,
	    .elapsed_ns = NSEC_PER_MSEC },
	  "deadline passed, pfn 0x4 is Driver (20 pages moved, 1 ms); try again, or wait for "
	  "longer" },
	{ { .reason = MM_REASON_DEADLINE,
	    .cause = MM_REASON_PINNED,
	    .pfn = 4,
	    .type = PGTY_DRIVER },
	  "deadline passed, pfn 0x4 is pinned, type Driver; unpin it first" },
	{ { .reason = MM_REASON_CANCELLED,
	    .cause = MM_REASON_UNMOVABLE,
	    .pfn = 5,
	    .type = PGTY_KERNEL,
	    .owner = 7 },
	  "cancelled, pfn 0x5 is Kernel, owner 0x7; its type never moves, so its owner must "
	  "free it" },
	{ { .reason = MM_REASON_CANCELLED, .pfn = PFN_NONE },
	  "cancelled; by Ctrl-C, or because the target changed" },
	{ { .reason = MM_REASON_VETO, .pfn = PFN_NONE, .detail = "naysayer" },
	  "refused by a notifier, naysayer; its driver must agree first" },
	{ { .reason = MM_REASON_WRONG_STATE, .pfn = PFN_NONE, .detail = "offline" },
	  "it is in the wrong state, offline; see lsmem" },
	{ { .reason = MM_REASON_NOT_PRESENT, .pfn = 0x90000 },
	  "pfn 0x90000 does not exist; no such block was added: see lsmem" },
	{ { .reason = MM_REASON_NO_MEMORY, .pfn = 5, .elapsed_ns = 999999 },
	  "no memory for metadata; the reserve is used up: free memory" },
};

static void describe_wording(const struct wording *w, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, mm_reason_name(w->why.reason), KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(wording, wordings, describe_wording)

static void says_what_stood_in_the_way(struct ktest *test)
{
	const struct wording *w = test->param_value;
	struct sink_buffer buffer;
	char text[256];

	sink_buffer_init(&buffer, text, sizeof(text));
	mm_failure_print(&w->why, &buffer.sink);
	KTEST_EXPECT_STREQ(test, text, w->text);
}

static void every_reason_has_words_and_errno(struct ktest *test)
{
	for (unsigned int r = 0; r < NR_MM_REASONS; r++) {
		KTEST_EXPECT_GT(test, strlen(mm_reason_name(r)), 3);
		KTEST_EXPECT_GT(test, strlen(mm_reason_hint(r)), 3);
		if (r != MM_REASON_NONE)
			KTEST_EXPECT_LT(test, mm_reason_errno(r), 0);
	}
	KTEST_EXPECT_EQ(test, mm_reason_errno(MM_REASON_NONE), 0);
	KTEST_EXPECT_EQ(test, mm_reason_errno(MM_REASON_VETO), -EBUSY);
	KTEST_EXPECT_EQ(test, mm_reason_errno(MM_REASON_DEADLINE), -ETIMEDOUT);
	KTEST_EXPECT_STREQ(test, mm_reason_name(NR_MM_REASONS), "?");
}

static void fail_fills_and_returns(struct ktest *test)
{
	struct mm_failure why = { .retries = 9, .detail = "old" };

	KTEST_EXPECT_EQ(test, mm_fail(&why, MM_REASON_EXISTS, 77), -EEXIST);
	KTEST_EXPECT_EQ(test, why.pfn, 77);
	KTEST_EXPECT_EQ(test, why.retries, 0);
	KTEST_EXPECT_NULL(test, why.detail);
	KTEST_EXPECT_EQ(test, mm_fail(NO_WHY, MM_REASON_CANCELLED, PFN_NONE), -EINTR);
}

/* A slab object keeps a block from going offline: the failure names the object's cache. */
static void slab_cache_is_named(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct kmem_cache *cache = kmem_cache_create(w->mm, "culprit", 64, 8);
	struct mm_failure why;
	unsigned long pfn;
	void *obj;

	KTEST_ASSERT_NOT_NULL(test, cache);
	window_add_online(test, w, 1, MMOP_ONLINE_KERNEL);
	/* The allocator prefers boot memory: use it up first. */
	do
		pfn = alloc_pages(w->mm, GFP_KERNEL | GFP_NOWARN, 0, PGTY_KERNEL);
	while (pfn < window_pfn(w, 1));
	obj = kmem_cache_alloc(cache, GFP_KERNEL);
	KTEST_ASSERT_NOT_NULL(test, obj);
	free_pages(w->mm, pfn, 0);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.type, PGTY_SLAB);
	KTEST_EXPECT_STREQ(test, why.detail, "culprit");
	KTEST_EXPECT_STREQ(test, slab_name_of(w->mm, phys_to_pfn(virt_to_phys(obj))),
			   "culprit");
	KTEST_EXPECT_NULL(test, slab_name_of(w->mm, window_pfn(w, 1)));
	kmem_cache_free(cache, obj);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
}

/* The panic report describes any address: the block, its state and the frame. */
static void stray_addresses_are_described(struct ktest *test)
{
	struct sink_buffer buffer;
	char text[200];

	sink_buffer_init(&buffer, text, sizeof(text));
	mm_describe_fault(~0UL, &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "no such block"));
	sink_buffer_init(&buffer, text, sizeof(text));
	mm_describe_fault(pfn_to_phys(kernel_mm.zone[ZONE_NORMAL].start_pfn),
			  &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "(online), pageblock 0 mapped"));
	KTEST_EXPECT_EQ(test, text[strlen(text) - 1], '\n');
}

static int slow_veto(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	if (event != MEM_GOING_OFFLINE)
		return 0;
	msleep(70);
	return -EPERM;
}

static void failures_in_words(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct notifier_block nb = { .fn = slow_veto, .name = "slow" };
	struct mm_failure why = { .pfn = window_pfn(w, 1),
				  .type = PGTY_OFFLINE,
				  .reason = MM_REASON_ZONE_MIX };
	struct sink_buffer buffer;
	char text[256];

	sink_buffer_init(&buffer, text, sizeof(text));
	mm_failure_print(&why, &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "pfn 0x"));
	KTEST_EXPECT_NOT_NULL(test, strstr(text, " spans two zones"));
	KTEST_EXPECT_NULL(test, strstr(text, ", pfn"));
	/* A name that the caller has set stays. */
	why.detail = "somebody";
	mm_failure_name(w->mm, &why);
	KTEST_EXPECT_STREQ(test, why.detail, "somebody");
	/* The failure has the time that the request took, including the listener's time. */
	window_add_online(test, w, 1, MMOP_ONLINE_MOVABLE);
	KTEST_ASSERT_EQ(test, register_memory_notifier(w->mm, &nb), 0);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why),
			-EPERM);
	KTEST_EXPECT_GE(test, why.elapsed_ns, 70 * NSEC_PER_MSEC);
	unregister_memory_notifier(w->mm, &nb);
}

#define EXPECT_WHY(test, call, wanted, at)                                                \
	do {                                                                             \
		KTEST_EXPECT_EQ(test, call, mm_reason_errno(wanted));                    \
		KTEST_EXPECT_EQ(test, why.reason, wanted);                               \
		KTEST_EXPECT_EQ(test, why.pfn, at);                                      \
	} while (0)

/* Expect this failure in the log, in the console's words. */
static void expect_logged(struct ktest *test, const struct mm_failure *why)
{
	struct sink_buffer words;
	char text[256];

	sink_buffer_init(&words, text, sizeof(text));
	mm_failure_print(why, &words.sink);
	KTEST_EXPECT_EQ(test, times_logged(text), 1);
	log_mark();
}

static void failures_are_logged(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy quiet = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	unsigned long pfn = window_pfn(w, 1) + 5 * PB + 3;
	struct mm_failure why, last;

	/* The next pageblock is not plugged. */
	log_mark();
	window_add(test, w, 1, ~BIT(6));
	KTEST_ASSERT_EQ(
		test,
		online_memory_block(w->mm, w->block + 1, MMOP_ONLINE_KERNEL, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	page_set_owner(w->mm, pfn, 0x4711);
	EXPECT_WHY(test, offline_memory_block(w->mm, w->block + 1, NULL, &why),
		   MM_REASON_UNMOVABLE, pfn);
	KTEST_EXPECT_EQ(test, why.type, PGTY_KERNEL);
	KTEST_EXPECT_EQ(test, why.owner, 0x4711);
	expect_logged(test, &why);
	page_set_owner(w->mm, pfn, 0x4712);
	EXPECT_WHY(test, alloc_contig_range(w->mm, pfn - 9, pfn + 9, NULL, &why),
		   MM_REASON_UNMOVABLE, pfn);
	expect_logged(test, &why);
	EXPECT_WHY(test, alloc_contig_range(w->mm, pfn + 1, pfn + PB, NULL, &why),
		   MM_REASON_SKIPPABLE_TAKEN, window_pfn(w, 1) + 6 * PB);
	KTEST_EXPECT_STREQ(test, why.detail, w->owner.name);
	expect_logged(test, &why);
	KTEST_EXPECT_EQ(test, alloc_contig_pages(w->mm, 4 * PAGES_PER_SECTION, NULL, &why),
			PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_RANGE);
	expect_logged(test, &why);
	quiet.flags = EVAC_QUIET;
	page_set_owner(w->mm, pfn, 0x4713);
	KTEST_EXPECT_EQ(test, take_contig_range(w->mm, pfn, pfn + 1, &quiet, &last),
			-EBUSY);
	KTEST_EXPECT_EQ(test, times_logged("0x4713"), 0);
	free_pages(w->mm, pfn, 0);
}

static const struct ktest_case failure_cases[] = {
	KTEST_CASE_PARAM(says_what_stood_in_the_way, wording_gen_params),
	KTEST_CASE(every_reason_has_words_and_errno),
	KTEST_CASE(fail_fills_and_returns),
	KTEST_CASE(slab_cache_is_named),
	KTEST_CASE(stray_addresses_are_described),
	KTEST_CASE(failures_in_words),
	KTEST_CASE(failures_are_logged),
	{}
};

static struct ktest_suite failure_suite = {
	.name = "mm_failure",
	.cases = failure_cases,
};
KTEST_SUITE(failure_suite);
