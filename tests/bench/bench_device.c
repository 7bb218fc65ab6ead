/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows that need a virtio-mem device: 1 GiB plugged and unplugged, empty and in use. tools/bench
 * changes the requested size when a line that this file prints asks for it.
 *
 * The driver works on its own thread and also waits for the device, so the figure comes
 * from the driver's trace. It is the time from the record of the new size to the last
 * record, without the time between a request and its answer. Under -icount shift=0 a
 * nanosecond is an instruction; the resolution is a tick of `time`, 100 ns.
 */
#include "tests/bench/bench.h"
#include "arch/machine_info.h"
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/ktest_prng.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "mm/evacuate.h"
#include "mm/vmstat.h"

#define GIB	      (1UL << 30)
#define DEVICE_LIMIT_NS (60 * NSEC_PER_SEC)

/* One change of size as the trace shows it, in ticks of `time`. */
struct device_run {
	u64 wanted;   /* the new size, frames */
	u64 start;    /* when the driver read it */
	u64 end;      /* the last record */
	u64 waited;   /* time between requests and answers */
	u64 sent;     /* the open request's time */
	unsigned int open, requests;
};

static void account(struct device_run *run, const struct trace_record *r)
{
	switch (r->event) {
	case TRACE_VMEM_CONFIG: /* also at other times, for example late in the boot */
		if (run->start == 0 && r->pfn == run->wanted)
			run->start = r->time;
		return;
	case TRACE_VMEM_REQUEST:
		run->requests++;
		if (run->open++ == 0)
			run->sent = r->time;
		break;
	case TRACE_VMEM_ANSWER:
		if (--run->open == 0)
			run->waited += r->time - run->sent;
		break;
	default:
		break;
	}
	run->end = r->time;
}

/* Does the device have exactly @bytes plugged, and does mm have all of them? */
static bool has_size(u64 bytes)
{
	struct virtio_mem *vm;
	bool has = false;

	mutex_lock(&vmem_list_mutex);
	vm = vmem_by_id(0);
	if (vm)
		has = pb_to_bytes(vmem_nr_plugged(vm)) == bytes &&
		      pb_to_bytes(vmem_nr_at_device(vm)) == bytes;
	mutex_unlock(&vmem_list_mutex);
	return has;
}

static int wait_plugged(u64 bytes)
{
	const u64 deadline = ktime_ns() + DEVICE_LIMIT_NS;

	while (!has_size(bytes)) {
		if (ktime_ns() > deadline)
			return -ETIMEDOUT;
		msleep(20);
	}
	msleep(20); /* for the driver's work after its last request */
	return 0;
}

/*
 * Have the host request @bytes, and wait until they are plugged. Sets @insn to the
 * instructions that the change took, without the device's.
 */
static int change_size(struct sink *out, const char *id, u64 bytes, u64 *insn)
{
	struct device_run run = { .wanted = phys_to_pfn(bytes) };
	struct trace_record record;

	trace_clear();
	if (trace_set("virtio_mem:*", TRACE_ON) <= 0 || trace_set("mm:block_state", TRACE_ON) <= 0)
		return bench_fail(out, id, "there is no trace");
	sink_printf(out, "bench: please request %lu\n", bytes);
	if (wait_plugged(bytes) != 0)
		return bench_fail(out, id, "the size was not reached");
	(void)trace_set("*", TRACE_OFF);
	while (trace_take(&record))
		account(&run, &record);
	if (trace_lost() || run.start == 0 || run.open != 0 || run.requests == 0)
		return bench_fail(out, id, "the trace is not complete");
	*insn = ticks_to_ns(run.end - run.start - run.waited);
	sink_printf(out, "bench: %s_requests %u request\n", id, run.requests);
	return 0;
}

static int bench_size(struct sink *out, const char *id, u64 bytes)
{
	u64 insn;
	const int err = change_size(out, id, bytes, &insn);

	if (!err)
		bench_row(out, id, insn * 1000, "insn");
	return err;
}

/* --- a device in use ------------------------------------------------------------------ */

#define TABLE_ORDER MAX_PAGE_ORDER
#define NR_SLOTS    ((PAGE_SIZE << TABLE_ORDER) / sizeof(struct page_slot))
#define LEFT_FREE   4096UL /* frames that churn() leaves free after filling */

static unsigned long free_frames(void)
{
	return zone_free_pages(mm_zone(&kernel_mm, ZONE_NORMAL)) +
	       zone_free_pages(mm_zone(&kernel_mm, ZONE_MOVABLE));
}

/* Fill the memory with movable pages, then free all but @percent, at random. */
static int churn(struct page_slot *slots, struct prng *prng, unsigned int percent)
{
	int err = 0;

	for (unsigned long i = 0; i < NR_SLOTS && !err && free_frames() > LEFT_FREE; i++)
		if (slot_pfn(&slots[i]) == PFN_NONE)
			err = slot_alloc(&kernel_mm, &slots[i], 0);
	for (unsigned long i = 0; i < NR_SLOTS && !err; i++)
		if (slot_pfn(&slots[i]) != PFN_NONE && prng_below(prng, 100) >= percent)
			err = slot_free(&kernel_mm, &slots[i]);
	return err;
}

/* Shrink to 0 with @percent of the frames in use: the cost per moved page, in copies. */
static int shrink_used(struct sink *out, const char *id, struct page_slot *slots,
		       unsigned int percent)
{
	struct prng prng;
	u64 insn, moved;
	int err = change_size(out, "grow", GIB, &insn);

	prng_init(&prng, percent);
	if (!err && churn(slots, &prng, percent))
		err = bench_fail(out, id, "no memory");
	if (err)
		return err;
	moved = vm_event_read(&kernel_mm, VM_PGMIGRATE_SUCCESS);
	err = change_size(out, id, 0, &insn);
	moved = vm_event_read(&kernel_mm, VM_PGMIGRATE_SUCCESS) - moved;
	if (err || moved == 0)
		return err ? err : bench_fail(out, id, "no page has moved");
	bench_row(out, id, insn * 1000 / moved / bench_copy_insn(), "ratio");
	sink_printf(out, "bench: %s_moved %lu page\n", id, moved);
	return 0;
}

static int bench_used(struct sink *out)
{
	const unsigned long table =
		alloc_pages(&kernel_mm, GFP_KERNEL, TABLE_ORDER, PGTY_KERNEL);
	struct page_slot *slots = phys_to_virt(pfn_to_phys(table));
	int err;

	if (table == PFN_NONE)
		return bench_fail(out, "unplug_used_1g", "no memory");
	for (unsigned long i = 0; i < NR_SLOTS; i++)
		slots[i].pfn = PFN_NONE;
	err = shrink_used(out, "unplug_used_1g", slots, 25);
	if (!err)
		err = shrink_used(out, "unplug_used_1g_3", slots, 3);
	for (unsigned long i = 0; i < NR_SLOTS; i++)
		(void)slot_free(&kernel_mm, &slots[i]);
	free_pages(&kernel_mm, table, TABLE_ORDER);
	return err;
}

int bench_device(struct sink *out)
{
	int err;

	if (!has_size(0))
		return bench_fail(out, "plug_1g", "something is plugged already");
	err = bench_size(out, "plug_1g", GIB);
	if (!err)
		err = bench_size(out, "unplug_1g", 0);
	return err ? err : bench_used(out);
}
