/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_INIT_H
#define _KERNEL_INIT_H

/*
 * Functions that the kernel calls for its modules at boot. The linker collects them, so there
 * is no list to maintain:
 *
 *	INITCALL(device, virtio_mmio_probe);
 *
 * All calls of one level come before the next level; within a level the order is
 * not defined. An error is one line in the log, and the boot continues.
 */
#include "lib/compiler.h"

/**
 * enum init_level - when to call, always in thread context on the boot hart
 * @INIT_core: mm, harts and threads are up; registers classes and services
 * @INIT_bus: finds buses and transports
 * @INIT_device: drivers meet their devices
 * @INIT_late: needs devices
 * @INIT_ready: after the line "ebb: ready", before the console takes commands
 */
enum init_level {
	INIT_core,
	INIT_bus,
	INIT_device,
	INIT_late,
	INIT_ready,
	NR_INIT_LEVELS,
};

/**
 * struct initcall - a function to call at boot
 * @fn: returns 0 or a negative errno; -ENODEV is not logged
 * @name: for the log
 * @level: when to call it
 */
struct initcall {
	int (*fn)(void);
	const char *name;
	enum init_level level;
};

#define INITCALL(_level, _fn)                                                            \
	static const struct initcall _initcall_##_fn __table("initcalls") = {            \
		.fn = (_fn), .name = #_fn, .level = INIT_##_level,                       \
	}

extern const struct initcall __start_initcalls[], __stop_initcalls[];

/**
 * initcalls_run() - call all functions of one level
 * @level: the level
 */
void initcalls_run(enum init_level level);

#endif
