/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio-mem driver on a private mm: see the header. */
#include "tests/drivers/vmem_rig.h"
#include "lib/bitops.h"
#include "lib/vsprintf.h"

static const char *const fault_names[NR_FAKE_VMEM_FAULTS] = {
	[FAKE_BUSY] = "busy",		[FAKE_NACK] = "nack",
	[FAKE_ERROR] = "error",		[FAKE_GARBAGE] = "garbage",
	[FAKE_SHORT] = "short answer",	[FAKE_SILENT] = "no answer",
	[FAKE_LIE_ID] = "id not open",	[FAKE_LIE_LEN] = "too many bytes",
};

const void *vmem_rig_faults(const void *prev, unsigned int last, char desc[KTEST_DESC_SIZE])
{
	static struct rig_fault f;

	if (!prev)
		f = (struct rig_fault){ FAKE_BUSY, 0 };
	else if (f.at < last)
		f.at++;
	else if (f.fault + 1 < NR_FAKE_VMEM_FAULTS)
		f = (struct rig_fault){ f.fault + 1, 0 };
	else
		return NULL;
	snprintf(desc, KTEST_DESC_SIZE, "%s at %u", fault_names[f.fault], f.at);
	return &f;
}

static const struct virtio_driver *vmem_driver(void)
{
	const struct virtio_driver *drv = __start_virtio_drivers;

	while (drv->id != VIRTIO_ID_MEM)
		drv++;
	return drv;
}

void vmem_rig_free_queues(struct fake_vmem *fm)
{
	struct virtio_device *vdev = &fm->fv.vdev;

	for (u32 i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		if (vdev->vqs[i])
			virtqueue_destroy(vdev->vqs[i]);
	}
}

void vmem_rig_empty(struct vmem_rig *rig)
{
	for (unsigned int n = 0; n < rig->nr; n++) {
		if (rig->vm[n])
			vmem_rig_detach(rig, n);
	}
	rig->nr = 0;
}

/*
 * Detach all drivers. If a driver still counts a user, fail the case and clear the count:
 * otherwise the detach would never end.
 */
static void rig_close(void *ctx)
{
	struct vmem_rig *rig = ctx;

	for (unsigned int n = 0; n < rig->nr; n++) {
		if (!rig->vm[n])
			continue;
		KTEST_EXPECT_EQ(rig->test, rig->vm[n]->users, 0);
		rig->vm[n]->users = 0;
	}
	vmem_rig_empty(rig);
}

struct vmem_rig *vmem_rig_open(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct vmem_rig *rig = ktest_alloc(test, sizeof(*rig));

	rig->test = test;
	rig->w = w;
	w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
	ktest_add_action(test, rig_close, rig);
	return rig;
}

struct fake_vmem *vmem_rig_prepare(struct vmem_rig *rig, u64 offset, u64 size, u64 block)
{
	struct fake_vmem *fm = &rig->fm[rig->nr++];

	fake_vmem_init(fm, rig->w->mm, pfn_to_phys(rig->w->base) + offset, size, block);
	return fm;
}

int vmem_rig_try(struct vmem_rig *rig, struct fake_vmem *fm)
{
	struct virtio_device *vdev = &fm->fv.vdev;
	int ret;

	vdev->driver = vmem_driver();
	ret = virtio_negotiate(vdev, vdev->driver);
	if (!ret)
		ret = vmem_attach(vdev);
	if (!ret)
		ret = virtio_device_ready(vdev);
	if (ret)
		return ret;
	rig->vm[fm - rig->fm] = vdev->priv;
	/* The driver detects a silent device within this much virtual time. */
	rig->vm[fm - rig->fm]->answer_ns = NSEC_PER_MSEC;
	return 0;
}

void vmem_rig_attach(struct vmem_rig *rig, struct fake_vmem *fm)
{
	KTEST_ASSERT_EQ(rig->test, vmem_rig_try(rig, fm), 0);
}

struct fake_vmem *vmem_rig_add(struct vmem_rig *rig, u64 offset, u64 size, u64 block)
{
	struct fake_vmem *fm = vmem_rig_prepare(rig, offset, size, block);

