/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot-time calls of the linked modules.
 */
#include "kernel/init.h"
#include "kernel/printk.h"
#include "lib/errno.h"

/* Weak: a build without any initcall has no such section. */
extern const struct initcall __start_initcalls[] __attribute__((weak));
extern const struct initcall __stop_initcalls[] __attribute__((weak));

void initcalls_run(enum init_level level)
{
	const struct initcall *call;

	for (call = __start_initcalls; call < __stop_initcalls; call++) {
		int err;

		if (call->level != level)
			continue;
		err = call->fn();
		if (err != 0 && err != -ENODEV)
			pr_err("%s: failed (%d)", call->name, err);
	}
}
