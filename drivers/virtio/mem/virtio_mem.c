/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-mem: a device with memory that the driver plugs and unplugs in blocks while the
 * machine runs. This file adds and removes devices; see virtio_mem.h for the other files.
 *
 * Spec: virtio 1.2, section 5.15. Compare with: Linux drivers/virtio/virtio_mem.c.
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/slab.h"

static u64 answer_timeout_ms = 30000;
PARAM_RANGE("virtio_mem.answer_timeout_ms", answer_timeout_ms, 1, 3600000,
	    "reset a virtio-mem device that has not answered a request for this many ms");

DEFINE_MUTEX(vmem_list_mutex);
static struct virtio_mem *vmem_list[VMEM_MAX_DEVICES]; /* by id */

struct virtio_mem *vmem_by_id(unsigned int id)
{
	return id < VMEM_MAX_DEVICES ? vmem_list[id] : NULL;
}

struct virtio_mem *vmem_get(unsigned int id, const char *name)
{
	struct virtio_mem *vm;

	mutex_lock(&vmem_list_mutex);
	vm = vmem_by_id(id);
	if (vm && name && strcmp(name, vm->name))
		vm = NULL;
	if (vm)
		WRITE_ONCE(vm->users, vm->users + 1);
	mutex_unlock(&vmem_list_mutex);
	return vm;
}

void vmem_put(struct virtio_mem *vm)
{
	mutex_lock(&vmem_list_mutex);
	WRITE_ONCE(vm->users, vm->users - 1);
	wake_up_all(&vm->resets);
	mutex_unlock(&vmem_list_mutex);
}

bool vmem_interrupted(const struct virtio_mem *vm)
{
	return READ_ONCE(vm->config_changed) || READ_ONCE(vm->stopping) ||
	       READ_ONCE(vm->reset_asked);
}

static void vmem_config_changed(struct virtio_device *vdev)
{
	struct virtio_mem *vm = vdev->priv;

	if (!vm)
		return;
	__atomic_store_n(&vm->config_changed, 1, __ATOMIC_RELEASE);
	wake_up_all(&vm->wake);
}

static int take_id(struct virtio_mem *vm)
{
	int ret = -ENOSPC;

	mutex_lock(&vmem_list_mutex);
	for (unsigned int id = 0; id < VMEM_MAX_DEVICES && ret; id++) {
		if (vmem_list[id])
			continue;
		vmem_list[id] = vm;
		vm->id = id;
		ret = 0;
	}
	mutex_unlock(&vmem_list_mutex);
	if (ret)
		pr_err("more than %u devices: the rest are not used", VMEM_MAX_DEVICES);
	else
		snprintf(vm->name, sizeof(vm->name), "vm%u", vm->id);
	return ret;
}

/* Release the id: wake all users of the device, and return when they have gone. */
static void drop_id(struct virtio_mem *vm)
{
	WRITE_ONCE(vm->leaves, 1);
	mutex_lock(&vmem_list_mutex);
	vmem_list[vm->id] = NULL;
	while (vm->users) {
		mutex_unlock(&vmem_list_mutex);
		wake_up_all(&vm->resets);
		(void)wait_event_until(&vm->resets, !READ_ONCE(vm->users),
				       ktime_ns() + NSEC_PER_SEC);
		mutex_lock(&vmem_list_mutex);
	}
	mutex_unlock(&vmem_list_mutex);
}

static int make_queue(struct virtio_mem *vm)
{
	const struct virtqueue_params params = { "guest-request", vmem_answered, 2 * VMEM_RUNS };
	const int ret = virtqueue_create(vm->vdev, 0, &params);

	if (ret) {
		pr_err("%s: no request queue (error %d)", vm->name, ret);
		return ret;
	}
	vm->vq = vm->vdev->vqs[0];
	vm->nr_slots = min(vm->vq->indirect ? vm->vq->size : vm->vq->size / 2u,
			   (unsigned int)VMEM_RUNS);
	if (vm->nr_slots == 0) {
		pr_err("%s: its queue has no room for a request", vm->name);
		return -EIO;
	}
	return 0;
}

/*
 * Decide how to treat memory that is plugged from a previous driver's time. If mm still has
 * some of the region, the first round asks the device what is plugged; otherwise it unplugs
 * everything.
 */
static void check_leftovers(struct virtio_mem *vm)
{
	vm->unsure = vmem_nr_plugged(vm) != 0;
	vm->unplug_all = !vm->unsure && vm->config.plugged_size;
}

