/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice of the part of a virtio-mem region to plug or unplug next. See vmem_plan.h.
 *
 * Compare with: Linux drivers/virtio/virtio_mem.c, virtio_mem_sbm_plug_any_sb()
 * and the unplug functions, which go by state class and address only.
 */
#include "drivers/virtio/mem/vmem_plan.h"
#include "lib/bitops.h"
#include "lib/sort.h"
#include "lib/string.h"

u64 vmem_mask(const struct vmem_map *map, unsigned long i, unsigned long start,
	      unsigned long end)
{
	const unsigned long base = vmem_block_start(map, i);
	const unsigned long from = max(start, base);
	const unsigned long to = min(end, base + PAGEBLOCKS_PER_SECTION);

	if (from >= to)
		return 0;
	return (~0UL >> (PAGEBLOCKS_PER_SECTION - (to - from))) << (from - base);
}

u64 vmem_run_mask(const struct vmem_map *map, unsigned long i, const struct vmem_run *run)
{
	return vmem_mask(map, i, run->start, run->start + run->nr);
}

void vmem_reserve_mask(struct vmem_map *map, unsigned long i, u64 mask)
{
	map->block[i].reserved |= mask;
	WRITE_ONCE(map->nr_reserved, map->nr_reserved + hweight64(mask));
}

void vmem_unreserve_mask(struct vmem_map *map, unsigned long i, u64 mask)
{
	map->block[i].reserved &= ~mask;
	WRITE_ONCE(map->nr_reserved, map->nr_reserved - hweight64(mask));
}

/* For each memory block @i that @run touches. */
#define for_each_run_block(i, map, run)                           \
	for (unsigned long i = vmem_index(map, (run)->start);     \
	     i < (map)->nr_blocks &&                              \
	     vmem_block_start(map, i) < (run)->start + (run)->nr; \
	     i++)

void vmem_reserve(struct vmem_map *map, const struct vmem_run *run)
{
	for_each_run_block(i, map, run)
		vmem_reserve_mask(map, i, vmem_run_mask(map, i, run));
}

void vmem_unreserve(struct vmem_map *map, const struct vmem_run *run)
{
	for_each_run_block(i, map, run)
		vmem_unreserve_mask(map, i, vmem_run_mask(map, i, run));
}

void vmem_forget_refusals(struct vmem_map *map)
{
	for (unsigned long i = 0; i < map->nr_blocks; i++)
		map->block[i].refusals = 0;
}

/*
 * Return the pageblocks of block @i that the driver may plug and mm may take. @plugged: the
 * pageblocks that are plugged already.
 */
static u64 room_in(const struct vmem_map *map, unsigned long i, u64 plugged)
{
	const struct vmem_block *b = &map->block[i];

	if (b->refusals >= VMEM_MAX_REFUSALS)
		return 0;
	return vmem_mask(map, i, map->start, map->usable_end) & ~(plugged | b->reserved);
}

/* --- runs ----------------------------------------------------------------- */

struct run_list {
	struct vmem_run *run;
	unsigned int nr, max;
	unsigned long max_run;
	unsigned long left; /* pageblocks still wanted */
};

/*
 * Join as much of [start, start + nr) as fits to the last run, above or below it: a plan adds
 * its runs in ascending or in descending order. Return: the number of pageblocks joined.
 */
static unsigned long run_join(struct run_list *list, unsigned long *start, unsigned long nr)
{
	struct vmem_run *last = &list->run[list->nr - 1];
	const unsigned long take = list->nr ? min(nr, list->max_run - last->nr) : 0;

	if (take && last->start + last->nr == *start)
		*start += take;
	else if (take && *start + nr == last->start)
		last->start -= take;
	else
		return 0;
	last->nr += take;
	return take;
}

/* Merge runs that have become adjacent. Return: the number of runs left. */
static unsigned int runs_merge(struct run_list *list)
{
	struct vmem_run *r = list->run;

	for (unsigned int i = 0; i < list->nr; i++) {
		for (unsigned int k = 0; k < list->nr; k++) {
			if (r[i].start + r[i].nr != r[k].start ||
			    r[i].nr + r[k].nr > list->max_run)
				continue;
			r[i].nr += r[k].nr;
			r[k] = r[--list->nr];
			if (i == list->nr)
				i = k;
			k = ~0U; /* look again from the first */
		}
	}
	return list->nr;
}

/*
 * Add a run of at most max_run pageblocks. If the list is full, merge its adjacent runs first.
 * Return: false when the list is full.
 */
