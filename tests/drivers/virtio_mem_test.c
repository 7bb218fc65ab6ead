/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio-mem driver with a device that obeys the spec, on a private mm. After every
 * step the driver, the device and mm must agree.
 */
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/quiesce.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/trace_only.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/kernel/test_threads.h"

#define MIB (1UL << 20)

/* --- sizes, blocks and regions --------------------------------------------- */

struct geometry {
	const char *name;
	u64 block;  /* of the device */
	u64 offset; /* of the region in the window; block 0 has 32 MiB of boot memory */
	u64 size;
};

static const struct geometry geometries[] = {
	{ "64 KiB blocks", 64UL << 10, 128 * MIB, 256 * MIB },
	{ "1 MiB blocks", 1 * MIB, 128 * MIB, 512 * MIB },
	{ "1 MiB blocks, odd start", 1 * MIB, 129 * MIB, 301 * MIB },
	{ "2 MiB blocks", 2 * MIB, 128 * MIB, 640 * MIB },
	{ "2 MiB blocks, shared with boot memory", 2 * MIB, 34 * MIB, 590 * MIB },
	{ "2 MiB blocks, inside of one block", 2 * MIB, 130 * MIB, 64 * MIB },
	{ "4 MiB blocks", 4 * MIB, 132 * MIB, 500 * MIB },
	{ "16 MiB blocks", 16 * MIB, 48 * MIB, 640 * MIB },
	{ "32 MiB blocks", 32 * MIB, 128 * MIB, 640 * MIB },
	{ "64 MiB blocks", 64 * MIB, 64 * MIB, 640 * MIB },
	{ "128 MiB blocks", 128 * MIB, 128 * MIB, 640 * MIB },
};

static void geometry_desc(const struct geometry *g, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, g->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(geometry, geometries, geometry_desc)

static struct vmem_rig *open_geometry(struct ktest *test)
{
	const struct geometry *g = test->param_value;
	struct vmem_rig *rig = vmem_rig_open(test);

	vmem_rig_add(rig, g->offset, g->size, g->block);
	return rig;
}

static u64 granule_of(const struct geometry *g)
{
	return max(g->block, 2 * MIB);
}

/* The part of the region that can be plugged: whole granules. */
static u64 capacity_of(const struct geometry *g)
{
	return ALIGN_DOWN(g->offset + g->size, granule_of(g)) - ALIGN_UP(g->offset, granule_of(g));
}

/* Resize up to full, down to nothing, and to sizes between. */
static void grow_and_shrink(struct ktest *test)
{
	static const unsigned int percent[] = { 100, 0, 10, 55, 54, 99, 1, 100, 33, 0 };
	const struct geometry *g = test->param_value;
	struct vmem_rig *rig = open_geometry(test);

	for (unsigned int i = 0; i < ARRAY_SIZE(percent); i++) {
		const u64 size = ALIGN_DOWN(g->size / 100 * percent[i], g->block);
		const u64 want = percent[i] == 100 ? g->size : size;

		vmem_rig_resize(rig, 0, want);
		vmem_rig_check(rig);
		KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0),
				min(ALIGN_DOWN(want, granule_of(g)), capacity_of(g)));
	}
}

/* The driver reaches every requested size, rounded down to granules. */
static void random_resizes(struct ktest *test)
{
	const struct geometry *g = test->param_value;
	struct vmem_rig *rig = open_geometry(test);

	for (unsigned int i = 0; i < 50; i++) {
		const u64 want = g->block * prng_below(&test->prng, g->size / g->block + 1);

		vmem_rig_resize(rig, 0, want);
		KTEST_ASSERT_EQ(test, vmem_rig_plugged(rig, 0),
				min(ALIGN_DOWN(want, granule_of(g)), capacity_of(g)));
		if (i % 10 == 9)
			vmem_rig_check(rig);
	}
	vmem_rig_resize(rig, 0, 0);
	vmem_rig_check(rig);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
}

/* --- what it costs ---------------------------------------------------------- */

/* Growing by many memory blocks takes one request, and so does shrinking an empty region. */
static void one_request(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 640 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 300 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_PLUG], 1);
	vmem_rig_resize(rig, 0, 640 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_PLUG], 2);
	vmem_rig_resize(rig, 0, 0);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG], 1);
	KTEST_EXPECT_EQ(test, fm->nr_log, 3);
	KTEST_EXPECT_EQ(test, rig->vm[0]->nr_answers[VMEM_ACK], 3);
	vmem_rig_check(rig);
}

