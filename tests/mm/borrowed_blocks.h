/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_BORROWED_BLOCKS_H
#define _TESTS_MM_BORROWED_BLOCKS_H

/*
 * Memory blocks of the machine's own virtio-mem device, lent to a case. Their frames
 * are real and plugged; during the case neither the kernel nor the driver has them.
 */
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/ktest.h"

#define MAX_BORROWED 6UL

/**
 * machine_vmem() - get the driver of a virtio-mem device that gives the kernel memory
 *
 * Waits until the driver has plugged what the device requested at boot.
 * Return: the first with memory plugged; NULL if there is none.
 */
struct virtio_mem *machine_vmem(void);

/**
 * borrow_blocks() - take memory blocks that the device has plugged
 * @test: the case; when it ends, after its later actions, the kernel gets the blocks back
 * @nr: how many, adjacent; at most MAX_BORROWED
 *
 * The driver leaves the device and the blocks leave kernel_mm, but without an unplug
 * request. At the end they are added and onlined as before, and the driver takes them
 * over.
 * Return: the first pfn; PFN_NONE if the device has too few that can be emptied.
 */
unsigned long borrow_blocks(struct ktest *test, unsigned long nr);

#endif