static bool run_add(struct run_list *list, unsigned long start, unsigned long nr)
{
	const unsigned long joined = run_join(list, &start, nr);

	list->left -= joined;
	nr -= joined;
	if (!nr)
		return true;
	if (list->nr == list->max && runs_merge(list) == list->max)
		return false;
	list->run[list->nr].start = start;
	list->run[list->nr++].nr = nr;
	list->left -= nr;
	return true;
}

/* Find the highest run of ones; @bit: its lowest bit. Return: its length. */
static unsigned int high_run(u64 mask, unsigned int *bit)
{
	const unsigned int top = __fls(mask);
	const u64 zeros = ~mask & (~0UL >> (63 - top));
	const unsigned int low = zeros ? __fls(zeros) + 1 : 0;

	*bit = low;
	return top - low + 1;
}

/* Add runs of block @i, lowest first. Return: false when full. */
static bool add_low(struct run_list *list, unsigned long base, u64 mask)
{
	for_each_run(part, mask) {
		const unsigned long nr = min((unsigned long)hweight64(part), list->left);

		if (!nr)
			break;
		if (!run_add(list, base + __ffs(part), min(nr, list->max_run)))
			return false;
	}
	return true;
}

static bool add_high(struct run_list *list, unsigned long base, u64 mask)
{
	while (mask && list->left) {
		unsigned int bit;
		unsigned long nr = high_run(mask, &bit), take;

		mask &= ~((~0UL >> (64 - nr)) << bit);
		take = min(min(nr, list->left), list->max_run);
		if (!run_add(list, base + bit + nr - take, take))
			return false;
	}
	return true;
}

/* --- plugging ------------------------------------------------------------- */

/* Add room in blocks that mm has. Return: false when the list is full. */
static bool add_present(const struct vmem_map *map, struct run_list *list)
{
	for_each_vmem_block(i, map) {
		const u64 room = room_in(map, i, vmem_info(map, i).plugged);

		if (!add_low(list, vmem_block_start(map, i), room))
			return false;
		if (!list->left)
			break;
	}
	return true;
}

/* Add room in blocks that mm does not have yet, until that is enough or the list is full. */
static void add_absent(const struct vmem_map *map, struct run_list *list)
{
	unsigned long present = vmem_next(map, 0);

	for (unsigned long i = 0; i < map->nr_blocks && list->left; i++) {
		if (i == present)
			present = vmem_next(map, i + 1);
		/* Skip an absent block until mm has taken its reserved pageblocks. */
		else if (!map->block[i].reserved &&
			 !add_low(list, vmem_block_start(map, i), room_in(map, i, 0)))
			break;
	}
}

unsigned int vmem_plan_plug(const struct vmem_map *map, unsigned long want,
			    struct vmem_run *runs, unsigned int max)
{
	struct run_list list = { runs, 0, max, map->max_run, want };

	if (add_present(map, &list))
		add_absent(map, &list);
	return runs_merge(&list);
}

unsigned int vmem_plan_reserved(const struct vmem_map *map, unsigned long want,
				struct vmem_run *runs, unsigned int max)
{
	struct run_list list = { runs, 0, max, map->max_run, want };

	for (unsigned long i = map->nr_blocks; i-- > 0 && list.left;) {
		const u64 reserved = map->block[i].reserved;

		if (reserved && !add_high(&list, vmem_block_start(map, i), reserved))
			break;
	}
	return list.nr;
}

/* --- unplugging ----------------------------------------------------------- */

static u32 used_in(const struct vmem_map *map, unsigned long i, u64 mask)
{
	return mask ? map->used(map->ctx, vmem_block_start(map, i), mask) : 0;
}

void vmem_map_scan(struct vmem_map *map)
{
	for_each_vmem_block(i, map) {
		const struct memory_block_info info = vmem_info(map, i);
		struct vmem_block *b = &map->block[i];

		b->skip = 0;
		b->stays = false;
		if (info.removable)
			b->used = used_in(map, i, info.plugged);
	}
}

