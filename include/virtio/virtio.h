/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_H
#define _VIRTIO_VIRTIO_H

/*
 * Virtio devices, their drivers, and the transports between them. Modern
 * devices only (VIRTIO_F_VERSION_1). What a device says is never trusted: it is
 * checked, and a device that breaks the rules is marked broken with one line.
 *
 * Spec: virtio 1.2, sections 2 and 3. Compare with: Linux include/linux/virtio.h.
 */
#include "kernel/printk.h"
#include "lib/list.h"
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

/* What an interrupt was for, as InterruptStatus and ISR status have it. */
#define VIRTIO_ISR_QUEUE  BIT(0)
#define VIRTIO_ISR_CONFIG BIT(1)

#define VIRTIO_MAX_QUEUES 16

/**
 * struct virtio_transport_ops - how one kind of bus talks to its devices
 * @name: "mmio", "pci"
 * @get_status, @set_status: the device status byte; 0 resets
 * @get_features, @set_features: offered, and accepted
 * @config_generation: changes when the configuration changed meanwhile
 * @config_size: bytes of configuration that may be read
 * @read_config: copy @len bytes from @offset, in accesses as wide as the field
 *	asks for (the caller reads field by field)
 * @queue_max: the largest size of queue @index, 0 if there is no such queue
 * @queue_setup: tell the device where vq's rings lie, and enable it
 * @notify: there is something in the queue
 * @irq_start: from now on interrupts lead to virtio_interrupt()
 * @irq_stop: the opposite; the handler runs nowhere when it returns
 *
 * Context: thread, but for notify (any).
 */
struct virtio_transport_ops {
	const char *name;
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
 * @name: "virtio0", by order of discovery
 * @where: for people: "mmio 0x10008000", "pci 00:02.0"
 * @ops: its transport
 * @mm: where rings and buffers come from (tests have their own)
 * @driver: who drives it, or NULL
 * @priv: the driver's
 * @id: enum virtio_id
 * @features: negotiated
 * @vqs: by queue index; NULL where the driver made none
 * @nr_vqs: highest queue index in use, plus one
 * @broken: it broke a rule or did not answer; nothing is sent until it is restarted
 * @why: what it did, as virtio_broken() has said it last; "" at the start
 * @log: of all lines that the device can cause again and again
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
 * @features: what it can use; VERSION_1 and the ring features are added by the core
 * @required: what it cannot do without
 * @probe: status has FEATURES_OK; makes the queues, calls virtio_device_ready(),
 *	starts its work. An error leaves the device FAILED
 * @remove: stops everything, gives back what it has; the core then resets the
 *	device and frees the queues. An error: the driver cannot let go of it
 * @config_changed: interrupt context: only wakes or queues work; may be NULL
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
 * virtio_register_device() - a transport found a device: bring it to its driver
 * @vdev: zeroed but for @where, @ops, @mm and @id; stays the caller's
 *
 * Steps 1 to 8 of spec 3.1.1. A device without a driver is left alone.
 * Context: thread, may sleep.
 * Return: 0, also without a driver; -ENOTSUPP a feature is missing (said with
 * the option to type); -EIO it refused; else what the driver's probe returned.
 */
int __must_check virtio_register_device(struct virtio_device *vdev);

/**
 * virtio_unregister_device() - take it from its driver, reset it
 * @vdev: registered
 *
 * Context: thread, may sleep.
 * Return: 0; a negative errno: the driver keeps it.
 */
int virtio_unregister_device(struct virtio_device *vdev);

/**
 * virtio_reattach() - take a device from its driver, reset it, and bring it to the driver again
 * @vdev: registered, with a driver
 *
 * A driver asks for this when the device has lost the driver's buffers.
 * Context: thread, may sleep; none that the driver's remove waits for.
 * Return: as virtio_register_device(), or what the driver's remove returned.
 */
int __must_check virtio_reattach(struct virtio_device *vdev);

/**
 * virtio_negotiate() - steps 1 to 6: reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK
 * @vdev: as for virtio_register_device(), @name set
 * @drv: what is wanted
 *
 * Return: 0 or a negative errno; the device is FAILED then.
 */
int __must_check virtio_negotiate(struct virtio_device *vdev, const struct virtio_driver *drv);

/**
 * virtio_restart() - reset a device that its driver has given up, and negotiate anew
 * @vdev: its driver uses none of its queues meanwhile
 *
 * Steps 1 to 7: the queues are those that were there, empty. A request that was in flight is
 * forgotten, so its answer is never taken for another one's. The driver calls
 * virtio_device_ready() then. Allocates nothing.
 * Context: thread, may sleep.
 * Return: 0, not broken; -ETIMEDOUT, -ENOTSUPP, -EIO: broken, vdev->why says why.
 */
int __must_check virtio_restart(struct virtio_device *vdev);

/* Step 8, DRIVER_OK, and interrupts. Called by probe when its queues are there. */
int __must_check virtio_device_ready(struct virtio_device *vdev);

/**
 * virtio_device_stop() - no more interrupts, no more writes by the device
 *
 * For drivers' remove, before they free what the device could write. May be
 * called again. Context: thread.
 * Return: 0; -ETIMEDOUT it does not reset: its memory must not be used again.
 */
int __must_check virtio_device_stop(struct virtio_device *vdev);

/**
 * virtio_reset() - make a device forget everything, and wait until it has
 *
 * Context: thread, may sleep.
 * Return: 0; -ETIMEDOUT after VIRTIO_RESET_NS (said).
 */
int virtio_reset(struct virtio_device *vdev);
#define VIRTIO_RESET_NS (1000UL * 1000 * 1000)

/**
 * virtio_broken() - the device broke a rule: say which, and send nothing until it is restarted
 * @fmt: what it did, a sentence without newline
 *
 * Context: any. The first breach since the last restart counts. It is logged unless it is
 * the one that vdev->why has: who restarts a device clears that when it works again.
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
 * virtio_read_config() - a consistent copy of part of the configuration
 * @fields: offset and size (1, 2, 4 or 8) of each field, in order; ends with size 0
 * @buf: filled at the fields' offsets
 *
 * Two passes over all fields must agree, and the generation stay the same meanwhile; else
 * they are read again, a bounded number of times. A 64-bit field is two accesses.
 * Context: thread.
 * Return: 0; -EPROTO outside of the configuration, or of its first VIRTIO_CONFIG_BYTES;
 * -EAGAIN it never held still, and @buf holds nothing that can be used.
 */
#define VIRTIO_CONFIG_BYTES 64
struct virtio_config_field {
	u16 offset;
	u16 size;
};
int __must_check virtio_read_config(struct virtio_device *vdev,
				    const struct virtio_config_field *fields, void *buf);

/**
 * virtio_interrupt() - a device interrupted
 * @isr: VIRTIO_ISR_*
 *
 * Context: interrupt. Calls the queues' callbacks and the driver's config_changed.
 */
void virtio_interrupt(struct virtio_device *vdev, u32 isr);

/* Name for people, "?" for others. */
const char *virtio_id_name(u32 id);

/* The devices that were found, in order. Context: thread; no device comes or goes meanwhile. */
extern struct list_head virtio_devices;

#endif
