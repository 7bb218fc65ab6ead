/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of /proc and /sys, and kpageflags, as one ustar stream (POSIX.1-1988), so
 * that Linux tools can read ebb on the host: lsmem --sysroot DIR.
 *
 * Each file is first printed into a buffer, for two reasons: its size precedes its bytes in
 * the stream, and printing may hold locks, while writing the stream may wait for a slow
 * reader.
 */
#include "kernel/console/export.h"
#include "kernel/console/shell.h"
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/memory_hotplug.h"
#include "mm/slab.h"

#define BUFFER_BYTES 0x10000
#define TAR_BLOCK    512

struct ustar_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6], version[2];
	char uname[32], gname[32];
	char devmajor[8], devminor[8];
	char prefix[155];
	char pad[12];
};
static_assert(sizeof(struct ustar_header) == TAR_BLOCK, "POSIX ustar");

/* The stream's destination, and the buffer for a file. */
struct tar {
	struct sink *out;
	char *buffer;
	int err;
};

static char zeros[TAR_BLOCK]; /* never written; a const array would be bytes of the image */

static void tar_header(struct tar *tar, const char *path, u64 size)
{
	struct ustar_header h = { .typeflag = '0', .magic = "ustar", .version = { '0', '0' } };
	unsigned int sum = 0;

	/* Paths in an archive are relative. */
	strscpy(h.name, path + 1, sizeof(h.name));
	strscpy(h.mode, "0000644", sizeof(h.mode));
	strscpy(h.uid, "0000000", sizeof(h.uid));
	strscpy(h.gid, "0000000", sizeof(h.gid));
	snprintf(h.size, sizeof(h.size), "%011lo", size);
	strscpy(h.mtime, "00000000000", sizeof(h.mtime));
	memset(h.chksum, ' ', sizeof(h.chksum));
	for (unsigned int i = 0; i < sizeof(h); i++)
		sum += ((const u8 *)&h)[i];
	snprintf(h.chksum, sizeof(h.chksum), "%06o", sum);
	tar->out->write(tar->out, (const char *)&h, sizeof(h));
}

static void tar_pad(struct tar *tar, u64 size)
{
	if (size % TAR_BLOCK)
		tar->out->write(tar->out, zeros, TAR_BLOCK - size % TAR_BLOCK);
}

/* Write one file of the table, for pseudofs_for_each(). */
static void tar_file(const char *path, void *arg)
{
	struct tar *tar = arg;
	struct sink_buffer text;

	sink_buffer_init(&text, tar->buffer, BUFFER_BYTES);
	/* A block may have left since it was listed. */
	if (pseudofs_show(path, &text.sink) == -ENOENT)
		return;
	if (text.lost)
		tar->err = -E2BIG;
	tar_header(tar, path, text.len);
	tar->out->write(tar->out, text.text, text.len);
	tar_pad(tar, text.len);
}

/*
 * A frame's state in the bits of Linux's /proc/kpageflags, so that its readers (page-types
 * and the like) understand ebb. Compare with: Linux fs/proc/page.c, and the numbers in
 * include/uapi/linux/kernel-page-flags.h.
 */
enum {
	KPF_COMPOUND_HEAD = 15,
	KPF_COMPOUND_TAIL = 16,
	KPF_HWPOISON = 19,
	KPF_NOPAGE = 20,
	KPF_THP = 22,
};

/*
 * Check whether the frame is part of an allocated chunk of several frames, in Linux a compound
 * page.
 */
static bool is_compound(const struct page_state *st)
{
	const enum page_mobility mobility = page_type_mobility(st->type);

	return st->order > 0 &&
	       (mobility == PAGE_MOBILITY_FIXED || mobility == PAGE_MOBILITY_OPS);
}

u64 kpageflags_of(const struct page_state *st)
{
	const int kpf = st ? page_type_kpf(st->type) : KPF_NOPAGE;
	u64 flags = kpf >= 0 ? BIT(kpf) : 0;

	if (!st)
		return flags;
	if (is_compound(st))
		flags |= BIT(st->flags & PG_TAIL ? KPF_COMPOUND_TAIL : KPF_COMPOUND_HEAD);
	if ((st->type == PGTY_ANON || st->type == PGTY_PAGECACHE) && st->order == PAGEBLOCK_ORDER)
		flags |= BIT(KPF_THP);
	if (st->flags & PG_HWPOISON)
		flags |= BIT(KPF_HWPOISON);
	return flags;
}

/* Fill in the words of kpageflags from @pfn on, all in one section. */
static void fill_flags(u64 *words, unsigned long pfn, unsigned long nr)
{
	struct page_state st;

	pfn_walk_begin();
	for (unsigned long i = 0; i < nr; i++)
		words[i] = kpageflags_of(page_state_get(&kernel_mm, pfn + i, &st) ? &st : NULL);
	pfn_walk_end();
}

/* Write eight bytes per frame from frame 0 to the last block's end, as in Linux. */
static void tar_kpageflags(struct tar *tar)
{
	const unsigned long end = READ_ONCE(kernel_mm.max_pfn), step = BUFFER_BYTES / sizeof(u64);

	tar_header(tar, "/proc/kpageflags", end * sizeof(u64));
	for (unsigned long pfn = 0; pfn < end; pfn += step) {
		const unsigned long nr = min(step, end - pfn);

		fill_flags((u64 *)(void *)tar->buffer, pfn, nr);
		tar->out->write(tar->out, tar->buffer, nr * sizeof(u64));
	}
	tar_pad(tar, end * sizeof(u64));
}
static_assert(PAGES_PER_SECTION % (BUFFER_BYTES / sizeof(u64)) == 0, "a section per piece");

int dumpsys_write(struct sink *out)
{
	struct tar tar = { .out = out };

	tar.buffer = alloc_pages_virt(&kernel_mm, GFP_KERNEL, BUFFER_BYTES);
	if (!tar.buffer)
		return -ENOMEM;
	pseudofs_for_each(tar_file, &tar);
	tar_kpageflags(&tar);
	/* Two empty blocks end an archive. */
	out->write(out, zeros, TAR_BLOCK);
	out->write(out, zeros, TAR_BLOCK);
	free_pages_virt(&kernel_mm, tar.buffer, BUFFER_BYTES);
	return tar.err;
}
