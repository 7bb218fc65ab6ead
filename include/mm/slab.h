/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_SLAB_H
#define _MM_SLAB_H

/*
 * Objects smaller than a page, by size or by cache. Compare with: Linux
 * include/linux/slab.h.
 */
#include "mm/mm.h"

struct kmem_cache;

/* A cache of equal objects; @size bytes, 8..2048; NULL if out of memory. */
struct kmem_cache *kmem_cache_create(struct mm *mm, const char *name, size_t size, size_t align);
/* -EBUSY while objects are out (named with the count). */
int kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_alloc(struct kmem_cache *cache, u32 gfp);
/* Panics on an object that is not of this cache or free already. */
void kmem_cache_free(struct kmem_cache *cache, void *obj);
const char *kmem_cache_name(const struct kmem_cache *cache);

/* kernel_mm, any size up to 4 MiB; powers of two inside. Thread context. */
void *kmalloc(size_t size, u32 gfp);
void kfree(void *ptr);
int __must_check kmem_init(void);

/* The cache whose object or page this frame holds, for messages; NULL if it is no slab. */
const char *slab_name_of(struct mm *mm, unsigned long pfn);

#endif
