/* SPDX-License-Identifier: BSD-2-Clause */
/* Split rings: every request comes back, and the queue detects a device that lies. */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/fake/fake_virtio.h"
#include "tests/mm/hotplug_window.h"
#include "virtio/virtio_transport.h"

#define QUEUE_SIZE 8
#define TURNS	   22000 /* three requests each: the indices wrap */

/* A device with one queue of QUEUE_SIZE entries, and the features that the case wants. */
struct rig {
	struct fake_virtio fv;
	struct virtqueue *vq;
	unsigned int callbacks;
	char data[64];
};

static struct rig *the_rig; /* for the callback */

static void count_callback(struct virtqueue *vq)
{
	(void)vq;
	the_rig->callbacks++;
}

static void rig_close(void *ctx)
{
	struct rig *rig = ctx;

	virtqueue_destroy(rig->vq);
}

static int rig_probe(struct virtio_device *vdev)
{
	(void)vdev;
	return 0;
}

static const struct virtio_driver rig_driver = {
	.name = "rig", .id = VIRTIO_ID_RNG, .probe = rig_probe,
};

static struct rig *rig_open(struct ktest *test, u64 features)
{
	const struct virtqueue_params params = { "test", count_callback, QUEUE_SIZE };
	struct window *w = window_open(test, 16UL << 20);
	struct rig *rig = ktest_alloc(test, sizeof(*rig));

	the_rig = rig;
	fake_virtio_init(&rig->fv, VIRTIO_ID_RNG, w->mm);
	rig->fv.offered = VIRTIO_F_VERSION_1 | features;
	KTEST_ASSERT_EQ(test, virtio_negotiate(&rig->fv.vdev, &rig_driver), 0);
	KTEST_ASSERT_EQ(test, virtqueue_create(&rig->fv.vdev, 0, &params), 0);
	rig->vq = rig->fv.vdev.vqs[0];
	ktest_add_action(test, rig_close, rig);
	KTEST_ASSERT_EQ(test, virtio_device_ready(&rig->fv.vdev), 0);
	return rig;
}

/* Add a request: the device may read @out bytes and write @in bytes. */
static int add(struct rig *rig, u32 out, u32 in, char *cookie)
{
	char *base = (char *)rig->vq; /* any memory that the device may see */
	struct virtio_buf bufs[2] = { { base, out }, { base, in } };

	if (out == 0)
		return virtqueue_add(rig->vq, &bufs[1], 0, 1, cookie);
	return virtqueue_add(rig->vq, bufs, 1, in ? 1 : 0, cookie);
}

struct features {
	const char *name;
	u64 bits;
};

static const struct features all_features[] = {
	{ "none", 0 },
	{ "indirect", VIRTIO_F_INDIRECT_DESC },
	{ "event_idx", VIRTIO_F_EVENT_IDX },
	{ "both", VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX },
};

static void features_desc(const struct features *f, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, f->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(features, all_features, features_desc)

/* Go around the ring many times; the device uses three requests at a time, out of order. */
static void round_trips(struct ktest *test)
{
	const struct features *f = test->param_value;
	struct rig *rig = rig_open(test, f->bits);
	struct fake_chain chain[3];
	u32 len;

	for (unsigned int turn = 0; turn < TURNS; turn++) {
		for (unsigned int i = 0; i < 3; i++)
			KTEST_ASSERT_EQ(test, add(rig, 24, 10, &rig->data[i]), 0);
		virtqueue_kick(rig->vq);
		for (unsigned int i = 0; i < 3; i++)
			KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, 0, &chain[i]));
		KTEST_ASSERT_EQ(test, chain[0].nr_out + chain[0].nr_in, 2);
		KTEST_ASSERT_FALSE(test, virtqueue_pending(rig->vq));
		fake_push(&rig->fv, 0, chain[2].head, 7);
		fake_push(&rig->fv, 0, chain[0].head, 0);
		fake_push(&rig->fv, 0, chain[1].head, 10);
		KTEST_ASSERT_PTR_EQ(test, virtqueue_get(rig->vq, &len), &rig->data[2]);
		KTEST_ASSERT_EQ(test, len, 7);
		KTEST_ASSERT_PTR_EQ(test, virtqueue_get(rig->vq, &len), &rig->data[0]);
		KTEST_ASSERT_PTR_EQ(test, virtqueue_get(rig->vq, &len), &rig->data[1]);
		KTEST_ASSERT_NULL(test, virtqueue_get(rig->vq, &len));
	}
	KTEST_EXPECT_EQ(test, rig->vq->nr_added, 3 * TURNS);
	KTEST_EXPECT_EQ(test, rig->vq->nr_free, QUEUE_SIZE);
	KTEST_EXPECT_EQ(test, rig->fv.violations, 0);
	/*
	 * Interrupts are off; with the event index this is a hint that wears off after
	 * 32768 uses.
	 */
	KTEST_EXPECT_LE(test, rig->callbacks, rig->vq->event_idx ? TURNS * 3 / 32768 + 1 : 0);
}

