/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of the virtio-mem device: requests in, answers out.
 * Source of every rule: virtio 1.2, section 5.15.
 */
#include <stdlib.h>
#include <string.h>

#include "device.h"

/*
 * The usable region reaches this far beyond the requested size, so that a driver has a
 * choice of blocks. QEMU's device does the same on most machines.
 */
#define USABLE_SLACK (256UL << 20)

/* The device keeps a bit per block; this limits them to 32 MiB. */
#define MAX_BLOCKS (1UL << 28)

const char *const vmem_violation_names[VMEM_NR_VIOLATIONS] = {
#define X(name, str, meaning) str,
	VMEM_VIOLATIONS(X)
#undef X
};

/**
 * vmem_geometry_error() - say what is wrong with a region
 * @addr: guest physical address, bytes
 * @size: bytes
 * @block: bytes
 *
 * Return: a sentence for the user, NULL if a device can have the region.
 */
const char *vmem_geometry_error(u64 addr, u64 size, u64 block)
{
	if (block < 4096 || !IS_POWER_OF_2(block))
		return "--block must be a power of two and at least 4K";
	if (!IS_ALIGNED(addr, block))
		return "--addr must be a multiple of --block";
	if (!size || !IS_ALIGNED(size, block))
		return "--size must be a multiple of --block, and at least one block";
	if (addr + size < addr)
		return "--addr plus --size exceeds 64 bits";
	if (size / block > MAX_BLOCKS)
		return "--size has more than 2^28 blocks: choose a larger --block";
	return NULL;
}

/**
 * vmem_init() - make a device with nothing plugged and nothing requested
 * @dev: @addr, @size and @block are set, and vmem_geometry_error() accepts them; all
 *       else is zero
 * @host: the memory that backs it
 *
 * Return: 0, or -1 if there is no memory for the bits.
 */
int vmem_init(struct vmem_dev *dev, struct vmem_host *host)
{
	size_t words = (vmem_nr_blocks(dev) + 63) / 64;

	dev->host = host;
	dev->map = calloc(words, sizeof(*dev->map));
	if (!dev->map)
		return -1;
	vmem_set_requested(dev, 0);
	vmem_show_config(dev);
	return 0;
}

/**
 * vmem_destroy() - free what vmem_init() allocated
 * @dev: a device; may be destroyed twice
 */
void vmem_destroy(struct vmem_dev *dev)
{
	free(dev->map);
	dev->map = NULL;
}

/**
 * vmem_violation() - count a violation of the spec by the driver
 * @dev: the device
 * @kind: what it was
 */
void vmem_violation(struct vmem_dev *dev, enum vmem_violation kind)
{
	dev->violations[kind]++;
	dev->host->note(dev->host, VMEM_NOTE_VIOLATION, kind, 0);
}

/*
 * Return the usable size for a requested size. The result may be smaller than the present
 * usable size; callers let the region shrink only when everything is unplugged, by UNPLUG ALL
 * or a system reset.
 */
static u64 usable_for(const struct vmem_dev *dev, u64 requested)
{
	u64 slack = ALIGN_UP(USABLE_SLACK, dev->block);

	return slack < dev->size - requested ? requested + slack : dev->size;
}

/**
 * vmem_size_error() - say what is wrong with a requested size
 * @dev: the device
 * @requested: bytes
 *
 * Return: a sentence for the user, NULL if the size can be requested.
 */
const char *vmem_size_error(const struct vmem_dev *dev, u64 requested)
{
	if (requested > dev->size)
		return "is larger than the device's region";
	if (!IS_ALIGNED(requested, dev->block))
		return "is not a multiple of the device's block size";
	return NULL;
}

/**
 * vmem_set_requested() - ask the driver for another size
 * @dev: the device
 * @requested: bytes; vmem_size_error() accepts it
 *
 * Lets the usable region grow, but never shrink. The driver sees the old sizes
 * until vmem_show_config(); the caller must then notify it of the change.
 */
void vmem_set_requested(struct vmem_dev *dev, u64 requested)
{
	dev->requested = requested;
	dev->usable = max(dev->usable, usable_for(dev, requested));
}

