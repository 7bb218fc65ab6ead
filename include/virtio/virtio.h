/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_H
#define _VIRTIO_VIRTIO_H

/*
 * Virtio devices, their drivers, and the transports between them. Modern
 * devices only (VIRTIO_F_VERSION_1). The core never trusts a device: it checks what the
 * device says, and marks a device that breaks the rules as broken, with one line in the
 * log.
 *
 * Spec: virtio 1.2, sections 2 and 3. Compare with: Linux include/linux/virtio.h.
 */
#include "kernel/printk.h"
#include "lib/list.h"
#include "lib/time.h"
#include "lib/types.h"

struct mm;
struct virtio_device;
struct virtqueue;

/* Device ids, spec section 5. */
enum virtio_id {
	VIRTIO_ID_NONE = 0, /* an empty slot */
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_RNG = 4,
	VIRTIO_ID_BALLOON = 5,
	VIRTIO_ID_MEM = 24,
};

/* Device status bits, spec section 2.1. */
#define VIRTIO_STATUS_ACKNOWLEDGE BIT(0)
#define VIRTIO_STATUS_DRIVER	  BIT(1)
#define VIRTIO_STATUS_DRIVER_OK	  BIT(2)
#define VIRTIO_STATUS_FEATURES_OK BIT(3)
#define VIRTIO_STATUS_FAILED	  BIT(7)

/* Feature bits that belong to no device type, spec section 6. */
#define VIRTIO_F_INDIRECT_DESC	 BIT(28)
#define VIRTIO_F_EVENT_IDX	 BIT(29)
#define VIRTIO_F_VERSION_1	 BIT(32)

/* The causes of an interrupt, as in InterruptStatus and ISR status. */
#define VIRTIO_ISR_QUEUE  BIT(0)
#define VIRTIO_ISR_CONFIG BIT(1)

#define VIRTIO_MAX_QUEUES 16

/**
 * struct virtio_transport_ops - the operations of one kind of bus on its devices
 * @get_status, @set_status: the device status byte; 0 resets
 * @get_features, @set_features: the offered features, and the accepted ones
 * @config_generation: differs if the configuration has changed
 * @config_size: bytes of configuration that may be read
 * @read_config: copy @len bytes from @offset, in accesses as wide as the field
 *	asks for (the caller reads field by field)
 * @queue_max: the largest size of queue @index, 0 if there is no such queue
 * @queue_setup: tell the device where vq's rings lie, and enable it
 * @notify: tell the device that the queue has requests
 * @irq_start: from now on interrupts lead to virtio_interrupt()
 * @irq_stop: undo @irq_start; when it returns, the handler runs on no hart
 *
 * Context: thread; notify: any.
 */
struct virtio_transport_ops {
	u8 (*get_status)(struct virtio_device *vdev);
	void (*set_status)(struct virtio_device *vdev, u8 status);
	u64 (*get_features)(struct virtio_device *vdev);
	void (*set_features)(struct virtio_device *vdev, u64 features);
	u32 (*config_generation)(struct virtio_device *vdev);
	u32 (*config_size)(struct virtio_device *vdev);
	void (*read_config)(struct virtio_device *vdev, u32 offset, void *buf, u32 len);
	u32 (*queue_max)(struct virtio_device *vdev, u32 index);
	int (*queue_setup)(struct virtio_device *vdev, struct virtqueue *vq);
	void (*notify)(struct virtio_device *vdev, struct virtqueue *vq);
	int (*irq_start)(struct virtio_device *vdev);
	void (*irq_stop)(struct virtio_device *vdev);
};

/**
 * struct virtio_device - one device
 * @name: "virtio0", in order of discovery
 * @where: for the log: "mmio 0x10008000", "pci 00:02.0"
 * @ops: its transport
 * @mm: where rings and buffers come from (tests have their own)
 * @driver: its driver, or NULL
 * @priv: the driver's
 * @id: enum virtio_id
 * @features: negotiated
 * @vqs: by queue index; NULL where the driver made no queue
 * @keeps: frames that the driver frees stay with the device
 * @kept: these frames
 * @nr_vqs: highest queue index in use, plus one
 * @broken: it broke a rule or did not answer; the core sends nothing until a restart
 * @why: the last text of virtio_broken(); "" at the start
 * @log: rate limit of all lines that the device can cause repeatedly
 * @link: in the list of all devices
 */
