/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_TRACE_TRACE_EVENTS_H
#define _KERNEL_TRACE_TRACE_EVENTS_H

/*
 * Trace records: their layout and the table of events. Everything here leaves the
 * kernel: the virtio-mem device writes the same records, and host tools read both.
 * Append only: an id, once given, never changes its meaning.
 *
 * Includes nothing but <stdint.h>, so that host programs can use it as it is.
 */
#include <stdint.h>

/*
 * TRACE_EVENTS(X): X(id, NAME, "system:name", "fields", "text")
 *
 * "fields" says what the record's fields mean in this event, one "field=meaning"
 * each; an unnamed field is 0. trace_print() prints "text" with these replaced:
 *   {pfn} {end} {count} {before} {after} {flags}   numbers; pfn and end (which is
 *                                  pfn + count) in hexadecimal
 *   {before:SET} {after:SET} {flags:SET}           the word of abi.h's table SET:
 *                                  page_type migratetype block_state phase reason
 *                                  zone_counter
 *   {count:pfn}                                    in hexadecimal, like {pfn}
 */
#define TRACE_EVENTS(X)                                                                        \
	X(1, FRAMES, "mm:frames",                                                              \
	  "pfn=first count=frames before=page_type or 0: unknown after=page_type "             \
	  "flags=PAGE_FLAGS after",                                                            \
	  "pfn=0x{pfn} nr={count} {before:page_type} -> {after:page_type} flags={flags}")      \
	X(2, PAGEBLOCK_TYPE, "mm:pageblock_type",                                              \
	  "pfn=first count=frames before=migratetype after=migratetype flags=1: first state, " \
	  "nothing before",                                                                    \
	  "pfn=0x{pfn} nr={count} {before:migratetype} -> {after:migratetype}")                \
	X(3, PAGEBLOCK_ISOLATE, "mm:pageblock_isolate",                                        \
	  "pfn=first count=frames before=isolated after=isolated flags=1: first state",        \
	  "pfn=0x{pfn} nr={count} isolated {before} -> {after}")                               \
	X(4, PAGEBLOCK_VALID, "mm:pageblock_valid",                                            \
	  "pfn=first count=frames before=descriptors valid after=descriptors valid "           \
	  "flags=1: first state",                                                              \
	  "pfn=0x{pfn} nr={count} valid {before} -> {after}")                                  \
	X(5, BLOCK_STATE, "mm:block_state",                                                    \
	  "pfn=first count=frames before=block_state after=block_state flags=zone",            \
	  "pfn=0x{pfn} nr={count} {before:block_state} -> {after:block_state} zone={flags}")   \
	X(6, EVAC_PHASE, "evac:phase",                                                         \
	  "pfn=first of the target count=frames before=phase after=phase flags=policy end",    \
	  "pfn=0x{pfn} nr={count} {before:phase} -> {after:phase} end={flags}")                \
	X(7, EVAC_VERDICT, "evac:verdict",                                                     \
	  "pfn=first of the pageblock or the blocking frame count=frames to move "             \
	  "before=page_type of the blocking frame after=reason",                               \
	  "pfn=0x{pfn} movable={count} {before:page_type}: {after:reason}")                    \
	X(8, EVAC_MOVE, "evac:move",                                                           \
	  "pfn=source count=destination pfn, low 32 bits before=page_type after=errno "        \
	  "flags=order",                                                                       \
	  "pfn=0x{pfn} dst=0x{count:pfn} order={flags} {before:page_type} result={after}")     \
	X(9, VMEM_REQUEST, "virtio_mem:request",                                               \
	  "pfn=first of the range count=number of the request on its queue before=type "       \
	  "after=nb_blocks flags=device",                                                      \
	  "dev={flags} n={count} type={before} pfn=0x{pfn} blocks={after}")                    \
	X(10, VMEM_ANSWER, "virtio_mem:answer",                                                \
	  "pfn=first of the range count=number of the request on its queue before=type "       \
	  "after=answer flags=device",                                                         \
	  "dev={flags} n={count} type={before} pfn=0x{pfn} answer={after}")                    \
	X(11, VMEM_CONFIG, "virtio_mem:config",                                                \
	  "pfn=requested size in frames count=plugged size in frames, low 32 bits "            \
	  "flags=device",                                                                      \
	  "dev={flags} requested=0x{pfn} plugged=0x{count:pfn}")                               \
	X(12, DEV_REQUEST, "device:request",                                                   \
	  "as virtio_mem:request, written by the device when it takes it",                     \
	  "dev={flags} n={count} type={before} pfn=0x{pfn} blocks={after}")                    \
	X(13, DEV_ANSWER, "device:answer",                                                     \
	  "as virtio_mem:answer, written by the device when it gives it",                      \
	  "dev={flags} n={count} type={before} pfn=0x{pfn} answer={after}")                    \
	X(14, DEV_PUNCH, "device:punch", "pfn=first count=frames flags=device",                \
	  "dev={flags} pfn=0x{pfn} nr={count}")                                                \
	X(15, DEV_STRAY, "device:stray", "pfn=first count=frames flags=device",                \
	  "dev={flags} pfn=0x{pfn} nr={count}")                                                \
	X(16, DEV_FAULT, "device:fault",                                                       \
	  "pfn=first count=number of the request before=kind of fault flags=device",           \
	  "dev={flags} n={count} fault={before} pfn=0x{pfn}")                                  \
	X(17, TEST_MARK, "ktest:mark", "pfn=any number count=any number",                      \
	  "0x{pfn} {count}")                                                                   \
	X(18, ZONE_COUNT, "mm:zone_count",                                                     \
	  "pfn=value count=zone counter (abi.h) before=zone",                                  \
	  "zone={before} {count:zone_counter} value=0x{pfn}")                                  \
	X(19, HOLD, "evac:hold", "pfn=where count=milliseconds held before=event",             \
	  "pfn=0x{pfn} event={before} held={count} ms")                                        \
	X(20, SNAP_PART, "snapshot:part",                                                      \
	  "pfn=first frame that is covered count=records that follow, the end included",        \
	  "pfn=0x{pfn} records={count}")                                                       \
	X(21, SNAP_END, "snapshot:end",                                                        \
	  "pfn=end of what is covered after=1: of the whole snapshot",                         \
	  "end=0x{pfn} last={after}")                                                          \
	X(22, EVAC_FREE, "evac:free",                                                          \
	  "pfn=first of the target, which was free as a whole and is taken count=frames "      \
	  "flags=policy end",                                                                  \
	  "pfn=0x{pfn} nr={count} end={flags}")