/**
 * vmem_show_config() - let the driver see the current sizes
 * @dev: the device
 *
 * Call it when a new generation of the configuration begins: a driver reads 64-bit
 * fields in two halves, and must never get halves of two sizes in the same generation.
 */
void vmem_show_config(struct vmem_dev *dev)
{
	dev->shown.requested = dev->requested;
	dev->shown.usable = dev->usable;
}

/**
 * vmem_read_config() - fill in the configuration space as the driver sees it now
 * @dev: the device
 * @config: filled in
 *
 * The plugged size is always the current size, because only the driver's requests change
 * it.
 */
void vmem_read_config(const struct vmem_dev *dev, struct vmem_config *config)
{
	*config = (struct vmem_config){
		.block_size = dev->block,
		.addr = dev->addr,
		.region_size = dev->size,
		.usable_region_size = dev->shown.usable,
		.plugged_size = dev->plugged,
		.requested_size = dev->shown.requested,
	};
}

/**
 * vmem_run_end() - find the end of a run of blocks in one state
 * @dev: the device
 * @from: first block
 * @end: block to stop at, larger than @from
 *
 * Return: the first block after @from in another state, or @end.
 */
u64 vmem_run_end(const struct vmem_dev *dev, u64 from, u64 end)
{
	bool state = vmem_bit(dev->map, from);
	unsigned long same = state ? ~0UL : 0;
	u64 nr = from + 1;

	while (nr < end) {
		if (nr % 64 == 0 && end - nr >= 64 && dev->map[nr / 64] == same)
			nr += 64;
		else if (vmem_bit(dev->map, nr) == state)
			nr++;
		else
			break;
	}
	return nr;
}

/**
 * vmem_overlaps_unplugged() - check whether a range touches an unplugged block
 * @dev: the device
 * @gpa: guest physical address
 * @len: bytes; @gpa + @len does not overflow
 */
bool vmem_overlaps_unplugged(const struct vmem_dev *dev, u64 gpa, u64 len)
{
	u64 from = max(gpa, dev->addr), to = min(gpa + len, dev->addr + dev->size);

	if (from >= to)
		return false;
	from = (from - dev->addr) / dev->block;
	to = (to - dev->addr + dev->block - 1) / dev->block;
	return !vmem_bit(dev->map, from) || vmem_run_end(dev, from, to) != to;
}

/* Check the rules that PLUG, UNPLUG and STATE share. On success, set *first. */
static enum vmem_answer check_range(struct vmem_dev *dev, const struct vmem_req *req,
				    u64 *first)
{
	u64 off = req->addr - dev->addr;

	if (!IS_ALIGNED(req->addr, dev->block)) {
		vmem_violation(dev, VMEM_V_MISALIGNED);
		return VMEM_ERROR;
	}
	if (!req->nb_blocks) {
		vmem_violation(dev, VMEM_V_ZERO_COUNT);
		return VMEM_ERROR;
	}
	if (req->addr < dev->addr || off >= dev->usable ||
	    req->nb_blocks > (dev->usable - off) / dev->block) {
		vmem_violation(dev, VMEM_V_OUT_OF_RANGE);
		return VMEM_ERROR;
	}
	*first = off / dev->block;
	return VMEM_ACK;
}

static enum vmem_answer check_state(struct vmem_dev *dev, u64 first, u64 end,
				    bool plugged)
{
	if (vmem_bit(dev->map, first) == plugged && vmem_run_end(dev, first, end) == end)
		return VMEM_ACK;
	vmem_violation(dev, VMEM_V_WRONG_STATE);
	return VMEM_ERROR;
}

static enum vmem_answer plug(struct vmem_dev *dev, const struct vmem_req *req)
{
	u64 len = req->nb_blocks * dev->block, first, end;
	enum vmem_answer answer = check_range(dev, req, &first);

