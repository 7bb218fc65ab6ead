/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_BORROWED_BLOCKS_H
#define _TESTS_MM_BORROWED_BLOCKS_H

/*
 * Memory blocks of the machine's own virtio-mem device, lent to a case. Their frames are
 * real and plugged, and for the time of the case neither the kernel nor the driver has them.
 */
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/ktest.h"

#define MAX_BORROWED 6UL

/**
 * machine_vmem() - the driver of a virtio-mem device that gives the kernel memory
 *
 * Waits until the driver has plugged what the device asked for at boot.
 * Return: the first with memory plugged; NULL if there is none.
 */
struct virtio_mem *machine_vmem(void);

/**
 * borrow_blocks() - take memory blocks that the device has plugged
 * @test: the case; when it ends, after its later actions, the blocks are the kernel's again
 * @nr: how many, adjacent; at most MAX_BORROWED
 *
 * The driver leaves the device and the blocks leave kernel_mm, but no unplug is asked for.
 * At the end they are added and onlined as they were, and the driver adopts them.
 * Return: the first pfn; PFN_NONE if the device has not so many that can be emptied.
 */
unsigned long borrow_blocks(struct ktest *test, unsigned long nr);

#endif
