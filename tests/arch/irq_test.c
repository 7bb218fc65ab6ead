/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interrupt line that several handlers share. The device is the alarm of the
 * machine's clock, for which ebb has no driver. Binding: google,goldfish-rtc; Spec:
 * QEMU hw/rtc/goldfish_rtc.c.
 */
#include "arch/io.h"
#include "arch/irq.h"
#include "kernel/ktest.h"
#include "kernel/timer.h"
#include "lib/fdt.h"

#include "arch/riscv/arch.h"
#include "tests/kernel/test_threads.h"

#define RTC_TIME_LOW	     0x00 /* a read latches the other half */
#define RTC_TIME_HIGH	     0x04
#define RTC_ALARM_LOW	     0x08 /* a write sets the alarm */
#define RTC_ALARM_HIGH	     0x0c
#define RTC_IRQ_ENABLED	     0x10
#define RTC_CLEAR_INTERRUPT 0x1c

static char *rtc;
static u32 irq;
static unsigned int calls[2];

/* Lower the line, as each handler of a shared line must. Each handler has its own @counter. */
static void on_alarm(void *counter)
{
	writel(1, rtc + RTC_CLEAR_INTERRUPT);
	add_one(counter);
}

static void ring(void)
{
	const u32 low = readl(rtc + RTC_TIME_LOW), high = readl(rtc + RTC_TIME_HIGH);

	writel(1, rtc + RTC_IRQ_ENABLED);
	writel(high, rtc + RTC_ALARM_HIGH);
	writel(low, rtc + RTC_ALARM_LOW); /* this time has passed, so the alarm rings at once */
}

static int find_rtc(struct ktest *test)
{
	struct fdt_node node;
	struct fdt_range reg;
	struct fdt_irq found;

	if (fdt_find(&machine_fdt, "/soc/rtc", &node) || fdt_reg(&node, 0, &reg) ||
	    fdt_irq(&node, &found))
		ktest_skip(test, "no goldfish-rtc");
	if (!rtc)
		rtc = ioremap(reg.base, reg.size);
	irq = found.cells[0];
	calls[0] = calls[1] = 0;
	return rtc ? 0 : -1;
}

static void free_both(void *)
{
	writel(0, rtc + RTC_IRQ_ENABLED);
	irq_free(irq, &calls[0]);
	irq_free(irq, &calls[1]);
}

/* Add two handlers in either order and free one: the remaining handler is still called. */
static void shared_line_stays_enabled(struct ktest *test)
{
	ktest_add_action(test, free_both, NULL);
	for (unsigned int first = 0; first < 2; first++) {
		const unsigned int second = 1 - first;

		calls[0] = calls[1] = 0;
		KTEST_ASSERT_EQ(test, irq_request(irq, on_alarm, &calls[first]), 0);
		KTEST_ASSERT_EQ(test, irq_request(irq, on_alarm, &calls[second]), 0);
		ring();
		KTEST_EXPECT_TRUE(test, wait_for_count(&calls[0], 1));
		KTEST_EXPECT_TRUE(test, wait_for_count(&calls[1], 1));
		irq_free(irq, &calls[0]);
		ring();
		KTEST_EXPECT_TRUE(test, wait_for_count(&calls[1], 2));
		KTEST_EXPECT_EQ(test, calls[0], 1);
		irq_free(irq, &calls[1]);
	}
}

/*
 * A line without a handler is disabled; an interrupt that comes meanwhile goes to the next
 * handler.
 */
static void unused_line_is_disabled(struct ktest *test)
{
	ktest_add_action(test, free_both, NULL);
	KTEST_ASSERT_EQ(test, irq_request(irq, on_alarm, &calls[0]), 0);
	irq_free(irq, &calls[0]);
	ring();
	msleep(5);
	KTEST_EXPECT_EQ(test, calls[0], 0);
	KTEST_ASSERT_EQ(test, irq_request(irq, on_alarm, &calls[1]), 0);
	KTEST_EXPECT_TRUE(test, wait_for_count(&calls[1], 1));
	irq_free(irq, &calls[1]);
	KTEST_EXPECT_EQ(test, calls[0], 0);
}

static const struct ktest_case irq_cases[] = {
	KTEST_CASE(shared_line_stays_enabled),
	KTEST_CASE(unused_line_is_disabled),
	{},
};
static struct ktest_suite irq_suite = { .name = "irq", .init = find_rtc, .cases = irq_cases };
KTEST_SUITE(irq_suite);