static int by_id(const void *a, const void *b)
{
	const unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/*
 * A sort key that puts the emptiest block last, and the highest of equally empty blocks. From
 * the top bits down: the frames not in use, the block's index, the pageblocks that its removal
 * unplugs.
 */
#define KEY_UNUSED_SHIFT 40
#define KEY_INDEX_SHIFT	 8

/*
 * Return the number of pageblocks that removing block @i unplugs; 0 if it cannot be removed.
 */
static unsigned int removal_yields(const struct vmem_map *map, unsigned long i,
				   enum vmem_effort effort)
{
	const struct vmem_block *b = &map->block[i];
	struct memory_block_info info;

	if (b->stays || b->skip || b->reserved || (effort == VMEM_FREE && b->used))
		return 0;
	info = vmem_info(map, i);
	return info.removable ? hweight64(info.plugged) : 0;
}

unsigned long vmem_plan_blocks(struct vmem_map *map, unsigned long want, enum vmem_effort effort)
{
	unsigned long nr = 0, kept;

	for_each_vmem_block(i, map) {
		const unsigned long pbs = removal_yields(map, i, effort);
		const u64 unused = PAGES_PER_SECTION - map->block[i].used;

		if (pbs)
			map->ids[nr++] = (unused << KEY_UNUSED_SHIFT) +
					 (i << KEY_INDEX_SHIFT) + pbs;
	}
	if (effort == VMEM_ANY) /* empty blocks are in order already */
		sort(map->ids, nr, sizeof(map->ids[0]), by_id);
	kept = nr;
	for (unsigned long n = nr; n-- > 0 && want;) {
		const u64 key = map->ids[n] % (1UL << KEY_UNUSED_SHIFT);
		const unsigned long pbs = key % (1UL << KEY_INDEX_SHIFT);

		if (pbs > want)
			continue;
		want -= pbs;
		map->ids[--kept] = map->first_block + (key >> KEY_INDEX_SHIFT);
	}
	nr -= kept;
	memmove(map->ids, map->ids + kept, nr * sizeof(map->ids[0]));
	if (effort == VMEM_ANY)
		sort(map->ids, nr, sizeof(map->ids[0]), by_id);
	return nr;
}

/* Return the granule that holds pageblock @b of a block. */
static u64 granule_mask(const struct vmem_map *map, unsigned int b)
{
	return (~0UL >> (64 - map->granule)) << (b & ~(map->granule - 1));
}

/* Return the granules of a block that can be unplugged while the block stays. */
static u64 removable(const struct vmem_map *map, unsigned long i)
{
	const struct memory_block_info info = vmem_info(map, i);
	u64 mask = info.plugged & ~map->block[i].skip;

	if (info.header)
		mask &= ~granule_mask(map, __ffs(info.header));
	return mask;
}

/* Classes of occupancy of a granule: 0 is empty, 64 is full. */
#define NR_CLASSES 65

static unsigned int class_of(const struct vmem_map *map, unsigned long i, u64 granule)
{
	const u32 used = used_in(map, i, granule);
	const u32 full = map->granule * PAGEBLOCK_NR_PAGES;

	return min(DIV_ROUND_UP((u64)used * (NR_CLASSES - 1), full), NR_CLASSES - 1UL);
}

/* A walk over all removable granules, from the top: to count them, or to take some. */
struct granule_walk {
	struct run_list *list; /* NULL: count */
	const struct vmem_map *map;
	unsigned long nr_in[NR_CLASSES];
	unsigned int cutoff; /* take all granules of lower classes, ... */
	unsigned long equal; /* ... and this many pageblocks of the cutoff class */
};

/* Return: false when the list is full, or has as much as the plan needs. */
static bool visit_granule(struct granule_walk *walk, unsigned long i, u64 granule)
{
	const unsigned int class = class_of(walk->map, i, granule);

	if (!walk->list) {
		walk->nr_in[class] += walk->map->granule;
		return true;
	}
	if (!walk->list->left)
		return false;
	if (class > walk->cutoff || (class == walk->cutoff && !walk->equal))
		return true;
	if (class == walk->cutoff)
		walk->equal -= walk->map->granule;
	return add_high(walk->list, vmem_block_start(walk->map, i), granule);
}

static void walk_granules(struct granule_walk *walk)
{
	const struct vmem_map *map = walk->map;

	for (unsigned long i = map->nr_blocks; i-- > 0;) {
		u64 mask = removable(map, i);

		while (mask) {
			const u64 g = granule_mask(map, __fls(mask));

			mask &= ~g;
			if (!visit_granule(walk, i, g))
				return;
		}
	}
}

/*
 * Find the highest class of which granules are needed, and the number of pageblocks to take
 * from it.
 */
static void find_cutoff(struct granule_walk *walk, unsigned long want)
{
	walk_granules(walk);
	for (walk->cutoff = 0; walk->cutoff < NR_CLASSES - 1; walk->cutoff++) {
		if (walk->nr_in[walk->cutoff] >= want)
			break;
		want -= walk->nr_in[walk->cutoff];
	}
	walk->equal = want;
}

unsigned int vmem_plan_granules(const struct vmem_map *map, unsigned long want,
				enum vmem_effort effort, struct vmem_run *runs, unsigned int max)
{
	struct run_list list = { runs, 0, max, map->max_run, want };
	struct granule_walk walk = { .map = map, .equal = want };

	if (effort == VMEM_ANY)
		find_cutoff(&walk, want);
	walk.list = &list;
	walk_granules(&walk);
	return list.nr;
}
