/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_DRIVERS_VMEM_RIG_H
#define _TESTS_DRIVERS_VMEM_RIG_H

/*
 * The virtio-mem driver on a private mm with models of devices. The driver's worker
 * does not run: a case calls its rounds, so each run is the same.
 */
#include "arch/machine.h"
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/ktest.h"
#include "tests/fake/fake_vmem.h"
#include "tests/mm/hotplug_window.h"

#define RIG_DEVICES 2

/**
 * struct vmem_rig - a memory and up to two devices
 * @fm: the devices' models
 * @vm: the driver of each device, or NULL
 */
struct vmem_rig {
	struct ktest *test;
	struct window *w;
	struct fake_vmem fm[RIG_DEVICES];
	struct virtio_mem *vm[RIG_DEVICES];
	unsigned int nr;
};

/* The device shows @fault at its request number @at, counted from the injection. */
struct rig_fault {
	enum fake_vmem_fault fault;
	unsigned int at;
};

/* Parameters of a case: each fault, at each request from 0 to @last. */
const void *vmem_rig_faults(const void *prev, unsigned int last, char desc[KTEST_DESC_SIZE]);

/* Open a window with 32 MiB of boot memory in block 0; added blocks go online. */
struct vmem_rig *vmem_rig_open(struct ktest *test);

/* Detach all drivers, and free their devices. */
void vmem_rig_empty(struct vmem_rig *rig);

/* Make a device, attach a driver, or both; the region starts @offset bytes into the window. */
struct fake_vmem *vmem_rig_prepare(struct vmem_rig *rig, u64 offset, u64 size, u64 block);
void vmem_rig_attach(struct vmem_rig *rig, struct fake_vmem *fm);
struct fake_vmem *vmem_rig_add(struct vmem_rig *rig, u64 offset, u64 size, u64 block);

/* Attach a driver, which may fail; free the queues of a device without a driver. */
int vmem_rig_try(struct vmem_rig *rig, struct fake_vmem *fm);
void vmem_rig_free_queues(struct fake_vmem *fm);

/* Detach the driver from device @n. */
void vmem_rig_detach(struct vmem_rig *rig, unsigned int n);

/* Run rounds until the driver would wait. Return: the length of that wait, ns. */
u64 vmem_rig_settle(struct vmem_rig *rig, unsigned int n);

/*
 * For a device that answers correctly again: run rounds, without the pauses between them,
 * until the driver has no more to do. Return: false if the driver does not finish.
 */
bool vmem_rig_comes_back(struct vmem_rig *rig, unsigned int n);

/* Let the device request a size, and settle. */
void vmem_rig_resize(struct vmem_rig *rig, unsigned int n, u64 requested);

/* Return the bytes of device @n's region that mm has, according to the driver. */
u64 vmem_rig_plugged(const struct vmem_rig *rig, unsigned int n);

/*
 * Check that driver, device and mm agree, that the driver broke no rule, and that only
 * plugged memory is mapped.
 */
void vmem_rig_check(struct vmem_rig *rig);

#endif
