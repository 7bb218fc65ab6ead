/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_SLAB_H
#define _MM_SLAB_H

/*
 * Memory by its address: objects smaller than a page, by size or by cache, and frames.
 * Compare with: Linux include/linux/slab.h.
 */
#include "mm/page_alloc.h"

struct kmem_cache;

/* Create a cache of equal objects; @size bytes, 8..2048; NULL if the table is full. */
struct kmem_cache *kmem_cache_create(struct mm *mm, const char *name, size_t size, size_t align);
/* Destroy a cache; -EBUSY while objects are in use (the log says how many). */
int kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_alloc(struct kmem_cache *cache, u32 gfp);
/* Free an object; panics if it is not of this cache or is already free. */
void kmem_cache_free(struct kmem_cache *cache, void *obj);
const char *kmem_cache_name(const struct kmem_cache *cache);

/*
 * Allocate whole frames that are used by their address: alloc_pages() of type Kernel for
 * @bytes, rounded up to 2^order pages. NULL: there are none. Free them with the same @bytes;
 * NULL is allowed.
 */
void *__must_check alloc_pages_virt(struct mm *mm, u32 gfp, size_t bytes);
void free_pages_virt(struct mm *mm, void *virt, size_t bytes);

/* Allocate from kernel_mm, up to 4 MiB, rounded up to a power of two. Thread context. */
void *kmalloc(size_t size, u32 gfp);
void kfree(void *ptr);
int __must_check kmem_init(void);

/* Return the name of the cache that a frame belongs to, for messages; NULL if it has none. */
const char *slab_name_of(struct mm *mm, unsigned long pfn);

#endif