	vmem_rig_attach(rig, fm);
	return fm;
}

void vmem_rig_detach(struct vmem_rig *rig, unsigned int n)
{
	vmem_detach(rig->vm[n]);
	rig->vm[n] = NULL;
	vmem_rig_free_queues(&rig->fm[n]);
}

/* A driver that runs more rounds than this without a wait is in an endless loop. */
#define MAX_ROUNDS 50

u64 vmem_rig_settle(struct vmem_rig *rig, unsigned int n)
{
	for (unsigned int i = 0; i < MAX_ROUNDS; i++) {
		const u64 delay = vmem_work(rig->vm[n]);

		if (delay)
			return delay;
	}
	KTEST_FAIL(rig->test, "no end after %u rounds", MAX_ROUNDS);
	return 0;
}

/* Each remaining fault costs a reset, and each reset may meet the next fault. */
#define MAX_PAUSES 12

bool vmem_rig_comes_back(struct vmem_rig *rig, unsigned int n)
{
	for (unsigned int i = 0; i < MAX_PAUSES; i++) {
		rig->vm[n]->restart_ns = 0;
		if (vmem_rig_settle(rig, n) == WAIT_FOREVER)
			return true;
	}
	return false;
}

void vmem_rig_resize(struct vmem_rig *rig, unsigned int n, u64 requested)
{
	fake_vmem_resize(&rig->fm[n], requested);
	(void)vmem_rig_settle(rig, n);
}

u64 vmem_rig_plugged(const struct vmem_rig *rig, unsigned int n)
{
	return pb_to_bytes(vmem_nr_plugged(rig->vm[n]));
}

/* Check that no pageblock is both mm's and reserved, and that all these lie in the region. */
static void check_block(struct vmem_rig *rig, const struct virtio_mem *vm, unsigned long i)
{
	const struct vmem_map *map = &vm->map;
	const struct vmem_block *b = &map->block[i];
	const struct mem_section *ms = pfn_to_section(vm->mm, pb_to_pfn(vmem_block_start(map, i)));
	const u64 ours = vmem_mask(map, i, map->start, map->end);

	const struct memory_block_info info = vmem_info(map, i);

	KTEST_EXPECT_EQ(rig->test, info.plugged & b->reserved, 0);
	KTEST_EXPECT_EQ(rig->test, (info.plugged | b->reserved) & ~ours, 0);
	KTEST_EXPECT_EQ(rig->test, ms ? ours & ~ms->unmapped : 0, info.plugged);
	KTEST_EXPECT_EQ(rig->test, ms == NULL, info.state == MEM_BLOCK_ABSENT);
	KTEST_EXPECT_TRUE(rig->test, !info.removable || ms->owner == &vm->owner);
}

static void check_device(struct vmem_rig *rig, unsigned int n)
{
	const struct virtio_mem *vm = rig->vm[n];
	const struct fake_vmem *fm = &rig->fm[n];
	unsigned long plugged = 0, reserved = 0;

	for (unsigned long i = 0; i < vm->map.nr_blocks; i++) {
		check_block(rig, vm, i);
		plugged += hweight64(vmem_info(&vm->map, i).plugged);
		reserved += hweight64(vm->map.block[i].reserved);
	}
	KTEST_EXPECT_EQ(rig->test, plugged, vmem_nr_plugged(vm));
	KTEST_EXPECT_EQ(rig->test, reserved, vm->map.nr_reserved);
	KTEST_EXPECT_EQ(rig->test, fake_vmem_plugged(fm), fm->config.plugged_size);
	KTEST_EXPECT_EQ(rig->test, fake_vmem_stray(fm), 0);
	KTEST_EXPECT_EQ(rig->test, fm->fv.violations, 0);
	if (!virtio_is_broken(vm->vdev) && !vm->unsure)
		KTEST_EXPECT_EQ(rig->test, pb_to_bytes(plugged + reserved),
				fm->config.plugged_size);
}

void vmem_rig_check(struct vmem_rig *rig)
{
	for (unsigned int n = 0; n < rig->nr; n++) {
		if (rig->vm[n])
			check_device(rig, n);
	}
	window_check(rig->test, rig->w);
}
