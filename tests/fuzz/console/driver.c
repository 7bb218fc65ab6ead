/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver in a session. Its objects come and go, and with them pages of type Slab, which
 * no console command makes or frees. The pages of freed objects become buffers, which the
 * driver poisons: AddressSanitizer then reports a reader that takes such a page for a slab.
 */
#include <stdlib.h>

#include "arch/machine.h"
#include "lib/compiler.h"
#include "mm/mm.h"
#include "mm/slab.h"
#include "tests/fuzz/console/console.h"

#define NR_OBJECTS 64
#define NR_BUFFERS 16

static void *objects[NR_OBJECTS];
static unsigned int nr_objects;
static void *buffers[NR_BUFFERS];
static unsigned int nr_buffers;
static size_t slab_bytes, buffer_bytes; /* of a slab of the objects, and of a buffer */
static unsigned long last_pfn = BOOT_START >> PAGE_SHIFT;

static void free_buffers(void)
{
	while (nr_buffers) {
		void *buffer = buffers[--nr_buffers];

		arch_unpoison_range(buffer, buffer_bytes);
		free_pages_virt(&kernel_mm, buffer, buffer_bytes);
	}
}

static void free_objects(void)
{
	while (nr_objects)
		kfree(objects[--nr_objects]);
}

static void make_objects(size_t bytes)
{
	struct page_state st;

	while (nr_objects < NR_OBJECTS) {
		void *object = kmalloc(bytes, GFP_NOWARN);

		if (!object)
			break;
		objects[nr_objects++] = object;
		WRITE_ONCE(last_pfn, phys_to_pfn(virt_to_phys(object)));
	}
	if (nr_objects && page_state_get(&kernel_mm, last_pfn, &st))
		slab_bytes = PAGE_SIZE << st.order;
}

/* Wait for a reader that holds the zone's lock: it may still read such a page as a slab. */
static void wait_for_readers(void)
{
	spin_lock(&kernel_mm.zone[ZONE_NORMAL].lock);
	spin_unlock(&kernel_mm.zone[ZONE_NORMAL].lock);
}

/* Make buffers. A hart's cache first returns the pages freed last: those of the objects. */
static void make_buffers(void)
{
	buffer_bytes = slab_bytes;
	while (buffer_bytes && nr_buffers < NR_BUFFERS) {
		void *buffer = alloc_pages_virt(&kernel_mm, GFP_NOWARN, buffer_bytes);

		if (!buffer)
			break;
		buffers[nr_buffers++] = buffer;
	}
	wait_for_readers();
	for (unsigned int i = 0; i < nr_buffers; i++)
		arch_poison_range(buffers[i], buffer_bytes);
}

void end_driver(void)
{
	free_buffers();
	free_objects();
}

void run_driver(const char *line)
{
	end_driver();
	make_buffers();
	make_objects(strtoul(line, NULL, 10));
}

unsigned long driver_pfn(void)
{
	return READ_ONCE(last_pfn);
}
