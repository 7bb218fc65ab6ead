/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_RINGBUF_H
#define _LIB_RINGBUF_H

/*
 * A byte queue between one producer and one consumer (an interrupt handler and a
 * thread, say) without a lock. head counts the bytes put, tail the bytes taken; both
 * run freely and wrap. The store-release of one side pairs with the load-acquire of the
 * other.
 */
#include "lib/types.h"

struct ringbuf {
	u8 *data;
	u32 size; /* bytes, a power of two */
	u32 head; /* written by the producer only */
	u32 tail; /* written by the consumer only */
};

/* @size is a power of two, at most 1 << 31. */
static inline void ringbuf_init(struct ringbuf *ring, u8 *data, u32 size)
{
	ring->data = data;
	ring->size = size;
	ring->head = 0;
	ring->tail = 0;
}

/* Append a byte, as the producer. Return: false if the ring is full. */
static inline bool ringbuf_put(struct ringbuf *ring, u8 byte)
{
	u32 head = ring->head;

	/* Acquire: the slot's last reader is done (pairs with ringbuf_get). */
	if (head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == ring->size)
		return false;
	ring->data[head & (ring->size - 1)] = byte;
	__atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
	return true;
}

/* Take the oldest byte, as the consumer. Return: that byte, or -1 if the ring is empty. */
static inline int ringbuf_get(struct ringbuf *ring)
{
	u32 tail = ring->tail;
	u8 byte;

	/* Acquire: the byte is there (pairs with ringbuf_put). */
	if (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == tail)
		return -1;
	byte = ring->data[tail & (ring->size - 1)];
	__atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
	return byte;
}

#endif
