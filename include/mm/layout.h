/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_LAYOUT_H
#define _MM_LAYOUT_H

/*
 * The layout of struct mm and all that it points to, for programs that read the memory
 * of a running or dead ebb from outside. They find the rows in the ELF section
 * "ebb_layout" of the image, so they need no debug information.
 */
#include "lib/types.h"

/**
 * struct layout_row - one number
 * @name: "mm.zone" is an offset, "sizeof.zone" a size, "PB_VALID" a constant
 * @value: the number
 */
struct layout_row {
	char name[40];
	u64 value;
};
static_assert(sizeof(struct layout_row) == 48, "programs of other versions read it");

#endif