/* A full ring reports that it is full, and works again when there is room. */
static void full(struct ktest *test)
{
	const struct features *f = test->param_value;
	const bool indirect = f->bits & VIRTIO_F_INDIRECT_DESC;
	struct rig *rig = rig_open(test, f->bits);
	const unsigned int room = indirect ? QUEUE_SIZE : QUEUE_SIZE / 2;
	struct fake_chain chain;

	for (unsigned int i = 0; i < room; i++)
		KTEST_ASSERT_EQ(test, add(rig, 24, 10, &rig->data[i]), 0);
	KTEST_EXPECT_EQ(test, add(rig, 24, 10, &rig->data[room]), -ENOSPC);
	virtqueue_kick(rig->vq);
	KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, 0, &chain));
	fake_push(&rig->fv, 0, chain.head, 10);
	KTEST_EXPECT_PTR_EQ(test, virtqueue_get(rig->vq, NULL), &rig->data[0]);
	KTEST_EXPECT_EQ(test, add(rig, 24, 10, &rig->data[room]), 0);
}

/* Interrupts come when they were asked for, and only then. */
static void callbacks(struct ktest *test)
{
	const struct features *f = test->param_value;
	struct rig *rig = rig_open(test, f->bits);
	struct fake_chain chain;

	KTEST_EXPECT_TRUE(test, virtqueue_enable_cb(rig->vq));
	KTEST_ASSERT_EQ(test, add(rig, 24, 10, rig->data), 0);
	virtqueue_kick(rig->vq);
	KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, 0, &chain));
	fake_push(&rig->fv, 0, chain.head, 10);
	KTEST_EXPECT_EQ(test, rig->callbacks, 1);
	KTEST_EXPECT_FALSE(test, virtqueue_enable_cb(rig->vq)); /* a used request waits */
	KTEST_EXPECT_PTR_EQ(test, virtqueue_get(rig->vq, NULL), rig->data);
	virtqueue_disable_cb(rig->vq);
	KTEST_ASSERT_EQ(test, add(rig, 24, 10, rig->data), 0);
	virtqueue_kick(rig->vq);
	KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, 0, &chain));
	fake_push(&rig->fv, 0, chain.head, 10);
	KTEST_EXPECT_EQ(test, rig->callbacks, 1);
}

/* A lie of the device, and the state of the ring before it. */
struct lie {
	const char *name;
	unsigned int open; /* requests in flight */
	int idx;	   /* the device sets used.idx to this; -1: it pushes @id and @len */
	u32 id, len;
};

static const struct lie lies[] = {
	{ "id beyond the ring", 1, -1, QUEUE_SIZE, 0 },
	{ "id 0xffffffff", 1, -1, 0xffffffff, 0 },
	{ "id that is free", 1, -1, 5, 0 },
	{ "more bytes than there were", 1, -1, 0, 11 },
	{ "4 GiB of bytes", 1, -1, 0, 0xffffffff },
	{ "nothing was open", 0, -1, 0, 0 },
	{ "index far ahead", 1, 500, 0, 0 },
	{ "index backwards", 1, 0xffff, 0, 0 },
	{ "index one too far", 2, 3, 0, 0 },
};

