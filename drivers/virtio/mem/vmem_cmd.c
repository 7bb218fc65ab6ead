/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's "vmem": show the virtio-mem devices' requested size, plugged size and
 * last failure; and "vmem reset": reset devices and start again.
 */
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/command.h"
#include "kernel/patience.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/time.h"

static const char *const answer_names[] = {
	[VMEM_ACK] = "ack", [VMEM_NACK] = "nack",   [VMEM_BUSY] = "busy",
	[VMEM_ERROR] = "error", [VMEM_LOST] = "lost",
};

static void print_blocks(const struct vmem_map *map, struct sink *out)
{
	unsigned long added = 0, shared = 0;

	for_each_vmem_block(i, map) {
		if (vmem_info(map, i).removable)
			added++;
		else
			shared++;
	}
	sink_printf(out, "  memory blocks: %lu added, %lu shared with boot memory, %lu absent\n",
		added, shared, map->nr_blocks - added - shared);
}

static void print_sizes(const struct virtio_mem *vm, struct sink *out)
{
	const u64 reserved = pb_to_bytes(READ_ONCE(vm->map.nr_reserved));

	sink_printf(out, "  requested %s, plugged %s",
		    vmem_size_text(vm->config.requested_size).text,
		    vmem_size_text(pb_to_bytes(vmem_nr_at_device(vm))).text);
	if (reserved)
		sink_printf(out, " (%s of it not in use)", vmem_size_text(reserved).text);
	sink_printf(out, ", usable %s\n", vmem_size_text(vm->config.usable_region_size).text);
}

static void print_requests(const struct virtio_mem *vm, struct sink *out)
{
	sink_printf(out, "  requests: plug %lu, unplug %lu, unplug_all %lu, state %lu; answers:",
		    READ_ONCE(vm->nr_requests[VIRTIO_MEM_REQ_PLUG]),
		    READ_ONCE(vm->nr_requests[VIRTIO_MEM_REQ_UNPLUG]),
		    READ_ONCE(vm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL]),
		    READ_ONCE(vm->nr_requests[VIRTIO_MEM_REQ_STATE]));
	for (unsigned int a = 0; a < ARRAY_SIZE(answer_names); a++)
		sink_printf(out, " %s %lu", answer_names[a], READ_ONCE(vm->nr_answers[a]));
	sink_puts(out, "\n");
}

static void print_device(struct virtio_mem *vm, struct sink *out)
{
	const u64 start = vm->config.addr, size = vm->config.region_size;

	sink_printf(out, "%s: 0x%lx-0x%lx (%s), block %s, granule %s, %s%s\n", vm->name, start,
		    start + size - 1, vmem_size_text(size).text,
		    vmem_size_text(vm->config.block_size).text,
		    vmem_size_text(pb_to_bytes(vm->map.granule)).text, vm->vdev->where,
		    virtio_is_broken(vm->vdev) ? ", given up" : "");
	print_sizes(vm, out);
	print_blocks(&vm->map, out);
	print_requests(vm, out);
	sink_puts(out, "  last failure: ");
	if (!vmem_print_failure(vm, out))
		sink_puts(out, "none");
	sink_puts(out, "\n");
}

/* More bytes than the lines of a device need. */
#define STATUS_BYTES 1536

/* Make the text while the device cannot leave, and write it after unlocking the list. */
unsigned int vmem_status(struct sink *out)
{
	char text[STATUS_BYTES];
	unsigned int nr = 0;

	for (unsigned int id = 0; id < VMEM_MAX_DEVICES; id++) {
		struct sink_buffer buffer;
		struct virtio_mem *vm;

		sink_buffer_init(&buffer, text, sizeof(text));
		mutex_lock(&vmem_list_mutex);
		vm = vmem_by_id(id);
		if (vm)
			print_device(vm, &buffer.sink);
		mutex_unlock(&vmem_list_mutex);
		nr += vm != NULL;
		sink_drain(&buffer, out);
	}
	return nr;
}