enum trace_event_id {
#define X(id, name, str, fields, text) TRACE_##name = id,
	TRACE_EVENTS(X)
#undef X
};

#define NR_TRACE_EVENTS 64 /* all ids are below */

/* Values of trace_record.hart that name no hart. */
#define TRACE_HART_SNAPSHOT 0xfe
#define TRACE_HART_DEVICE   0xff

/* One record: 32 bytes, little-endian. */
struct trace_record {
	uint32_t seq; /* counts all records of the machine; a reader extends it */
	uint16_t event;
	uint8_t hart;  /* logical id; the device writes 0xff, snapshots have 0xfe */
	uint8_t flags; /* see the event */
	uint64_t time; /* `time` CSR; the device writes CLOCK_MONOTONIC ns */
	uint64_t pfn;
	uint32_t count;
	uint16_t before;
	uint16_t after;
};
_Static_assert(sizeof(struct trace_record) == 32, "programs of other versions read it");

/* A row of the ELF section "trace_event_table", with text by value, for host tools. */
struct trace_event_desc {
	uint16_t id;
	char name[30];
	char fields[160];
	char text[96];
};
_Static_assert(sizeof(struct trace_event_desc) == 288, "programs of other versions read it");

/* A row of the ELF section "abi_words": the word of a number, for {field:set}. */
struct abi_word {
	char set[14];
	uint16_t number;
	char word[48];
};
_Static_assert(sizeof(struct abi_word) == 64, "programs of other versions read it");

#define TRACE_MAGIC	0x65636172746262ULL /* "bbtrace" */
#define TRACE_VERSION	1
#define TRACE_MAX_RINGS 8

/* One hart's ring, for the header. */
struct trace_ring_info {
	uint64_t records; /* physical address; 0: no ring */
	uint64_t head;	  /* records ever written; the next goes to head % nr_records */
	uint64_t tail;	  /* records ever taken by the reader */
	uint64_t lost;	  /* records overwritten before the reader took them */
};

/* The object of the ELF symbol `ebb_trace`. */
struct trace_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes;
	uint32_t record_bytes;
	uint32_t nr_rings;
	uint64_t nr_records; /* in each ring, a power of two */
	uint64_t timebase_hz;
	uint64_t enabled; /* a bit for each event id */
	uint32_t seq;	  /* the next record's */
	uint32_t reserved;
	uint8_t build_id[32]; /* zero when the image carries none */
	struct trace_ring_info ring[TRACE_MAX_RINGS];
};

#endif
