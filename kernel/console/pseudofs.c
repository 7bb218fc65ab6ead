/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of /proc and /sys: a table, no file system. A path may hold one '*',
 * which stands for the id of a present memory block.
 */
#include "kernel/console/shell.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/memory_hotplug.h"

#define PATH_BYTES 128

extern const struct pseudo_file __start_pseudo_files[], __stop_pseudo_files[];
#define for_each_file(f) for ((f) = __start_pseudo_files; (f) < __stop_pseudo_files; (f)++)

/* Check whether @path names @f; set *block from the digits in place of '*'. */
static bool file_matches(const struct pseudo_file *f, const char *path, unsigned long *block)
{
	const char *star = strchr(f->path, '*');
	char digits[24];
	size_t before, n = 0;

	*block = 0;
	if (!star)
		return strcmp(f->path, path) == 0;
	before = star - f->path;
	if (strncmp(f->path, path, before) != 0)
		return false;
	for (path += before; isdigit(*path) && n < sizeof(digits) - 1; path++)
		digits[n++] = *path;
	digits[n] = '\0';
	if (n == 0 || (n > 1 && digits[0] == '0') || strcmp(path, star + 1) != 0)
		return false;
	return kstrtou64(digits, 10, block) == 0 &&
	       memory_block_state(&kernel_mm, *block) != MEM_BLOCK_ABSENT;
}

static const struct pseudo_file *file_find(const char *path, unsigned long *block)
{
	const struct pseudo_file *f;

	for_each_file(f)
		if (file_matches(f, path, block))
			return f;
	return NULL;
}

static int no_such_file(const char *path, struct sink *out)
{
	sink_printf(out, "%s: no such file; \"ls /proc\" and \"ls /sys/devices/system/memory\" "
			 "list them\n", path);
	return -ENOENT;
}

int pseudofs_show(const char *path, struct sink *out)
{
	unsigned long block;
	const struct pseudo_file *f = file_find(path, &block);

	return f ? f->show(block, out) : no_such_file(path, out);
}

int pseudofs_store(const char *path, const char *word, struct sink *out)
{
	unsigned long block;
	const struct pseudo_file *f = file_find(path, &block);

	if (!f)
		return no_such_file(path, out);
	if (!f->store) {
		sink_printf(out, "%s: read-only\n", path);
		return -EPERM;
	}
	return f->store(block, word, out);
}

void pseudofs_for_each(void (*fn)(const char *path, void *arg), void *arg)
{
	const struct pseudo_file *f;
	char path[PATH_BYTES];

	for_each_file(f) {
		const char *star = strchr(f->path, '*');

		if (!star) {
			fn(f->path, arg);
			continue;
		}
		for_each_memory_block(&kernel_mm, b, 0) {
			snprintf(path, sizeof(path), "%.*s%lu%s", (int)(star - f->path),
				 f->path, b, star + 1);
			fn(path, arg);
		}
	}
}

/*
 * The state of listing a directory in order: each step finds the smallest name that is greater
 * than the last. This needs no memory, and a directory is small.
 */
struct next_name {
	const char *dir;
	size_t dir_len;
	char last[PATH_BYTES];
	char best[PATH_BYTES];
};

/* Compare names, and numbers in them by value: "memory9" comes before "memory10". */
static int name_cmp(const char *a, const char *b)
{
	while (*a && *a == *b && !isdigit(*a)) {
		a++;
		b++;
	}
	if (isdigit(*a) && isdigit(*b)) {
		size_t na = 0, nb = 0;

		while (isdigit(a[na]))
			na++;
		while (isdigit(b[nb]))
			nb++;
		if (na != nb)
			return na < nb ? -1 : 1;
	}
	return strcmp(a, b);
}

static void consider(const char *path, void *arg)
{
	struct next_name *n = arg;
	char name[PATH_BYTES];
	const char *slash;

	if (strncmp(path, n->dir, n->dir_len) != 0 || path[n->dir_len] != '/')
		return;
	path += n->dir_len + 1;
	slash = strchr(path, '/');
	snprintf(name, sizeof(name), "%.*s",
		 slash ? (int)(slash - path) + 1 : (int)strlen(path), path);
	if (n->last[0] && name_cmp(name, n->last) <= 0)
		return;
	if (!n->best[0] || name_cmp(name, n->best) < 0)
		strscpy(n->best, name, sizeof(n->best));
}

/* Find the next name in the directory; false if there is none. */
static bool next_name(struct next_name *n)
{
	n->best[0] = '\0';
	pseudofs_for_each(consider, n);
	memcpy(n->last, n->best, sizeof(n->last));
	return n->best[0] != '\0';
}

int pseudofs_list(const char *dir, struct sink *out)
{
	struct next_name n = { .dir = dir, .dir_len = strlen(dir) };
	bool any = false;

	while (n.dir_len > 0 && dir[n.dir_len - 1] == '/')
		n.dir_len--;
	while (next_name(&n)) {
		sink_printf(out, "%s\n", n.last);
		any = true;
	}
	return any ? 0 : no_such_file(dir, out);
}

void pseudofs_complete(const char *prefix, word_offer_fn offer, void *arg)
{
	struct next_name n = { .dir = prefix };
	char path[2 * PATH_BYTES];

	for (n.dir_len = strlen(prefix); n.dir_len > 0 && prefix[n.dir_len] != '/';)
		n.dir_len--;
	while (next_name(&n)) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)n.dir_len, prefix, n.last);
		offer(arg, path);
	}
}
