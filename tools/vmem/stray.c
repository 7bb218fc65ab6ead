/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stray memory: bytes of the region that are allocated on the host although their block
 * is not plugged. A page that is not all zeros was written: the guest broke the spec. A page
 * of zeros was only read, or zeros were written to it: a read, also one by the host, fills a
 * hole in the shared file.
 */
#include "device.h"

/**
 * vmem_allocated() - count the bytes of a range that the host has allocated
 * @dev: the device
 * @off: offset in the region
 * @len: bytes
 *
 * Return: bytes; 0 if the host reports an error.
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

/*
 * Count the bytes of an extent of unplugged blocks, and free them. Bytes that the host does
 * not take back do not count: the next scan finds them again.
 */
static int collect(struct vmem_dev *dev, u64 from, u64 to)
{
	u64 first = from, written = dev->host->written(dev->host, from, to, &first);
	int err = dev->host->discard(dev->host, from, to - from);

	if (err)
		return err;
	dev->host->note(dev->host, VMEM_NOTE_PUNCH, from, to - from);
	dev->stray += written;
	dev->touched += to - from - written;
	if (written) {
		dev->violations[VMEM_V_STRAY]++;
		dev->host->note(dev->host, VMEM_NOTE_STRAY, first, written);
	} else {
		dev->host->note(dev->host, VMEM_NOTE_TOUCHED, from, to - from);
	}
	return 0;
}

static int collect_run(struct vmem_dev *dev, u64 off, u64 end)
{
	u64 from, to;
	int err = 0;

	while (!err && off < end &&
	       dev->host->next_data(dev->host, off, end, &from, &to) > 0) {
		err = collect(dev, from, to);
		off = to;
	}
	return err;
}

/**
 * vmem_collect_stray() - count the allocated bytes of unplugged blocks, and free them
 * @dev: the device
 * @off: offset in the region, a multiple of the block size
 * @len: bytes, likewise
 *
 * Adds to @dev->stray the bytes of pages that were written, and to
 * @dev->touched those of pages that are all zeros. Ignores plugged blocks in the range.
 *
 * Return: 0, or the host's negative errno.
 */
int vmem_collect_stray(struct vmem_dev *dev, u64 off, u64 len)
{
	u64 nr = off / dev->block, end = (off + len) / dev->block;
	int err = 0;

	while (!err && nr < end) {
		u64 stop = vmem_run_end(dev, nr, end);

		if (!vmem_bit(dev->map, nr))
			err = collect_run(dev, nr * dev->block, stop * dev->block);
		nr = stop;
	}
	return err;
}
