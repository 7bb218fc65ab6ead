/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notifier chains: order, veto, and which listener hears which event.
 */
#include "kernel/ktest.h"
#include "kernel/notifier.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

enum { GOING = 1, CANCEL, DONE };

#define NR_LISTENERS 5

struct listener {
	struct notifier_block nb;
	char name;
	int answer; /* to GOING */
	unsigned int heard[4];
};

struct fixture {
	struct notifier_chain chain;
	struct listener listener[NR_LISTENERS];
	char trail[64];
};

static struct fixture fixture;

static int listen(struct notifier_block *nb, unsigned long event, void *data)
{
	struct listener *listener = container_of(nb, struct listener, nb);
	struct fixture *f = data;
	const size_t len = strlen(f->trail);

	(void)scnprintf(f->trail + len, sizeof(f->trail) - len, "%c%lu", listener->name,
			event);
	listener->heard[event]++;
	return event == GOING ? listener->answer : 0;
}

static void add_listener(struct ktest *test, unsigned int i, int priority)
{
	struct listener *listener = &fixture.listener[i];

	listener->name = (char)('a' + i);
	listener->nb.fn = listen;
	listener->nb.priority = priority;
	KTEST_ASSERT_EQ(test, notifier_register(&fixture.chain, &listener->nb), 0);
}

static int init_fixture(struct ktest *test)
{
	static const int priorities[NR_LISTENERS] = { 0, 10, -5, 0, 10 };

	memset(&fixture, 0, sizeof(fixture));
	notifier_chain_init(&fixture.chain, "test_chain");
	for (unsigned int i = 0; i < NR_LISTENERS; i++)
		add_listener(test, i, priorities[i]);
	return 0;
}

static int start(struct notifier_start *started)
{
	fixture.trail[0] = '\0';
	return notifier_call_start(&fixture.chain, GOING, CANCEL, &fixture, started);
}

static void end(struct notifier_start *started, unsigned long event)
{
	notifier_call_end(&fixture.chain, event, &fixture, started);
}

/* End a start that every listener heard. */
static void end_for_all(void)
{
	struct notifier_start started = { .nr = ~0UL };

	end(&started, DONE);
}

static void priorities_then_registration(struct ktest *test)
{
	end_for_all();
	KTEST_EXPECT_STREQ(test, fixture.trail, "b3e3a3d3c3");
}

static void register_twice_and_unregister(struct ktest *test)
{
	struct notifier_block *nb = &fixture.listener[1].nb;

	KTEST_EXPECT_EQ(test, notifier_register(&fixture.chain, nb), -EEXIST);
	KTEST_EXPECT_EQ(test, notifier_unregister(&fixture.chain, nb), 0);
	KTEST_EXPECT_EQ(test, notifier_unregister(&fixture.chain, nb), -ENOENT);
	end_for_all();
	KTEST_EXPECT_STREQ(test, fixture.trail, "e3a3d3c3");
	KTEST_EXPECT_EQ(test, notifier_register(&fixture.chain, nb), 0);
	fixture.trail[0] = '\0';
	end_for_all();
	/* Now listener b is called after the other listener of its priority. */
	KTEST_EXPECT_STREQ(test, fixture.trail, "e3b3a3d3c3");
}

static void success_reaches_all(struct ktest *test)
{
	struct notifier_start started;

	KTEST_EXPECT_EQ(test, start(&started), 0);
	KTEST_EXPECT_NULL(test, started.veto);
	end(&started, DONE);
	KTEST_EXPECT_STREQ(test, fixture.trail, "b1e1a1d1c1b3e3a3d3c3");
	/* Each listener hears an end once. */
	end(&started, DONE);
	KTEST_EXPECT_STREQ(test, fixture.trail, "b1e1a1d1c1b3e3a3d3c3");
}

/* A veto at each place in the chain. */
static void veto_is_symmetric(struct ktest *test)
{
	static const char *const trails[NR_LISTENERS] = {
		[1] = "b1",
		[4] = "b1e1b2",
		[0] = "b1e1a1e2b2",
		[3] = "b1e1a1d1a2e2b2",
		[2] = "b1e1a1d1c1d2a2e2b2",
	};

	for (unsigned int i = 0; i < NR_LISTENERS; i++) {
		struct notifier_start started;

		fixture.listener[i].answer = -EBUSY;
		KTEST_EXPECT_EQ(test, start(&started), -EBUSY);
		KTEST_EXPECT_STREQ(test, fixture.trail, trails[i]);
		KTEST_EXPECT_PTR_EQ(test, started.veto, &fixture.listener[i].nb);
		fixture.listener[i].answer = 0;
		/* After a veto, no listener hears an end. */
		fixture.trail[0] = '\0';
		end(&started, DONE);
		KTEST_EXPECT_STREQ(test, fixture.trail, "");
	}
}

