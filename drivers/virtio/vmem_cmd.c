/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's "vmem": what the virtio-mem devices want, have, and could not do. */
#include "drivers/virtio/virtio_mem.h"
#include "kernel/command.h"
#include "lib/errno.h"
#include "lib/string.h"

static const char *const answer_names[] = {
	[VMEM_ACK] = "ack", [VMEM_NACK] = "nack",   [VMEM_BUSY] = "busy",
	[VMEM_ERROR] = "error", [VMEM_LOST] = "lost",
};

/* Memory blocks of the region by what they are to the driver. */
static unsigned long count_blocks(const struct vmem_map *map, enum vmem_block_state state)
{
	unsigned long nr = 0;

	for (unsigned long i = 0; i < map->nr_blocks; i++)
		nr += map->block[i].state == state;
	return nr;
}

static void print_sizes(const struct virtio_mem *vm, struct sink *out)
{
	const u64 held = pb_to_bytes(vm->map.nr_held);

	sink_printf(out, "  requested %s, plugged %s",
		    vmem_size_text(vm->config.requested_size).text,
		    vmem_size_text(vmem_plugged_bytes(vm)).text);
	if (held)
		sink_printf(out, " (%s of it not in use)", vmem_size_text(held).text);
	sink_printf(out, ", usable %s\n", vmem_size_text(vm->config.usable_region_size).text);
}

static void print_requests(const struct virtio_mem *vm, struct sink *out)
{
	sink_printf(out, "  requests: plug %lu, unplug %lu, unplug_all %lu; answers:",
		    vm->nr_requests[VIRTIO_MEM_REQ_PLUG], vm->nr_requests[VIRTIO_MEM_REQ_UNPLUG],
		    vm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL]);
	for (unsigned int a = 0; a < ARRAY_SIZE(answer_names); a++)
		sink_printf(out, " %s %lu", answer_names[a], vm->nr_answers[a]);
	sink_puts(out, "\n");
}

static void print_device(struct virtio_mem *vm, struct sink *out)
{
	const u64 start = vm->fixed.addr, size = vm->fixed.region_size;

	sink_printf(out, "%s: 0x%lx-0x%lx (%s), block %s, granule %s, %s%s\n", vm->name, start,
		    start + size - 1, vmem_size_text(size).text,
		    vmem_size_text(vm->fixed.block_size).text,
		    vmem_size_text(pb_to_bytes(vm->map.granule)).text, vm->vdev->where,
		    virtio_is_broken(vm->vdev) ? ", broken" : "");
	print_sizes(vm, out);
	sink_printf(out, "  memory blocks: %lu added, %lu shared with boot memory, %lu absent\n",
		    count_blocks(&vm->map, VMEM_BLOCK_ADDED),
		    count_blocks(&vm->map, VMEM_BLOCK_SHARED),
		    count_blocks(&vm->map, VMEM_BLOCK_ABSENT));
	print_requests(vm, out);
	sink_puts(out, "  last failure: ");
	if (!vmem_trouble_print(vm, out))
		sink_puts(out, "none");
	sink_puts(out, "\n");
}

unsigned int vmem_status(struct sink *out)
{
	unsigned int nr = 0;

	vmem_list_lock();
	for (unsigned int id = 0; id < VMEM_MAX_DEVICES; id++) {
		struct virtio_mem *vm = vmem_by_id(id);

		if (!vm)
			continue;
		print_device(vm, out);
		nr++;
	}
	vmem_list_unlock();
	return nr;
}

static int cmd_vmem(int argc, char **argv, struct sink *out)
{
	if (argc != 1) {
		sink_printf(out, "vmem: unexpected \"%s\"; it takes no arguments\n", argv[1]);
		return -EINVAL;
	}
	if (!vmem_status(out))
		sink_puts(out, "no virtio-mem device\n");
	return 0;
}
COMMAND(vmem, "vmem", "virtio-mem devices: requested, plugged, last failure", cmd_vmem);
