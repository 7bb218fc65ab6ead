/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DRIVERS_VIRTIO_VIRTIO_MEM_H
#define _DRIVERS_VIRTIO_VIRTIO_MEM_H

/*
 * The virtio-mem driver's own state, for its files and its tests.
 *
 *   virtio_mem.c     devices come and go
 *   vmem_config.c    what the device says of itself
 *   vmem_region.c    the region and mm
 *   vmem_worker.c    rounds
 *   vmem_plan.c      what to plug and unplug next (pure)
 *   vmem_request.c   requests and answers
 *   vmem_recover.c   a device that was given up comes back
 *   vmem_grow.c      device -> mm
 *   vmem_shrink.c    mm -> device
 *   vmem_cmd.c       what a person sees
 *
 * Threads: one worker a device does everything, in rounds; so nothing here needs
 * a lock but the lines under "shared". Interrupts only set flags and wake it.
 */
#include "drivers/virtio/mem/vmem_plan.h"
#include "kernel/spinlock.h"
#include "kernel/wait.h"
#include "mm/memory_hotplug.h"
#include "virtio/virtio.h"
#include "virtio/virtio_mem.h"
#include "virtio/virtqueue.h"

#define VMEM_MAX_DEVICES 8
#define VMEM_RUNS	 16 /* requests in flight */

#define VMEM_FEATURES (VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE)

/* Back-off after BUSY, before a reset and the like: doubles from the first to the last. */
#define VMEM_RETRY_FIRST_NS (100ULL * 1000 * 1000)
#define VMEM_RETRY_LAST_NS  (10ULL * 1000 * 1000 * 1000)

/* How often, and how far apart, a driver that comes reads a configuration that changes. */
#define VMEM_ATTACH_TRIES 20
#define VMEM_ATTACH_MS	  10

/* A failed round rests so many times as long as it took, when frees call for the next. */
#define VMEM_REST_FACTOR  4
#define VMEM_REST_LAST_NS (1000ULL * 1000 * 1000)
/*
 * A worker that was not woken by its device asks a question before it goes on, and every so
 * often while there is nothing to do; a device that was given up because of its silence is
 * looked at every second. An answer to a question may take so long.
 */
#define VMEM_LOOK_NS	 (3ULL * 1000 * 1000 * 1000)
#define VMEM_SILENT_NS	 (1ULL * 1000 * 1000 * 1000)
#define VMEM_QUESTION_NS (3ULL * 1000 * 1000 * 1000)

/* Emptying one memory block, or one granule, may take so long. */
#define VMEM_BLOCK_NS	(10ULL * 1000 * 1000 * 1000)
#define VMEM_GRANULE_NS (2ULL * 1000 * 1000 * 1000)

/* What became of a request. */
enum vmem_answer {
	VMEM_ACK,
	VMEM_NACK,
	VMEM_BUSY,
	VMEM_ERROR,
	VMEM_LOST, /* no answer: the device may do it yet */
};

/* What a person wants. */
enum vmem_reset {
	VMEM_RESET_NONE,
	VMEM_RESET_ASKED,  /* unless the device says nothing at all */
	VMEM_RESET_FORCED,
};

/* One request in flight; device and driver share the first two. */
struct vmem_slot {
	struct virtio_mem_req req;
	struct virtio_mem_resp resp;
	struct vmem_run run;
	u64 nr; /* the n-th request of the queue */
	u32 answer;
	u16 state; /* enum virtio_mem_state, if STATE was acknowledged */
	bool open;
};

/**
 * struct virtio_mem - one device
 * @name: "vm0"
 * @owner: the region as mm knows it
 * @config: as last read
 * @fixed: what cannot change, as first read
 * @map: what is plugged
 * @target: pageblocks wanted
 * @unplug_all: memory of an earlier life is still plugged, and mm has none of the region
 * @unsure: what is plugged has to be asked: the device was reset, an earlier driver has left
 *	memory in use, or the device does not plug what it has unplugged under mm
 * @slot, @nr_open: requests in flight, at most @nr_slots
 * @answers: woken when the device used something
 * @wake: woken when the configuration changed or the driver leaves
 * @config_changed, @stopping: set by whoever wakes
 * @unblocked: what stood in the way of an unplug may be gone; set by mm, cleared by a round
 * @reset_asked: enum vmem_reset, set by the console
 * @nr_resets: resets that were asked for and are over; @resets is woken then
 * @users: vmem_get() without vmem_put(), under the list's lock
 * @leaves: is to have no users soon; @resets is woken then
 * @silent: the driver gave the device up because it said nothing at all, and resets it only
 *	after it has spoken: QEMU (11.1) aborts when a driver starts a device without a process
 * @question: what is asked of a device that owes answers
 * @restart_ns: a device that was given up is not reset before this time
 * @result: of the last round; the worker writes it, anybody reads it
 * @retry_ns: the next back-off
 * @answer_ns: how long an answer may take
 * @said: what the last line in the log was about
 * shared: @lock protects @trouble, @trouble_block, @trouble_set
 */