/* Limit on the wait of "vmem reset" for the worker, which may be emptying memory. */
#define RESET_NS (15 * NSEC_PER_SEC)

/*
 * Reset a device. Return: 0; -EBUSY if the worker has not reset it in time, but will; -EIO if
 * the worker has given the device up (again); -ENODEV if the device leaves.
 */
static int reset_device(struct virtio_mem *vm, enum vmem_reset how, struct sink *out)
{
	const u32 before = READ_ONCE(vm->nr_resets);
	struct patience patience;

	__atomic_store_n(&vm->reset_asked, how, __ATOMIC_RELEASE);
	wake_up_all(&vm->wake);
	wake_up_all(&vm->answers);
	patience_start(&patience, RESET_NS);
	if (!wait_event_patience(&vm->resets,
				 READ_ONCE(vm->nr_resets) != before || READ_ONCE(vm->leaves),
				 &patience)) {
		sink_printf(out, "%s: will be reset; see vmem\n", vm->name);
		return -EBUSY;
	}
	if (READ_ONCE(vm->nr_resets) == before) {
		sink_printf(out, "%s: the device leaves\n", vm->name);
		return -ENODEV;
	}
	if (virtio_is_broken(vm->vdev)) {
		sink_printf(out, "%s: %s%s\n", vm->name, vm->vdev->why,
			    READ_ONCE(vm->silent) ? "; \"vmem reset -f\" resets it anyway" : "");
		return -EIO;
	}
	sink_printf(out, "%s: reset, plugged %s\n", vm->name,
		    vmem_size_text(pb_to_bytes(vmem_nr_at_device(vm))).text);
	return 0;
}

/*
 * Reset all devices, or the device with this name. A slow console keeps no device from
 * leaving.
 */
static int vmem_reset(const char *name, enum vmem_reset how, struct sink *out)
{
	unsigned int nr = 0;
	int ret = 0;

	for (unsigned int id = 0; id < VMEM_MAX_DEVICES; id++) {
		struct virtio_mem *vm = vmem_get(id, name);
		struct sink_buffer buffer;
		char text[STATUS_BYTES];
		int err;

		if (!vm)
			continue;
		nr++;
		sink_buffer_init(&buffer, text, sizeof(text));
		err = reset_device(vm, how, &buffer.sink);
		vmem_put(vm);
		sink_drain(&buffer, out);
		ret = ret ? ret : err;
	}
	if (nr)
		return ret;
	sink_printf(out, "vmem: no virtio-mem device%s%s\n", name ? " " : "", name ? name : "");
	return -ENODEV;
}

static int cmd_vmem(int argc, char **argv, struct sink *out)
{
	const bool reset = argc >= 2 && strcmp(argv[1], "reset") == 0;
	const bool force = reset && argc >= 3 && strcmp(argv[2], "-f") == 0;

	if (reset && argc <= 3 + force)
		return vmem_reset(argv[2 + force],
				  force ? VMEM_RESET_FORCED : VMEM_RESET_ASKED, out);
	if (argc != 1)
		return COMMAND_USAGE;
	if (!vmem_status(out))
		sink_puts(out, "no virtio-mem device\n");
	return 0;
}

static void each_device(word_offer_fn offer, void *arg)
{
	for (unsigned int id = 0; id < VMEM_MAX_DEVICES; id++) {
		struct virtio_mem *vm = vmem_get(id, NULL);
		char name[sizeof(vm->name)];

		if (!vm)
			continue;
		strscpy(name, vm->name, sizeof(name));
		vmem_put(vm);
		offer(arg, name);
	}
}
WORD_LIST(DEVICE, each_device);

COMMAND(vmem, "vmem [reset [-f] [DEVICE]]",
	"virtio-mem devices: requested, plugged, last failure; reset: begin again with a device",
	"vmem reset vm0", cmd_vmem);
