/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock-order checker. Each case plants its own locks, because the checker never forgets
 * a lock. So a case skips its second run.
 */
#include "kernel/ktest.h"
#include "kernel/lock_order.h"
#include "kernel/mutex.h"
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "test_threads.h"

/* Does the log have a line with all of these words in this order? */
static bool logged(struct ktest *test, const char *const words[])
{
	const size_t size = 24 << 10; /* more than the ring has */
	struct sink_buffer buffer;
	char *text = ktest_alloc(test, size), *line, *next;

	sink_buffer_init(&buffer, text, size);
	printk_dump(&buffer.sink);
	for (line = text; *line != '\0'; line = next) {
		const char *at = line;
		unsigned int i = 0;

		next = strchr(line, '\n');
		*next++ = '\0';
		while (words[i] != NULL && (at = strstr(at, words[i])) != NULL)
			i++;
		if (words[i] == NULL)
			return true;
	}
	return false;
}

static bool has_edge(const char *outer, const char *inner)
{
	const struct lock_edge *edge;

	for (u32 i = 0; (edge = lock_order_edge(i)) != NULL; i++)
		if (strcmp(lock_order_name(edge->outer), outer) == 0 &&
		    strcmp(lock_order_name(edge->inner), inner) == 0)
			return true;
	return false;
}

/* Skip the case unless the checker is on and sees the case's locks for the first time. */
static void begin(struct ktest *test, bool *planted)
{
	if (!lock_order_on)
		ktest_skip(test, "lock_check=0");
	if (*planted)
		ktest_skip(test, "its locks are known from its first run");
	*planted = true;
}

static void __noinline nest(spinlock_t *outer, spinlock_t *inner) __no_lock_analysis
{
	spin_lock(outer);
	spin_lock(inner);
	spin_unlock(inner);
	spin_unlock(outer);
}

static DEFINE_SPINLOCK(planted_a);
static DEFINE_SPINLOCK(planted_b);

static void __noinline takes_b_then_a(void) __no_lock_analysis
{
	spin_lock(&planted_b);
	spin_lock(&planted_a);
	spin_unlock(&planted_a);
	spin_unlock(&planted_b);
}

/* No thread ever waits here; still, the checker logs one line, with both places. */
static void inversion_is_named(struct ktest *test)
{
	static const char *const words[] = {
		"WARNING",
		"lock order: planted_b -> planted_a (held since takes_b_then_a+",
		"taken at takes_b_then_a+",
		" contradicts planted_a -> planted_b (held since nest+",
		"taken at nest+",
		NULL,
	};
	static bool planted;

	begin(test, &planted);
	ktest_expect_warnings(test, 1);
	nest(&planted_a, &planted_b);
	for (unsigned int i = 0; i < 3; i++)
		takes_b_then_a();
	KTEST_EXPECT_TRUE(test, logged(test, words));
	KTEST_EXPECT_TRUE(test, has_edge("planted_a", "planted_b"));
	KTEST_EXPECT_FALSE(test, has_edge("planted_b", "planted_a"));
}

static DEFINE_SPINLOCK(planted_1);
static DEFINE_SPINLOCK(planted_2);
static DEFINE_SPINLOCK(planted_3);

/* 2 is taken under 1, and 3 under 2 when 1 is free: 1 under 3 is still an inversion. */
static void long_way_round(struct ktest *test) __no_lock_analysis
{
	static const char *const words[] = {
		"lock order: planted_3 -> planted_1 (",
		" contradicts planted_1 -> planted_2 (",
		"), which leads to planted_3",
		NULL,
	};
	static bool planted;

	begin(test, &planted);
	ktest_expect_warnings(test, 1);
	spin_lock(&planted_1);
	spin_lock(&planted_2);
	spin_unlock(&planted_1);
	spin_lock(&planted_3);
	spin_unlock(&planted_2);
	spin_unlock(&planted_3);
	KTEST_EXPECT_FALSE(test, has_edge("planted_1", "planted_3"));
	nest(&planted_3, &planted_1);
	KTEST_EXPECT_TRUE(test, logged(test, words));
}

static DEFINE_MUTEX(planted_outer);
static DEFINE_MUTEX(planted_inner);

static void mutexes(struct ktest *test)
{
	static const char *const words[] = {
		"lock order: planted_inner -> planted_outer (held since mutexes+",
		" contradicts planted_outer -> planted_inner (held since mutexes+",
		NULL,
	};
	static bool planted;

	begin(test, &planted);
	ktest_expect_warnings(test, 1);
	mutex_lock(&planted_outer);
	KTEST_ASSERT_EQ(test, mutex_lock_until(&planted_inner, ktime_ns() + STEP_NS), 0);
	mutex_unlock(&planted_outer);
	mutex_lock(&planted_outer);
	mutex_unlock(&planted_outer);
	mutex_unlock(&planted_inner);
	KTEST_EXPECT_TRUE(test, logged(test, words));
}

/*
 * A thread holds two locks with the same name: they have no defined order, so the checker
 * warns.
 */