struct virtio_mem {
	struct virtio_device *vdev;
	struct mm *mm;
	unsigned int id;
	char name[8];
	struct memory_owner owner;
	struct virtqueue *vq;
	struct virtio_mem_config config, fixed;
	struct vmem_map map;
	unsigned long target;
	bool unplug_all;
	bool unsure;
	struct vmem_run runs[VMEM_RUNS];
	struct vmem_slot slot[VMEM_RUNS];
	unsigned int nr_open;
	unsigned int nr_slots;
	struct wait_queue answers;
	struct wait_queue wake;
	u32 config_changed;
	u32 stopping;
	u32 unblocked;
	u32 reset_asked;
	u32 nr_resets;
	struct wait_queue resets;
	u32 users;
	u32 leaves;
	u64 restart_ns;
	bool silent;
	struct vmem_slot question;
	int result;
	u64 retry_ns;
	u64 answer_ns;
	struct thread *thread;
	u64 nr_requests[VIRTIO_MEM_REQ_STATE + 1];
	u64 nr_answers[VMEM_LOST + 1];
	struct {
		u64 requested;
		u64 plugged;
		int result;
		unsigned long pfn; /* that stood in the way */
		u64 mismatch;
	} said;
	spinlock_t lock;
	struct mm_failure trouble;
	unsigned long trouble_block;
	bool trouble_set;
};

/* --- virtio_mem.c --------------------------------------------------------- */

/**
 * vmem_attach() - everything of probe but DRIVER_OK and the worker
 * @vdev: negotiated
 *
 * Return: 0 with vdev->priv set, or a negative errno (said).
 */
int __must_check vmem_attach(struct virtio_device *vdev);

/* The opposite: what mm has of the region stays mm's. The worker is gone. */
void vmem_detach(struct virtio_mem *vm);

/* The n-th device, or NULL. It stays as long as the list is locked. */
extern struct mutex vmem_list_mutex;
struct virtio_mem *vmem_by_id(unsigned int id) __must_hold(&vmem_list_mutex);
void vmem_list_lock(void) __acquires(&vmem_list_mutex);
void vmem_list_unlock(void) __releases(&vmem_list_mutex);

/*
 * A device to be waited for, with the list unlocked: it leaves after vmem_put(). NULL: there
 * is none with that id, or it has another name. Whoever waits for it looks at vm->leaves.
 */
struct virtio_mem *vmem_get(unsigned int id, const char *name);
void vmem_put(struct virtio_mem *vm);

/* --- vmem_config.c -------------------------------------------------------- */

/*
 * Read and check vm->config. Return: -EPROTO it makes no sense; -ESTALE it changed all the
 * time. It is as it was then.
 */
int __must_check vmem_read_config(struct virtio_mem *vm);

/* Read it, and set target and usable end. */
int __must_check vmem_refresh_config(struct virtio_mem *vm);

/* --- vmem_region.c -------------------------------------------------------- */

/* Zeroed frames for the driver's own state, and back; NULL is allowed. */
void *vmem_zalloc(struct mm *mm, size_t bytes);
void vmem_free(struct mm *mm, void *ptr, size_t bytes);

/* Bounds and per-block state of vm->map out of vm->fixed; free what there is of it. */
int __must_check vmem_make_map(struct virtio_mem *vm);
void vmem_free_map(struct virtio_mem *vm);

/* Become the region's owner; memory that an earlier driver left in mm is taken over. */
int __must_check vmem_own_region(struct virtio_mem *vm);

/* --- vmem_worker.c -------------------------------------------------------- */

