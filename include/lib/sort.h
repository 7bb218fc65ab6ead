/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_SORT_H
#define _LIB_SORT_H

#include "lib/types.h"

/**
 * sort() - order an array in place
 * @base: first element
 * @nr: elements
 * @size: bytes of an element
 * @cmp: returns less than, equal to or more than 0 if its first argument belongs
 *	before, with or after the second
 *
 * Heap sort: O(nr log nr) always, no allocation, no recursion; equal elements
 * may change their order. Compare with: Linux sort().
 */
void sort(void *base, size_t nr, size_t size, int (*cmp)(const void *a, const void *b));

#endif
