/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Table of the guest's memory. See guest_mem.h.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest_mem.h"

static bool overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a < b + b_size && b < a + a_size;
}

static const char *desc_error(const struct guest_mem *mem,
			      const struct mem_region_desc *d)
{
	if (!d->size || d->gpa + d->size < d->gpa || d->user + d->size < d->user ||
	    d->file_offset + d->size < d->file_offset)
		return "size is zero or wraps around";
	for (u32 i = 0; i < mem->nr; i++) {
		const struct mem_region_desc *old = &mem->region[i].desc;

		if (overlap(d->gpa, d->size, old->gpa, old->size) ||
		    overlap(d->user, d->size, old->user, old->size))
			return "overlaps another region";
	}
	return NULL;
}

/* Map whole pages, of the file's own page size, around the range. */
static const char *map_region(struct mem_region *region, const struct stat *st)
{
	u64 page = (u64)max(st->st_blksize, (blksize_t)4096);
	u64 slack = region->desc.file_offset & (page - 1);
	u64 bytes = ALIGN_UP(region->desc.size + slack, page);
	void *map;

	if (!IS_POWER_OF_2(page) || bytes < region->desc.size)
		return "cannot be mapped";
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		   region->fd, (off_t)(region->desc.file_offset - slack));
	if (map == MAP_FAILED)
		return "cannot be mapped";
	region->map = map;
	region->map_bytes = bytes;
	region->host = (u8 *)map + slack;
	return NULL;
}

/**
 * guest_mem_add() - add a region
 * @mem: the table
 * @desc: the region; checked
 * @fd: the file that backs it; owned by the table if this succeeds, else still the
 *      caller's. Its size is checked: an access beyond a file's end is a SIGBUS.
 *
 * Return: NULL, or what is wrong.
 */
const char *guest_mem_add(struct guest_mem *mem, const struct mem_region_desc *desc,
			  int fd)
{
	struct mem_region *region = &mem->region[mem->nr];
	const char *error = desc_error(mem, desc);
	struct stat st;

	if (error)
		return error;
	if (mem->nr == GUEST_MEM_SLOTS)
		return "exceeds the number of regions";
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return "is not backed by a regular file";
	if (desc->file_offset + desc->size > (u64)st.st_size)
		return "reaches beyond the end of its file";
	region->desc = *desc;
	region->fd = fd;
	error = map_region(region, &st);
	if (!error)
		mem->nr++;
	return error;
}

static void drop(struct mem_region *region)
{
	munmap(region->map, region->map_bytes);
	close(region->fd);
}

/**
 * guest_mem_remove() - remove a region
 * @mem: the table
 * @desc: must equal a region's guest address, size and user address
 *
 * Return: NULL, or what is wrong.
 */
const char *guest_mem_remove(struct guest_mem *mem, const struct mem_region_desc *desc)
{
	for (u32 i = 0; i < mem->nr; i++) {
		const struct mem_region_desc *d = &mem->region[i].desc;

		if (d->gpa != desc->gpa || d->size != desc->size || d->user != desc->user)
			continue;
		drop(&mem->region[i]);
		mem->region[i] = mem->region[--mem->nr];
		return NULL;
	}
	return "is not in the table";
}

/**
 * guest_mem_clear() - remove all regions
 * @mem: the table
 */
void guest_mem_clear(struct guest_mem *mem)
{
	while (mem->nr)
		drop(&mem->region[--mem->nr]);
}

/**
 * guest_mem_find() - find the region that holds an address
 * @mem: the table
 * @gpa: guest physical address
 *
 * Return: the region, or NULL.
 */
const struct mem_region *guest_mem_find(const struct guest_mem *mem, u64 gpa)
{
	for (u32 i = 0; i < mem->nr; i++) {
		const struct mem_region *region = &mem->region[i];

		if (gpa - region->desc.gpa < region->desc.size)
			return region;
	}
	return NULL;
}

/**
 * guest_mem_from_user() - map a range that the frontend names by its own address
 * @mem: the table
 * @user: address in the frontend's process
 * @len: bytes
 *
 * Return: the range's address in this process; NULL unless one region holds all of it.
 */
void *guest_mem_from_user(const struct guest_mem *mem, u64 user, u64 len)
{
	for (u32 i = 0; i < mem->nr; i++) {
		const struct mem_region *region = &mem->region[i];
		u64 off = user - region->desc.user;

		if (off < region->desc.size && len <= region->desc.size - off)
			return region->host + off;
	}
	return NULL;
}

/* Find the first part of [gpa, gpa + len) that one region holds, and cut @len to it. */
static u8 *piece(const struct guest_mem *mem, u64 gpa, u64 *len)
{
	const struct mem_region *region = guest_mem_find(mem, gpa);
	u64 off;

	if (!region)
		return NULL;
	off = gpa - region->desc.gpa;
	*len = min(*len, region->desc.size - off);
	return region->host + off;
}

static bool refused(const struct guest_mem *mem, u64 gpa, u64 len)
{
	return gpa + len < gpa || (mem->refuse && mem->refuse(mem->refuse_arg, gpa, len));
}

/**
 * guest_mem_read() - copy out of guest memory
 * @mem: the table
 * @gpa: guest physical address
 * @to: buffer
 * @len: bytes; may span regions
 *
 * Return: 0, or -1 if not all of it is memory, or the table's owner refuses.
 */
int guest_mem_read(const struct guest_mem *mem, u64 gpa, void *to, u64 len)
{
	if (refused(mem, gpa, len))
		return -1;
	while (len) {
		u64 part = len;
		const u8 *from = piece(mem, gpa, &part);

		if (!from)
			return -1;
		memcpy(to, from, part);
		to = (u8 *)to + part;
		gpa += part;
		len -= part;
	}
	return 0;
}

/**
 * guest_mem_write() - copy into guest memory
 * @mem: the table
 * @gpa: guest physical address
 * @from: buffer
 * @len: bytes; may span regions
 *
 * Return: 0, or -1 if not all of it is memory (a part may be written).
 */
int guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *from, u64 len)
{
	if (refused(mem, gpa, len))
		return -1;
	while (len) {
		u64 part = len;
		u8 *to = piece(mem, gpa, &part);

		if (!to)
			return -1;
		memcpy(to, from, part);
		from = (const u8 *)from + part;
		gpa += part;
		len -= part;
	}
	return 0;
}
