/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory blocks of the machine's virtio-mem device, lent to a case: see the header. */
#include "tests/mm/borrowed_blocks.h"
#include "kernel/timer.h"
#include "mm/section.h"

#define SETTLE_MS 20000

/**
 * struct loan - the blocks that a case has borrowed
 * @vdev: the device, without its driver
 * @lender: owns the blocks while they are added again
 * @zone: the zone in which each block was online
 */
struct loan {
	struct ktest *test;
	struct virtio_device *vdev;
	struct memory_owner lender;
	unsigned long first, nr;
	enum zone_type zone[MAX_BORROWED];
};

static struct loan loan;

static bool has_settled(const struct virtio_mem *vm)
{
	return READ_ONCE(vm->result) ||
	       pb_to_bytes(vmem_nr_at_device(vm)) >= vm->config.requested_size;
}

struct virtio_mem *machine_vmem(void)
{
	struct virtio_device *vdev;

	list_for_each_entry(vdev, &virtio_devices, link) {
		struct virtio_mem *vm = vdev->priv;

		if (vdev->id != VIRTIO_ID_MEM || !vm || vdev->mm != &kernel_mm)
			continue;
		for (unsigned int ms = 0; !has_settled(vm) && ms < SETTLE_MS; ms++)
			msleep(1);
		if (vmem_nr_plugged(vm))
			return vm;
	}
	return NULL;
}

/* Is the block online, without holes, and with its own metadata? Then the test can restore it. */
static bool is_whole(unsigned long block, enum zone_type *type)
{
	const struct mem_section *ms;
	const struct zone *zone;
	bool whole = false;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, block << SECTION_PFN_SHIFT);
	zone = ms ? section_zone(ms) : NULL;
	if (zone) {
		whole = (ms->flags & SECTION_SELF_HOSTED) && !(ms->unmapped | ms->hole);
		*type = zone->type;
	}
	pfn_walk_end();
	return whole;
}

static bool take_blocks(struct loan *l, unsigned long first)
{
	unsigned long blocks[MAX_BORROWED];

	for (unsigned long i = 0; i < l->nr; i++) {
		blocks[i] = first + i;
		if (!is_whole(first + i, &l->zone[i]))
			return false;
	}
	l->first = first;
	return offline_and_remove_memory(&kernel_mm, blocks, l->nr, NULL, NO_WHY) == 0;
}

/* Add and online the blocks in the same zones as before, and restore the driver. */
static void give_back(void *ctx)
{
	const enum mhp_online_type usual = kernel_mm.default_online_type;
	struct loan *l = ctx;

	kernel_mm.default_online_type = MMOP_OFFLINE;
	KTEST_EXPECT_EQ(l->test, register_memory_owner(&kernel_mm, &l->lender, NO_WHY),
			0);
	for (unsigned long i = 0; i < l->nr; i++) {
		const unsigned long block = l->first + i;

		KTEST_EXPECT_EQ(l->test,
				add_memory(&kernel_mm, block, &l->lender, ~0UL, NO_WHY),
				0);
		KTEST_EXPECT_EQ(l->test,
				online_memory_block(&kernel_mm, block,
						    l->zone[i] == ZONE_MOVABLE
							    ? MMOP_ONLINE_MOVABLE
							    : MMOP_ONLINE_KERNEL,
						    NO_WHY),
				0);
	}
	unregister_memory_owner(&kernel_mm, &l->lender);
	kernel_mm.default_online_type = usual;
	KTEST_EXPECT_EQ(l->test, virtio_register_device(l->vdev), 0);
}

unsigned long borrow_blocks(struct ktest *test, unsigned long nr)
{
	struct virtio_mem *vm = machine_vmem();
	struct loan *l = &loan;
	unsigned long low, at;

	if (!vm || vmem_nr_plugged(vm) < nr * PAGEBLOCKS_PER_SECTION)
		return PFN_NONE;
	*l = (struct loan){ .test = test, .vdev = vm->vdev, .nr = nr };
	low = vm->map.first_block;
	at = low + vm->map.nr_blocks - nr + 1;
	KTEST_ASSERT_EQ(test, virtio_unregister_device(l->vdev), 0);
	do {
		if (at == low) {
			KTEST_EXPECT_EQ(test, virtio_register_device(l->vdev), 0);
			return PFN_NONE;
		}
	} while (!take_blocks(l, --at));
	l->lender.name = "lender";
	l->lender.region.start_pfn = l->first << SECTION_PFN_SHIFT;
	l->lender.region.nr_pages = nr * PAGES_PER_SECTION;
	ktest_add_action(test, give_back, l);
	return l->lender.region.start_pfn;
}
