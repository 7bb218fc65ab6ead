/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drivers/virtio: the virtio-mem driver against a hostile device. The input decides what
 * the device answers, when it lies, what it writes over the rings and its configuration,
 * which size it requests, and which pages are in use meanwhile. Whatever the device does:
 * no panic, no stray access, mm_check() finds nothing, and only memory that the device has
 * acknowledged as plugged stays mapped.
 */
#include "tests/fuzz/fuzz.h"
#include <string.h>

#include "arch/machine.h"
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/init.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/thread.h"
#include "mm/memblock.h"
#include "mm/page_alloc.h"
#include "tests/fake/fake_vmem.h"
#include "tests/host/host.h"

#define MIB	   (1UL << 20)
#define BASE	   (HOST_PHYS_START + (8UL << 30))
#define BOOT_BYTES (16 * MIB)
#define NR_PAGES   16

static struct mm fuzz_mm;
static struct memblock fuzz_memblock;
static struct fake_vmem fm;
static struct virtio_mem *vm;
static struct choices in;
static unsigned long page[NR_PAGES]; /* allocated pages, or PFN_NONE */
static struct page_slot slot[NR_PAGES];
static bool scribbled; /* the driver may have read bytes that scribble() wrote */
static bool done;

/* --- the device ------------------------------------------------------------- */

/* Write anything into the rings or the configuration, as a device can at any time. */
static void scribble(void)
{
	const struct fake_queue *q = &fm.fv.queue[0];
	static const u8 where[] = { 0, 16, 24, 32, 40, 48 };

	scribbled = true;
	switch (q->ready ? take_below(&in, 4) : 0) {
	case 0:
		fm.fv.config[where[take_below(&in, sizeof(where))] + take_below(&in, 8)] =
			take_byte(&in);
		break;
	case 1:
		fake_set_used_idx(&fm.fv, 0, (u16)take_bytes(&in, 2));
		break;
	case 2:
		memset(phys_to_virt(q->desc), take_byte(&in), 16 * q->size);
		break;
	default:
		memset(phys_to_virt(q->used + 4), take_byte(&in), 8 * q->size);
		break;
	}
}

static enum fake_vmem_fault choose(struct fake_vmem *device)
{
	const u8 c = take_byte(&in);

	(void)device;
	if (c < 160)
		return FAKE_OK;
	if (c >= 240)
		scribble();
	return c % NR_FAKE_VMEM_FAULTS;
}

/* --- users of the memory ------------------------------------------------------ */

static void toggle_page(unsigned int n)
{
	if (page[n] == PFN_NONE) {
		page[n] = alloc_pages(&fuzz_mm, GFP_MOVABLE | GFP_NOWARN, 0, PGTY_KERNEL);
	} else {
		free_pages(&fuzz_mm, page[n], 0);
		page[n] = PFN_NONE;
	}
}

static void toggle_slot(unsigned int n)
{
	if (slot[n].pfn == PFN_NONE) {
		if (slot_alloc(&fuzz_mm, &slot[n], take_below(&in, 3)))
			slot[n].pfn = PFN_NONE;
	} else {
		CHECK(slot_free(&fuzz_mm, &slot[n]) == 0, "slot %u", n);
		slot[n].pfn = PFN_NONE;
	}
}

/* --- one input ---------------------------------------------------------------- */

static void check_mm(void)
{
	CHECK(mm_check(&fuzz_mm, console_sink()) == 0, "mm_check() found differences");
}

static void check(void)
{
	check_mm();
	if (!scribbled)
		CHECK(fake_vmem_stray(&fm) == 0, "%lu stray frames", fake_vmem_stray(&fm));
}

/*
 * Check, reset the device as a user might, or do nothing. Check only now and then, because
 * a check takes longer than all other steps.
 */
static void check_or_reset(void)
{
	const u32 what = take_below(&in, 8);

	if (what == 0)
		check();
	else if (what < 3)
		vm->reset_asked = what == 1 ? VMEM_RESET_FORCED : VMEM_RESET_ASKED;
}

