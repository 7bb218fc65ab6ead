/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue, device side. See vring.h.
 */
#include <string.h>

#include "vring.h"

#define DESC_F_NEXT	1
#define DESC_F_WRITE	2
#define DESC_F_INDIRECT 4

#define AVAIL_F_NO_INTERRUPT 1

struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* The rings' words in host memory; NULL if they do not lie in shared memory. */
struct ring_words {
	const struct desc *desc;
	u16 *avail_flags, *avail_idx, *avail_ring, *used_event;
	u16 *used_flags, *used_idx, *avail_event;
	struct used_elem {
		u32 id;
		u32 len;
	} * used_ring;
};

/*
 * Look up the words' addresses. Every use does so again: the memory table may change between
 * two requests, and a look-up takes a few comparisons.
 */
static bool find_words(const struct vring *ring, const struct guest_mem *mem,
		       struct ring_words *w)
{
	u32 n = ring->size;
	u8 *avail, *used;

	if (!IS_ALIGNED(ring->desc, 16) || !IS_ALIGNED(ring->avail, 2) ||
	    !IS_ALIGNED(ring->used, 4))
		return false;
	w->desc = guest_mem_from_user(mem, ring->desc, n * sizeof(struct desc));
	avail = guest_mem_from_user(mem, ring->avail, 6 + 2 * n);
	used = guest_mem_from_user(mem, ring->used, 6 + 8 * n);
	/* A region may itself begin at an unaligned address. */
	if (!n || !w->desc || !avail || !used || !IS_ALIGNED((uintptr_t)w->desc, 8) ||
	    !IS_ALIGNED((uintptr_t)avail, 2) || !IS_ALIGNED((uintptr_t)used, 4))
		return false;
	w->avail_flags = (u16 *)avail;
	w->avail_idx = w->avail_flags + 1;
	w->avail_ring = w->avail_flags + 2;
	w->used_event = w->avail_ring + n;
	w->used_flags = (u16 *)used;
	w->used_idx = w->used_flags + 1;
	w->used_ring = (struct used_elem *)(used + 4);
	w->avail_event = (u16 *)(w->used_ring + n);
	return true;
}

/**
 * vring_reset() - forget what has happened to a ring since its set-up
 * @ring: a ring; its addresses and size stay
 */
void vring_reset(struct vring *ring)
{
	ring->broken = false;
	ring->signalled_valid = false;
}

static bool add_in(struct vring_chain *chain, const struct desc *d)
{
	if (d->addr + d->len < d->addr)
		return false;
	if (chain->nr_in < VRING_MAX_IN) {
		chain->in[chain->nr_in].gpa = d->addr;
		chain->in[chain->nr_in++].len = d->len;
		chain->in_bytes += min(d->len, (u32)INT32_MAX - chain->in_bytes);
	}
	return true;
}

static bool add_out(struct vring_chain *chain, const struct guest_mem *mem,
		    const struct desc *d)
{
	u32 have = min(chain->out_bytes, (u32)sizeof(chain->out));
	u32 want = min(d->len, (u32)sizeof(chain->out) - have);

	if (d->addr + d->len < d->addr || chain->nr_in)
		return false;
	chain->out_bytes += min(d->len, (u32)INT32_MAX - chain->out_bytes);
	return !guest_mem_read(mem, d->addr, (u8 *)&chain->out + have, want);
}

/* A table of descriptors: the ring's own, or an indirect table. */
struct table {
	const struct desc *ring; /* the ring's table, in place */
	u64 gpa;		 /* of an indirect table */
	u32 size;
	bool is_indirect;
};

static bool read_desc(const struct table *table, const struct guest_mem *mem, u32 nr,
		      struct desc *d)
{
	if (nr >= table->size)
		return false;
	if (table->is_indirect)
		return !guest_mem_read(mem, table->gpa + nr * sizeof(*d), d, sizeof(*d));
	*d = *(const volatile struct desc *)&table->ring[nr];
	return true;
}

static bool enter_indirect(struct table *table, const struct desc *d)
{
	u32 size = d->len / (u32)sizeof(*d);

	if (table->is_indirect || d->flags & DESC_F_NEXT || !size ||
	    size > VRING_MAX_SIZE || d->len % sizeof(*d) || d->addr + d->len < d->addr)
		return false;
	*table = (struct table){.gpa = d->addr, .size = size, .is_indirect = true};
	return true;
}

/* Follow the chain; false if it makes no sense. The limit on steps ends a chain that loops. */
static bool walk(const struct vring *ring, const struct guest_mem *mem,
		 const struct desc *descs, struct vring_chain *chain)
{
	struct table table = {.ring = descs, .size = ring->size};
	u32 steps = ring->size + VRING_MAX_SIZE, nr = chain->head;
	struct desc d;

	while (steps--) {
		bool ok;

		if (!read_desc(&table, mem, nr, &d))
			return false;
		if (d.flags & DESC_F_INDIRECT) {
			if (!ring->indirect || !enter_indirect(&table, &d))
				return false;
			nr = 0;
			continue;
		}
		ok = d.flags & DESC_F_WRITE ? add_in(chain, &d) : add_out(chain, mem, &d);
		if (!ok)
			return false;
		if (!(d.flags & DESC_F_NEXT))
			return true;
		nr = d.next;
	}
	return false;
}

