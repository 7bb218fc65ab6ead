/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts and punches bytes of the files that back guest memory. Works on ranges of guest
 * physical addresses, which may span several files.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "memfile.h"

#define PAGE 4096

/* Find the region at @gpa, and set *stop to where [gpa, end) ends or leaves it. */
static const struct mem_region *part(const struct guest_mem *mem, u64 gpa, u64 end,
				     u64 *stop)
{
	const struct mem_region *region = guest_mem_find(mem, gpa);

	if (region)
		*stop = min(end, region->desc.gpa + region->desc.size);
	return region;
}

/**
 * memfile_covers() - check whether all of a range is shared with this process
 * @mem: the table
 * @gpa: guest physical address
 * @len: bytes
 */
bool memfile_covers(const struct guest_mem *mem, u64 gpa, u64 len)
{
	u64 end = gpa + len;

	while (gpa < end) {
		if (!part(mem, gpa, end, &gpa))
			return false;
	}
	return true;
}

/*
 * Find an allocated extent in one region, by SEEK_DATA and SEEK_HOLE; see memfile_next_data().
 */
static int seek_part(const struct mem_region *region, u64 gpa, u64 stop, u64 *from,
		     u64 *to)
{
	u64 to_file = region->desc.file_offset - region->desc.gpa;
	off_t data = lseek(region->fd, (off_t)(gpa + to_file), SEEK_DATA), hole;

	if (data < 0)
		return errno == ENXIO ? 0 : -errno;
	*from = max((u64)data - to_file, gpa);
	if (*from >= stop)
		return 0;
	hole = lseek(region->fd, data, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	*to = min((u64)hole - to_file, stop);
	return 1;
}

/**
 * memfile_next_data() - find the first allocated extent in a range
 * @mem: the table
 * @gpa: guest physical address
 * @end: where the range ends
 * @from: set to where the extent starts, within the range
 * @to: set to where it ends
 *
 * Memory that is not shared counts as a hole. The result is exact to the page on tmpfs and
 * memfd.
 *
 * Return: 1 if there is one, 0 if not, or a negative errno.
 */
int memfile_next_data(const struct guest_mem *mem, u64 gpa, u64 end, u64 *from, u64 *to)
{
	while (gpa < end) {
		u64 stop;
		const struct mem_region *region = part(mem, gpa, end, &stop);
		int found = region ? seek_part(region, gpa, stop, from, to) : 0;

		if (found || !region)
			return found;
		gpa = stop;
	}
	return 0;
}

/*
 * Count the bytes of a chunk's pages that are not all zeros; set *first to the first such
 * page.
 */
static u64 written_in(const u8 *bytes, u64 len, u64 *first)
{
	static const u8 zeros[PAGE];
	u64 sum = 0;

	for (u64 at = 0; at < len; at += PAGE) {
		u64 part = min(len - at, (u64)PAGE);

		if (!memcmp(bytes + at, zeros, part))
			continue;
		if (!sum)
			*first = at;
		sum += part;
	}
	return sum;
}

/**
 * memfile_written() - count the bytes of the pages in a range that are not all zeros
 * @mem: the table
 * @gpa: guest physical address, a multiple of the page size
 * @end: where the range ends
 * @first: set to where the first such page is, if there is one
 *
 * Reads the file, because a read through the mapping would allocate pages in holes. Bytes that
 * cannot be read count as zeros.
 */
u64 memfile_written(const struct guest_mem *mem, u64 gpa, u64 end, u64 *first)
{
	static u8 chunk[64 * PAGE];
	u64 sum = 0;

	while (gpa < end) {
		u64 stop, at = 0, more;
		const struct mem_region *region =
			part(mem, gpa, min(end, gpa + sizeof(chunk)), &stop);
		ssize_t got;

		if (!region)
			break;
		got = pread(region->fd, chunk, stop - gpa,
			    (off_t)(region->desc.file_offset + gpa - region->desc.gpa));
		more = got > 0 ? written_in(chunk, (u64)got, &at) : 0;
		if (more && !sum)
			*first = gpa + at;
		sum += more;
		gpa = stop;
	}
	return sum;
}

/**
 * memfile_discard() - give a range back to the host
 * @mem: the table
 * @gpa: guest physical address
 * @len: bytes; all of it must be shared
 *
 * The pages leave the file and all its mappings, including QEMU's.
 *
 * Return: 0, or a negative errno (-ENXIO: not shared).
 */
int memfile_discard(const struct guest_mem *mem, u64 gpa, u64 len)
{
	u64 end = gpa + len;

	while (gpa < end) {
		u64 stop;
		const struct mem_region *region = part(mem, gpa, end, &stop);
		int err;

		if (!region)
			return -ENXIO;
		do {
			err = fallocate(region->fd,
					FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)(region->desc.file_offset + gpa -
						region->desc.gpa),
					(off_t)(stop - gpa));
		} while (err && errno == EINTR);
		if (err)
			return -errno;
		gpa = stop;
	}
	return 0;
}