static void two_of_a_kind(struct ktest *test)
{
	static const char *const words[] = {
		"lock order: planted_twin -> planted_twin (held since nest+",
		"two of a kind",
		NULL,
	};
	spinlock_t one = SPINLOCK_INIT("planted_twin"),
		   two = SPINLOCK_INIT("planted_twin");
	static bool planted;

	begin(test, &planted);
	ktest_expect_warnings(test, 1);
	nest(&one, &two);
	KTEST_EXPECT_TRUE(test, logged(test, words));
}

static DEFINE_SPINLOCK(planted_handler_lock);
static u32 fired;

static void take_in_handler(struct timer *timer) __no_lock_analysis
{
	(void)timer;
	spin_lock(&planted_handler_lock);
	spin_unlock(&planted_handler_lock);
	add_one(&fired);
}

/* A handler takes a lock that a thread takes with interrupts on. */
static void handler_and_thread(struct ktest *test)
{
	static const char *const words[] = {
		"lock order: (interrupt) -> planted_handler_lock (",
		" contradicts planted_handler_lock -> (interrupt) (held since "
		"handler_and_thread+",
		NULL,
	};
	static bool planted;
	struct timer timer;

	begin(test, &planted);
	ktest_expect_warnings(test, 1);
	spin_lock(&planted_handler_lock);
	spin_unlock(&planted_handler_lock);
	timer_init(&timer, take_in_handler);
	timer_set(&timer, NSEC_PER_MSEC);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 1));
	timer_del(&timer);
	KTEST_EXPECT_TRUE(test, logged(test, words));
}

static DEFINE_SPINLOCK(planted_first);
static DEFINE_SPINLOCK(planted_tried);

/*
 * A trylock does not wait, so it makes no edge; a lock that is taken while the tried lock
 * is held makes an edge.
 */
static void trylock(struct ktest *test) __no_lock_analysis
{
	static bool planted;

	begin(test, &planted);
	nest(&planted_first, &planted_tried);
	spin_lock(&planted_tried);
	KTEST_EXPECT_TRUE(test, spin_trylock(&planted_first));
	nest(&planted_1, &planted_2);
	spin_unlock(&planted_first);
	spin_unlock(&planted_tried);
	KTEST_EXPECT_FALSE(test, has_edge("planted_tried", "planted_first"));
	KTEST_EXPECT_TRUE(test, has_edge("planted_first", "planted_1"));
	KTEST_EXPECT_TRUE(test, has_edge("planted_tried", "planted_1"));
}

/* --- the graph --------------------------------------------------------------------- */

/* docs/reference/locking.md, which has a line "outer -> inner" for each edge */
__asm__(".pushsection .rodata.locking_md, \"a\"\n"
	"locking_md: .incbin \"docs/reference/locking.md\"\n"
	".byte 0\n"
	".popsection\n");
extern const char locking_md[] __attribute__((visibility("hidden")));

/* Prefixes of names of the tests' own locks, which are in no document. */
static const char *const of_tests[] = {
	"contend_", "forgotten_", "inner_", "jump_", "kept_",	"ktest.",
	"outer_",   "planted_",	  "some_",  "test_", "tx_lock",
};

static bool is_of_tests(const struct lock_edge *edge)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(of_tests); i++)
		if (str_has_prefix(lock_order_name(edge->outer), of_tests[i]) ||
		    str_has_prefix(lock_order_name(edge->inner), of_tests[i]))
			return true;
	return false;
}

static bool is_documented(const struct lock_edge *edge)
{
	char line[128];

	(void)scnprintf(line, sizeof(line), "\n%s -> %s\n", lock_order_name(edge->outer),
			lock_order_name(edge->inner));
	return strstr(locking_md, line) != NULL;
}

/* Fail the case if it showed a new edge that is not in the document. */
static void compare_new_edges(struct ktest *test)
{
	static u32 nr;
	const struct lock_edge *edge;
	char text[192];

	for (; (edge = lock_order_edge(nr)) != NULL; nr++) {
		if (is_of_tests(edge) || is_documented(edge))
			continue;
		(void)lock_order_format(text, sizeof(text), edge);
		KTEST_FAIL(test,
			   "new lock order: %s: if it is right, add the line \"%s -> "
			   "%s\" to "
			   "docs/reference/locking.md",
			   text, lock_order_name(edge->outer),
			   lock_order_name(edge->inner));
	}
}

static const struct ktest_hook lock_order_hook = {
	.name = "lock_order",
	.after = compare_new_edges,
};
KTEST_HOOK(lock_order_hook);

/* Show the graph; the hook compares the graph with the document. */
static void graph(struct ktest *test)
{
	const struct lock_edge *edge;
	char text[192];

	for (u32 i = 0; (edge = lock_order_edge(i)) != NULL; i++) {
		if (is_of_tests(edge))
			continue;
		(void)lock_order_format(text, sizeof(text), edge);
		ktest_info(test, "%s", text);
	}
}

static const struct ktest_case lock_order_cases[] = { KTEST_CASE(inversion_is_named),
						      KTEST_CASE(long_way_round),
						      KTEST_CASE(mutexes),
						      KTEST_CASE(two_of_a_kind),
						      KTEST_CASE(handler_and_thread),
						      KTEST_CASE(trylock),
						      KTEST_CASE(graph),
						      {} };

static struct ktest_suite lock_order_suite = { .name = "lock_order",
					       .cases = lock_order_cases };
KTEST_SUITE(lock_order_suite);