/**
 * vring_pop() - take the next chain of descriptors
 * @ring: the ring
 * @mem: the guest's memory
 * @chain: filled in for VRING_CHAIN
 *
 * After VRING_BROKEN, the ring yields nothing more until it is set up again.
 */
enum vring_result vring_pop(struct vring *ring, const struct guest_mem *mem,
			    struct vring_chain *chain)
{
	struct ring_words w;
	u16 idx;

	if (ring->broken)
		return VRING_EMPTY;
	if (!find_words(ring, mem, &w))
		return VRING_NOMEM;
	/* Pairs with the driver's barrier between ring entry and index. */
	idx = __atomic_load_n(w.avail_idx, __ATOMIC_ACQUIRE);
	if (idx == ring->next_avail)
		return VRING_EMPTY;
	memset(chain, 0, sizeof(*chain));
	chain->head = __atomic_load_n(&w.avail_ring[ring->next_avail % ring->size],
				      __ATOMIC_RELAXED);
	if ((u16)(idx - ring->next_avail) > ring->size ||
	    !walk(ring, mem, w.desc, chain)) {
		ring->broken = true;
		return VRING_BROKEN;
	}
	ring->next_avail++;
	return VRING_CHAIN;
}

/**
 * vring_untake() - put back the chain that was taken last
 * @ring: the ring; the chain must not have been pushed or forgotten
 */
void vring_untake(struct vring *ring)
{
	ring->next_avail--;
}

/**
 * vring_answer() - write a response into a chain's writable part
 * @mem: the guest's memory
 * @chain: the chain, with room for a response
 * @resp: the response
 *
 * Return: 0, or -1 if the buffer is too short or not in guest memory.
 */
int vring_answer(const struct guest_mem *mem, const struct vring_chain *chain,
		 const struct vmem_resp *resp)
{
	const u8 *from = (const u8 *)resp;
	u32 left = sizeof(*resp);

	for (u32 i = 0; i < chain->nr_in && left; i++) {
		u32 part = min(left, chain->in[i].len);

		if (guest_mem_write(mem, chain->in[i].gpa, from, part))
			return -1;
		from += part;
		left -= part;
	}
	return left ? -1 : 0;
}

/* Check whether the driver wants a call now that the used index has reached @now. */
static bool wants_call(struct vring *ring, const struct ring_words *w, u16 now)
{
	u16 old = ring->signalled;
	bool valid = ring->signalled_valid;
	u16 event;

	/* The used index must be visible before this code reads what the driver wants. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->event_idx)
		return !(__atomic_load_n(w->avail_flags, __ATOMIC_RELAXED) &
			 AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(w->used_event, __ATOMIC_RELAXED);
	ring->signalled = now;
	ring->signalled_valid = true;
	/* True if the index has passed the driver's mark since the last check. */
	return !valid || (u16)(now - event - 1) < (u16)(now - old);
}

/**
 * vring_push() - give a chain back
 * @ring: the ring
 * @mem: the guest's memory
 * @head: the chain's head (fault injection may lie)
 * @len: bytes written
 *
 * Return: true if the driver must be called.
 */
bool vring_push(struct vring *ring, const struct guest_mem *mem, u32 head, u32 len)
{
	struct ring_words w;
	struct used_elem *elem;
	u16 idx;

	if (!find_words(ring, mem, &w))
		return false;
	idx = __atomic_load_n(w.used_idx, __ATOMIC_RELAXED);
	elem = &w.used_ring[idx % ring->size];
	__atomic_store_n(&elem->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, len, __ATOMIC_RELAXED);
	/* Pairs with the barrier that the driver issues after it reads the index. */
	__atomic_store_n(w.used_idx, (u16)(idx + 1), __ATOMIC_RELEASE);
	return wants_call(ring, &w, (u16)(idx + 1));
}

/**
 * vring_rearm() - ask for a kick at the next chain, after the ring was emptied
 * @ring: the ring
 * @mem: the guest's memory
 *
 * Return: true if a chain arrived meanwhile, for which there may be no kick.
 */
bool vring_rearm(struct vring *ring, const struct guest_mem *mem)
{
	struct ring_words w;

	if (ring->broken || !find_words(ring, mem, &w))
		return false;
	if (!ring->event_idx)
		return false;
	__atomic_store_n(w.avail_event, ring->next_avail, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(w.avail_idx, __ATOMIC_RELAXED) != ring->next_avail;
}
