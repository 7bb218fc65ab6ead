/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heap sort (J. W. J. Williams, "Algorithm 232"), with R. W. Floyd's sift: the
 * hole sinks to a leaf along the larger children and then rises, which saves
 * about half of the comparisons.
 */
#include "lib/sort.h"

struct array {
	u8 *base;
	size_t size;
	int (*cmp)(const void *a, const void *b);
};

static inline u8 *at(const struct array *a, size_t i)
{
	return a->base + i * a->size;
}

static void swap(const struct array *a, size_t i, size_t j)
{
	u8 *p = at(a, i);
	u8 *q = at(a, j);

	for (size_t n = 0; n < a->size; n++) {
		u8 byte = p[n];

		p[n] = q[n];
		q[n] = byte;
	}
}

/*
 * Restore the order of a heap of @nr elements, in which only element @top may be out of place.
 */
static void sift(const struct array *a, size_t top, size_t nr)
{
	size_t i = top;

	while (2 * i + 2 < nr)
		i = 2 * i + 1 + (a->cmp(at(a, 2 * i + 1), at(a, 2 * i + 2)) < 0);
	if (2 * i + 1 < nr)
		i = 2 * i + 1;
	while (i > top && a->cmp(at(a, top), at(a, i)) > 0)
		i = (i - 1) / 2;
	/* Element @top belongs at i: move all elements on the way there up by one. */
	while (i > top) {
		swap(a, top, i);
		i = (i - 1) / 2;
	}
}

void sort(void *base, size_t nr, size_t size, int (*cmp)(const void *a, const void *b))
{
	struct array a = {.base = base, .size = size, .cmp = cmp};

	if (nr < 2)
		return;
	for (size_t i = nr / 2; i-- > 0;)
		sift(&a, i, nr);
	for (size_t i = nr - 1; i > 0; i--) {
		swap(&a, 0, i);
		sift(&a, 0, i);
	}
}
