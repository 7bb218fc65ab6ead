/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy auto-movable: the ratio to boot's memory, dynamic groups (an owner's
 * memory in zone Normal counts only for that owner), static groups (all or nothing).
 */
#include "kernel/param.h"
#include "lib/string.h"
#include "tests/mm/hotplug_window.h"

#define NR_ADDED (WINDOW_BLOCKS - 1)

static void restore_policy(void *unused)
{
	(void)unused;
	(void)!param_set("memory_hotplug.online_policy", "contig-zones");
	(void)!param_set("memory_hotplug.auto_movable_ratio", "301");
}

static void set_ratio(struct ktest *test, const char *ratio)
{
	KTEST_ASSERT_EQ(test, param_set("memory_hotplug.auto_movable_ratio", ratio), 0);
}

/* One block from boot; the policy is on. */
static struct window *open_auto(struct ktest *test, const char *ratio)
{
	struct window *w = window_open(test, SECTION_SIZE);

	ktest_add_action(test, restore_policy, NULL);
	KTEST_ASSERT_EQ(test, param_set("memory_hotplug.online_policy", "auto-movable"), 0);
	set_ratio(test, ratio);
	return w;
}

/* mm/'s counts of an owner are the sums over its online blocks. */
static void check_present(struct ktest *test, struct window *w, const struct memory_owner *owner)
{
	unsigned long present[NR_ZONES] = { 0 };

	for (unsigned long n = 0; n < WINDOW_BLOCKS; n++) {
		const struct mem_section *s = pfn_to_section(w->mm, window_pfn(w, n));

		if (s && s->owner == owner && s->zone)
			present[s->zone->type] += s->present;
	}
	KTEST_EXPECT_MEMEQ(test, present, owner->present, sizeof(present));
}

/* Onlines blocks @first.. with "online", and expects the zones in @zones: M or N. */
static void expect_zones(struct ktest *test, struct window *w, unsigned long first,
			 const char *zones)
{
	for (unsigned long n = first; *zones; n++, zones++) {
		KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE), 0);
		KTEST_ASSERT_EQ(test, pfn_to_section(w->mm, window_pfn(w, n))->zone->type,
				*zones == 'M' ? ZONE_MOVABLE : ZONE_NORMAL);
		check_present(test, w, &w->owner);
		window_check(test, w);
	}
}

static void add_all(struct ktest *test, struct window *w)
{
	for (unsigned long n = 1; n <= NR_ADDED; n++)
		window_add(test, w, n, ~0UL);
}

/*
 * 250 %: two blocks besides the one from boot; a third becomes kernel memory, and
 * raises the limit.
 */
static void dynamic_group_keeps_the_ratio(struct ktest *test)
{
	struct window *w = open_auto(test, "250");

	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	add_all(test, w);
	expect_zones(test, w, 1, "MMNMM");
	/* The owner's kernel memory leaves: nothing new fits until Movable has shrunk. */
	KTEST_ASSERT_EQ(test, window_offline(w, 3), 0);
	check_present(test, w, &w->owner);
	expect_zones(test, w, 3, "N");
	KTEST_ASSERT_EQ(test, window_offline(w, 3), 0);
	for (unsigned long n = 1; n <= 4; n += n == 2 ? 2 : 1)
		KTEST_ASSERT_EQ(test, window_offline(w, n), 0);
	expect_zones(test, w, 1, "M");
	expect_zones(test, w, 3, "N");
}

/* Nothing is movable at a ratio of 0, and no block of boot's counts twice. */
static void ratio_of_zero_is_kernel_memory(struct ktest *test)
{
	struct window *w = open_auto(test, "0");

	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	add_all(test, w);
	expect_zones(test, w, 1, "NN");
	set_ratio(test, "100");
	expect_zones(test, w, 3, "MMM");
}

/* Like a DIMM: all or nothing; all blocks go where the first block went. */
static void static_group_is_all_or_nothing(struct ktest *test)
{
	struct window *w = open_auto(test, "499");

	w->owner.unit_pages = w->owner.region.nr_pages;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	add_all(test, w);
	expect_zones(test, w, 1, "NN");
	set_ratio(test, "500");
	expect_zones(test, w, 3, "NNN");
	for (unsigned long n = 1; n <= NR_ADDED; n++)
		KTEST_ASSERT_EQ(test, window_offline(w, n), 0);
	expect_zones(test, w, 1, "MM");
	set_ratio(test, "1");
	expect_zones(test, w, 3, "MMM");
}

/* Units of two blocks: the blocks of a unit are in the same zone. */
static void units_are_not_divided(struct ktest *test)
{
	struct window *w = open_auto(test, "250");

	w->owner.unit_pages = 2 * PAGES_PER_SECTION;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	add_all(test, w);
	expect_zones(test, w, 1, "MMNNM");
}

/*
 * Another owner's memory in zone Normal does not help this owner, but its Movable
 * memory counts.
 */
static void groups_do_not_help_each_other(struct ktest *test)
{
	struct window *w = open_auto(test, "250");
	struct memory_owner *other = ktest_alloc(test, sizeof(*other));

	other->name = "other";
	other->region = (struct pfn_range){ window_pfn(w, 1), 2 * PAGES_PER_SECTION };
	w->owner.region = (struct pfn_range){ window_pfn(w, 3), 3 * PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, other, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	for (unsigned long n = 1; n <= 2; n++) {
		KTEST_ASSERT_EQ(test,
				add_memory(w->mm, w->block + n, other, ~0UL, NO_WHY), 0);
		KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE_KERNEL), 0);
	}
	for (unsigned long n = 3; n <= NR_ADDED; n++)
		window_add(test, w, n, ~0UL);
	check_present(test, w, other);
	expect_zones(test, w, 3, "MMN");
	/*
	 * An owner's kernel memory pays for its own Movable memory: other owners pay
	 * nothing.
	 */
	KTEST_ASSERT_EQ(test, window_offline(w, 2), 0);
	expect_zones(test, w, 2, "M");
	check_present(test, w, other);
	/* The owner leaves and comes back: the sums are restored. */
	unregister_memory_owner(w->mm, other);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, other, NO_WHY), 0);
	check_present(test, w, other);
}

static const struct ktest_case auto_movable_cases[] = {
	KTEST_CASE(dynamic_group_keeps_the_ratio),
	KTEST_CASE(ratio_of_zero_is_kernel_memory),
	KTEST_CASE(static_group_is_all_or_nothing),
	KTEST_CASE(units_are_not_divided),
	KTEST_CASE(groups_do_not_help_each_other),
	{}
};

static struct ktest_suite auto_movable_suite = {
	.name = "auto_movable",
	.cases = auto_movable_cases,
};
KTEST_SUITE(auto_movable_suite);
