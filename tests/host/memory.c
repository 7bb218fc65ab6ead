/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's implementation of the machine contract for memory.
 *
 * Physical memory is a sparse memory file. The direct map is an address range of the same
 * size, where frames are accessible between arch_map_direct() and arch_unmap_direct(): a
 * stray access ends the program. The same file backs the descriptors, in another address
 * range: a memmap really lies in the frames that were given for it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/machine.h"
#include "host.h"
#include "kernel/hart.h"
#include "lib/errno.h"

/* AddressSanitizer's function; absent in programs without it. */
void __asan_poison_memory_region(const volatile void *addr, size_t size) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *addr, size_t size) __attribute__((weak));

/* sizeof(struct page), as the design has it; mm/ asserts it. */
#define DESCRIPTOR_BYTES 16
#define NR_FRAMES	 (HOST_PHYS_SIZE >> PAGE_SHIFT)
#define MEMMAP_BYTES	 (NR_FRAMES * DESCRIPTOR_BYTES)

unsigned long direct_map_offset;

/* Declared in mm/page.h, where struct page is complete. */
struct page;
extern struct page *vmemmap;
struct page *vmemmap;

static int memory_fd;
static char *direct_map;
static char *memmap;

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static void *reserve(u64 bytes)
{
	void *va = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);

	if (va == MAP_FAILED)
		die("mmap");
	return va;
}

void host_memory_init(void)
{
	memory_fd = memfd_create("ebb-memory", 0);
	if (memory_fd < 0 || ftruncate(memory_fd, HOST_PHYS_SIZE) != 0)
		die("memfd");
	direct_map = reserve(HOST_PHYS_SIZE);
	direct_map_offset = (unsigned long)direct_map - HOST_PHYS_START;
	memmap = reserve(MEMMAP_BYTES);
	vmemmap = (struct page *)(memmap -
				  (HOST_PHYS_START >> PAGE_SHIFT) * DESCRIPTOR_BYTES);
}

static bool in_range(phys_addr_t start, u64 size)
{
	return start >= HOST_PHYS_START && size <= HOST_PHYS_SIZE &&
	       start - HOST_PHYS_START <= HOST_PHYS_SIZE - size;
}

void arch_mappable_range(phys_addr_t *start, phys_addr_t *end)
{
	*start = HOST_PHYS_START;
	*end = HOST_PHYS_START + HOST_PHYS_SIZE;
}

/* Map @bytes of the memory file, from @paddr on, at @va. */
static void map_file(void *va, u64 bytes, phys_addr_t paddr)
{
	if (mmap(va, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_fd,
		 paddr - HOST_PHYS_START) == MAP_FAILED)
		die("mmap");
}

static void unmap(void *va, u64 bytes)
{
	if (mmap(va, bytes, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		die("munmap");
}

/* Stands for the machine's page tables: one byte per frame. */
static u8 mapped[NR_FRAMES];

int arch_map_direct(phys_addr_t start, u64 size)
{
	if (!in_range(start, size))
		return -E2BIG;
	map_file(phys_to_virt(start), size, start);
	memset(&mapped[(start - HOST_PHYS_START) >> PAGE_SHIFT], 1, size >> PAGE_SHIFT);
	return 0;
}

void arch_unmap_direct(phys_addr_t start, u64 size)
{
	unmap(phys_to_virt(start), size);
	memset(&mapped[(start - HOST_PHYS_START) >> PAGE_SHIFT], 0, size >> PAGE_SHIFT);
}

bool arch_direct_mapped(phys_addr_t pa)
{
	return in_range(pa, 1) && mapped[(pa - HOST_PHYS_START) >> PAGE_SHIFT];
}

int arch_vmemmap_map(unsigned long start_pfn, unsigned long nr_pages, phys_addr_t backing)
{
	const u64 bytes = nr_pages * DESCRIPTOR_BYTES;

	if (!in_range((u64)start_pfn << PAGE_SHIFT, (u64)nr_pages << PAGE_SHIFT) ||
	    !in_range(backing, bytes))
		return -E2BIG;
	map_file((char *)vmemmap + start_pfn * DESCRIPTOR_BYTES, bytes, backing);
	arch_unpoison_range((char *)vmemmap + start_pfn * DESCRIPTOR_BYTES, bytes);
	return 0;
}

void arch_vmemmap_unmap(unsigned long start_pfn, unsigned long nr_pages)
{
	unmap((char *)vmemmap + start_pfn * DESCRIPTOR_BYTES, nr_pages * DESCRIPTOR_BYTES);
}

/* On the host, ebb has no page tables of its own. */
phys_addr_t arch_tables_take(void)
{
	return 0;
}

void arch_tables_free(phys_addr_t tables)
{
	(void)tables;
}

void arch_tables_keep(phys_addr_t tables)
{
	(void)tables;
}

int arch_tables_move(unsigned long pfn, bool (*leaves)(phys_addr_t table))
{
	(void)pfn, (void)leaves;
	return 0;
}

void host_drop_memory(phys_addr_t start, u64 size)
{
	if (fallocate(memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      start - HOST_PHYS_START, size) != 0)
		die("fallocate");
}

/*
 * A walker may read the descriptor that it found until the walk ends, whatever happens
 * to the block. With a single hart no walk is open here; with several harts this code
 * cannot know.
 */
static bool may_be_walked(const void *va)
{
	const struct hart *hart;
	unsigned int nr = 0;

	for_each_hart(hart)
		nr++;
	return nr > 1 && (const char *)va >= memmap && (const char *)va < memmap + MEMMAP_BYTES;
}

void arch_poison_range(void *va, u64 bytes)
{
	if (may_be_walked(va))
		return;
	if (__asan_poison_memory_region != NULL)
		__asan_poison_memory_region(va, bytes);
}

void arch_unpoison_range(void *va, u64 bytes)
{
	if (__asan_unpoison_memory_region != NULL)
		__asan_unpoison_memory_region(va, bytes);
}
