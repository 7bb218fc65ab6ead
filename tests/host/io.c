/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's side of arch/io.h. Devices of tests are models that run in the
 * driver's thread or on another host thread, so the barriers are the CPU's.
 */
#include "arch/io.h"

void dma_wmb(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void dma_rmb(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

void dma_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