	if (answer != VMEM_ACK)
		return answer;
	end = first + req->nb_blocks;
	answer = check_state(dev, first, end, false);
	if (answer != VMEM_ACK)
		return answer;
	if (dev->plugged + len > dev->requested)
		return VMEM_NACK;
	/* A driver must not find data from before the block was unplugged. */
	if (vmem_collect_stray(dev, first * dev->block, len))
		return VMEM_BUSY;
	for (u64 nr = first; nr < end; nr++)
		vmem_set_bit(dev->map, nr);
	dev->plugged += len;
	return VMEM_ACK;
}

static int discard(struct vmem_dev *dev, u64 off, u64 len)
{
	int err = dev->host->discard(dev->host, off, len);

	if (!err)
		dev->host->note(dev->host, VMEM_NOTE_PUNCH, off, len);
	return err;
}

static enum vmem_answer unplug(struct vmem_dev *dev, const struct vmem_req *req)
{
	u64 len = req->nb_blocks * dev->block, first, end;
	enum vmem_answer answer = check_range(dev, req, &first);

	if (answer != VMEM_ACK)
		return answer;
	end = first + req->nb_blocks;
	answer = check_state(dev, first, end, true);
	if (answer != VMEM_ACK)
		return answer;
	if (discard(dev, first * dev->block, len))
		return VMEM_BUSY;
	for (u64 nr = first; nr < end; nr++)
		vmem_clear_bit(dev->map, nr);
	dev->plugged -= len;
	return VMEM_ACK;
}

/**
 * vmem_unplug_all() - unplug every block and give all memory back
 * @dev: the device
 *
 * For UNPLUG ALL and for a system reset. Lets the usable region shrink; the driver
 * needs no notification of that.
 *
 * Return: VMEM_ACK, or VMEM_BUSY if the host refused (nothing has changed).
 */
enum vmem_answer vmem_unplug_all(struct vmem_dev *dev)
{
	size_t bytes = (vmem_nr_blocks(dev) + 63) / 64 * sizeof(*dev->map);

	if (vmem_collect_stray(dev, 0, dev->size))
		return VMEM_BUSY;
	if (dev->plugged && discard(dev, 0, dev->size))
		return VMEM_BUSY;
	memset(dev->map, 0, bytes);
	dev->plugged = 0;
	dev->shown.usable = usable_for(dev, dev->shown.requested);
	dev->usable = max(dev->shown.usable, usable_for(dev, dev->requested));
	return VMEM_ACK;
}

static enum vmem_answer state(struct vmem_dev *dev, const struct vmem_req *req,
			      struct vmem_resp *resp)
{
	u64 first, end;
	enum vmem_answer answer = check_range(dev, req, &first);

	if (answer != VMEM_ACK)
		return answer;
	end = first + req->nb_blocks;
	if (vmem_run_end(dev, first, end) != end)
		resp->state = VMEM_MIXED;
	else if (vmem_bit(dev->map, first))
		resp->state = VMEM_PLUGGED;
	else
		resp->state = VMEM_UNPLUGGED;
	return VMEM_ACK;
}

/**
 * vmem_handle() - process one request
 * @dev: the device
 * @req: as the driver sent it; a private copy, which no guest can change
 * @resp: filled in completely
 *
 * Return: the answer, which is also in @resp.
 */
enum vmem_answer vmem_handle(struct vmem_dev *dev, const struct vmem_req *req,
			     struct vmem_resp *resp)
{
	enum vmem_answer answer;

	memset(resp, 0, sizeof(*resp));
	switch (req->type) {
	case VMEM_REQ_PLUG:
		answer = plug(dev, req);
		break;
	case VMEM_REQ_UNPLUG:
		answer = unplug(dev, req);
		break;
	case VMEM_REQ_UNPLUG_ALL:
		answer = vmem_unplug_all(dev);
		break;
	case VMEM_REQ_STATE:
		answer = state(dev, req, resp);
		break;
	default:
		vmem_violation(dev, VMEM_V_BAD_TYPE);
		answer = VMEM_ERROR;
		break;
	}
	dev->answers[min(req->type, (u16)VMEM_NR_REQ)][answer]++;
	resp->type = (u16)answer;
	return answer;
}
