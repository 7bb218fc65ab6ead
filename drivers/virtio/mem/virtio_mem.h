/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DRIVERS_VIRTIO_VIRTIO_MEM_H
#define _DRIVERS_VIRTIO_VIRTIO_MEM_H

/*
 * The virtio-mem driver's own state, for its files and its tests.
 *
 *   virtio_mem.c     devices come and go
 *   vmem_region.c    the device's configuration, and its region as mm knows it
 *   vmem_worker.c    rounds
 *   vmem_plan.c      what to plug and unplug next (pure)
 *   vmem_resize.c    plug and unplug
 *   vmem_request.c   requests and answers
 *   vmem_recover.c   bring back a device that was given up
 *   vmem_cmd.c       what a user sees
 *
 * Threads: each device has one worker, which does all work, in rounds, so few fields need a
 * lock. Interrupts only set flags and wake the worker.
 */
#include "drivers/virtio/mem/vmem_plan.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "mm/memory_hotplug.h"
#include "virtio/virtio.h"
#include "virtio/virtio_mem.h"
#include "virtio/virtqueue.h"

#define VMEM_MAX_DEVICES 8
#define VMEM_RUNS	 16 /* requests in flight */

#define VMEM_FEATURES (VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE)

/*
 * The back-off after BUSY, before a reset and so on: it doubles from the first value to the
 * last.
 */
#define VMEM_RETRY_FIRST_NS (100 * NSEC_PER_MSEC)
#define VMEM_RETRY_LAST_NS  (10 * NSEC_PER_SEC)

/*
 * A probe reads a configuration that keeps changing this many times, at this interval.
 */
#define VMEM_ATTACH_TRIES 20
#define VMEM_ATTACH_MS	  10

/*
 * After a failed round the worker rests this many times as long as the round took, but at most
 * VMEM_REST_LAST_NS, even if frees call for the next round.
 */
#define VMEM_REST_FACTOR  4
#define VMEM_REST_LAST_NS NSEC_PER_SEC
/*
 * The worker sends the device a question when something else wakes it, and at intervals while
 * it is idle. It looks every second at a device that it gave up as silent. The last value
 * limits the wait for the answer to a question.
 */
#define VMEM_LOOK_NS	 (3 * NSEC_PER_SEC)
#define VMEM_SILENT_NS	 NSEC_PER_SEC
#define VMEM_QUESTION_NS (3 * NSEC_PER_SEC)
/* Limit on a failed round's wait for the harts to drain their caches. */
#define VMEM_DRAIN_NS	 NSEC_PER_SEC

/* A driver that leaves waits for its worker this long, plus the time of one answer. */
#define VMEM_LEAVE_NS (10 * NSEC_PER_SEC)

/* The result of a request. */
enum vmem_answer {
	VMEM_ACK,
	VMEM_NACK,
	VMEM_BUSY,
	VMEM_ERROR,
	VMEM_LOST, /* no answer: the device may still carry it out */
};

/* The reset that a user asked for. */
enum vmem_reset {
	VMEM_RESET_NONE,
	VMEM_RESET_ASKED,  /* reset unless the device is silent */
	VMEM_RESET_FORCED,
};

/* A request in flight; device and driver share the first two fields. */
struct vmem_slot {
	struct virtio_mem_req req;
	struct virtio_mem_resp resp;
	u64 nr; /* its number in the queue */
	u32 answer;
	u16 state; /* enum virtio_mem_state, if STATE was acknowledged */
	bool open;
};

/* mm's last refusal: @block is a memory block's id. */
struct vmem_failure {
	struct mm_failure why;
	unsigned long block;
	bool set;
};