/* The driver sends many separate runs together: one notification for up to 16 requests. */
static void pipelined(struct ktest *test)
{
	enum { NR = 15 };
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	unsigned long pfn[NR];
	unsigned int notified;

	vmem_rig_resize(rig, 0, 128 * MIB);
	for (unsigned int i = 0; i < NR; i++) {
		pfn[i] = window_pfn(rig->w, 1) + (i * 4 + 2) * PAGEBLOCK_NR_PAGES;
		KTEST_ASSERT_EQ(test, alloc_pages_at(rig->w->mm, pfn[i], 0, PGTY_KERNEL), 0);
	}
	notified = fm->fv.notified;
	vmem_rig_resize(rig, 0, (NR + 1) * 2 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), (NR + 1) * 2 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG], NR + 1);
	KTEST_EXPECT_EQ(test, fm->fv.notified - notified, 1);
	vmem_rig_check(rig);
	notified = fm->fv.notified;
	vmem_rig_resize(rig, 0, 128 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_PLUG], 1 + NR + 1);
	KTEST_EXPECT_EQ(test, fm->fv.notified - notified, 1);
	vmem_rig_check(rig);
	for (unsigned int i = 0; i < NR; i++)
		free_pages(rig->w->mm, pfn[i], 0);
}

/* --- what is in the way ------------------------------------------------------ */

/* A page cannot move: everything else is unplugged, and the status names the page. */
static void unmovable(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct mm *mm = rig->w->mm;
	struct sink_buffer out;
	char text[200];
	unsigned long pfn;

	vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	vmem_rig_resize(rig, 0, 512 * MIB);
	pfn = window_pfn(rig->w, 2) + 20 * PAGEBLOCK_NR_PAGES + 7;
	KTEST_ASSERT_EQ(test, alloc_pages_at(mm, pfn, 0, PGTY_KERNEL), 0);
	vmem_rig_resize(rig, 0, 0);
	vmem_rig_check(rig);
	/* The page's granule, and the granule with the block's metadata. */
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 4 * MIB);
	sink_buffer_init(&out, text, sizeof(text));
	KTEST_EXPECT_TRUE(test, vmem_print_failure(rig->vm[0], &out.sink));
	ktest_info(test, "%s", text);
	KTEST_EXPECT_EQ(test, rig->vm[0]->last_failure.why.pfn, pfn);
	free_pages(mm, pfn, 0);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
	vmem_rig_check(rig);
}

/* Movable pages move, and keep their contents. */
static void movable(struct ktest *test)
{
	enum { NR = 64 };
	static struct page_slot slot[NR];
	struct vmem_rig *rig = vmem_rig_open(test);
	struct mm *mm = rig->w->mm;

	vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	vmem_rig_resize(rig, 0, 512 * MIB);
	for (u64 i = 0; i < NR; i++) {
		KTEST_ASSERT_EQ(test, slot_alloc(mm, &slot[i], 0), 0);
		*(u64 *)phys_to_virt(pfn_to_phys(slot_pfn(&slot[i]))) = i * 12345;
	}
	vmem_rig_resize(rig, 0, 64 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 64 * MIB);
	vmem_rig_check(rig);
	vmem_rig_resize(rig, 0, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
	vmem_rig_check(rig);
	for (u64 i = 0; i < NR; i++) {
		KTEST_EXPECT_EQ(test, *(u64 *)phys_to_virt(pfn_to_phys(slot_pfn(&slot[i]))),
				i * 12345);
		KTEST_EXPECT_EQ(test, slot_free(mm, &slot[i]), 0);
	}
}

/* Blocks that were never onlined are unplugged, whole or in part, without an evacuation. */
static void left_offline(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct mm *mm = rig->w->mm;
	struct mm_failure why;

	mm->default_online_type = MMOP_OFFLINE;
	vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	vmem_rig_resize(rig, 0, 300 * MIB);
	KTEST_EXPECT_EQ(test, memory_block_state(mm, rig->w->block + 1), MEM_BLOCK_OFFLINE);
	vmem_rig_check(rig);
	vmem_rig_resize(rig, 0, 270 * MIB);
	vmem_rig_check(rig);
	vmem_rig_resize(rig, 0, 290 * MIB);
	vmem_rig_check(rig);
	KTEST_ASSERT_EQ(test, online_memory_block(mm, rig->w->block + 3, MMOP_ONLINE_MOVABLE, &why),
			0);
	vmem_rig_check(rig);
	/* Unplugged pageblocks stay offline, even if a user onlines the block. */
	KTEST_EXPECT_EQ(test, mm->zone[ZONE_MOVABLE].managed,
			(34 * MIB >> PAGE_SHIFT) - MHP_HEADER_PAGES);
	vmem_rig_resize(rig, 0, 0);
	vmem_rig_check(rig);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
}

/* --- the target moves -------------------------------------------------------- */

static void resize_in_the_middle(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);

	for (unsigned int at = 1; at < 8; at++) {
		struct fake_vmem *fm = vmem_rig_add(rig, 34 * MIB, 600 * MIB, 2 * MIB);

		fm->resize_at = at;
		fm->resize_to = (at % 3) * 100 * MIB;
		for (unsigned int i = 0; i < 6; i++)
			vmem_rig_resize(rig, 0, i % 2 ? 40 * MIB : 500 * MIB);
		fm->spurious = true;
		vmem_rig_resize(rig, 0, 222 * MIB);
		KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 222 * MIB);
		vmem_rig_resize(rig, 0, 0);
		vmem_rig_check(rig);
		vmem_rig_empty(rig);
	}
}

