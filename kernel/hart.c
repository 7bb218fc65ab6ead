/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of harts.
 */
#include "kernel/hart.h"

struct hart harts[MAX_HARTS];

static unsigned int nr_registered;

unsigned int nr_harts(void)
{
	return nr_registered;
}

struct hart *hart_by_id(unsigned int id)
{
	return id < nr_registered ? &harts[id] : NULL;
}

struct hart *hart_register(u64 hartid)
{
	struct hart *hart;

	if (nr_registered == MAX_HARTS)
		return NULL;
	hart = &harts[nr_registered];
	hart->id = nr_registered;
	hart->hartid = hartid;
	nr_registered++;
	return hart;
}

void hart_set_online(void)
{
	/* Pairs with hart_is_online(): a reader that sees the hart online sees it set up. */
	STORE_RELEASE(this_hart()->state, HART_ONLINE);
}

void hart_set_stopped(void)
{
	STORE_RELEASE(this_hart()->state, HART_STOPPED);
}