static void lie_desc(const struct lie *lie, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, lie->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(lies, lies, lie_desc)

/* A device that lies is marked broken, and every later call fails cleanly. */
static void hostile(struct ktest *test)
{
	const struct lie *lie = test->param_value;
	struct rig *rig = rig_open(test, VIRTIO_F_INDIRECT_DESC);

	for (unsigned int i = 0; i < lie->open; i++)
		KTEST_ASSERT_EQ(test, add(rig, 24, 10, &rig->data[i]), 0);
	virtqueue_kick(rig->vq);
	if (lie->idx >= 0)
		fake_set_used_idx(&rig->fv, 0, (u16)lie->idx);
	else
		fake_push_raw(&rig->fv, 0, lie->id, lie->len);
	KTEST_EXPECT_NULL(test, virtqueue_get(rig->vq, NULL));
	KTEST_EXPECT_TRUE(test, virtio_is_broken(&rig->fv.vdev));
	KTEST_EXPECT_TRUE(test, virtqueue_pending(rig->vq)); /* wakes a waiter */
	KTEST_EXPECT_NULL(test, virtqueue_get(rig->vq, NULL));
	KTEST_EXPECT_EQ(test, add(rig, 24, 10, rig->data), -EIO);
}

/* A request that is used twice is detected the second time. */
static void used_twice(struct ktest *test)
{
	struct rig *rig = rig_open(test, 0);
	struct fake_chain chain;

	KTEST_ASSERT_EQ(test, add(rig, 24, 10, &rig->data[0]), 0);
	KTEST_ASSERT_EQ(test, add(rig, 24, 10, &rig->data[1]), 0);
	virtqueue_kick(rig->vq);
	KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, 0, &chain));
	fake_push(&rig->fv, 0, chain.head, 10);
	fake_push(&rig->fv, 0, chain.head, 10);
	KTEST_EXPECT_PTR_EQ(test, virtqueue_get(rig->vq, NULL), &rig->data[0]);
	KTEST_EXPECT_NULL(test, virtqueue_get(rig->vq, NULL));
	KTEST_EXPECT_TRUE(test, virtio_is_broken(&rig->fv.vdev));
}

/* A device that overwrites descriptors does not change the driver's own state. */
static void scribbled_descriptors(struct ktest *test)
{
	struct rig *rig = rig_open(test, 0);
	struct fake_chain chain;

	for (unsigned int turn = 0; turn < 100; turn++) {
		KTEST_ASSERT_EQ(test, add(rig, 24, 10, rig->data), 0);
		virtqueue_kick(rig->vq);
		KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, 0, &chain));
		memset(rig->vq->desc, 0xee, sizeof(struct vring_desc) * QUEUE_SIZE);
		memset(rig->vq->avail->ring, 0xee, sizeof(u16) * QUEUE_SIZE);
		fake_push(&rig->fv, 0, chain.head, 10);
		KTEST_ASSERT_PTR_EQ(test, virtqueue_get(rig->vq, NULL), rig->data);
	}
	KTEST_EXPECT_EQ(test, rig->vq->nr_free, QUEUE_SIZE);
}

static void negotiation(struct ktest *test)
{
	struct window *w = window_open(test, 16UL << 20);
	struct fake_virtio *fv = ktest_alloc(test, sizeof(*fv));
	struct virtio_driver needs = { .name = "needs", .features = BIT(1), .required = BIT(0) };

	fake_virtio_init(fv, VIRTIO_ID_RNG, w->mm);
	fv->offered = BIT(0) | BIT(1);
	KTEST_EXPECT_EQ(test, virtio_negotiate(&fv->vdev, &needs), -ENOTSUPP); /* legacy */
	KTEST_EXPECT_TRUE(test, fv->status & VIRTIO_STATUS_FAILED);
	fv->offered = VIRTIO_F_VERSION_1 | BIT(1);
	KTEST_EXPECT_EQ(test, virtio_negotiate(&fv->vdev, &needs), -ENOTSUPP);
	fv->offered = VIRTIO_F_VERSION_1 | BIT(0) | BIT(5);
	KTEST_EXPECT_EQ(test, virtio_negotiate(&fv->vdev, &needs), 0);
	KTEST_EXPECT_EQ(test, fv->accepted, VIRTIO_F_VERSION_1 | BIT(0));
	KTEST_EXPECT_EQ(test, fv->violations, 0);
	fv->stuck = true;
	KTEST_EXPECT_EQ(test, virtio_negotiate(&fv->vdev, &needs), -ETIMEDOUT);
}

