/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects smaller than a page. A slab is one chunk of frames: a header with one
 * bit per object, then the objects. The bits tell a double free from a free; on
 * the host free objects are poisoned, so that AddressSanitizer sees a use after free.
 *
 * The frames have type Slab and the header's address as owner word, so that a failed
 * unplug can name the cache of a page that stands in the way.
 *
 * Compare with: Linux mm/slub.c.
 */
#include "arch/machine.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "lib/bitmap.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/section.h"
#include "mm/slab.h"

#define MAX_CACHES    64
#define MIN_OBJECT    8
#define MAX_OBJECT    2048
#define NR_KMALLOC    9 /* 8, 16, ... 2048 */
#define KMALLOC_SHIFT 3

/**
 * struct kmem_cache - a cache of objects of one size
 * @name: kept by reference; NULL: this entry of the table is unused
 * @size: bytes from one object to the next
 * @first: offset of the first object in a slab, bytes
 * @order: of a slab's chunk
 * @nr_objects: in a slab
 * @partial: slabs with free objects
 * @full: slabs without free objects
 * @nr_used: objects in use
 *
 * Lock keys:
 *   (c) constant after kmem_cache_create()
 *   (n) caches_lock to write; users of the cache read without it
 *   (l) @lock; kmem_cache_destroy() reads without it, because its caller is the last user
 */
struct kmem_cache {
	const char *name;		/* (n) */
	struct mm *mm;			/* (c) */
	u32 size;			/* (c) */
	u32 first;			/* (c) */
	u32 order;			/* (c) */
	u32 nr_objects;			/* (c) */
	spinlock_t lock;
	struct list_head partial;	/* (l) */
	struct list_head full;		/* (l) */
	unsigned long nr_used;		/* (l) */
};

/* The header at the start of a slab's chunk. @used: bit n: object n is in use. */
struct slab {
	struct list_head list;
	struct kmem_cache *cache;
	unsigned long nr_used;
	u64 used[];
};

/* All caches, in a table, so that creating a cache needs no memory. */
static struct kmem_cache caches[MAX_CACHES];
static DEFINE_SPINLOCK(caches_lock);
static struct kmem_cache *kmalloc_caches[NR_KMALLOC];

static unsigned long slab_pfn(const struct slab *slab)
{
	return phys_to_pfn(virt_to_phys(slab));
}

static void *slab_object(const struct kmem_cache *cache, struct slab *slab, unsigned int n)
{
	return (char *)slab + cache->first + n * cache->size;
}

/* Lay a slab out: as many objects as fit after the header and its bits. */
static void cache_layout(struct kmem_cache *cache, size_t size, size_t align)
{
	const size_t bytes = PAGE_SIZE << (size > 512 ? 2 : size > 256 ? 1 : 0);
	size_t nr = bytes / size, first;

	for (;; nr--) {
		first = ALIGN_UP(sizeof(struct slab) + BITMAP_WORDS(nr) * sizeof(u64), align);
		if (first + nr * size <= bytes)
			break;
	}
	cache->size = size;
	cache->first = first;
	cache->order = order_of(bytes / PAGE_SIZE);
	cache->nr_objects = nr;
}

struct kmem_cache *kmem_cache_create(struct mm *mm, const char *name, size_t size, size_t align)
{
	struct kmem_cache *cache = NULL;

	align = max(align, (size_t)MIN_OBJECT);
	size = ALIGN_UP(max(size, (size_t)MIN_OBJECT), align);
	if (size > MAX_OBJECT || !IS_POWER_OF_2(align))
		return NULL;
	spin_lock(&caches_lock);
	for (unsigned int i = 0; i < MAX_CACHES && !cache; i++)
		if (!caches[i].name)
			cache = &caches[i];
	if (cache) {
		memset(cache, 0, sizeof(*cache));
		cache->name = name;
	}
	spin_unlock(&caches_lock);
	if (!cache) {
		pr_err("slab: too many caches (%u), no room for %s\n", MAX_CACHES, name);
		return NULL;
	}
	cache->mm = mm;
	spin_lock_init(&cache->lock, "slab cache");
	INIT_LIST_HEAD(&cache->partial);
	INIT_LIST_HEAD(&cache->full);
	cache_layout(cache, size, align);
	return cache;
}