static void late_comers_hear_nothing(struct ktest *test)
{
	struct notifier_start started;

	KTEST_ASSERT_EQ(test, notifier_unregister(&fixture.chain, &fixture.listener[0].nb), 0);
	KTEST_EXPECT_EQ(test, start(&started), 0);
	add_listener(test, 0, 100);
	end(&started, DONE);
	KTEST_EXPECT_STREQ(test, fixture.trail, "b1e1d1c1b3e3d3c3");
	KTEST_EXPECT_EQ(test, start(&started), 0);
	end(&started, DONE);
	KTEST_EXPECT_STREQ(test, fixture.trail, "a1b1e1d1c1a3b3e3d3c3");
}

/*
 * Starts overlap, and end in a different order. A listener that unregisters and registers
 * again does not hear the end of a start that is older than its registration.
 */
static void several_starts_are_open(struct ktest *test)
{
	struct notifier_start first, second, third;

	KTEST_EXPECT_EQ(test, start(&first), 0);
	KTEST_EXPECT_EQ(test, start(&second), 0);
	KTEST_ASSERT_EQ(test, notifier_unregister(&fixture.chain, &fixture.listener[0].nb), 0);
	add_listener(test, 0, 0);
	fixture.listener[2].answer = -EBUSY;
	KTEST_EXPECT_EQ(test, start(&third), -EBUSY);
	fixture.trail[0] = '\0';
	end(&third, DONE);
	KTEST_EXPECT_STREQ(test, fixture.trail, "");
	end(&second, CANCEL);
	KTEST_EXPECT_STREQ(test, fixture.trail, "b2e2d2c2");
	end(&first, DONE);
	KTEST_EXPECT_STREQ(test, fixture.trail, "b2e2d2c2b3e3d3c3");
}

static void everybody_hears_exactly_one_end(struct ktest *test)
{
	for (unsigned int round = 0; round < 200; round++) {
		struct notifier_start started;

		for (unsigned int i = 0; i < NR_LISTENERS; i++)
			fixture.listener[i].answer =
				prng_below(&test->prng, 6) == 0 ? -ENOMEM : 0;
		if (start(&started) != 0)
			continue;
		end(&started, prng_below(&test->prng, 2) ? DONE : CANCEL);
	}
	for (unsigned int i = 0; i < NR_LISTENERS; i++) {
		const struct listener *l = &fixture.listener[i];
		unsigned int refused;

		KTEST_EXPECT_GT(test, l->heard[GOING], 0);
		refused = l->heard[GOING] - l->heard[CANCEL] - l->heard[DONE];
		/* Each listener refuses about one start in six. */
		KTEST_EXPECT_LT(test, refused, l->heard[GOING] / 2);
		KTEST_EXPECT_GT(test, refused, 0);
	}
}

static void empty_chain(struct ktest *test)
{
	struct notifier_start started;
	struct notifier_chain chain;

	notifier_chain_init(&chain, "empty");
	KTEST_EXPECT_EQ(test, notifier_call_start(&chain, GOING, CANCEL, NULL, &started), 0);
	notifier_call_end(&chain, DONE, NULL, &started);
}

/* A listener that leaves after a start and comes back does not hear the end. */
static unsigned int nr_ends;

static int count_ends(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	nr_ends += event == 2;
	return 0;
}

static void former_lives_of_listeners(struct ktest *test)
{
	struct notifier_block nb = { .fn = count_ends, .name = "back" };
	struct notifier_start start;
	struct notifier_chain chain;

	notifier_chain_init(&chain, "chain");
	nr_ends = 0;
	KTEST_ASSERT_EQ(test, notifier_register(&chain, &nb), 0);
	KTEST_ASSERT_EQ(test, notifier_call_start(&chain, 1, 3, NULL, &start), 0);
	KTEST_ASSERT_EQ(test, notifier_unregister(&chain, &nb), 0);
	KTEST_ASSERT_EQ(test, notifier_register(&chain, &nb), 0);
	notifier_call_end(&chain, 2, NULL, &start);
	KTEST_EXPECT_EQ(test, nr_ends, 0);
	KTEST_ASSERT_EQ(test, notifier_call_start(&chain, 1, 3, NULL, &start), 0);
	notifier_call_end(&chain, 2, NULL, &start);
	KTEST_EXPECT_EQ(test, nr_ends, 1);
}

static const struct ktest_case notifier_cases[] = {
	KTEST_CASE(priorities_then_registration),
	KTEST_CASE(register_twice_and_unregister),
	KTEST_CASE(success_reaches_all),
	KTEST_CASE(veto_is_symmetric),
	KTEST_CASE(late_comers_hear_nothing),
	KTEST_CASE(several_starts_are_open),
	KTEST_CASE(everybody_hears_exactly_one_end),
	KTEST_CASE(empty_chain),
	KTEST_CASE(former_lives_of_listeners),
	{}
};

static struct ktest_suite notifier_suite = {
	.name = "notifier",
	.init = init_fixture,
	.cases = notifier_cases,
};
KTEST_SUITE(notifier_suite);
