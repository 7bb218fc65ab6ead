/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spinlocks and mutexes. The reports that end in panic() cannot be provoked here. The suite
 * checks the owner word, on which the reports depend; tests/scenarios provokes them in
 * separate machines.
 */
#include "kernel/ktest.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "test_threads.h"

#define ROUNDS 2000

static DEFINE_SPINLOCK(test_lock);
static DEFINE_MUTEX(test_mutex);

/* Not atomic: correct only if the lock works. */
static struct {
	u64 a, b;
} guarded;
static unsigned int ready, broken;

static int reset(struct ktest *test)
{
	(void)test;
	guarded.a = guarded.b = 0;
	ready = broken = 0;
	return 0;
}

static void spin_owner(struct ktest *test)
{
	KTEST_EXPECT_FALSE(test, spin_is_held(&test_lock));
	spin_lock(&test_lock);
	KTEST_EXPECT_TRUE(test, spin_is_held(&test_lock));
	KTEST_EXPECT_EQ(test, test_lock.owner & ~SPIN_CHECKED, this_hart()->id + 1);
	KTEST_EXPECT_EQ(test, this_hart()->spin_depth, 1);
	KTEST_EXPECT_FALSE(test, spin_trylock(&test_lock));
	assert_spin_held(&test_lock);
	spin_unlock(&test_lock);
	KTEST_EXPECT_EQ(test, this_hart()->spin_depth, 0);
	KTEST_EXPECT_EQ(test, test_lock.owner & ~SPIN_CHECKED, 0);
	KTEST_EXPECT_TRUE(test, spin_trylock(&test_lock));
	spin_unlock(&test_lock);
}

static void spin_irqsave_restores(struct ktest *test)
{
	unsigned long flags, inner;
	spinlock_t other;

	spin_lock_init(&other, "other");
	KTEST_EXPECT_TRUE(test, arch_irqs_enabled());
	spin_lock(&test_lock);
	KTEST_EXPECT_TRUE(test, arch_irqs_enabled());
	spin_unlock(&test_lock);
	flags = spin_lock_irqsave(&test_lock);
	KTEST_EXPECT_FALSE(test, arch_irqs_enabled());
	inner = spin_lock_irqsave(&other);
	spin_unlock_irqrestore(&other, inner);
	KTEST_EXPECT_FALSE(test, arch_irqs_enabled());
	spin_unlock_irqrestore(&test_lock, flags);
	KTEST_EXPECT_TRUE(test, arch_irqs_enabled());
}

static int spin_work(void *arg)
{
	(void)arg;
	add_one(&ready);
	for (int i = 0; i < ROUNDS; i++) {
		spin_lock(&test_lock);
		if (guarded.a != guarded.b)
			add_one(&broken);
		guarded.a++;
		guarded.b++;
		spin_unlock(&test_lock);
	}
	return ROUNDS;
}

static void spin_excludes(struct ktest *test)
{
	struct crew crew;
	int sum;

	crew_start(test, &crew, spin_work, NULL);
	sum = crew_join(test, &crew);
	KTEST_EXPECT_EQ(test, guarded.a, sum);
	KTEST_EXPECT_EQ(test, guarded.b, sum);
	KTEST_EXPECT_EQ(test, broken, 0);
}

static int trylock_work(void *arg)
{
	int got = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (!spin_trylock(&test_lock))
			continue;
		guarded.a++;
		got++;
		spin_unlock(&test_lock);
	}
	return got;
}

static void spin_trylock_excludes(struct ktest *test)
{
	struct crew crew;
	int sum;

	crew_start(test, &crew, trylock_work, NULL);
	sum = crew_join(test, &crew);
	KTEST_EXPECT_EQ(test, guarded.a, sum);
	KTEST_EXPECT_GT(test, sum, 0);
}

static void mutex_owner(struct ktest *test)
{
	KTEST_EXPECT_FALSE(test, mutex_is_held(&test_mutex));
	mutex_lock(&test_mutex);
	KTEST_EXPECT_TRUE(test, mutex_is_held(&test_mutex));
	assert_mutex_held(&test_mutex);
	KTEST_EXPECT_FALSE(test, mutex_trylock(&test_mutex));
	mutex_unlock(&test_mutex);
	KTEST_EXPECT_TRUE(test, mutex_trylock(&test_mutex));
	mutex_unlock(&test_mutex);
}

static int mutex_work(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS / 10; i++) {
		u64 before;

		mutex_lock(&test_mutex);
		before = guarded.a;
		/* Sleeping with the mutex held is allowed, and others must wait. */
		yield();
		if (guarded.a != before)
			add_one(&broken);
		guarded.a = before + 1;
		mutex_unlock(&test_mutex);
	}
	return ROUNDS / 10;
}

static void mutex_excludes(struct ktest *test)
{
	struct thread *more[4];
	struct crew crew;
	int sum;

	crew_start(test, &crew, mutex_work, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = thread_create("more", mutex_work, NULL);
		KTEST_ASSERT_NOT_NULL(test, more[i]);
	}
	sum = crew_join(test, &crew);
	for (unsigned int i = 0; i < ARRAY_SIZE(more); i++) {
		int result = 0;

		KTEST_EXPECT_EQ(test, thread_join(more[i], ktime_ns() + STEP_NS, &result), 0);
		sum += result;
	}
	KTEST_EXPECT_EQ(test, guarded.a, sum);
	KTEST_EXPECT_EQ(test, broken, 0);
	KTEST_EXPECT_FALSE(test, mutex_is_held(&test_mutex));
}

static int hold_until_told(void *arg)
{
	unsigned int *release = arg;

	mutex_lock(&test_mutex);
	add_one(&ready);
	if (!wait_for_count(release, 1))
		add_one(&broken);
	mutex_unlock(&test_mutex);
	return 0;
}

static void mutex_deadline(struct ktest *test)
{
	static unsigned int release;
	struct thread *holder;
	u64 before;

	release = 0;
	holder = thread_create("holder", hold_until_told, &release);
	KTEST_ASSERT_NOT_NULL(test, holder);
	KTEST_ASSERT_TRUE(test, wait_for_count(&ready, 1));
	before = ktime_ns();
	KTEST_EXPECT_EQ(test, mutex_lock_until(&test_mutex, before + 5 * NSEC_PER_MSEC),
			-ETIMEDOUT);
	KTEST_EXPECT_GE(test, ktime_ns(), before + 5 * NSEC_PER_MSEC);
	add_one(&release);
	KTEST_EXPECT_EQ(test, mutex_lock_until(&test_mutex, ktime_ns() + STEP_NS), 0);
	mutex_unlock(&test_mutex);
	KTEST_EXPECT_EQ(test, thread_join(holder, ktime_ns() + STEP_NS, NULL), 0);
	KTEST_EXPECT_EQ(test, broken, 0);
}

static const struct ktest_case lock_cases[] = {
	KTEST_CASE(spin_owner),
	KTEST_CASE(spin_irqsave_restores),
	KTEST_CASE(spin_excludes),
	KTEST_CASE(spin_trylock_excludes),
	KTEST_CASE(mutex_owner),
	KTEST_CASE(mutex_excludes),
	KTEST_CASE(mutex_deadline),
	{}
};

static struct ktest_suite lock_suite = { .name = "lock", .init = reset,
					 .cases = lock_cases };
KTEST_SUITE(lock_suite);
