/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slab: objects don't overlap, are aligned and keep their contents; frames lead to
 * their cache; everything is freed; and objects still in use are reported.
 */
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/slab.h"
#include "arch/machine.h"
#include "tests/mm/hotplug_window.h"
#include "tests/mm/test_mm.h"

#define NR_OBJECTS 600

struct shape {
	u32 size;
	u32 align;
};

static const struct shape shapes[] = {
	{ 1, 1 },   { 8, 8 },	  { 24, 8 },	 { 64, 64 },	  { 96, 32 },
	{ 200, 8 }, { 257, 1 }, { 512, 512 }, { 1000, 8 }, { 2048, 2048 },
};

static void describe_shape(const struct shape *shape, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "size %u align %u", shape->size, shape->align);
}

KTEST_ARRAY_PARAM(shape, shapes, describe_shape)

static void objects_are_apart(struct ktest *test)
{
	const struct shape *shape = test->param_value;
	struct window *w = window_open(test, 32UL << 20);
	const unsigned long before = window_zone(w, ZONE_NORMAL)->free;
	void **obj = ktest_alloc(test, NR_OBJECTS * sizeof(*obj));
	struct kmem_cache *cache;

	cache = kmem_cache_create(w->mm, "shape", shape->size, shape->align);
	KTEST_ASSERT_NOT_NULL(test, cache);
	for (unsigned int i = 0; i < NR_OBJECTS; i++) {
		obj[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		KTEST_ASSERT_NOT_NULL(test, obj[i]);
		KTEST_ASSERT_EQ(test, (uintptr_t)obj[i] % shape->align, 0);
		memset(obj[i], i, shape->size);
	}
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		KTEST_ASSERT_NULL(test, memchr_inv(obj[i], i & 0xff, shape->size));
	KTEST_EXPECT_STREQ(test, slab_name_of(w->mm, phys_to_pfn(virt_to_phys(obj[7]))), "shape");
	window_check(test, w);
	/* Free the objects in an order that empties no slab early. */
	for (unsigned int step = 0; step < 7; step++)
		for (unsigned int i = step; i < NR_OBJECTS; i += 7)
			kmem_cache_free(cache, obj[i]);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->free, before);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
	window_check(test, w);
}

/* Freed objects are used again before the cache grows. */
static void objects_are_reused(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct kmem_cache *cache = kmem_cache_create(w->mm, "reused", 64, 8);
	void *first, *second;

	KTEST_ASSERT_NOT_NULL(test, cache);
	first = kmem_cache_alloc(cache, GFP_KERNEL);
	second = kmem_cache_alloc(cache, GFP_KERNEL | GFP_ZERO);
	KTEST_EXPECT_NULL(test, memchr_inv(second, 0, 64));
	kmem_cache_free(cache, first);
	KTEST_EXPECT_PTR_EQ(test, kmem_cache_alloc(cache, GFP_KERNEL), first);
	kmem_cache_free(cache, first);
	kmem_cache_free(cache, second);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
}

/* A slab that was full and has one free object is found again. */
static void full_slab_comes_back(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct kmem_cache *cache = kmem_cache_create(w->mm, "full", 2048, 8);
	void *obj[7];

	KTEST_ASSERT_NOT_NULL(test, cache);
	for (unsigned int i = 0; i < ARRAY_SIZE(obj); i++)
		obj[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	KTEST_ASSERT_EQ(test, phys_to_pfn(virt_to_phys(obj[0])) & ~3UL,
			phys_to_pfn(virt_to_phys(obj[6])) & ~3UL);
	kmem_cache_free(cache, obj[3]);
	KTEST_EXPECT_PTR_EQ(test, kmem_cache_alloc(cache, GFP_KERNEL), obj[3]);
	for (unsigned int i = 0; i < ARRAY_SIZE(obj); i++)
		kmem_cache_free(cache, obj[i]);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
}

static void leaks_are_reported(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct kmem_cache *cache = kmem_cache_create(w->mm, "leaky", 100, 8);
	void *obj;

	KTEST_ASSERT_NOT_NULL(test, cache);
	KTEST_EXPECT_STREQ(test, kmem_cache_name(cache), "leaky");
	obj = kmem_cache_alloc(cache, GFP_KERNEL);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), -EBUSY);
	kmem_cache_free(cache, obj);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
}

static void bad_caches_are_refused(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);

	KTEST_EXPECT_NULL(test, kmem_cache_create(w->mm, "large", 2049, 8));
	KTEST_EXPECT_NULL(test, kmem_cache_create(w->mm, "crooked", 64, 48));
}

/* Without a free page an allocation returns NULL and leaves nothing half done. */
static void out_of_memory_is_null(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct kmem_cache *cache = kmem_cache_create(w->mm, "starved", 2048, 8);

	KTEST_ASSERT_NOT_NULL(test, cache);
	mm_exhaust(w->mm);
	KTEST_EXPECT_NULL(test, kmem_cache_alloc(cache, GFP_KERNEL | GFP_NOWARN | GFP_NODRAIN));
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
	window_check(test, w);
}

/* kmalloc(): all sizes, aligned to powers of two, from a cache or as pages. */
static void kmalloc_sizes(struct ktest *test)
{
	static const size_t sizes[] = { 0, 1, 8, 9, 100, 1024, 2048, 2049, 4096, 70000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *p = kmalloc(sizes[i], GFP_KERNEL | GFP_ZERO);

		KTEST_ASSERT_NOT_NULL(test, p);
		if (IS_POWER_OF_2(sizes[i]) && sizes[i] <= PAGE_SIZE)
			KTEST_EXPECT_EQ(test, (uintptr_t)p % sizes[i], 0);
		KTEST_EXPECT_NULL(test, memchr_inv(p, 0, sizes[i]));
		memset(p, 0xa5, sizes[i]);
		kfree(p);
	}
	kfree(NULL);
	KTEST_EXPECT_NULL(test, kmalloc((4UL << 20) + 1, GFP_KERNEL));
}

static void slabs_are_kernel_data(struct ktest *test)
{
	struct test_mm *t = test_mm_movable(test);

	/* The table has room for 64 caches. */
	for (unsigned int i = 0; i < 200; i++) {
		struct kmem_cache *cache = kmem_cache_create(t->mm, "many", 64, 8);
		void *obj;

		KTEST_ASSERT_NOT_NULL(test, cache);
		obj = kmem_cache_alloc(cache, GFP_MOVABLE);
		KTEST_ASSERT_NOT_NULL(test, obj);
		KTEST_EXPECT_PTR_EQ(
			test, pfn_to_section(t->mm, phys_to_pfn(virt_to_phys(obj)))->zone,
			mm_zone(t->mm, ZONE_NORMAL));
		kmem_cache_free(cache, obj);
		KTEST_ASSERT_EQ(test, kmem_cache_destroy(cache), 0);
	}
}

static const struct ktest_case slab_cases[] = {
	KTEST_CASE_PARAM(objects_are_apart, shape_gen_params),
	KTEST_CASE(objects_are_reused),
	KTEST_CASE(full_slab_comes_back),
	KTEST_CASE(leaks_are_reported),
	KTEST_CASE(bad_caches_are_refused),
	KTEST_CASE(out_of_memory_is_null),
	KTEST_CASE(kmalloc_sizes),
	KTEST_CASE(slabs_are_kernel_data),
	{}
};

static struct ktest_suite slab_suite = {
	.name = "slab",
	.cases = slab_cases,
};
KTEST_SUITE(slab_suite);
