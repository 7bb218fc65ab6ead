/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_GUEST_MEM_H
#define _VMEM_GUEST_MEM_H

/*
 * The guest's memory as the frontend (QEMU) shares it: ranges of guest
 * physical addresses, each backed by a file that is mapped here. The table comes over a
 * socket, so every entry is checked.
 */
#include "lib/types.h"

#define GUEST_MEM_SLOTS 64

/* A memory region as vhost-user describes it. */
struct mem_region_desc {
	u64 gpa;	 /* guest physical address */
	u64 size;	 /* bytes */
	u64 user;	 /* address in the frontend's process; the rings use such addresses */
	u64 file_offset; /* bytes */
};

struct mem_region {
	struct mem_region_desc desc;
	int fd;
	u8 *host;	  /* address of the first byte in this process */
	void *map;	  /* the mapping, as mmap() returned it */
	size_t map_bytes; /* size of the mapping */
};

/**
 * struct guest_mem - the table
 * @region: in no particular order
 * @nr: how many
 * @refuse: if set, guest_mem_read() and guest_mem_write() fail for a range for which it
 * returns true
 * @refuse_arg: for @refuse
 */
struct guest_mem {
	struct mem_region region[GUEST_MEM_SLOTS];
	u32 nr;
	bool (*refuse)(void *arg, u64 gpa, u64 len);
	void *refuse_arg;
};

const char *guest_mem_add(struct guest_mem *mem, const struct mem_region_desc *desc,
			  int fd);
const char *guest_mem_remove(struct guest_mem *mem, const struct mem_region_desc *desc);
void guest_mem_clear(struct guest_mem *mem);
const struct mem_region *guest_mem_find(const struct guest_mem *mem, u64 gpa);
void *guest_mem_from_user(const struct guest_mem *mem, u64 user, u64 len);
int guest_mem_read(const struct guest_mem *mem, u64 gpa, void *to, u64 len);
int guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *from, u64 len);

#endif