/**
 * struct virtio_mem - one device
 * @name: "vm0"
 * @owner: the region, for mm
 * @config: as last read; block_size, addr and region_size never change
 * @map: the region's bounds, and its reserved pageblocks
 * @target: the pageblocks that the device wants plugged
 * @unplug_all: an earlier driver's memory is still plugged, and mm has none of it
 * @unsure: the driver must ask what is plugged: the device was reset, an earlier driver left
 *	memory in use, or the device refuses to plug memory that it unplugged while mm used it
 * @slot, @nr_open: requests in flight, at most @nr_slots
 * @answers: woken when the device has used a request
 * @wake: woken when the configuration changed or the driver leaves
 * @config_changed, @stopping: the reason why the worker was woken
 * @unblocked: the obstacle to an unplug may be gone; set by mm, cleared by a round
 * @reset_asked: enum vmem_reset, set by the console
 * @nr_resets: requested resets that are done; each wakes @resets
 * @users: references of vmem_get(), counted under the list's lock
 * @leaves: the driver leaves and waits for @users to become 0; setting it wakes @resets
 * @silent: the driver gave the device up because the device did not answer at all, and resets
 *	it only after an answer. If the device's process had ended, the start after a reset
 *	would make QEMU (11.1) abort
 * @question: the request that asks a silent device for a sign of life
 * @restart_ns: the earliest time for the reset of a device that was given up
 * @result: of the last round; the worker writes it, any thread reads it
 * @retry_ns: the next back-off
 * @answer_ns: the longest time that an answer may take
 * @last_report: the subject of the last line in the log
 * @last_failure: what status lines say of mm's last refusal
 *
 * Lock keys:
 *   (c) constant after probe
 *   (w) the worker alone; status lines show it as it is, and may mix two moments
 *   (a) several threads: atomic operations, or WRITE_ONCE() and READ_ONCE()
 *   (m) vmem_list_mutex to write, read with READ_ONCE()
 *   (l) @lock; only the worker writes it, and so reads it without the lock
 */
struct virtio_mem {
	struct virtio_device *vdev;			/* (c) */
	struct mm *mm;					/* (c) */
	unsigned int id;				/* (c) */
	char name[8];					/* (c) */
	struct memory_owner owner;			/* (c) */
	struct virtqueue *vq;				/* (c) */
	struct virtio_mem_config config;		/* (w) */
	struct vmem_map map;				/* (w) */
	unsigned long target;				/* (w) */
	bool unplug_all;				/* (w) */
	bool unsure;					/* (w) */
	struct vmem_run runs[VMEM_RUNS];		/* (w) */
	struct vmem_slot slot[VMEM_RUNS];		/* (w) */
	unsigned int nr_open;				/* (w) */
	unsigned int nr_slots;				/* (c) */
	struct wait_queue answers;
	struct wait_queue wake;
	u32 config_changed;				/* (a) */
	u32 stopping;					/* (a) */
	u32 unblocked;					/* (a) */
	u32 reset_asked;				/* (a) */
	u32 nr_resets;					/* (a) */
	struct wait_queue resets;
	u32 users;					/* (m) */
	u32 leaves;					/* (m) */
	u64 restart_ns;					/* (w) */
	bool silent;					/* (w) */
	struct vmem_slot question;			/* (w) */
	int result;					/* (w) */
	u64 retry_ns;					/* (w) */
	u64 answer_ns;					/* (c) */
	struct thread *thread;				/* (c) */
	u64 nr_requests[VIRTIO_MEM_REQ_STATE + 1];	/* (w) */
	u64 nr_answers[VMEM_LOST + 1];			/* (w) */
	struct {
		u64 requested;				/* (w) */
		u64 plugged;				/* (w) */
		int result;				/* (w) */
		unsigned long pfn;			/* (w) the obstacle */
		u64 mismatch;				/* (w) */
	} last_report;					/* (w) */
	spinlock_t lock;
	struct vmem_failure last_failure;		/* (l) */
};

/* Return the number of plugged pageblocks that mm has; mm keeps the count. */
static inline unsigned long vmem_nr_plugged(const struct virtio_mem *vm)
{
	return pfn_to_pb(READ_ONCE(vm->owner.plugged));
}

/*
 * Return the number of pageblocks plugged at the device: mm has some, the others are reserved.
 */
static inline unsigned long vmem_nr_at_device(const struct virtio_mem *vm)
{
	return vmem_nr_plugged(vm) + READ_ONCE(vm->map.nr_reserved);
}

/* --- virtio_mem.c --------------------------------------------------------- */

/**
 * vmem_attach() - do all of probe except DRIVER_OK and the worker
 * @vdev: negotiated
 *
 * Return: 0 with vdev->priv set, or a negative errno, with a line in the log.
 */
int __must_check vmem_attach(struct virtio_device *vdev);

/* Undo vmem_attach(); mm keeps what it has of the region. The worker must be gone. */
void vmem_detach(struct virtio_mem *vm);

/* The n-th device, or NULL. It stays while the list is locked. */
extern struct mutex vmem_list_mutex;
struct virtio_mem *vmem_by_id(unsigned int id) __must_hold(&vmem_list_mutex);

/*
 * Take a reference, to wait for a device with the list unlocked: the device leaves only
 * after vmem_put(). NULL: there is no device with that id, or it has another name. A
 * waiter must watch vm->leaves.
 */
struct virtio_mem *vmem_get(unsigned int id, const char *name);
void vmem_put(struct virtio_mem *vm);

