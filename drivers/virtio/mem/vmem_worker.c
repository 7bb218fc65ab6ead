/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker of a virtio-mem device.
 *
 * The device says how much memory it wants plugged (its requested size). The driver plugs
 * or unplugs memory, in rounds, to get as close to that as it can. Each device has its own
 * worker thread, because a round may wait for the device and for pages to move. Only the
 * worker changes the driver's state, so that state needs no lock.
 *
 *      +--> read the configuration
 *      |        |
 *      |    shrink: unplug what is reserved, then take memory from mm and unplug it
 *      |    or grow: give mm what is reserved, then plug more and give it to mm
 *      |        |
 *      |    log the outcome, if it differs from the last
 *      |        |
 *      +--- sleep
 *
 * The worker sleeps until
 *   - the device changes its configuration. If a round is running, it ends after its
 *     current step, and the next round begins at once;
 *   - after a failure, mm says that the obstacle may be gone (vmem_unblocked()), or the
 *     back-off is over. The back-off is needed because nothing announces that a device is
 *     no longer busy, or that there is room again to move pages to;
 *   - a user asks for a reset, or the driver is unbound from the device.
 *
 * If the driver has given the device up, a round begins by restarting it and asking what
 * is plugged (vmem_recover.c). The worker retries this with the same back-off, and after a
 * configuration interrupt. When anything but the device wakes the worker, it first sends the
 * device a question that changes nothing: a missing answer is the only sign that the device's
 * process has ended.
 *
 * Compare with: Linux virtio_mem_run_wq().
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/printk.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/vsprintf.h"
#include "mm/page_alloc.h"

/* --- why it does not work ------------------------------------------------- */

void vmem_note_failure(struct virtio_mem *vm, unsigned long block, const struct mm_failure *why)
{
	spin_lock(&vm->lock);
	vm->last_failure = (struct vmem_failure){ *why, block, true };
	spin_unlock(&vm->lock);
}

static void forget_failure(struct virtio_mem *vm)
{
	spin_lock(&vm->lock);
	vm->last_failure.set = false;
	spin_unlock(&vm->lock);
}

bool vmem_print_mm_failure(struct virtio_mem *vm, struct sink *out)
{
	struct vmem_failure last;

	spin_lock(&vm->lock);
	last = vm->last_failure;
	spin_unlock(&vm->lock);
	if (last.set) {
		sink_printf(out, "memory%lu: ", last.block);
		mm_failure_print(&last.why, out);
	}
	return last.set;
}

static void print_no_room(struct virtio_mem *vm, struct sink *out)
{
	const struct vmem_map *map = &vm->map;

	sink_printf(out, "no room in the usable %s",
		    vmem_size_text(vm->config.usable_region_size).text);
	for (unsigned long i = 0; i < map->nr_blocks; i++) {
		if (map->block[i].refusals < VMEM_MAX_REFUSALS)
			continue;
		sink_puts(out, ", where mm does not refuse: ");
		vmem_print_mm_failure(vm, out);
		return;
	}
}

bool vmem_print_failure(struct virtio_mem *vm, struct sink *out)
{
	const int result = READ_ONCE(vm->result);

	if (virtio_is_broken(vm->vdev))
		sink_printf(out, "%s; it is not used until it has been reset", vm->vdev->why);
	else if (result == -EAGAIN)
		sink_puts(out, "the device refuses (NACK)");
	else if (result == -ESTALE)
		sink_puts(out, "its configuration keeps changing");
	else if (result == -ENOSPC)
		print_no_room(vm, out);
	else if (vm->unsure)
		sink_puts(out, "memory in use is not plugged at the device");
	else if (vmem_print_mm_failure(vm, out))
		return true;
	else if (result)
		sink_puts(out, "the device is busy");
	else
		return false;
	return true;
}

/* --- the worker ----------------------------------------------------------- */

static int clear_leftovers(struct virtio_mem *vm)
{
	const int ret = vmem_request_one(vm, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);

	if (!ret) {
		pr_info_ratelimited(&vm->vdev->log,
				    "%s: unplugged memory from before the driver came", vm->name);
		vm->unplug_all = false;
		vm->unsure = false;
	}
	return ret;
}

static int follow_target(struct virtio_mem *vm)
{
	const unsigned long have = vmem_nr_at_device(vm);
	int ret;

	if (have > vm->target) {
		ret = vmem_shrink(vm, have - vm->target);
		if (ret)
			return ret;
	}
	ret = vmem_give_reserved(vm);
	if (ret)
		return ret;
	if (vmem_nr_plugged(vm) < vm->target)
		return vmem_grow(vm, vm->target - vmem_nr_plugged(vm));
	return 0;
}

