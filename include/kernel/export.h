/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_EXPORT_H
#define _KERNEL_EXPORT_H

/*
 * What leaves the kernel as bytes: the session's header, snapshots and records, and
 * the tree of dumpsys. Over a port as they are, over a terminal as base64 between
 * markers.
 */
#include "lib/types.h"

struct sink;
struct page_state;

/**
 * snapshot_write() - the state of all frames, pageblocks, blocks and zones as records
 * @out: struct trace_record, see docs/reference/trace.md; called where one may sleep
 *
 * Made in parts that fit a buffer, each while all harts stand still, so each is
 * exact as of the sequence number that its first record has.
 *
 * Context: thread.
 * Return: 0; -ENOMEM; -ETIMEDOUT a hart did not come to a quiescent point.
 */
int snapshot_write(struct sink *out);

/**
 * dumpsys_write() - /proc, /sys and kpageflags as one ustar stream
 * @out: the bytes; called where one may sleep
 *
 * Context: thread.
 * Return: 0; -ENOMEM; -E2BIG a file was cut.
 */
int dumpsys_write(struct sink *out);

/**
 * kpageflags_of() - a frame's state in the bits of Linux's /proc/kpageflags
 * @st: the state; NULL: there is no such frame
 *
 * Compare with: Linux fs/proc/page.c stable_page_flags().
 */
u64 kpageflags_of(const struct page_state *st);

/**
 * export_write() - write what has that name
 * @name: "header", "records", "snapshot" or "dumpsys"
 * @out: the bytes; called where one may sleep
 *
 * The records have one reader at a time; who wants them meanwhile waits for a minute.
 * Nothing else waits for another export.
 *
 * Context: thread, no lock held: it waits for who reads @out.
 * Return: 0 or a negative errno; -ENOENT: nothing has that name; -EBUSY: see above.
 */
int export_write(const char *name, struct sink *out);

#endif
