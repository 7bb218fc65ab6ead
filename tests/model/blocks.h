/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_BLOCKS_H
#define _TESTS_MODEL_BLOCKS_H

/*
 * The model of memory blocks and their owners, on top of the model of frames (frames.h).
 * There are six blocks and three owners: the first block has 32 MiB from boot, and the first
 * owner shares it; the second owner keeps frames back when a block goes online; the second
 * and the third share a block; the last block ends in a hole.
 */
#include "tests/model/request.h"

#define NR_OWNERS  3U
#define BOOT_BYTES (32UL << 20)
#define NOBODY	   (-1)

/**
 * struct block_model - one memory block
 * @state: ABSENT, OFFLINE or ONLINE
 * @type: the type with which it went online
 * @hole: bit b: pageblock b is a hole
 * @plugged: bit b: pageblock b is memory and mapped
 * @header: pageblock of its metadata; PAGEBLOCKS_PER_SECTION if that lies in another block
 * @owner: the owner that added the block, or NOBODY
 */
struct block_model {
	enum memory_block_state state;
	enum mhp_online_type type;
	u64 hole, plugged;
	unsigned int header;
	int owner;
};

/**
 * struct owner_model - one owner
 * @registered: mm/ knows it
 * @keeps: bit i: run i of every 8 runs of 32 frames stays offline when a block goes online
 * @flags: the flags of these frames
 */
struct owner_model {
	struct memory_owner owner;
	bool registered;
	u8 keeps;
	u32 flags;
};

/* An event that a listener has heard. */
struct heard {
	u8 listener, event;
	u16 block;
};

/**
 * struct refusal - the event that the second listener refuses
 * @event: its kind
 * @left: its number among the events of that kind from now on; 0: none is refused
 * @error: the answer
 * @place: the listener hears before the two others (0), between them (1) or after (2)
 */
struct refusal {
	unsigned int event, left, place;
	int error;
};

extern struct block_model blocks[FM_SECTIONS];
extern struct owner_model owners[NR_OWNERS];
extern struct refusal blocks_refusal; /* the model's */
extern bool blocks_auto_movable;      /* the policy of "online" */
extern u64 blocks_ratio;	      /* its ratio, in percent */

static inline unsigned long block_pfn(unsigned long n)
{
	return fm.base + n * PAGES_PER_SECTION;
}

static inline unsigned long block_id(unsigned long n)
{
	return block_pfn(n) >> SECTION_PFN_SHIFT;
}

/* Set the first state: no owner is registered. */
void blocks_setup(void);

/* --- block_steps.c --------------------------------------------------------- */

#define NR_BLOCK_STEPS 12

/* Set up owners and listeners, after fm_start() of a memory with BOOT_BYTES. */
void blocks_start(void);

/* Make a step on blocks: @which, any number, selects its kind, and @c chooses the rest. */
void block_step(struct choices *c, unsigned int which);

/* Remove everything, and check that all totals are as at the start. */
void blocks_give_back(void);

/* --- block_requests.c, block_parts.c --------------------------------------- */

extern const struct request_kind add_request, online_request, offline_request,
	leave_request, remove_request, plug_request, unplug_request, owner_request;

void model_owner_leaves(unsigned int i);

/* --- blocks.c -------------------------------------------------------------- */

/* Make the pageblocks @plugged of a block plugged, and all its others unplugged. */
void blocks_set_plugged(unsigned long n, u64 plugged);

/* Return the pageblocks of a block that belong to an owner; -1: to any registered owner. */
u64 blocks_owner_mask(int owner, unsigned long n);

/* Does the owner keep this frame back? */
bool owner_keeps(const struct owner_model *o, unsigned long pfn);

/* Return the zone into which an onlining of this type puts a block. */
enum zone_type blocks_zone_for(unsigned long n, enum mhp_online_type type);

/*
 * Check that the watermarks follow the amount of memory; call this after a request that
 * changed it.
 */
void blocks_check_marks(void);

/*
 * Follow the frames that mm/ took or freed for itself, and check all values of the blocks;
 * call this after a request.
 */
void blocks_check(void);

/* --- listeners.c ----------------------------------------------------------- */

void listeners_setup(void);
/* Set the event that the second listener refuses, in the model and for real. */
void listeners_refuse(struct refusal refusal);
/* Let the model's listeners hear a start, or an end. Return: 0 or the refusal's error. */
int model_start(enum mem_event going, enum mem_event cancel, unsigned long n);
void model_end(enum mem_event end, unsigned long n);
/* Does the model's listener refuse the @nth of these events from now on, counted from 0? */
bool listeners_refuse_nth(enum mem_event event, unsigned int nth);
/* Check that the listeners heard what the model says, in that order. */
void listeners_check(void);
/* Did the listeners hear in this call that block @n goes offline? */
bool listeners_were_asked(unsigned long n);

#endif