static void step(void)
{
	switch (take_below(&in, 8)) {
	case 0:
		toggle_page(take_below(&in, NR_PAGES));
		break;
	case 1:
		toggle_slot(take_below(&in, NR_PAGES));
		break;
	case 2:
		scribble();
		break;
	case 3:
		check_or_reset();
		break;
	case 4:
		fake_interrupt(&fm.fv, take_byte(&in));
		break;
	default:
		fake_vmem_resize(&fm, take_byte(&in) * fm.config.region_size / 255 &
					      ~(fm.config.block_size - 1));
		vm->restart_ns = 0;
		(void)vmem_work(vm);
		break;
	}
}

static void make_memory(void)
{
	memset(&fuzz_mm, 0, sizeof(fuzz_mm));
	memset(&fuzz_memblock, 0, sizeof(fuzz_memblock));
	CHECK(arch_map_direct(BASE, BOOT_BYTES) == 0, "map");
	mm_init(&fuzz_mm, "fuzz");
	fuzz_memblock.mapped = 1;
	CHECK(memblock_add(&fuzz_memblock, BASE, BOOT_BYTES) == 0, "memblock");
	CHECK(mm_populate(&fuzz_mm, &fuzz_memblock) == 0, "populate");
	CHECK(mm_hart_init(&fuzz_mm, 0) == 0, "page cache");
	fuzz_mm.default_online_type = take_below(&in, NR_ONLINE_TYPES);
	for (unsigned int n = 0; n < NR_PAGES; n++)
		page[n] = slot[n].pfn = PFN_NONE;
}

/* Make a device: its region starts and ends anywhere, in blocks of 64 KiB to 128 MiB. */
static bool make_device(void)
{
	const u64 block = 65536UL << take_below(&in, 12);
	const u64 start = ALIGN_UP(BOOT_BYTES + take_below(&in, 200) * MIB, block);
	const u64 size = min(ALIGN_UP((1 + take_byte(&in)) * MIB, block), FAKE_VMEM_BLOCKS * block);
	const struct virtio_driver *drv = __start_virtio_drivers;

	while (drv->id != VIRTIO_ID_MEM)
		drv++;
	fake_vmem_init(&fm, &fuzz_mm, BASE + start, size, block);
	fm.choose = choose;
	fm.fv.queue[0].max = 1U << take_below(&in, 8);
	if (take_below(&in, 2))
		fm.fv.offered &= ~(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
	if (take_below(&in, 16) == 0)
		scribble();
	fm.fv.vdev.driver = drv;
	if (virtio_negotiate(&fm.fv.vdev, drv) || vmem_attach(&fm.fv.vdev))
		return false;
	vm = fm.fv.vdev.priv;
	vm->answer_ns = 10000;
	return virtio_device_ready(&fm.fv.vdev) == 0;
}

static int one_input(void *unused)
{
	(void)unused;
	make_memory();
	if (make_device()) {
		for (unsigned int i = 0; i < 64 && in.size; i++)
			step();
		check();
		vmem_detach(vm);
	}
	check_mm();
	CHECK(scribbled || fm.fv.violations == 0, "%u violations", fm.fv.violations);
	mm_depopulate(&fuzz_mm);
	arch_unmap_direct(BASE, SZ_1G); /* boot memory, and memory plugged in its block */
	done = true;
	return 0;
}

static void set_up(void)
{
	static bool is_up;

	if (is_up)
		return;
	is_up = true;
	host_init();
	CHECK(param_set("loglevel", "0") == 0, "loglevel");
	initcalls_run(INIT_core);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct thread *thread;

	set_up();
	in = (struct choices){ data, size };
	done = false;
	scribbled = false;
	thread = thread_create("fuzz", one_input, NULL);
	CHECK(thread, "no thread");
	thread_detach(thread);
	while (!done) {
		yield();
		arch_cpu_relax();
	}
	yield();
	return 0;
}
