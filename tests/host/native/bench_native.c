/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator and the list buddy of tests/mm/, on the host, without sanitizers and
 * debug checks: `make bench NATIVE=1`. Both do the same work in turns, with the same random
 * numbers, on memory of the same size. The program prints a line for each row:
 *
 *	native: ROW NS_OF_EBB NS_OF_LIST RATIO
 *
 * The figures are CPU time of this thread per operation, the medians of all repetitions;
 * the ratio is the median of their ratios.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arch/machine.h"
#include "host.h"
#include "kernel/ktest_prng.h"
#include "kernel/printk.h"
#include "mm/memblock.h"
#include "mm/page_alloc.h"
#include "tests/mm/list_buddy.h"

#define MEMORY	   SZ_1G
#define PAIRS	   200000U
#define PAGES	   65536U
#define CHUNKS	   16384U
#define MIX_ORDERS 5 /* orders 0 to 4 */
#define MAX_REPEAT 99

struct hart *native_hart = harts;

typedef unsigned long alloc_fn(unsigned int order);
typedef void free_fn(unsigned long pfn, unsigned int order);

static struct list_buddy list;
static unsigned long live[PAGES];
static u32 pick[PAGES]; /* a random permutation */
static u8 orders[PAGES];

static inline unsigned long ebb_alloc(unsigned int order)
{
	return alloc_pages(&kernel_mm, GFP_MOVABLE, order, PGTY_KERNEL);
}

static inline void ebb_free(unsigned long pfn, unsigned int order)
{
	free_pages(&kernel_mm, pfn, order);
}

static inline unsigned long list_alloc(unsigned int order)
{
	return list_buddy_alloc(&list, order);
}

static inline void list_free(unsigned long pfn, unsigned int order)
{
	list_buddy_free(&list, pfn, order);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/*
 * pairs(), singles(), random_free() and churn() return ns per operation, and leave all
 * memory free.
 */
static __always_inline double pairs(alloc_fn *alloc, free_fn *put, unsigned int order)
{
	const double start = now_ns();

	for (unsigned int i = 0; i < PAIRS; i++)
		put(alloc(order), order);
	return (now_ns() - start) / PAIRS;
}

static __always_inline void fill(alloc_fn *alloc, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		live[i] = alloc(orders[i]);
}

static __always_inline void empty(free_fn *put, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		put(live[i], orders[i]);
}

static __always_inline double singles(alloc_fn *alloc, free_fn *put)
{
	const double start = now_ns();

	fill(alloc, PAGES);
	empty(put, PAGES);
	return (now_ns() - start) / PAGES;
}

static __always_inline double random_free(alloc_fn *alloc, free_fn *put)
{
	double start;

	fill(alloc, PAGES);
	start = now_ns();
	for (unsigned int i = 0; i < PAGES; i++)
		put(live[pick[i]], 0);
	return (now_ns() - start) / PAGES;
}

/* The first round only scatters the chunks; the second is measured. */
static __always_inline double churn(alloc_fn *alloc, free_fn *put, unsigned int nr)
{
	double start = 0;

	fill(alloc, nr);
	for (unsigned int round = 0; round < 2; round++) {
		start = now_ns();
		for (unsigned int i = 0; i < PAGES; i++) {
			const unsigned int at = pick[i] % nr;

			put(live[at], orders[at]);
			live[at] = alloc(orders[at]);
		}
	}
	start = (now_ns() - start) / PAGES;
	empty(put, nr);
	return start;
}

/* ROW(name, nr, work, ...): both allocators do @work; draw() picks orders below @nr. */
#define ROWS(ROW)                      \
	ROW(pair, 1, pairs, 0)         \
	ROW(pair_9, 1, pairs, 9)       \
	ROW(singles, 1, singles)       \
	ROW(rand_free, 1, random_free) \
	ROW(churn_0, 1, churn, PAGES)  \
	ROW(mix_0_4, MIX_ORDERS, churn, CHUNKS)

#define ROW(name, nr, work, ...)                                               \
	static double name##_ebb(void)                                         \
	{                                                                      \
		return work(ebb_alloc, ebb_free __VA_OPT__(, ) __VA_ARGS__);   \
	}                                                                      \
	static double name##_list(void)                                        \
	{                                                                      \
		return work(list_alloc, list_free __VA_OPT__(, ) __VA_ARGS__); \
	}
ROWS(ROW)
#undef ROW

static const struct row {
	const char *name;
	unsigned int orders;
	double (*ebb)(void), (*list)(void);
} rows[] = {
#define ROW(name, nr, ...) { #name, nr, name##_ebb, name##_list },
	ROWS(ROW)
#undef ROW
};

static void die(const char *what)
{
	fprintf(stderr, "bench-native: %s\n", what);
	exit(3);
}

static void no_console(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

/* Set up both memories: the same size, all free except ebb's metadata. */
static void make_memories(void)
{
	static struct memblock mb = { .mapped = 1 };
	const unsigned long base = phys_to_pfn(HOST_PHYS_START),
			    nr = MEMORY >> PAGE_SHIFT;

	host_init();
	printk_set_console(no_console);
	if (arch_map_direct(HOST_PHYS_START, MEMORY) ||
	    memblock_add(&mb, HOST_PHYS_START, MEMORY))
		die("no memory");
	mm_init(&kernel_mm, "native");
	if (mm_populate(&kernel_mm, &mb) || mm_hart_init(&kernel_mm, 0))
		die("no memory for ebb");
	list_buddy_init(&list, base, nr, malloc(list_buddy_bytes(nr)));
	for (unsigned long pfn = base; pfn < base + nr; pfn += 1UL << MAX_PAGE_ORDER)
		list_buddy_free(&list, pfn, MAX_PAGE_ORDER);
}

static void draw(struct prng *prng, const struct row *row)
{
	for (u32 i = 0; i < PAGES; i++) {
		const u32 j = prng_below(prng, i + 1);

		pick[i] = pick[j];
		pick[j] = i;
		orders[i] = prng_below(prng, row->orders);
	}
}

static int smaller(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), smaller);
	return v[nr / 2];
}

static void measure(const struct row *row, unsigned int repeat)
{
	double ebb[MAX_REPEAT], other[MAX_REPEAT], ratio[MAX_REPEAT];
	struct prng prng = { .state = 1 };

	for (unsigned int i = 0; i < repeat; i++) {
		draw(&prng, row);
		ebb[i] = row->ebb();
		other[i] = row->list();
		ratio[i] = ebb[i] / other[i];
	}
	printf("native: %s %.2f %.2f %.3f\n", row->name, median(ebb, repeat),
	       median(other, repeat), median(ratio, repeat));
}

int main(int argc, char **argv)
{
	const int repeat = argc > 1 ? atoi(argv[1]) : 9;

	if (repeat < 1 || repeat > MAX_REPEAT)
		die("how often? 1 to 99 times");
	make_memories();
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		measure(&rows[i], repeat);
	return 0;
}
