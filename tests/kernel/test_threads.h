/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_KERNEL_TEST_THREADS_H
#define _TESTS_KERNEL_TEST_THREADS_H

/*
 * For suites that need more than one thread: a thread pinned to each hart, and waits
 * with a limit.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "kernel/ktest.h"
#include "kernel/thread.h"
#include "kernel/timer.h"

/* No step of these tests takes longer unless it hangs. */
#define STEP_NS (100 * NSEC_PER_SEC)

/**
 * struct crew - threads of one test
 * @thread: NULL after the last
 * @nr: how many
 */
struct crew {
	struct thread *thread[MAX_HARTS];
	unsigned int nr;
};

/* Is time virtual? Defined only on the host. */
bool host_time_is_virtual(void) __attribute__((weak));

/*
 * Is time virtual? Only then may a case expect that a step takes less than some time. In
 * real time, the host may stop any thread anywhere, for any time.
 */
static inline bool time_is_virtual(void)
{
	return host_time_is_virtual != NULL && host_time_is_virtual();
}

/* Expect that @ns is less than @limit, if time is virtual. */
#define KTEST_EXPECT_SOON(test, ns, limit)                                               \
	do {                                                                             \
		const u64 _took = (ns);                                                  \
                                                                                         \
		if (time_is_virtual())                                                   \
			KTEST_EXPECT_LT(test, _took, limit);                             \
	} while (0)

/*
 * Count the harts that run threads. The table may also have harts that run none: harts that
 * failed to start, and a hart that a suite simulated.
 */
static inline unsigned int nr_online_harts(void)
{
	unsigned int nr = 0;
	struct hart *hart;

	for_each_hart(hart)
		nr++;
	return nr;
}

/* Return the id of the online hart that follows @rank others. */
static inline unsigned int online_hart(unsigned int rank)
{
	struct hart *hart;

	for_each_hart(hart)
		if (rank-- == 0)
			return hart->id;
	return MAX_HARTS;
}

/* Count the online harts before this hart. */
static inline unsigned int hart_rank(void)
{
	unsigned int rank = 0;
	struct hart *hart;

	for_each_hart(hart)
		rank += hart->id < this_hart()->id;
	return rank;
}

/* Start a thread on each online hart. End the case if that fails. */
static inline void crew_start(struct ktest *test, struct crew *crew, int (*fn)(void *arg),
			      void *arg)
{
	struct hart *hart;

	crew->nr = 0;
	for_each_hart(hart) {
		struct thread *thread = thread_create_on(hart->id, "crew", fn, arg);

		KTEST_ASSERT_NOT_NULL(test, thread);
		crew->thread[crew->nr++] = thread;
	}
}

/* Wait for all threads, and return the sum of their results. */
static inline int crew_join(struct ktest *test, struct crew *crew)
{
	const u64 deadline = ktime_ns() + STEP_NS;
	int sum = 0;

	for (unsigned int i = 0; i < crew->nr; i++) {
		int result = 0;

		KTEST_ASSERT_EQ(test, thread_join(crew->thread[i], deadline, &result), 0);
		sum += result;
	}
	return sum;
}

/* Let others run until @flag is at least @value. Return false if that takes too long. */
static inline bool wait_for_count(const unsigned int *flag, unsigned int value)
{
	const u64 deadline = ktime_ns() + STEP_NS;

	while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) < value) {
		if (ktime_ns() > deadline)
			return false;
		cond_resched();
		arch_cpu_relax();
	}
	return true;
}

static inline void add_one(unsigned int *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
}

#endif
