/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio bus: it matches devices with drivers, negotiates features, and passes interrupts
 * on. The numbered steps are those of spec section 3.1.1.
 *
 * Compare with: Linux drivers/virtio/virtio.c.
 */
#define pr_fmt(fmt) "virtio: " fmt
#include "kernel/mutex.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "virtio/virtio.h"
#include "virtio/virtqueue.h"

LIST_HEAD(virtio_devices);

static unsigned int nr_found; /* for the names */

/* The features that the core can use, whether a device offers them or not. */
#define RING_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)

const char *virtio_id_name(u32 id)
{
	static const char *const names[] = {
		[VIRTIO_ID_NET] = "net",	 [VIRTIO_ID_BLOCK] = "block",
		[VIRTIO_ID_CONSOLE] = "console", [VIRTIO_ID_RNG] = "rng",
		[VIRTIO_ID_BALLOON] = "balloon", [VIRTIO_ID_MEM] = "mem",
	};

	return id < ARRAY_SIZE(names) && names[id] ? names[id] : "?";
}

void virtio_broken(struct virtio_device *vdev, const char *fmt, ...)
{
	char what[sizeof(vdev->why)];
	va_list args;

	if (__atomic_exchange_n(&vdev->broken, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (!strcmp(vdev->why, what))
		return;
	strscpy(vdev->why, what, sizeof(vdev->why));
	pr_err_ratelimited(&vdev->log, "%s (%s): %s; it is not used until it is reset",
			   vdev->name, vdev->where, what);
}

int virtio_reset(struct virtio_device *vdev)
{
	struct patience patience;

	patience_start(&patience, VIRTIO_RESET_NS);
	vdev->ops->set_status(vdev, 0);
	while (vdev->ops->get_status(vdev) != 0) {
		if (!patience_lasts(&patience)) {
			virtio_broken(vdev, "did not finish its reset within %llu ms",
				      VIRTIO_RESET_NS / NSEC_PER_MSEC);
			return -ETIMEDOUT;
		}
		msleep(1);
	}
	return 0;
}

static void add_status(struct virtio_device *vdev, u8 bits)
{
	vdev->ops->set_status(vdev, vdev->ops->get_status(vdev) | bits);
}

/* Check that the device offers every feature that driver and core require. */
static int check_features(struct virtio_device *vdev, const struct virtio_driver *drv,
			  u64 offered)
{
	const u64 missing = (drv->required | VIRTIO_F_VERSION_1) & ~offered;

	if (missing & VIRTIO_F_VERSION_1)
		virtio_broken(vdev, "legacy device; start QEMU with %s",
			      str_has_prefix(vdev->where, "mmio") ?
				      "-global virtio-mmio.force-legacy=false" :
				      "disable-legacy=on,disable-modern=off on the device");
	else if (missing)
		virtio_broken(vdev, "does not offer features 0x%lx, which %s needs", missing,
			      drv->name);
	return missing ? -ENOTSUPP : 0;
}

/* Do steps 4 to 6 of spec 3.1.1. */
static int negotiate_features(struct virtio_device *vdev, const struct virtio_driver *drv)
{
	const u64 offered = vdev->ops->get_features(vdev);
	int ret = check_features(vdev, drv, offered);

	if (ret)
		return ret;
	vdev->features = offered & (drv->features | drv->required | RING_FEATURES |
				    VIRTIO_F_VERSION_1);
	vdev->ops->set_features(vdev, vdev->features);
	add_status(vdev, VIRTIO_STATUS_FEATURES_OK);
	if (!(vdev->ops->get_status(vdev) & VIRTIO_STATUS_FEATURES_OK)) {
		virtio_broken(vdev, "refused features 0x%lx, although it offers 0x%lx",
			      vdev->features, offered);
		return -EIO;
	}
	return 0;
}

int virtio_negotiate(struct virtio_device *vdev, const struct virtio_driver *drv)
{
	int ret;

	WRITE_ONCE(vdev->broken, 0);
	ret = virtio_reset(vdev);				/* step 1 */
	if (ret)
		return ret;
	add_status(vdev, VIRTIO_STATUS_ACKNOWLEDGE);		/* step 2 */
	add_status(vdev, VIRTIO_STATUS_DRIVER);			/* step 3 */
	ret = negotiate_features(vdev, drv);			/* steps 4, 5, 6 */
	if (ret)
		add_status(vdev, VIRTIO_STATUS_FAILED);
	return ret;
}

int virtio_device_ready(struct virtio_device *vdev)
{
	const int ret = vdev->ops->irq_start(vdev);

	if (ret) {
		virtio_broken(vdev, "no interrupt%s (error %d)", ret == -ENODEV ?
			      ": its line leads to no controller that ebb drives" : "", ret);
		return ret;
	}
	add_status(vdev, VIRTIO_STATUS_DRIVER_OK);		/* step 8 */
	return 0;
}

static const struct virtio_driver *find_driver(u32 id)
{
	const struct virtio_driver *drv;

	for (drv = __start_virtio_drivers; drv < __stop_virtio_drivers; drv++) {
		if (drv->id == id)
			return drv;
	}
	return NULL;
}

int virtio_device_stop(struct virtio_device *vdev)
{
	vdev->ops->irq_stop(vdev);
	return virtio_reset(vdev);
}

/*
 * Stop a device and free its queues; keep them if the device does not reset, because it may
 * still write to them.
 */
static void release_device(struct virtio_device *vdev)
{
	if (virtio_device_stop(vdev))
		return;
	for (u32 i = 0; i < vdev->nr_vqs; i++) {
		if (vdev->vqs[i])
			virtqueue_destroy(vdev->vqs[i]);
	}
	vdev->nr_vqs = 0;
}

int virtio_restart(struct virtio_device *vdev)
{
	const u64 features = vdev->features;
	int ret;

	vdev->ops->irq_stop(vdev);
	ret = virtio_negotiate(vdev, vdev->driver);
	if (ret)
		return ret;
	/* Rings and driver were set up for the old features. */
	if (vdev->features != features) {
		virtio_broken(vdev, "offers features 0x%lx now, but offered 0x%lx before",
			      vdev->features, features);
		vdev->features = features;
		return -EIO;
	}
	for (u32 i = 0; i < vdev->nr_vqs && !ret; i++) {
		if (vdev->vqs[i])
			ret = virtqueue_restart(vdev->vqs[i]);
	}
	if (ret)
		virtio_broken(vdev, "does not accept its queues again (error %d)", ret);
	return ret;
}

static int attach(struct virtio_device *vdev, const struct virtio_driver *drv)
{
	int ret = virtio_negotiate(vdev, drv);

	if (ret)
		return ret;
	vdev->driver = drv;
	ret = drv->probe(vdev);					/* step 7, and 8 */
	if (!ret)
		return 0;
	vdev->driver = NULL;
	release_device(vdev);
	add_status(vdev, VIRTIO_STATUS_FAILED);
	return ret;
}

int virtio_register_device(struct virtio_device *vdev)
{
	const struct virtio_driver *drv = find_driver(vdev->id);

	snprintf(vdev->name, sizeof(vdev->name), "virtio%u", nr_found++);
	list_add_tail(&vdev->link, &virtio_devices);
	if (!drv) {
		pr_info("%s (%s): %s device (id %u), no driver", vdev->name, vdev->where,
			virtio_id_name(vdev->id), vdev->id);
		return 0;
	}
	return attach(vdev, drv);
}

/* Held while a device leaves its driver, for good or to start again. */
static DEFINE_MUTEX(leave_lock);

static int detach(struct virtio_device *vdev)
{
	const int ret = vdev->driver->remove(vdev);

	if (ret)
		return ret;
	release_device(vdev);
	vdev->driver = NULL;
	return 0;
}

void virtio_reattach(struct virtio_device **asked)
{
	const struct virtio_driver *drv;
	struct virtio_device *vdev;

	mutex_lock(&leave_lock);
	vdev = __atomic_exchange_n(asked, NULL, __ATOMIC_ACQ_REL);
	if (vdev) {
		drv = vdev->driver;
		virtio_keep(vdev, true);
		if (detach(vdev) || attach(vdev, drv))
			pr_err_ratelimited(&vdev->log, "%s: does not come back", vdev->where);
		if (!vdev->driver)
			virtio_keep(vdev, false);
	}
	mutex_unlock(&leave_lock);
}

int virtio_unregister_device(struct virtio_device *vdev)
{
	int ret;

	mutex_lock(&leave_lock);
	virtio_keep(vdev, false);
	ret = vdev->driver ? detach(vdev) : 0;
	if (!ret)
		list_del(&vdev->link);
	mutex_unlock(&leave_lock);
	return ret;
}

/* The most attempts at reading the configuration while it keeps changing. */
#define CONFIG_TRIES 64

static void read_fields(struct virtio_device *vdev, const struct virtio_config_field *f, char *buf)
{
	for (; f->size; f++)
		vdev->ops->read_config(vdev, f->offset, buf + f->offset, f->size);
}

static bool same_fields(const struct virtio_config_field *f, const char *a, const char *b)
{
	for (; f->size; f++) {
		if (memcmp(a + f->offset, b + f->offset, f->size))
			return false;
	}
	return true;
}

/*
 * Read every field twice, because the generation alone is not enough. QEMU asks a vhost-user
 * device at each access of 4 bytes, and raises the generation only when the device's message
 * arrives, after the change. Two reads give the same mix of old and new halves only if the
 * configuration changes twice more meanwhile, and by then the generation has risen for the
 * first change.
 */
int virtio_read_config(struct virtio_device *vdev, const struct virtio_config_field *fields,
		       void *buf)
{
	const u32 size = min(vdev->ops->config_size(vdev), (u32)VIRTIO_CONFIG_BYTES);
	char again[VIRTIO_CONFIG_BYTES];
	const struct virtio_config_field *f;
	u32 before;

	for (f = fields; f->size; f++) {
		if ((u32)f->offset + f->size > size)
			return -EPROTO;
	}
	for (unsigned int i = 0; i < CONFIG_TRIES; i++) {
		before = vdev->ops->config_generation(vdev);
		read_fields(vdev, fields, buf);
		read_fields(vdev, fields, again);
		if (vdev->ops->config_generation(vdev) == before &&
		    same_fields(fields, buf, again))
			return 0;
	}
	return -EAGAIN;
}

void virtio_interrupt(struct virtio_device *vdev, u32 isr)
{
	if (isr & VIRTIO_ISR_QUEUE) {
		for (u32 i = 0; i < vdev->nr_vqs; i++) {
			struct virtqueue *vq = vdev->vqs[i];

			if (vq && vq->callback && virtqueue_pending(vq))
				vq->callback(vq);
		}
	}
	if ((isr & VIRTIO_ISR_CONFIG) && vdev->driver && vdev->driver->config_changed)
		vdev->driver->config_changed(vdev);
}
