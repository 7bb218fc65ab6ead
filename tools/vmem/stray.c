/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stray memory: bytes of the region that are allocated on the host although
 * their block is not plugged. Only an access that the spec forbids puts them
 * there, and a hole in the shared file is filled by reads too, so that none
 * goes unseen.
 */
#include "device.h"

/**
 * vmem_allocated() - bytes of a range that the host has allocated
 * @dev: the device
 * @off: offset in the region
 * @len: bytes
 *
 * Return: bytes; what the host cannot tell (an error) counts as none.
 */
u64 vmem_allocated(struct vmem_dev *dev, u64 off, u64 len)
{
	u64 end = off + len, sum = 0, from, to;

	while (off < end && dev->host->next_data(dev->host, off, end, &from, &to) > 0) {
		sum += to - from;
		off = to;
	}
	return sum;
}

/* Tell of an extent once, however often it is found. */
static void report(struct vmem_dev *dev, u64 from, u64 to)
{
	bool fresh = false;

	for (u64 nr = from / dev->block; nr <= (to - 1) / dev->block; nr++) {
		fresh |= !vmem_bit(dev->reported, nr);
		vmem_set_bit(dev->reported, nr);
	}
	if (!fresh)
		return;
	dev->violations[VMEM_V_STRAY]++;
	dev->host->note(dev->host, VMEM_NOTE_STRAY, from, to - from);
}

static u64 scan_run(struct vmem_dev *dev, u64 off, u64 end)
{
	u64 sum = 0, from, to;

	while (off < end && dev->host->next_data(dev->host, off, end, &from, &to) > 0) {
		report(dev, from, to);
		sum += to - from;
		off = to;
	}
	return sum;
}

/* Scan the unplugged blocks among those from @nr up to @end. */
static u64 scan_blocks(struct vmem_dev *dev, u64 nr, u64 end)
{
	u64 sum = 0;

	while (nr < end) {
		u64 stop = vmem_run_end(dev, nr, end);

		if (!vmem_bit(dev->map, nr))
			sum += scan_run(dev, nr * dev->block, stop * dev->block);
		nr = stop;
	}
	return sum;
}

/**
 * vmem_scan_stray() - look through all unplugged blocks
 * @dev: the device
 *
 * Each block is reported once until it is plugged. Nothing is given back: the
 * evidence stays.
 *
 * Return: bytes of stray memory that are there now.
 */
u64 vmem_scan_stray(struct vmem_dev *dev)
{
	return scan_blocks(dev, 0, vmem_nr_blocks(dev));
}

/**
 * vmem_drop_stray() - report stray memory in a range, and give it back
 * @dev: the device
 * @off: offset in the region, a multiple of the block size
 * @len: bytes, likewise
 *
 * Plugged blocks within the range are left alone.
 *
 * Return: 0, or the host's negative errno.
 */
int vmem_drop_stray(struct vmem_dev *dev, u64 off, u64 len)
{
	u64 nr = off / dev->block, end = (off + len) / dev->block;

	while (nr < end) {
		u64 stop = vmem_run_end(dev, nr, end);
		u64 at = nr * dev->block, bytes = (stop - nr) * dev->block;
		u64 stray = vmem_bit(dev->map, nr) ? 0 : scan_blocks(dev, nr, stop);
		int err = stray ? dev->host->discard(dev->host, at, bytes) : 0;

		if (err)
			return err;
		if (stray)
			dev->host->note(dev->host, VMEM_NOTE_PUNCH, at, bytes);
		dev->stray_gone += stray;
		nr = stop;
	}
	return 0;
}