struct virtio_device {
	char name[12];
	char where[32];
	const struct virtio_transport_ops *ops;
	struct mm *mm;
	const struct virtio_driver *driver;
	void *priv;
	u32 id;
	u32 nr_vqs;
	bool keeps;
	struct virtio_kept *kept;
	u64 features;
	struct virtqueue *vqs[VIRTIO_MAX_QUEUES];
	u32 broken;
	char why[160];
	struct ratelimit_state log;
	struct list_head link;
};

/**
 * struct virtio_driver - drives devices of one id
 * @name: for the log
 * @id: enum virtio_id
 * @features: those that it can use; the core adds VERSION_1 and the ring features
 * @required: those that it cannot work without
 * @probe: called with FEATURES_OK set; makes the queues, calls virtio_device_ready(),
 *	starts its work. An error leaves the device FAILED
 * @remove: stops everything and frees what it has; the core then resets the device and
 *	frees the queues. An error: the driver keeps the device
 * @config_changed: interrupt context, so it only wakes a thread or queues work; may be NULL
 */
struct virtio_driver {
	const char *name;
	u32 id;
	u64 features;
	u64 required;
	int (*probe)(struct virtio_device *vdev);
	int (*remove)(struct virtio_device *vdev);
	void (*config_changed)(struct virtio_device *vdev);
};

/* The linker's table of drivers: VIRTIO_DRIVER(virtio_mem) { .name = ... }; */
#define VIRTIO_DRIVER(var)                                                               \
	static const struct virtio_driver var __table("virtio_drivers")

extern const struct virtio_driver __start_virtio_drivers[], __stop_virtio_drivers[];

/**
 * virtio_register_device() - bring a newly found device to its driver
 * @vdev: zeroed except @where, @ops, @mm and @id; stays the caller's
 *
 * Steps 1 to 8 of spec 3.1.1. A device without a driver is left alone.
 * Context: thread, may sleep.
 * Return: 0, also without a driver; -ENOTSUPP a feature is missing (the log names the
 * QEMU option to add); -EIO it refused; else what the driver's probe returned.
 */
int __must_check virtio_register_device(struct virtio_device *vdev);

/**
 * virtio_unregister_device() - take a device from its driver and reset it
 * @vdev: registered
 *
 * Context: thread, may sleep.
 * Return: 0; a negative errno: the driver keeps the device.
 */
int virtio_unregister_device(struct virtio_device *vdev);

/**
 * virtio_reattach() - take a device from its driver, reset it, and bring it to the driver again
 * @asked: the device, registered and with a driver; or NULL. Set to NULL. The driver's remove
 *	also sets it to NULL, so that a device that leaves does not come back
 *
 * A driver asks for this when the device has lost the driver's buffers.
 * Context: thread, may sleep; not a thread that the driver's remove waits for.
 */
void virtio_reattach(struct virtio_device **asked);

/**
 * virtio_alloc() - get frames for a device's queues and buffers
 * @vdev: the device; its driver frees the frames by virtio_free(), which allows NULL
 * @bytes: rounded up as by alloc_pages_virt()
 *
 * A device that is reattached gets back the frames that it had, so that a restart
 * allocates nothing.
 * Context: thread, no spinlock held.
 * Return: @bytes of zeros; NULL: no memory.
 */
void *virtio_alloc(struct virtio_device *vdev, size_t bytes);
void virtio_free(struct virtio_device *vdev, void *buffer, size_t bytes);

/*
 * With @keeps true, the device keeps the frames that the driver frees from now on. With
 * @keeps false, these frames and all kept frames go to the allocator. Context: thread.
 */
