/* SPDX-License-Identifier: BSD-2-Clause */
/* Containers and order: list, ringbuf, sort, prng. */
#include "kernel/ktest.h"
#include "lib/list.h"
#include "lib/ringbuf.h"
#include "lib/sort.h"

struct item {
	int nr;
	struct list_head link;
};

/* Return the numbers in order, as decimal digits, and check the back links. */
static long digits(struct ktest *test, struct list_head *head)
{
	struct item *item;
	long forward = 0, backward = 0, place = 1;

	list_for_each_entry(item, head, link)
		forward = forward * 10 + item->nr;
	for (struct list_head *at = head->prev; at != head; at = at->prev) {
		backward += list_entry(at, struct item, link)->nr * place;
		place *= 10;
	}
	KTEST_EXPECT_EQ(test, forward, backward);
	return forward;
}

static void list_order(struct ktest *test)
{
	struct item items[] = {{.nr = 1}, {.nr = 2}, {.nr = 3}};
	LIST_HEAD(head);

	KTEST_EXPECT_TRUE(test, list_empty(&head));
	KTEST_EXPECT_NULL(test, list_first_entry_or_null(&head, struct item, link));
	list_add_tail(&items[1].link, &head);
	list_add_tail(&items[2].link, &head);
	list_add(&items[0].link, &head);
	KTEST_EXPECT_EQ(test, digits(test, &head), 123);
	KTEST_EXPECT_EQ(test, list_next_entry(&items[0], link)->nr, 2);
	KTEST_EXPECT_EQ(test, list_prev_entry(&items[2], link)->nr, 2);
	list_move(&items[1].link, &head);
	KTEST_EXPECT_EQ(test, digits(test, &head), 213);
	list_del(&items[2].link);
	KTEST_EXPECT_NULL(test, items[2].link.next);
	list_del_init(&items[1].link);
	KTEST_EXPECT_TRUE(test, list_empty(&items[1].link));
	KTEST_EXPECT_EQ(test, list_first_entry(&head, struct item, link)->nr, 1);
}

static void ring_order(struct ktest *test)
{
	struct ringbuf ring;
	u8 data[8], in = 0, out = 0;

	ringbuf_init(&ring, data, sizeof(data));
	ring.head = ring.tail = UINT32_MAX - 20; /* the counters wrap in the middle */
	KTEST_EXPECT_EQ(test, ringbuf_get(&ring), -1);
	for (int round = 0; round < 50; round++) {
		u32 burst = (u32)prng_below(&test->prng, 9);

		while (burst-- && ringbuf_put(&ring, in))
			in++;
		for (burst = (u32)prng_below(&test->prng, 9); burst && out != in; burst--)
			KTEST_ASSERT_EQ(test, ringbuf_get(&ring), out++);
	}
	while (ringbuf_put(&ring, in))
		in++;
	KTEST_EXPECT_EQ(test, (u8)(in - out), 8);
	KTEST_EXPECT_EQ(test, ringbuf_get(&ring), out);
}

struct record {
	u8 key;
	u8 check[6]; /* the key's complement: the sort must move whole records */
};

static int by_key(const void *a, const void *b)
{
	return ((const struct record *)a)->key - ((const struct record *)b)->key;
}

static void sort_all_lengths(struct ktest *test)
{
	struct record records[70];

	for (size_t nr = 0; nr < 70; nr++) {
		unsigned int sum = 0;

		for (size_t i = 0; i < nr; i++) {
			records[i].key = (u8)prng_below(&test->prng, nr % 3 ? 256 : 4);
			for (size_t n = 0; n < 6; n++)
				records[i].check[n] = (u8)~records[i].key;
			sum += records[i].key;
		}
		sort(records, nr, sizeof(records[0]), by_key);
		for (size_t i = 0; i < nr; i++) {
			if (i)
				KTEST_ASSERT_LE(test, records[i - 1].key, records[i].key);
			KTEST_ASSERT_EQ(test, records[i].check[i % 6],
					(u8)~records[i].key);
			sum -= records[i].key;
		}
		KTEST_ASSERT_EQ(test, sum, 0);
	}
}

static int nr_compared;

static int by_key_counted(const void *a, const void *b)
{
	nr_compared++;
	return by_key(a, b);
}

/* Records in order or reversed need not much more than nr * log2(nr) comparisons. */
static void sort_has_no_bad_case(struct ktest *test)
{
	struct record *records = ktest_alloc(test, 256 * sizeof(*records));

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 256; i++)
			records[i].key = (u8)(round ? 255 - i : i);
		nr_compared = 0;
		sort(records, 256, sizeof(*records), by_key_counted);
		for (int i = 0; i < 256; i++)
			KTEST_ASSERT_EQ(test, records[i].key, i);
		KTEST_EXPECT_LT(test, nr_compared, 256 * 8 * 2);
	}
}

static void prng_repeats(struct ktest *test)
{
	struct prng a, b;
	unsigned int hits[5] = {0};

	for (u64 seed = 0; seed < 3; seed++) {
		prng_init(&a, seed);
		prng_init(&b, seed);
		KTEST_EXPECT_EQ(test, prng_u64(&a), prng_u64(&b));
		prng_init(&b, seed + 1);
		KTEST_EXPECT_NE(test, prng_u64(&a), prng_u64(&b));
	}
	for (int i = 0; i < 5000; i++) {
		u64 n = prng_below(&a, 5);

		KTEST_ASSERT_LT(test, n, 5);
		hits[n]++;
		KTEST_ASSERT_LT(test, prng_below(&a, 1ULL << 40), 1ULL << 40);
	}
	for (int i = 0; i < 5; i++) {
		KTEST_EXPECT_GT(test, hits[i], 800);
		KTEST_EXPECT_LT(test, hits[i], 1200);
	}
}

static const struct ktest_case list_cases[] = {KTEST_CASE(list_order),
					       KTEST_CASE(ring_order),
					       KTEST_CASE(sort_all_lengths),
					       KTEST_CASE(sort_has_no_bad_case),
					       KTEST_CASE(prng_repeats),
					       {}};
static struct ktest_suite list_suite = {.name = "list", .cases = list_cases};
KTEST_SUITE(list_suite);