int kmem_cache_destroy(struct kmem_cache *cache)
{
	if (cache->nr_used) {
		struct slab *slab = list_first_entry(
			list_empty(&cache->partial) ? &cache->full : &cache->partial,
			struct slab, list);
		unsigned int n = find_next_bit(slab->used, cache->nr_objects, 0);

		pr_err("slab: cache %s: still in use: %lu object%s of %u bytes, one at %p\n",
		       cache->name, cache->nr_used, str_plural(cache->nr_used), cache->size,
		       slab_object(cache, slab, n));
		return -EBUSY;
	}
	spin_lock(&caches_lock);
	cache->name = NULL;
	spin_unlock(&caches_lock);
	return 0;
}

/* Make a slab with all objects free, not in a list yet; NULL if out of memory. */
static struct slab *new_slab(struct kmem_cache *cache, u32 gfp)
{
	unsigned long pfn = alloc_pages(cache->mm, gfp & ~(GFP_MOVABLE | GFP_ZERO), cache->order,
					PGTY_SLAB);
	struct slab *slab;

	if (pfn == PFN_NONE)
		return NULL;
	__atomic_fetch_add(&cache->mm->nr_slab, 1UL << cache->order, __ATOMIC_RELAXED);
	slab = phys_to_virt(pfn_to_phys(pfn));
	memset(slab, 0, cache->first);
	slab->cache = cache;
	page_set_owner(cache->mm, pfn, (uintptr_t)slab);
	arch_poison_range((char *)slab + cache->first,
			  (PAGE_SIZE << cache->order) - cache->first);
	return slab;
}

static void delete_slab(struct kmem_cache *cache, struct slab *slab)
{
	arch_unpoison_range((char *)slab + cache->first,
			    (PAGE_SIZE << cache->order) - cache->first);
	__atomic_fetch_sub(&cache->mm->nr_slab, 1UL << cache->order, __ATOMIC_RELAXED);
	free_pages(cache->mm, slab_pfn(slab), cache->order);
}

static void *take_object(struct kmem_cache *cache, struct slab *slab)
{
	unsigned int n = find_next_zero_bit(slab->used, cache->nr_objects, 0);
	void *obj = slab_object(cache, slab, n);

	__set_bit(n, slab->used);
	cache->nr_used++;
	if (++slab->nr_used == cache->nr_objects)
		list_move(&slab->list, &cache->full);
	arch_unpoison_range(obj, cache->size);
	return obj;
}

void *kmem_cache_alloc(struct kmem_cache *cache, u32 gfp)
{
	struct slab *fresh = NULL;
	void *obj;

	spin_lock(&cache->lock);
	if (list_empty(&cache->partial)) {
		spin_unlock(&cache->lock);
		fresh = new_slab(cache, gfp);
		if (!fresh)
			return NULL;
		spin_lock(&cache->lock);
		list_add(&fresh->list, &cache->partial);
	}
	obj = take_object(cache, list_first_entry(&cache->partial, struct slab, list));
	spin_unlock(&cache->lock);
	if (gfp & GFP_ZERO)
		memset(obj, 0, cache->size);
	return obj;
}

/* Find an object's slab; panic if there is none, or if it belongs to another cache. */
static struct slab *object_slab(struct mm *mm, const struct kmem_cache *cache, const void *obj)
{
	const unsigned long pfn = phys_to_pfn(virt_to_phys(obj));
	struct page_state st;
	struct slab *slab;

	if (!page_state_get(mm, pfn, &st) || st.type != PGTY_SLAB)
		panic("slab: %p is not an object: pfn 0x%lx is %s", obj, pfn,
		      page_type_name(page_type(mm, pfn)));
	slab = (void *)(uintptr_t)st.owner;
	if (cache && slab->cache != cache)
		panic("slab: %p is an object of cache %s, freed as one of %s", obj,
		      slab->cache->name, cache->name);
	return slab;
}

static void free_object(struct kmem_cache *cache, struct slab *slab, const void *obj)
{
	const size_t off = (const char *)obj - (const char *)slab_object(cache, slab, 0);
	const unsigned int n = off / cache->size;
	bool empty;

	if (n >= cache->nr_objects || off % cache->size)
		panic("slab: %p is not an object of cache %s", obj, cache->name);
	spin_lock(&cache->lock);
	if (!__test_and_clear_bit(n, slab->used))
		panic("slab: double free of %p, cache %s", obj, cache->name);
	arch_poison_range(slab_object(cache, slab, n), cache->size);
	cache->nr_used--;
	list_move(&slab->list, &cache->partial);
	empty = !--slab->nr_used;
	if (empty)
		list_del(&slab->list);
	spin_unlock(&cache->lock);
	if (empty)
		delete_slab(cache, slab);
}

