/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panic and warnings.
 */
#include "arch/boot.h"
#include "arch/machine.h"
#include "arch/thread.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/thread.h"
#include "lib/time.h"
#include "lib/vsprintf.h"

/* The other harts must stop within this time. */
#define STOP_NS (200 * NSEC_PER_MSEC)

extern void (*const __start_panic_reports[])(struct sink *out);
extern void (*const __stop_panic_reports[])(struct sink *out);

static u32 panic_owner; /* 0, or 1 + id of the hart that reports */
static unsigned long warnings;

bool panic_in_progress(void)
{
	return READ_ONCE(panic_owner) != 0;
}

unsigned long warn_count(void)
{
	return __atomic_load_n(&warnings, __ATOMIC_RELAXED);
}

void warn_report(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&warnings, 1, __ATOMIC_RELAXED);
	pr_warn("WARNING: %s:%d: %s: hart %u, thread %s", file, line, what,
		this_hart()->id, thread_name(current_thread()));
	arch_backtrace(report_sink());
}

/* Stop this hart for good. */
static void __noreturn stop_here(void)
{
	(void)arch_irq_save();
	hart_set_stopped();
	for (;;)
		arch_idle();
}

void panic_stop_if_asked(void)
{
	if (panic_in_progress() && READ_ONCE(panic_owner) != this_hart()->id + 1)
		stop_here();
}

static void stop_others(void)
{
	struct patience patience;
	struct hart *hart;

	patience_start(&patience, STOP_NS);
	for_each_hart(hart)
		if (hart != this_hart())
			arch_kick_hart(hart->id);
	for_each_hart(hart)
		while (hart != this_hart() && hart_is_online(hart) &&
		       patience_lasts(&patience))
			arch_cpu_relax();
}

void panic_enter(void)
{
	u32 nobody = 0;

	(void)arch_irq_save();
	if (!__atomic_compare_exchange_n(&panic_owner, &nobody, this_hart()->id + 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		panic_stop_if_asked();
		return;
	}
	stop_others();
	printk_bust_lock();
}

static void report(const char *reason)
{
	void (*const *more)(struct sink *out);
	struct hart *hart;

	pr_emerg("Kernel panic - not syncing: %s", reason);
	pr_emerg("hart %u (hartid %lu), thread %s", this_hart()->id, this_hart()->hartid,
		 thread_name(current_thread()));
	arch_backtrace(report_sink());
	for_each_hart(hart)
		if (hart != this_hart())
			pr_emerg("hart %u did not stop: it runs thread %s", hart->id,
				 thread_name(READ_ONCE(hart->current)));
	for (more = __start_panic_reports; more < __stop_panic_reports; more++)
		(*more)(report_sink());
	pr_emerg("---[ end Kernel panic - not syncing: %s ]---", reason);
}

void panic(const char *fmt, ...)
{
	static bool reporting;
	char reason[256];
	va_list args;

	panic_enter();
	va_start(args, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	/* During the report of another panic, print only one line. */
	if (!reporting) {
		reporting = true;
		report(reason);
	} else {
		pr_emerg("panic in panic: %s", reason);
	}
	arch_exit(EXIT_STATUS_PANIC);
}
