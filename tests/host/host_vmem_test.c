/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio-mem driver in cases that only the host can set up: regions at the ends of the
 * mappable range, and gigabytes without backing memory.
 */
#include "host.h"
#include "lib/errno.h"
#include "tests/drivers/vmem_rig.h"

#define MIB (1UL << 20)
#define PB  PAGEBLOCK_NR_PAGES

/* The driver does not use the parts of a region below and above the mappable range. */
static void region_beyond_the_map(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	const phys_addr_t base = pfn_to_phys(rig->w->base);

	vmem_rig_add(rig, HOST_PHYS_START - 256 * MIB - base, 512 * MIB, 2 * MIB);
	KTEST_EXPECT_EQ(test, rig->vm[0]->map.start * PAGEBLOCK_SIZE, HOST_PHYS_START);
	vmem_rig_empty(rig);
	vmem_rig_add(rig, HOST_PHYS_START + HOST_PHYS_SIZE - 128 * MIB - base, 256 * MIB,
		     2 * MIB);
	fake_vmem_resize(&rig->fm[0], 256 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, rig->vm[0]->result, -ENOSPC);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 128 * MIB);
	vmem_rig_resize(rig, 0, 0);
	vmem_rig_check(rig);
}

/* With 4 GiB plugged, 100,000 changes of the size across 4 GiB unplug at most 2 MiB. */
static void torn_sizes_across_4_gib(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 6144 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 4096 * MIB);
	fake_vmem_toggle(fm, 4096 * MIB, 4094 * MIB, 100000, 40);
	while (fm->toggle.left) {
		(void)vmem_work(rig->vm[0]);
		KTEST_ASSERT_GE(test, fm->config.plugged_size, 4094 * MIB);
		KTEST_ASSERT_LE(test, fm->config.plugged_size, 4096 * MIB);
	}
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, fm->config.plugged_size, fm->config.requested_size);
	vmem_rig_check(rig);
}

static const struct ktest_case host_vmem_cases[] = {
	KTEST_CASE(region_beyond_the_map),
	KTEST_CASE(torn_sizes_across_4_gib),
	{},
};
static struct ktest_suite host_vmem_suite = { .name = "host_vmem",
					      .cases = host_vmem_cases };
KTEST_SUITE(host_vmem_suite);