/* --- vmem_region.c -------------------------------------------------------- */

/*
 * Read and check vm->config. Return: 0; -EPROTO it makes no sense; -ESTALE it changed
 * during every read. After an error vm->config is unchanged.
 */
int __must_check vmem_read_config(struct virtio_mem *vm);

/* Read the configuration, and set target and usable end. */
int __must_check vmem_refresh_config(struct virtio_mem *vm);

/* Set up the bounds and the per-block state of vm->map from vm->config, and free them. */
int __must_check vmem_make_map(struct virtio_mem *vm);
void vmem_free_map(struct virtio_mem *vm);

/*
 * Become the region's owner. Memory that an earlier driver left in mm then counts as plugged.
 */
int __must_check vmem_own_region(struct virtio_mem *vm);

/* --- vmem_worker.c -------------------------------------------------------- */

/**
 * vmem_work() - run one round: follow the requested size as far as possible
 *
 * Context: the worker, or a test in its place.
 * Return: the time until the next call if nothing happens before, in ns, or WAIT_FOREVER.
 */
u64 vmem_work(struct virtio_mem *vm);

/* The worker thread; @arg is the struct virtio_mem. */
int vmem_thread(void *arg);

/*
 * Check whether the round must stop: the configuration changed, a reset was requested, or the
 * driver leaves.
 */
bool vmem_interrupted(const struct virtio_mem *vm);

/* memory_owner.unblocked: mm says that an unplug may work now. Any context. */
void vmem_unblocked(struct memory_owner *owner);

/* Keep the reason of a failure for the status; @block is a memory block id. */
void vmem_note_failure(struct virtio_mem *vm, unsigned long block, const struct mm_failure *why);
/* Print mm's last failure, "memory36: pfn 0x90a40 is Slab, cache x"; false: there was none. */
bool vmem_print_mm_failure(struct virtio_mem *vm, struct sink *out);
/* Print mm's last failure, or the device's answer; false: there is no failure. */
bool vmem_print_failure(struct virtio_mem *vm, struct sink *out);

/* A size as text; one line may hold several. */
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
 * vm->slot[i] has the answer for run i.
 * Return: 0 all acknowledged; else by the worst answer: -EBUSY, -EAGAIN (NACK),
 * -EIO (ERROR or no answer: the device is given up until it is restarted).
 */
int __must_check vmem_request(struct virtio_mem *vm, enum virtio_mem_req_type type,
			      const struct vmem_run *runs, unsigned int nr);

/*
 * Send one request for @nr_blocks device blocks; UNPLUG_ALL has none. vm->slot[0] has its
 * answer.
 * Return: as above.
 */
int __must_check vmem_request_one(struct virtio_mem *vm, enum virtio_mem_req_type type,
				  phys_addr_t addr, u64 nr_blocks);

/* Send a question that changes nothing, to learn whether the device is gone. */
void vmem_look(struct virtio_mem *vm);

/* Interrupt: the device has used a request. */
void vmem_answered(struct virtqueue *vq);

/* --- vmem_recover.c ------------------------------------------------------- */

/*
 * Reset the device, and bring it up with an empty queue. -EIO: the driver gives it up
 * (again).
 */
int __must_check vmem_restart(struct virtio_mem *vm);

/**
 * vmem_reconcile() - ask by STATE what is plugged, and make mm and the device agree
 *
 * Logs memory that the device unplugged while mm used it, and plugs it again; if the device
 * refuses, vm->unsure stays set. Unplugs what the device has and mm lacks.
 * Context: the worker, with a configuration that was read just now.
 * Return: 0; -EBUSY, -EAGAIN, -EIO as for vmem_request().
 */
int __must_check vmem_reconcile(struct virtio_mem *vm);

/* --- vmem_resize.c ---------------------------------------------------------- */

/* Plug @want more pageblocks. -ENOSPC: the region has no room. */
int __must_check vmem_grow(struct virtio_mem *vm, unsigned long want);

/* Give mm the reserved pageblocks. */
int __must_check vmem_give_reserved(struct virtio_mem *vm);

/* Unplug @want pageblocks. -EBUSY: not all of them could be emptied. */
int __must_check vmem_shrink(struct virtio_mem *vm, unsigned long want);

/* Unplug reserved pageblocks, as many as @want. */
int __must_check vmem_unplug_reserved(struct virtio_mem *vm, unsigned long want);

/* Remove and unplug the blocks that are offline, before the driver leaves. */
void vmem_drop_offline(struct virtio_mem *vm);

#endif