/* A configuration that changes while it is read is read again, but not endlessly. */
static void config_generation(struct ktest *test)
{
	static const struct virtio_config_field fields[] = { { 8, 8 }, { 0, 0 } };
	static const struct virtio_config_field outside[] = { { 60, 8 }, { 0, 0 } };
	struct rig *rig = rig_open(test, 0);
	u8 buf[FAKE_CONFIG_BYTES];

	rig->fv.flicker = 5;
	KTEST_EXPECT_EQ(test, virtio_read_config(&rig->fv.vdev, fields, buf), 0);
	rig->fv.flicker = 1000000;
	KTEST_EXPECT_EQ(test, virtio_read_config(&rig->fv.vdev, fields, buf), -EAGAIN);
	KTEST_EXPECT_EQ(test, virtio_read_config(&rig->fv.vdev, outside, buf), -EPROTO);
	KTEST_EXPECT_EQ(test, rig->fv.violations, 0);
}

/*
 * A queue is live although its device was reset: the core does not use the device, and
 * says why.
 */
static void queue_in_use_after_reset(struct ktest *test)
{
	struct rig *rig = rig_open(test, 0);

	KTEST_EXPECT_EQ(test, virtio_queue_in_use(rig->vq), -EIO);
	KTEST_EXPECT_TRUE(test, rig->fv.vdev.broken != 0);
	KTEST_EXPECT_STREQ(test, rig->fv.vdev.why, "queue test is in use after a reset");
}

/* A device without a driver is listed with the name of its kind, and left alone. */
static void device_without_driver(struct ktest *test)
{
	static const struct {
		u32 id;
		const char *name;
	} kinds[] = {
		{ VIRTIO_ID_NET, "net" },
		{ VIRTIO_ID_BLOCK, "block" },
		{ VIRTIO_ID_CONSOLE, "console" },
		{ VIRTIO_ID_RNG, "rng" },
		{ VIRTIO_ID_BALLOON, "balloon" },
		{ VIRTIO_ID_MEM, "mem" },
		{ 0, "?" },
		{ 99, "?" },
	};
	struct fake_virtio *fv = ktest_alloc(test, sizeof(*fv));

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		KTEST_EXPECT_STREQ(test, virtio_id_name(kinds[i].id), kinds[i].name);
	fake_virtio_init(fv, VIRTIO_ID_BLOCK, &kernel_mm);
	KTEST_ASSERT_EQ(test, virtio_register_device(&fv->vdev), 0);
	KTEST_EXPECT_NULL(test, fv->vdev.driver);
	KTEST_EXPECT_EQ(test, fv->status, 0);
	KTEST_EXPECT_PTR_EQ(test, virtio_devices.prev, &fv->vdev.link);
	KTEST_EXPECT_EQ(test, virtio_unregister_device(&fv->vdev), 0);
	KTEST_EXPECT_EQ(test, fv->violations, 0);
}

static const struct ktest_case virtqueue_cases[] = {
	KTEST_CASE_PARAM(round_trips, features_gen_params),
	KTEST_CASE_PARAM(full, features_gen_params),
	KTEST_CASE_PARAM(callbacks, features_gen_params),
	KTEST_CASE_PARAM(hostile, lies_gen_params),
	KTEST_CASE(used_twice),
	KTEST_CASE(scribbled_descriptors),
	KTEST_CASE(negotiation),
	KTEST_CASE(config_generation),
	KTEST_CASE(queue_in_use_after_reset),
	KTEST_CASE(device_without_driver),
	{},
};

static struct ktest_suite virtqueue_suite = { .name = "virtqueue", .cases = virtqueue_cases };
KTEST_SUITE(virtqueue_suite);