void virtio_keep(struct virtio_device *vdev, bool keeps);

/**
 * virtio_negotiate() - take steps 1 to 6: reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK
 * @vdev: as for virtio_register_device(), @name set
 * @drv: the driver, with the features that it wants
 *
 * Return: 0 or a negative errno; the device is FAILED then.
 */
int __must_check virtio_negotiate(struct virtio_device *vdev, const struct virtio_driver *drv);

/**
 * virtio_restart() - reset a device that its driver gave up, and negotiate again
 * @vdev: its driver must not use its queues meanwhile
 *
 * Repeats steps 1 to 7 with the same queues, which it empties first. Requests in flight are
 * forgotten, so a late answer cannot be taken for the answer of a later request. Afterwards
 * the driver calls virtio_device_ready(). Allocates nothing.
 * Context: thread, may sleep.
 * Return: 0; -ETIMEDOUT, -ENOTSUPP, -EIO: the device is broken, and vdev->why says why.
 */
int __must_check virtio_restart(struct virtio_device *vdev);

/* Step 8, DRIVER_OK, and interrupts. A probe calls it when it has made its queues. */
int __must_check virtio_device_ready(struct virtio_device *vdev);

/**
 * virtio_device_stop() - make a device stop its interrupts and its writes
 *
 * For a driver's remove, before it frees memory that the device could write. A second
 * call does no harm. Context: thread.
 * Return: 0; -ETIMEDOUT the device does not reset: its memory must not be used again.
 */
int __must_check virtio_device_stop(struct virtio_device *vdev);

/**
 * virtio_reset() - make a device forget everything, and wait until it is done
 *
 * Context: thread, may sleep.
 * Return: 0; -ETIMEDOUT after VIRTIO_RESET_NS, with a line in the log.
 */
int virtio_reset(struct virtio_device *vdev);
#define VIRTIO_RESET_NS NSEC_PER_SEC

/**
 * virtio_broken() - mark a device broken: log the rule, and send nothing until a restart
 * @fmt: what the device did, a sentence without newline
 *
 * Context: any. Only the first breach since the last restart counts. It is logged
 * unless vdev->why has the same text: the code that restarts a device clears vdev->why
 * when the device works again.
 */
void virtio_broken(struct virtio_device *vdev, const char *fmt, ...) __printf(2, 3);

static inline bool virtio_is_broken(const struct virtio_device *vdev)
{
	return READ_ONCE(vdev->broken) != 0;
}

static inline bool virtio_has_feature(const struct virtio_device *vdev, u64 feature)
{
	return (vdev->features & feature) == feature;
}

/**
 * virtio_read_config() - read a consistent copy of part of the configuration
 * @fields: offset and size (1, 2, 4 or 8) of each field, in order; ends with size 0
 * @buf: filled at the fields' offsets
 *
 * Two passes over all fields must agree, and the generation must not change meanwhile;
 * else the fields are read again, a bounded number of times. A 64-bit field takes two
 * accesses.
 * Context: thread.
 * Return: 0; -EPROTO outside the configuration or its first VIRTIO_CONFIG_BYTES;
 * -EAGAIN it changed during every read, and @buf holds nothing that can be used.
 */
#define VIRTIO_CONFIG_BYTES 64
struct virtio_config_field {
	u16 offset;
	u16 size;
};
int __must_check virtio_read_config(struct virtio_device *vdev,
				    const struct virtio_config_field *fields, void *buf);

/**
 * virtio_interrupt() - handle an interrupt of a device
 * @isr: VIRTIO_ISR_*
 *
 * Context: interrupt. Calls the queues' callbacks and the driver's config_changed.
 */
void virtio_interrupt(struct virtio_device *vdev, u32 isr);

/* Return the name of a device id for the log; "?" if the id is unknown. */
const char *virtio_id_name(u32 id);

/*
 * All devices, in the order in which they were found. Context: thread; no device may come or
 * go meanwhile.
 */
extern struct list_head virtio_devices;

#endif