/*
 * Restart a device that was given up or that the user resets; restart a silent device only if
 * the user forces the reset.
 */
static int begin_again(struct virtio_mem *vm, enum vmem_reset asked)
{
	if (asked != VMEM_RESET_NONE)
		vmem_forget_refusals(&vm->map);
	if (asked == VMEM_RESET_ASKED && !virtio_is_broken(vm->vdev))
		vmem_look(vm);
	if (asked != VMEM_RESET_FORCED && vm->silent)
		return -EIO;
	if (asked == VMEM_RESET_NONE && !virtio_is_broken(vm->vdev))
		return 0;
	return vmem_restart(vm);
}

/* Make driver and device agree about the plugged memory and the wanted size. */
static int agree(struct virtio_mem *vm)
{
	int ret = 0;

	if (vm->unplug_all)
		ret = clear_leftovers(vm);
	if (!ret)
		ret = vmem_refresh_config(vm);
	if (!ret && vm->unsure)
		ret = vmem_reconcile(vm);
	return ret;
}

static int one_round(struct virtio_mem *vm)
{
	/* Pairs with the release store of each setter: its new values are visible. */
	const u32 reset = __atomic_exchange_n(&vm->reset_asked, VMEM_RESET_NONE, __ATOMIC_ACQUIRE);
	int ret;

	__atomic_exchange_n(&vm->config_changed, 0, __ATOMIC_ACQUIRE);
	__atomic_exchange_n(&vm->unblocked, 0, __ATOMIC_ACQUIRE);
	ret = begin_again(vm, reset);
	if (!ret)
		ret = agree(vm);
	if (reset != VMEM_RESET_NONE) {
		WRITE_ONCE(vm->nr_resets, vm->nr_resets + 1);
		wake_up_all(&vm->resets);
	}
	if (!ret)
		ret = follow_target(vm);
	if (!ret && vm->unsure)
		ret = -EBUSY;
	return virtio_is_broken(vm->vdev) ? -EIO : ret;
}

struct vmem_size_text vmem_size_text(u64 bytes)
{
	struct vmem_size_text t;

	if (bytes % (1UL << 20))
		snprintf(t.text, sizeof(t.text), "%lu KiB", bytes >> 10);
	else
		snprintf(t.text, sizeof(t.text), "%lu MiB", bytes >> 20);
	return t;
}

/* Log why the requested size was not reached. */
static void report_short(struct virtio_mem *vm, int result)
{
	DEFINE_SINK_BUFFER(why, 256);

	vmem_print_failure(vm, &why.sink);
	pr_warn_ratelimited(&vm->vdev->log, "%s: requested %s, plugged %s: %s%s",
			    vm->name, vmem_size_text(vm->config.requested_size).text,
			    vmem_size_text(pb_to_bytes(vmem_nr_at_device(vm))).text, why.text,
			    result == -ENOSPC ? "" : "; retrying");
}

/*
 * Log a line if the outcome differs from the last; a different frame in the way is a new
 * outcome.
 */
static void report_result(struct virtio_mem *vm, int result)
{
	const u64 plugged = pb_to_bytes(vmem_nr_at_device(vm));
	const u64 requested = vm->config.requested_size;
	const unsigned long pfn =
		vm->last_failure.set ? vm->last_failure.why.pfn : PFN_NONE;

	if (result == -EIO ||
	    (vm->last_report.requested == requested &&
	     vm->last_report.plugged == plugged && vm->last_report.result == result &&
	     (!result || vm->last_report.pfn == pfn)))
		return;
	vm->last_report.pfn = pfn;
	vm->last_report.requested = requested;
	vm->last_report.plugged = plugged;
	vm->last_report.result = result;
	if (result)
		report_short(vm, result);
	else if (plugged != requested)
		pr_info_ratelimited(&vm->vdev->log,
				    "%s: requested %s, plugged %s: the granule is %s", vm->name,
				    vmem_size_text(requested).text, vmem_size_text(plugged).text,
				    vmem_size_text(pb_to_bytes(vm->map.granule)).text);
	else
		pr_info_ratelimited(&vm->vdev->log, "%s: plugged %s as requested", vm->name,
				    vmem_size_text(plugged).text);
}

/* Return the present delay of the back-off, and double it for the next time. */
static u64 next_retry(struct virtio_mem *vm)
{
	const u64 now = vm->retry_ns;

	vm->retry_ns = min(now * 2, VMEM_RETRY_LAST_NS);
	return now;
}

/* Check whether a silent device has come back, with a late answer or an interrupt. */
static bool has_spoken(const struct virtio_mem *vm)
{
	return READ_ONCE(vm->config_changed) || virtqueue_moved(vm->vq);
}

