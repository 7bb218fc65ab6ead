/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_FAKE_FAKE_VMEM_H
#define _TESTS_FAKE_FAKE_VMEM_H

/*
 * A model of the virtio-mem device: it obeys the MUSTs of spec 5.15 for devices, counts
 * the driver's violations, and misbehaves if asked. Padding, node id and the memory
 * that it plugs are filled with 0xa5.
 */
#include "kernel/ktest_prng.h"
#include "mm/mm.h"
#include "tests/fake/bit_ranges.h"
#include "tests/fake/fake_virtio.h"
#include "virtio/virtio_mem.h"

#define FAKE_VMEM_BLOCKS 8192
#define FAKE_VMEM_LOG	 64

/* The faults that the device shows in place of a correct answer. */
enum fake_vmem_fault {
	FAKE_OK,
	FAKE_BUSY,
	FAKE_NACK,
	FAKE_ERROR,	/* although the request was correct */
	FAKE_GARBAGE,	/* an answer that means nothing */
	FAKE_SHORT,	/* an answer of one byte */
	FAKE_SILENT,	/* no answer */
	FAKE_LIE_ID,	/* uses a request that is not open */
	FAKE_LIE_LEN,	/* claims to have written more than there was room for */
	NR_FAKE_VMEM_FAULTS
};

/**
 * struct fake_vmem_toggle - a requested size that changes while the driver reads
 * @size: the two sizes
 * @left: changes to come
 * @prng: decides when they come
 * @gap: the least number of accesses to the configuration from one change to the next
 * @next: accesses until the next change
 * @told: accesses until the generation rises for the last change, and the driver is
 *	interrupted; 0: that was done
 */
struct fake_vmem_toggle {
	u64 size[2];
	unsigned int left;
	struct prng prng;
	unsigned int gap;
	unsigned int next, told;
};

/**
 * struct fake_vmem - one device
 * @fv: its transport
 * @mm: its sections tell which memory is mapped; only plugged memory may be
 * @config: what the driver reads; change it with fake_vmem_resize()
 * @plugged: a bit for each device block
 * @nr_requests: by type
 * @log: the last requests
 * @nr_log: the number of all requests
 * @fault_at, @fault_for, @fault: requests [fault_at, fault_at + fault_for) meet @fault
 * @choose: chooses each request's fault instead; may be NULL
 * @resize_at, @resize_to: at request number resize_at, the requested size becomes resize_to
 * @spurious: the device sends a config interrupt with every request
 * @usable_slack: the usable region is requested + slack; 0: all of the region
 * @toggle: see fake_vmem_toggle()
 * @state, @state_asked: the answer to STATE, if this request is a STATE
 * @ask_reset: set to 1 at the next request, like a user's "vmem reset"; may be NULL
 * @forgetful: the device has lost blocks, so the driver may plug mapped memory
 */
struct fake_vmem {
	struct fake_virtio fv;
	struct mm *mm;
	struct virtio_mem_config config;
	u64 plugged[BITMAP_WORDS(FAKE_VMEM_BLOCKS)];
	unsigned int nr_requests[VIRTIO_MEM_REQ_STATE + 1];
	struct virtio_mem_req log[FAKE_VMEM_LOG];
	unsigned int nr_log;
	unsigned int fault_at, fault_for;
	enum fake_vmem_fault fault;
	enum fake_vmem_fault (*choose)(struct fake_vmem *fm);
	unsigned int resize_at;
	u64 resize_to;
	bool spurious;
	u64 usable_slack;
	struct fake_vmem_toggle toggle;
	u16 state;
	bool state_asked;
	bool forgetful;
	u32 *ask_reset;
};

/**
 * fake_vmem_init() - make a device with nothing plugged and nothing requested
 * @addr, @size: region, multiples of @block
 * @block: bytes
 */
void fake_vmem_init(struct fake_vmem *fm, struct mm *mm, phys_addr_t addr, u64 size, u64 block);

/* Ask for another size, and tell the driver. */
void fake_vmem_resize(struct fake_vmem *fm, u64 requested);

/**
 * fake_vmem_toggle() - alternate the requested size while the driver reads it
 * @a, @b: the sizes
 * @nr: changes
 * @gap: the least number of accesses to the configuration from one change to the next;
 *	the greatest number is twice as large
 *
 * A change shows at the very next access. The generation rises later, together with the
 * interrupt, but before the next change: this is what QEMU does with a device that
 * answers each access from its current state.
 */
void fake_vmem_toggle(struct fake_vmem *fm, u64 a, u64 b, unsigned int nr, unsigned int gap);

/* Let @nr requests meet a fault, after @n correct ones. */
void fake_vmem_inject(struct fake_vmem *fm, unsigned int n, unsigned int nr,
		      enum fake_vmem_fault fault);

/* Let the device lose blocks, or plug blocks without a request. */
void fake_vmem_set_plugged(struct fake_vmem *fm, phys_addr_t addr, u64 bytes, bool plugged);

/* Is the device block that contains @addr plugged? */
bool fake_vmem_is_plugged(const struct fake_vmem *fm, phys_addr_t addr);

/* Return the plugged bytes, counted in the map. */
u64 fake_vmem_plugged(const struct fake_vmem *fm);

/* Return the number of frames in the region that are mapped but not plugged; must be 0. */
unsigned long fake_vmem_stray(const struct fake_vmem *fm);

#endif