/* The device allows plugging only in the first part of its region. */
static void usable_region(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 640 * MIB, 2 * MIB);

	fm->usable_slack = 32 * MIB;
	fm->config.usable_region_size = 0;
	for (unsigned int i = 1; i <= 5; i++) {
		vmem_rig_resize(rig, 0, i * 100 * MIB);
		KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), i * 100 * MIB);
	}
	vmem_rig_resize(rig, 0, 0);
	vmem_rig_check(rig);
}

/* --- two devices, and drivers one after another ------------------------------- */

static void two_devices(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);

	/* The two devices share memory block 3 of the window. */
	vmem_rig_add(rig, 128 * MIB, 300 * MIB, 2 * MIB);
	vmem_rig_add(rig, 428 * MIB, 212 * MIB, 4 * MIB);
	for (unsigned int i = 0; i < 30; i++) {
		const u64 a = 2 * MIB * prng_below(&test->prng, 151);
		const u64 b = 4 * MIB * prng_below(&test->prng, 54);

		vmem_rig_resize(rig, 0, a);
		vmem_rig_resize(rig, 1, b);
		KTEST_ASSERT_EQ(test, vmem_rig_plugged(rig, 0), a);
		KTEST_ASSERT_EQ(test, vmem_rig_plugged(rig, 1), b);
		vmem_rig_check(rig);
	}
	vmem_rig_resize(rig, 1, 0);
	vmem_rig_resize(rig, 0, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0) + vmem_rig_plugged(rig, 1), 0);
	vmem_rig_check(rig);
}

/* Before anything else, the driver unplugs memory that was plugged before its attach. */
static void left_over(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_prepare(rig, 128 * MIB, 512 * MIB, 2 * MIB);

	bitmap_set(fm->plugged, 17, 40);
	fm->config.plugged_size = 80 * MIB;
	fake_vmem_resize(fm, 100 * MIB);
	fake_vmem_inject(fm, 0, 3, FAKE_BUSY);
	vmem_rig_attach(rig, fm);
	for (unsigned int i = 0; i < 4; i++) {
		KTEST_EXPECT_EQ(test, fm->nr_log, i);
		vmem_rig_settle(rig, 0);
	}
	for (unsigned int i = 0; i < 4; i++)
		KTEST_EXPECT_EQ(test, fm->log[i].type, VIRTIO_MEM_REQ_UNPLUG_ALL);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	vmem_rig_check(rig);
}

/* The driver leaves while memory is in use, and the next driver takes that memory over. */
static void taken_over(struct ktest *test)
{
	static const unsigned int percent[] = { 10, 60, 100, 30 };
	const struct geometry *g = test->param_value;
	struct vmem_rig *rig = open_geometry(test);
	struct fake_vmem *fm = &rig->fm[0];

	for (unsigned int i = 0; i < ARRAY_SIZE(percent); i++) {
		u64 plugged;

		vmem_rig_resize(rig, 0, ALIGN_DOWN(g->size / 100 * percent[i], g->block));
		plugged = vmem_rig_plugged(rig, 0);
		vmem_rig_detach(rig, 0);
		vmem_rig_attach(rig, fm);
		KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), plugged);
		vmem_rig_settle(rig, 0);
		KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), plugged);
		vmem_rig_check(rig);
	}
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL], 0);
	vmem_rig_resize(rig, 0, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
	vmem_rig_check(rig);
}

/* Blocks that are offline when the driver leaves are removed with it. */
static void leaves_offline(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm;

	rig->w->mm->default_online_type = MMOP_OFFLINE;
	fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	vmem_rig_resize(rig, 0, 200 * MIB);
	vmem_rig_detach(rig, 0);
	KTEST_EXPECT_EQ(test, fake_vmem_plugged(fm), 0);
	KTEST_EXPECT_EQ(test, memory_block_state(rig->w->mm, rig->w->block + 1),
			MEM_BLOCK_ABSENT);
}

/* --- the whole driver, with its worker ------------------------------------------ */