/**
 * vmem_work() - one round: follow the requested size as far as possible
 *
 * Context: the worker, or a test in its place.
 * Return: when to call again if nothing happens, ns from now; WAIT_FOREVER.
 */
u64 vmem_work(struct virtio_mem *vm);

/* The worker thread; @arg is the struct virtio_mem. */
int vmem_thread(void *arg);

/* The device wants something else, or the driver leaves: stop what you do. */
bool vmem_interrupted(const struct virtio_mem *vm);

/* mm says that an unplug may work now: memory_owner.unblocked. Any context. */
void vmem_unblocked(struct memory_owner *owner);

/* Keep why something failed, for the status; @block is a memory block id. */
void vmem_trouble(struct virtio_mem *vm, unsigned long block, const struct mm_failure *why);
/* "memory36: pfn 0x90a40 is Slab, cache x": what mm said last, if it did; false: it did not. */
bool vmem_mm_trouble_print(struct virtio_mem *vm, struct sink *out);
/* That, or what the device answers; false: nothing wrong. */
bool vmem_trouble_print(struct virtio_mem *vm, struct sink *out);

/* Bytes that the device has plugged: what mm has, and what was to leave and may not yet. */
u64 vmem_plugged_bytes(const struct virtio_mem *vm);

/* A size in words; several may stand in one line. */
struct vmem_size_text {
	char text[24];
};
struct vmem_size_text vmem_size_text(u64 bytes);

/* --- vmem_request.c ------------------------------------------------------- */

/**
 * vmem_request() - send one request per run, all at once, and wait for the answers
 * @type: VIRTIO_MEM_REQ_PLUG or _UNPLUG
 * @nr: at most vm->nr_slots
 *
 * vm->slot[i] has run i and its answer.
 * Return: 0 all acknowledged; else of the worst answer: -EBUSY, -EAGAIN (NACK),
 * -EIO (ERROR or no answer: the device is given up until it is restarted).
 */
int __must_check vmem_request(struct virtio_mem *vm, enum virtio_mem_req_type type,
			      const struct vmem_run *runs, unsigned int nr);

/*
 * One request for @nr_blocks device blocks; UNPLUG_ALL has none. vm->slot[0] has its answer.
 * Return: as above.
 */
int __must_check vmem_request_one(struct virtio_mem *vm, enum virtio_mem_req_type type,
				  phys_addr_t addr, u64 nr_blocks);

/* Ask a question that changes nothing: a device that is gone is found out. */
void vmem_look(struct virtio_mem *vm);

/* Interrupt: the queue has something. */
void vmem_answered(struct virtqueue *vq);

/* --- vmem_recover.c ------------------------------------------------------- */

/* Reset the device, and bring it up with an empty queue. -EIO: it is given up (again). */
int __must_check vmem_restart(struct virtio_mem *vm);

/**
 * vmem_reconcile() - ask by STATE what is plugged, and make mm and the device agree
 *
 * What the device has unplugged under mm is named, and plugged again; if the device refuses,
 * vm->unsure stays. What the device has and mm lacks is unplugged.
 * Context: the worker, with a configuration that was read just now.
 * Return: 0; -EBUSY, -EAGAIN, -EIO as for vmem_request().
 */
int __must_check vmem_reconcile(struct virtio_mem *vm);

/* --- vmem_grow.c ---------------------------------------------------------- */

/* Plug so many pageblocks more. -ENOSPC: the region has no room. */
int __must_check vmem_grow(struct virtio_mem *vm, unsigned long want);

/*
 * Block @i is in mm, by us or by another device with memory in it. Only a block that
 * hosts its own metadata is this device's alone, and can be removed by it.
 */
void vmem_block_added(struct virtio_mem *vm, unsigned long i);

/* Give mm what is plugged and held. */
int __must_check vmem_give_held(struct virtio_mem *vm);

/* --- vmem_shrink.c -------------------------------------------------------- */

/* Unplug so many pageblocks. -EBUSY: not all of them could be emptied. */
int __must_check vmem_shrink(struct virtio_mem *vm, unsigned long want);

/* Unplug held pageblocks, as many as @want. */
int __must_check vmem_drop_held(struct virtio_mem *vm, unsigned long want);

/* Remove blocks that are offline and unplug them, before the driver leaves. */
void vmem_drop_offline(struct virtio_mem *vm);

#endif
