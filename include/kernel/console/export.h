/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_EXPORT_H
#define _KERNEL_CONSOLE_EXPORT_H

/*
 * Data that leaves the kernel as bytes: the session's header, snapshots and records, and the
 * files of dumpsys. A port sends the bytes as they are, a terminal as base64 between markers.
 */
#include "lib/types.h"

struct sink;
struct page_state;

/**
 * snapshot_write() - write the state of all frames, pageblocks, blocks and zones
 * @out: gets struct trace_record, see docs/reference/trace.md; may sleep
 *
 * Makes parts that fit a buffer, each while all harts stand still, so each part is exact
 * as of the sequence number in its first record.
 *
 * Context: thread.
 * Return: 0; -ENOMEM; -ETIMEDOUT if a hart did not reach a quiescent point.
 */
int snapshot_write(struct sink *out);

/**
 * dumpsys_write() - write /proc, /sys and kpageflags as one ustar stream
 * @out: gets the bytes; may sleep
 *
 * Context: thread.
 * Return: 0; -ENOMEM; -E2BIG if a file was cut.
 */
int dumpsys_write(struct sink *out);

/**
 * kpageflags_of() - translate a frame's state into the bits of Linux's /proc/kpageflags
 * @st: the state; NULL: there is no such frame
 *
 * Compare with: Linux fs/proc/page.c stable_page_flags().
 */
u64 kpageflags_of(const struct page_state *st);

/**
 * export_write() - write the export of that name
 * @name: "header", "records", "snapshot", "dumpsys" or "view"
 * @out: gets the bytes; may sleep
 *
 * The records have one reader at a time; a second reader waits for up to a minute, then
 * fails with -EBUSY. Other exports never wait for each other.
 *
 * Context: thread, no lock held: it waits for the reader of @out.
 * Return: 0 or a negative errno; -ENOENT: nothing has that name; -EBUSY: see above.
 */
int export_write(const char *name, struct sink *out);

#endif
