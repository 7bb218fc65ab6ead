/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event file of the device. See events.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "log.h"
#include "loop.h"

/* Takes the place of the hart in the kernel's records. */
#define HART_DEVICE 0xff

static int events_fd = -1;
static u32 events_seq;
static u8 events_device;

/**
 * events_open() - start an empty event file
 * @path: the file; NULL for none
 * @device: the device's number, which goes into each record
 *
 * Return: 0, or -1 after one line that says why.
 */
int events_open(const char *path, u8 device)
{
	events_device = device;
	if (!path)
		return 0;
	events_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (events_fd >= 0)
		return 0;
	log_line("--events %s: %s", path, strerror(errno));
	return -1;
}

/**
 * events_emit() - write one record
 * @event: TRACE_DEV_*
 * @pfn: frame number in guest memory
 * @count: see the event's row in kernel/trace/trace_events.h, as the next two
 * @before: likewise
 * @after: likewise
 *
 * If the file takes no more (disk full), closes it and logs a line.
 */
void events_emit(enum trace_event_id event, u64 pfn, u32 count, u16 before, u16 after)
{
	struct trace_record record = {
		.seq = events_seq++,
		.event = (u16)event,
		.hart = HART_DEVICE,
		.flags = events_device,
		.time = loop_now(),
		.pfn = pfn,
		.count = count,
		.before = before,
		.after = after,
	};

	if (events_fd < 0)
		return;
	if (write(events_fd, &record, sizeof(record)) == (ssize_t)sizeof(record))
		return;
	log_line("--events: %s; no more events are written", strerror(errno));
	events_close();
}

/**
 * events_close() - end the event file
 */
void events_close(void)
{
	if (events_fd >= 0)
		close(events_fd);
	events_fd = -1;
}
