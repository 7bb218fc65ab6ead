/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio-mem driver leaves the machine's own device and comes back, while the
 * kernel uses memory of the region. The suite needs a device with plugged memory (scenario
 * driver_comes_back), and is skipped elsewhere.
 */
#include "arch/machine.h"
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/ktest.h"
#include "kernel/timer.h"
#include "lib/bitops.h"
#include "mm/mm.h"
#include "mm/page_alloc.h"
#include "tests/mm/borrowed_blocks.h"
#include "tests/kernel/test_threads.h"

#define NR_WORDS (PAGE_SIZE / sizeof(u64))

static struct virtio_mem *find_driver(struct ktest *test)
{
	struct virtio_mem *vm = machine_vmem();

	if (!vm)
		ktest_skip(test, "no virtio-mem device with memory plugged");
	return vm;
}

/* Allocate the last frame of the region's highest pageblock where that frame is free. */
static unsigned long take_frame(struct ktest *test, const struct virtio_mem *vm)
{
	for (unsigned long i = vm->map.nr_blocks; i-- > 0;) {
		for (u64 mask = vmem_info(&vm->map, i).plugged; mask;
		     mask &= ~BIT(__fls(mask))) {
			const unsigned long pb = vmem_block_start(&vm->map, i) + __fls(mask);
			const unsigned long pfn = pb_to_pfn(pb) + PAGEBLOCK_NR_PAGES - 1;

			if (!alloc_pages_at(&kernel_mm, pfn, 0, PGTY_KERNEL))
				return pfn;
		}
	}
	KTEST_FAIL(test, "no free frame in the region");
	return PFN_NONE;
}

/* Wait for the driver's first rounds, which unplug the memory that seems unused. */
static void wait_for_rounds(const struct virtio_mem *vm, unsigned long plugged)
{
	const u64 deadline = ktime_ns() + STEP_NS;

	while ((vmem_nr_plugged(vm) != plugged || READ_ONCE(vm->map.nr_reserved)) &&
	       ktime_ns() < deadline)
		msleep(10);
	msleep(300);
}

/* mm keeps its part of the region, and the contents of that memory stay. */
static void driver_comes_back(struct ktest *test)
{
	struct virtio_mem *vm = find_driver(test);
	struct virtio_device *vdev = vm->vdev;
	const unsigned long plugged = vmem_nr_plugged(vm);
	const unsigned long pfn = take_frame(test, vm);
	u64 *word = phys_to_virt(pfn_to_phys(pfn));

	for (unsigned int i = 0; i < NR_WORDS; i++)
		word[i] = pfn * NR_WORDS + i;
	KTEST_ASSERT_EQ(test, virtio_unregister_device(vdev), 0);
	KTEST_ASSERT_EQ(test, virtio_register_device(vdev), 0);
	vm = vdev->priv;
	KTEST_ASSERT_NOT_NULL(test, vm);
	wait_for_rounds(vm, plugged);
	for (unsigned int i = 0; i < NR_WORDS; i++)
		KTEST_ASSERT_EQ(test, word[i], pfn * NR_WORDS + i);
	KTEST_EXPECT_EQ(test, vm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL], 0);
	KTEST_EXPECT_EQ(test, vmem_nr_plugged(vm), plugged);
	KTEST_EXPECT_EQ(test, vm->map.nr_reserved, 0);
	KTEST_EXPECT_FALSE(test, virtio_is_broken(vdev));
	free_pages(&kernel_mm, pfn, 0);
}

static const struct ktest_case vmem_machine_cases[] = {
	KTEST_CASE(driver_comes_back),
	{},
};
static struct ktest_suite vmem_machine_suite = { .name = "vmem_machine",
						 .cases = vmem_machine_cases };
KTEST_SUITE(vmem_machine_suite);