/* Read the first configuration; retry a few times if it keeps changing. */
static int first_config(struct virtio_mem *vm)
{
	int ret = vmem_read_config(vm);

	for (unsigned int i = 1; ret == -ESTALE && i < VMEM_ATTACH_TRIES; i++) {
		msleep(VMEM_ATTACH_MS);
		ret = vmem_read_config(vm);
	}
	if (ret == -ESTALE)
		pr_err("%s: its configuration keeps changing", vm->name);
	return ret;
}

static int attach_device(struct virtio_mem *vm)
{
	int ret = first_config(vm);

	if (ret)
		return ret;
	ret = vmem_make_map(vm);
	if (!ret)
		ret = make_queue(vm);
	if (!ret)
		ret = vmem_own_region(vm);
	if (ret)
		vmem_free_map(vm);
	else
		check_leftovers(vm);
	return ret;
}

static void report_device(const struct virtio_mem *vm)
{
	pr_info("%s: region 0x%lx-0x%lx (%s), block %s, granule %s, %s", vm->name,
		vm->config.addr, vm->config.addr + vm->config.region_size - 1,
		vmem_size_text(vm->config.region_size).text,
		vmem_size_text(vm->config.block_size).text,
		vmem_size_text(pb_to_bytes(vm->map.granule)).text, vm->vdev->where);
}

int vmem_attach(struct virtio_device *vdev)
{
	struct virtio_mem *vm = alloc_pages_virt(vdev->mm, GFP_KERNEL | GFP_ZERO, sizeof(*vm));
	int ret;

	if (!vm)
		return -ENOMEM;
	vm->vdev = vdev;
	vm->mm = vdev->mm;
	vm->retry_ns = VMEM_RETRY_FIRST_NS;
	vm->answer_ns = answer_timeout_ms * NSEC_PER_MSEC;
	vm->last_report.result = 1;
	spin_lock_init(&vm->lock, "vmem.lock");
	wait_queue_init(&vm->answers, "vmem.answers");
	wait_queue_init(&vm->wake, "vmem.wake");
	wait_queue_init(&vm->resets, "vmem.resets");
	ret = take_id(vm);
	if (!ret) {
		ret = attach_device(vm);
		if (ret)
			drop_id(vm);
	}
	if (ret) {
		free_pages_virt(vdev->mm, vm, sizeof(*vm));
		return ret;
	}
	vdev->priv = vm;
	report_device(vm);
	return 0;
}

void vmem_detach(struct virtio_mem *vm)
{
	vmem_drop_offline(vm);
	/* From here on, the device neither interrupts nor writes answers. */
	if (virtio_device_stop(vm->vdev)) {
		pr_err("%s: the device does not reset; its memory is kept", vm->name);
		return;
	}
	unregister_memory_owner(vm->mm, &vm->owner);
	drop_id(vm);
	vm->vdev->priv = NULL;
	vmem_free_map(vm);
	free_pages_virt(vm->mm, vm, sizeof(*vm));
}

static int vmem_probe(struct virtio_device *vdev)
{
	struct virtio_mem *vm;
	int ret = vmem_attach(vdev);

	if (ret)
		return ret;
	vm = vdev->priv;
	ret = virtio_device_ready(vdev);
	if (!ret) {
		vm->thread = thread_create(vm->name, vmem_thread, vm);
		if (vm->thread)
			return 0;
		ret = -ENOMEM;
	}
	vmem_detach(vm);
	return ret;
}

/* Remove a device. A running round ends soon: after its current page or answer. */
static int vmem_remove(struct virtio_device *vdev)
{
	struct virtio_mem *vm = vdev->priv;
	const u64 deadline = ktime_ns() + vm->answer_ns + VMEM_LEAVE_NS;

	WRITE_ONCE(vm->stopping, 1);
	wake_up_all(&vm->wake);
	if (thread_join(vm->thread, deadline, NULL)) {
		pr_err("%s: its worker does not end; the device is kept", vm->name);
		return -ETIMEDOUT;
	}
	WRITE_ONCE(vm->stopping, 0);
	vmem_detach(vm);
	return 0;
}

VIRTIO_DRIVER(virtio_mem_table) = {
	.name = "virtio_mem",
	.id = VIRTIO_ID_MEM,
	.features = VMEM_FEATURES,
	.probe = vmem_probe,
	.remove = vmem_remove,
	.config_changed = vmem_config_changed,
};