/*
 * Return the time in ns to wait before the next round. A device that was given up is not reset
 * before its pause has passed, however often it announces a new configuration; a silent device
 * is not reset before it answers or interrupts.
 */
static u64 rest_of_pause(struct virtio_mem *vm)
{
	const u64 now = ktime_ns();

	if (has_spoken(vm))
		vm->silent = false;
	if (!virtio_is_broken(vm->vdev) || READ_ONCE(vm->reset_asked))
		return 0;
	if (vm->silent)
		return VMEM_SILENT_NS;
	if (now >= vm->restart_ns)
		return 0;
	__atomic_exchange_n(&vm->config_changed, 0, __ATOMIC_ACQUIRE);
	return vm->restart_ns - now;
}

/* Forget the device's earlier fault, now that the device works. */
static void forget_fault(struct virtio_mem *vm)
{
	if (!vm->vdev->why[0])
		return;
	vm->vdev->why[0] = '\0';
	pr_info_ratelimited(&vm->vdev->log, "%s: works again", vm->name);
}

u64 vmem_work(struct virtio_mem *vm)
{
	const struct virtio_mem_config before = vm->config;
	const u64 pause = rest_of_pause(vm);
	int ret;

	if (pause)
		return pause;
	ret = one_round(vm);
	if (ret == -EIO)
		vm->restart_ns = ktime_ns() + VMEM_RETRY_FIRST_NS;
	else if (!vm->unsure)
		forget_fault(vm);
	if (vmem_interrupted(vm))
		return 0;
	WRITE_ONCE(vm->result, ret);
	if (ret != -EAGAIN || vm->retry_ns > VMEM_RETRY_FIRST_NS)
		report_result(vm, ret); /* the first NACK may announce a change */
	switch (ret) {
	case 0:
		forget_failure(vm);
		vm->retry_ns = VMEM_RETRY_FIRST_NS;
		return WAIT_FOREVER;
	case -ENOSPC:
		return WAIT_FOREVER;
	case -EAGAIN:
		/* NACK: what is wanted has changed, or the device contradicts itself. */
		if (before.requested_size != vm->config.requested_size)
			return 0;
		return next_retry(vm);
	default:
		return next_retry(vm);
	}
}

void vmem_unblocked(struct memory_owner *owner)
{
	struct virtio_mem *vm = container_of(owner, struct virtio_mem, owner);

	__atomic_store_n(&vm->unblocked, 1, __ATOMIC_RELEASE);
	wake_up_all(&vm->wake);
}

/*
 * Wait after a failed round until the device wants something else, mm says that an unplug may
 * work now, or the back-off ends. The worker rests first: so even many frees that do not help
 * cost a hart no more than a fifth of its time.
 */
static void wait_to_retry(struct virtio_mem *vm, u64 took, u64 delay)
{
	const u64 now = ktime_ns(), deadline = now + delay;
	const u64 rest = min(took * VMEM_REST_FACTOR, VMEM_REST_LAST_NS);

	if (!wait_event_until(&vm->wake, vmem_interrupted(vm), min(now + rest, deadline))) {
		/*
		 * A free checks for a watch of its pageblock before it changes the frame. If
		 * the watch began in between, the frame is now in a cache, and draining the
		 * cache reports it.
		 */
		(void)!drain_all_pages(vm->mm, VMEM_DRAIN_NS);
		wait_event_until(&vm->wake, vmem_interrupted(vm) || READ_ONCE(vm->unblocked),
				 deadline);
	}
	/*
	 * After the device's process has ended, QEMU (11.1) exits when the driver reads the
	 * configuration. So first send a question, unless the device has just interrupted.
	 */
	if (!vmem_interrupted(vm) && !virtio_is_broken(vm->vdev))
		vmem_look(vm);
}

/* Wait until the device or the user wants something, or the device proves to be gone. */
static void wait_idle(struct virtio_mem *vm)
{
	while (!virtio_is_broken(vm->vdev) &&
	       !wait_event_until(&vm->wake, vmem_interrupted(vm), ktime_ns() + VMEM_LOOK_NS))
		vmem_look(vm);
}

int vmem_thread(void *arg)
{
	struct virtio_mem *vm = arg;

	while (!READ_ONCE(vm->stopping)) {
		const u64 start = ktime_ns(), delay = vmem_work(vm);

		if (delay == WAIT_FOREVER)
			wait_idle(vm);
		else if (delay)
			wait_to_retry(vm, ktime_ns() - start, delay);
		cond_resched(); /* a device may interrupt continually */
	}
	return 0;
}
