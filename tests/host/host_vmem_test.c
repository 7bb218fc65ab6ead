/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio-mem driver where it takes the host: regions at the end of what can exist,
 * gigabytes that nothing backs, and what the log says.
 */
#include "host.h"
#include "lib/errno.h"
#include "log.h"
#include "tests/drivers/vmem_rig.h"

#define MIB (1UL << 20)
#define PB  PAGEBLOCK_NR_PAGES

/*
 * The device forgot some of mm's memory while there was no driver: the driver logs it
 * and plugs it again.
 */
static void forgetful_device_is_asked(struct ktest *test)
{
	static const char words[] = "plugged again, but the contents are lost";
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	const phys_addr_t lost = pfn_to_phys(window_pfn(rig->w, 2)) + 6 * MIB;
	const unsigned int before = times_logged(words);

	vmem_rig_resize(rig, 0, 300 * MIB);
	vmem_rig_detach(rig, 0);
	fake_vmem_set_plugged(fm, lost, 2 * MIB, false);
	vmem_rig_attach(rig, fm);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 300 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, times_logged(words), before + 1);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 300 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL], 0);
	vmem_rig_check(rig);
}

/* The driver does not use the parts of the region that cannot be mapped, below and above. */
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

/* One line each time that device and driver begin to disagree. */
static void disagreements_are_said(struct ktest *test)
{
	static const char words[] = "the device has 98 MiB plugged, the driver 100 MiB";
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);

	log_mark();
	vmem_rig_resize(rig, 0, 100 * MIB);
	for (unsigned int i = 0; i < 3; i++) {
		fm->config.plugged_size = 98 * MIB;
		vmem_rig_resize(rig, 0, 100 * MIB);
		vmem_rig_resize(rig, 0, 100 * MIB);
		KTEST_EXPECT_EQ(test, times_logged(words), i + 1);
		fm->config.plugged_size = 100 * MIB;
		vmem_rig_resize(rig, 0, 100 * MIB);
	}
	/* The size on which they agreed last is no exception. */
	vmem_rig_resize(rig, 0, 90 * MIB);
	fm->config.plugged_size = 100 * MIB;
	vmem_rig_resize(rig, 0, 90 * MIB);
	KTEST_EXPECT_EQ(test,
			times_logged("the device has 100 MiB plugged, the driver 90 MiB"),
			1);
}

/* 4 GiB are plugged, and 100,000 changes around 4 GiB plug and unplug at most 2 MiB. */
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
	KTEST_CASE(forgetful_device_is_asked),
	KTEST_CASE(region_beyond_the_map),
	KTEST_CASE(disagreements_are_said),
	KTEST_CASE(torn_sizes_across_4_gib),
	{},
};
static struct ktest_suite host_vmem_suite = { .name = "host_vmem",
					      .cases = host_vmem_cases };
KTEST_SUITE(host_vmem_suite);