static void wait_plugged(struct ktest *test, const struct fake_vmem *fm, u64 bytes)
{
	const struct virtio_mem *vm = fm->fv.vdev.priv;
	const u64 deadline = ktime_ns() + STEP_NS;

	/* The device reaches the new size first; mm does so after the last answer. */
	while ((READ_ONCE(fm->config.plugged_size) != bytes ||
		pb_to_bytes(vmem_nr_plugged(vm)) != bytes ||
		READ_ONCE(vm->map.nr_reserved)) &&
	       ktime_ns() < deadline)
		msleep(1);
	/* From here on this hart sees what the worker wrote before. */
	KTEST_ASSERT_EQ(test, synchronize_harts(STEP_NS), 0);
	KTEST_EXPECT_EQ(test, READ_ONCE(fm->config.plugged_size), bytes);
	KTEST_EXPECT_EQ(test, pb_to_bytes(vmem_nr_plugged(vm)), bytes);
}

static void leave(void *vdev)
{
	BUG_ON(virtio_unregister_device(vdev) != 0);
}

/* Register a device, resize it through interrupts, and remove it at run time; twice. */
static void worker(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_prepare(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	struct virtio_device *vdev = &fm->fv.vdev;

	for (unsigned int i = 0; i < 2; i++) {
		KTEST_ASSERT_EQ(test, virtio_register_device(vdev), 0);
		ktest_add_action(test, leave, vdev);
		msleep(5);
		fake_vmem_resize(fm, 300 * MIB);
		wait_plugged(test, fm, 300 * MIB);
		fake_vmem_resize(fm, 34 * MIB);
		wait_plugged(test, fm, 34 * MIB);
		KTEST_EXPECT_EQ(test, fake_vmem_stray(fm), 0);
		ktest_release_action(test, leave, vdev);
		KTEST_EXPECT_NULL(test, vdev->priv);
		KTEST_EXPECT_EQ(test, fm->fv.status, 0);
		KTEST_EXPECT_EQ(test, fm->config.plugged_size, 34 * MIB); /* still in use */
	}
	KTEST_EXPECT_EQ(test, fm->fv.violations, 0);
	window_check(test, rig->w);
}

/*
 * The trace has each request and each answer that the device's model has logged, and each
 * read of the configuration.
 */
static void requests_are_recorded(struct ktest *test)
{
	static const u64 sizes[] = { 300UL << 20, 80UL << 20, 0 };
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 256UL << 20, 512UL << 20, 2UL << 20);
	unsigned int requests = 0, answers = 0;
	struct trace_record r;

	trace_only("virtio_mem:*");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int configs = 0;

		vmem_rig_resize(rig, 0, sizes[i]);
		while (trace_take(&r)) {
			const struct virtio_mem_req *req = &fm->log[(r.count - 1) % FAKE_VMEM_LOG];

			/* The driver may send STATE to the machine's own device meanwhile. */
			if (r.flags != (u8)rig->vm[0]->id)
				continue;
			if (r.event == TRACE_VMEM_CONFIG) {
				KTEST_EXPECT_EQ(test, r.pfn, sizes[i] >> PAGE_SHIFT);
				configs++;
				continue;
			}
			KTEST_EXPECT_EQ(test, r.pfn, phys_to_pfn(req->addr));
			KTEST_EXPECT_EQ(test, r.before, req->type);
			if (r.event == TRACE_VMEM_REQUEST)
				requests++;
			else
				answers++;
		}
		KTEST_EXPECT_GE(test, configs, 1);
		KTEST_EXPECT_EQ(test, requests, fm->nr_log);
		KTEST_EXPECT_EQ(test, answers, fm->nr_log);
	}
	trace_only(NULL);
	KTEST_EXPECT_GT(test, requests, 3);
}

static const struct ktest_case virtio_mem_cases[] = {
	KTEST_CASE_PARAM(grow_and_shrink, geometry_gen_params),
	KTEST_CASE_PARAM(random_resizes, geometry_gen_params),
	KTEST_CASE(one_request),
	KTEST_CASE(pipelined),
	KTEST_CASE(unmovable),
	KTEST_CASE(movable),
	KTEST_CASE(left_offline),
	KTEST_CASE(resize_in_the_middle),
	KTEST_CASE(usable_region),
	KTEST_CASE(two_devices),
	KTEST_CASE(left_over),
	KTEST_CASE_PARAM(taken_over, geometry_gen_params),
	KTEST_CASE(leaves_offline),
	KTEST_CASE(worker),
	KTEST_CASE(requests_are_recorded),
	{},
};

static struct ktest_suite virtio_mem_suite = { .name = "virtio_mem", .cases = virtio_mem_cases };
KTEST_SUITE(virtio_mem_suite);
