/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_OWNER_NAME_H
#define _KERNEL_OWNER_NAME_H

/*
 * Names for the owner words of pages. A module that gives its pages an owner word
 * registers what the word means; the linker collects the names:
 *
 *	OWNER_NAME(reserve, OWNER_RESERVE, 1, "reserve for metadata of memory blocks");
 */
#include "lib/compiler.h"
#include "lib/types.h"

struct sink;

/**
 * struct owner_name - a name for a range of owner words
 * @first: the first word; the address of a table, if the words are addresses in it
 * @nr: number of words
 * @name: for the user
 */
struct owner_name {
	u64 first;
	u64 nr;
	const char *name;
};

#define OWNER_NAME(_id, _first, _nr, _name)                                              \
	static const struct owner_name _owner_name_##_id __table("owner_names") = {      \
		.first = (_first), .nr = (_nr), .name = (_name),                         \
	}

/* Return the registered name of an owner word, or NULL. Any context. */
const char *owner_name(u64 word);

/**
 * owner_print() - write the name of an owner word, in one piece
 * @word: the word
 * @out: gets the registered name, else a function and an offset if the word is an address
 *	in the kernel's code, else the number; for 0, a text that says that the kernel gave no
 *	name
 *
 * Context: as @out allows; takes no lock.
 */
void owner_print(u64 word, struct sink *out);

#endif
