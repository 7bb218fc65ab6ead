/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory that backs the device: maps the state machine's offsets to the files that the
 * frontend shares, and reports punches, strays and resets.
 */
#include <string.h>

#include "events.h"
#include "log.h"
#include "memfile.h"
#include "vmem.h"

#define PAGE_SHIFT 12

/*
 * A dump of a large guest leaves much memory to scan and to punch. A scan runs at most this
 * long at a time, and checks the clock each time after this many bytes.
 */
#define LOOK_NS	   10000000UL
#define LOOK_BYTES (16UL << 20)

/* Scans that no client asked for take at most this fraction of the time (1/N). */
#define SCAN_SHARE 20

static struct vmem *vmem_of(struct vmem_host *host)
{
	return container_of(host, struct vmem, host);
}

static int next_data(struct vmem_host *host, u64 off, u64 end, u64 *from, u64 *to)
{
	struct vmem *vmem = vmem_of(host);
	u64 addr = vmem->dev.addr;
	int found = memfile_next_data(&vmem->vhost.mem, addr + off, addr + end, from, to);

	*from -= addr;
	*to -= addr;
	return found;
}

static u64 written(struct vmem_host *host, u64 off, u64 end, u64 *first)
{
	struct vmem *vmem = vmem_of(host);
	u64 addr = vmem->dev.addr, gpa = addr + off;
	u64 bytes = memfile_written(&vmem->vhost.mem, gpa, addr + end, &gpa);

	*first = gpa - addr;
	return bytes;
}

static int discard(struct vmem_host *host, u64 off, u64 len)
{
	struct vmem *vmem = vmem_of(host);
	int err = memfile_discard(&vmem->vhost.mem, vmem->dev.addr + off, len);

	if (err)
		log_limited("cannot give memory at %#llx back to the host: %s",
			    (unsigned long long)(vmem->dev.addr + off), strerror(-err));
	return err;
}

static void note(struct vmem_host *host, enum vmem_note note, u64 off, u64 len)
{
	struct vmem *vmem = vmem_of(host);
	u64 gpa = vmem->dev.addr + off;
	u32 pages = (u32)min(len >> PAGE_SHIFT, (u64)UINT32_MAX);

	if (note == VMEM_NOTE_VIOLATION) {
		vmem->violation = (u32)off;
	} else if (note == VMEM_NOTE_PUNCH) {
		events_emit(TRACE_DEV_PUNCH, gpa >> PAGE_SHIFT, pages, 0, 0);
	} else if (note == VMEM_NOTE_STRAY) {
		events_emit(TRACE_DEV_STRAY, gpa >> PAGE_SHIFT, pages, 0, 0);
		log_limited("stray access: %llu bytes were written, the first at %#llx, "
			    "in blocks that are not plugged",
			    (unsigned long long)len, (unsigned long long)gpa);
	} else {
		log_limited("touched: %llu bytes at %#llx were read (or zeros written), "
			    "in blocks that are not plugged: by the guest, or by a dump "
			    "of its memory",
			    (unsigned long long)len, (unsigned long long)gpa);
	}
}

/* Refuse a request's buffer that lies in an unplugged block of the region. */
static bool refuse(void *arg, u64 gpa, u64 len)
{
	return vmem_overlaps_unplugged(arg, gpa, len);
}

/**
 * region_init() - connect the device's state machine with the shared memory
 * @vmem: the program
 */
void region_init(struct vmem *vmem)
{
	vmem->host = (struct vmem_host){next_data, written, discard, note};
	vmem->vhost.mem.refuse = refuse;
	vmem->vhost.mem.refuse_arg = &vmem->dev;
}

/**
 * region_shared() - check whether the frontend shares all of the region
 * @vmem: the program
 */
bool region_shared(const struct vmem *vmem)
{
	return memfile_covers(&vmem->vhost.mem, vmem->dev.addr, vmem->dev.size);
}

/**
 * region_changed() - handle a change of the table of shared memory
 * @vmem: the program
 *
 * Empties the region when all of it is shared for the first time: its contents are older than
 * the first plug request.
 */
void region_changed(struct vmem *vmem)
{
	u64 used;

	if (vmem->emptied || !region_shared(vmem))
		return;
	vmem->emptied = true;
	vmem_collect_stray(&vmem->dev, 0, vmem->dev.size);
	used = vmem->dev.stray + vmem->dev.touched;
	if (used)
		log_line(
			"%llu bytes of the region were in use before the driver started: "
			"the machine is set up wrongly, or the guest does not respect "
			"the region",
			(unsigned long long)used);
}

/**
 * region_reset() - handle a reset of the machine
 * @vmem: the program
 */
void region_reset(struct vmem *vmem)
{
	u64 plugged = vmem->dev.plugged;

	vmem->resets++;
	/* No driver reads half of the configuration before a reset and half after it. */
	vmem_show_config(&vmem->dev);
	if (vmem_unplug_all(&vmem->dev) != VMEM_ACK)
		log_limited("machine reset: the host keeps the memory; blocks stay plugged");
	else
		log_limited("machine reset: %llu bytes unplugged",
			 (unsigned long long)plugged);
	if (vmem->dev.plugged != plugged)
		ctl_size_changed();
}

/**
 * region_look_on() - count the allocated bytes of unplugged blocks, and free them
 * @vmem: the program
 * @at: offset in the region, 0 at first; moves on
 *
 * Returns soon. @stray and @touched of the device have the totals.
 *
 * Return: true if the scan reached the end of the region; *@at is then 0 again.
 */
bool region_look_on(struct vmem *vmem, u64 *at)
{
	u64 until = loop_now() + LOOK_NS, size = vmem->dev.size;

	do {
		u64 len = min(max(LOOK_BYTES, vmem->dev.block), size - *at);

		vmem_collect_stray(&vmem->dev, *at, len);
		*at += len;
	} while (*at < size && loop_now() < until);
	if (*at < size)
		return false;
	*at = 0;
	return true;
}

/**
 * region_scan() - scan a part of the region, unless the last scan took too long
 * @vmem: the program
 */
void region_scan(struct vmem *vmem)
{
	u64 start = loop_now(), end;

	if (start < vmem->next_scan)
		return;
	region_look_on(vmem, &vmem->scanned);
	end = loop_now();
	vmem->next_scan = end + SCAN_SHARE * (end - start);
}

/**
 * region_host_bytes() - count the bytes of the region that the host has allocated now
 * @vmem: the program
 */
u64 region_host_bytes(struct vmem *vmem)
{
	return vmem_allocated(&vmem->dev, 0, vmem->dev.size);
}
