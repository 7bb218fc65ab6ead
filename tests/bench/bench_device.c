/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows that need a virtio-mem device: 1 GiB plugged and unplugged, empty. tools/bench
 * changes the requested size when this file's lines ask for it.
 *
 * The driver works on its own thread, between interrupts and waits for the device, so
 * the figure comes from its trace: from the record of the new size to the last change
 * of state that follows, without the time between a request and its answer. Under
 * -icount shift=0 a nanosecond is an instruction; a tick of `time` (100 of them) is the
 * resolution.
 */
#include "tests/bench/bench.h"
#include "arch/machine_info.h"
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"

#define GIB	      (1UL << 30)
#define DEVICE_LIMIT_NS (60 * NSEC_PER_SEC)

/* One change of size as the trace shows it, in ticks of `time`. */
struct device_run {
	u64 wanted;   /* the new size, frames */
	u64 start;    /* when the driver read it */
	u64 end;      /* last change of state */
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

static u64 plugged_bytes(void)
{
	struct virtio_mem *vm;
	u64 bytes = 0;

	mutex_lock(&vmem_list_mutex);
	vm = vmem_by_id(0);
	if (vm)
		bytes = pb_to_bytes(vmem_nr_plugged(vm));
	mutex_unlock(&vmem_list_mutex);
	return bytes;
}

static int wait_plugged(u64 bytes)
{
	const u64 deadline = ktime_ns() + DEVICE_LIMIT_NS;

	while (plugged_bytes() != bytes) {
		if (ktime_ns() > deadline)
			return -ETIMEDOUT;
		msleep(20);
	}
	msleep(20); /* for the driver's work after its last request */
	return 0;
}

static int change_size(struct sink *out, const char *id, u64 bytes)
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
	bench_row(out, id,
		  (run.end - run.start - run.waited) *
			  (1000000000 / machine_info()->timebase_hz) * 1000,
		  "insn");
	sink_printf(out, "bench: %s_requests %u request\n", id, run.requests);
	return 0;
}

int bench_device(struct sink *out)
{
	int err;

	if (plugged_bytes() != 0)
		return bench_fail(out, "plug_1g", "something is plugged already");
	err = change_size(out, "plug_1g", GIB);
	return err ? err : change_size(out, "unplug_1g", 0);
}