void kmem_cache_free(struct kmem_cache *cache, void *obj)
{
	free_object(cache, object_slab(cache->mm, cache, obj), obj);
}

const char *kmem_cache_name(const struct kmem_cache *cache)
{
	return cache->name;
}

int kmem_init(void)
{
	static const char *const names[NR_KMALLOC] = {
		"kmalloc-8",   "kmalloc-16",  "kmalloc-32",   "kmalloc-64",	 "kmalloc-128",
		"kmalloc-256", "kmalloc-512", "kmalloc-1024", "kmalloc-2048",
	};

	for (unsigned int i = 0; i < NR_KMALLOC; i++) {
		const size_t size = 1UL << (i + KMALLOC_SHIFT);

		kmalloc_caches[i] = kmem_cache_create(&kernel_mm, names[i], size, size);
		if (!kmalloc_caches[i])
			return -ENOMEM;
	}
	return 0;
}

static unsigned int order_of_bytes(size_t bytes)
{
	return order_of(DIV_ROUND_UP(bytes, PAGE_SIZE));
}

void *alloc_pages_virt(struct mm *mm, u32 gfp, size_t bytes)
{
	const unsigned int order = order_of_bytes(bytes);
	unsigned long pfn = PFN_NONE;

	if (order <= MAX_PAGE_ORDER)
		pfn = alloc_pages(mm, gfp, order, PGTY_KERNEL);
	return pfn == PFN_NONE ? NULL : phys_to_virt(pfn_to_phys(pfn));
}

void free_pages_virt(struct mm *mm, void *virt, size_t bytes)
{
	if (virt)
		free_pages(mm, phys_to_pfn(virt_to_phys(virt)), order_of_bytes(bytes));
}

void *kmalloc(size_t size, u32 gfp)
{
	if (size <= MAX_OBJECT) {
		unsigned int i = order_of(max(size, (size_t)MIN_OBJECT)) - KMALLOC_SHIFT;

		return kmalloc_caches[i] ? kmem_cache_alloc(kmalloc_caches[i], gfp) : NULL;
	}
	return alloc_pages_virt(&kernel_mm, gfp & ~GFP_MOVABLE, size);
}

void kfree(void *ptr)
{
	unsigned long pfn;
	struct page_state st;
	struct slab *slab;

	if (!ptr)
		return;
	pfn = phys_to_pfn(virt_to_phys(ptr));
	if (page_state_get(&kernel_mm, pfn, &st) && st.type == PGTY_KERNEL) {
		if (st.head != pfn || !IS_ALIGNED((uintptr_t)ptr, PAGE_SIZE))
			panic("kfree: %p is not the start of an allocation", ptr);
		free_pages(&kernel_mm, pfn, st.order);
		return;
	}
	slab = object_slab(&kernel_mm, NULL, ptr);
	free_object(slab->cache, slab, ptr);
}

/*
 * Name a frame's cache, under zone->lock. A frame that is Slab now becomes neither Buddy
 * nor Offline before the lock is released, so it stays mapped. Its content may already
 * belong to another user, so follow the cache pointer only if it points into the table.
 */
static const char *name_locked(const struct mm *mm, unsigned long pfn)
{
	const struct slab *slab;
	struct page_state st;
	uintptr_t off;

	/* Without an owner word, the header is not filled in yet. */
	if (!page_state_get(mm, pfn, &st) || st.type != PGTY_SLAB || !st.owner)
		return NULL;
	slab = phys_to_virt(pfn_to_phys(st.head));
	off = (uintptr_t)READ_ONCE(slab->cache) - (uintptr_t)caches;
	if (off >= sizeof(caches) || off % sizeof(caches[0]))
		return NULL;
	return READ_ONCE(caches[off / sizeof(caches[0])].name);
}

const char *slab_name_of(struct mm *mm, unsigned long pfn)
{
	const struct mem_section *ms;
	const char *name = NULL;
	struct zone *zone;

	pfn_walk_begin();
	ms = walk_section(mm, pfn);
	zone = ms ? section_lock_zone(ms) : NULL;
	if (zone) {
		name = name_locked(mm, pfn);
		section_unlock_zone(zone);
	}
	pfn_walk_end();
	return name;
}
