/* SPDX-License-Identifier: BSD-2-Clause */
/* The device's rules, on a fake host that knows which blocks hold data. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "device.h"

#define ADDR  (0x88000000UL)
#define BLOCK (2UL << 20)
#define COUNT 512 /* blocks: 1 GiB */
#define SIZE  (COUNT * BLOCK)

struct fake {
	struct vmem_host host;
	bool data[COUNT]; /* a page of the block is allocated */
	bool zero[COUNT]; /* and that page is all zeros */
	u64 punched;	  /* bytes */
	int refuse;	  /* errno for discards */
	u32 strays, touches; /* notes */
};

static struct fake fake;
static struct vmem_dev dev;

/* Find data: it is always the second page of a block. */
static int fake_next_data(struct vmem_host *host, u64 off, u64 end, u64 *from, u64 *to)
{
	for (u64 nr = off / BLOCK; nr * BLOCK < end; nr++) {
		u64 page = nr * BLOCK + 4096;

		if (!container_of(host, struct fake, host)->data[nr] ||
		    page + 4096 <= off || page >= end)
			continue;
		*from = max(page, off);
		*to = min(page + 4096, end);
		return 1;
	}
	return 0;
}

static u64 fake_written(struct vmem_host *host, u64 off, u64 end, u64 *first)
{
	if (container_of(host, struct fake, host)->zero[off / BLOCK])
		return 0;
	*first = off;
	return end - off;
}

static int fake_discard(struct vmem_host *host, u64 off, u64 len)
{
	struct fake *f = container_of(host, struct fake, host);

	if (f->refuse)
		return -f->refuse;
	for (u64 nr = off / BLOCK; nr * BLOCK < off + len; nr++)
		f->data[nr] = false;
	f->punched += len;
	return 0;
}

static void fake_note(struct vmem_host *host, enum vmem_note note, u64 off, u64 len)
{
	(void)off;
	(void)len;
	container_of(host, struct fake, host)->strays += note == VMEM_NOTE_STRAY;
	container_of(host, struct fake, host)->touches += note == VMEM_NOTE_TOUCHED;
}

static void set_up(u64 requested)
{
	vmem_destroy(&dev);
	memset(&fake, 0, sizeof(fake));
	fake.host = (struct vmem_host){fake_next_data, fake_written, fake_discard, fake_note};
	dev = (struct vmem_dev){.addr = ADDR, .size = SIZE, .block = BLOCK};
	CHECK_EQ(vmem_init(&dev, &fake.host), 0);
	vmem_set_requested(&dev, requested);
	vmem_show_config(&dev);
}

static u32 ask_at(u16 type, u64 addr, u16 nb)
{
	struct vmem_req req = {.type = type, .addr = addr, .nb_blocks = nb};
	struct vmem_resp resp;

	/* The device must ignore padding. */
	memset(req.padding, 0xff, sizeof(req.padding));
	memset(req.padding2, 0xff, sizeof(req.padding2));
	vmem_handle(&dev, &req, &resp);
	return type == VMEM_REQ_STATE && !resp.type ? 0x100u + resp.state : resp.type;
}

static u32 ask(u16 type, u64 block, u16 nb)
{
	return ask_at(type, ADDR + block * BLOCK, nb);
}

#define STATE(s) (0x100u + (s))

TEST(device, geometry)
{
	CHECK(!vmem_geometry_error(ADDR, SIZE, BLOCK));
	CHECK(!vmem_geometry_error(0x100000, 1 << 20, 1 << 20));
	CHECK(!vmem_geometry_error(0, 128UL << 20, 64 << 20));
	CHECK(vmem_geometry_error(ADDR, SIZE, 3 << 20));
	CHECK(vmem_geometry_error(ADDR, SIZE, 0));
	CHECK(vmem_geometry_error(ADDR, SIZE, 2048));
	CHECK(vmem_geometry_error(ADDR + 4096, SIZE, BLOCK));
	CHECK(vmem_geometry_error(ADDR, SIZE + 4096, BLOCK));
	CHECK(vmem_geometry_error(ADDR, 0, BLOCK));
	CHECK(vmem_geometry_error(-BLOCK, 2 * BLOCK, BLOCK));
	CHECK(vmem_geometry_error(0, 1UL << 60, 4096));
}

TEST(device, config)
{
	struct vmem_config config;

	set_up(300UL << 20);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 3, 5), VMEM_ACK);
	vmem_read_config(&dev, &config);
	CHECK_EQ(config.block_size, BLOCK);
	CHECK_EQ(config.addr, ADDR);
	CHECK_EQ(config.region_size, SIZE);
	CHECK_EQ(config.plugged_size, 5 * BLOCK);
	CHECK_EQ(config.requested_size, 300UL << 20);
	CHECK(config.usable_region_size >= config.requested_size);
	CHECK(config.usable_region_size % BLOCK == 0 &&
	      config.usable_region_size <= SIZE);
	CHECK_EQ(config.node_id, 0);
	/* The driver sees neither new size until the device shows a new copy. */
	vmem_set_requested(&dev, 600UL << 20);
	vmem_read_config(&dev, &config);
	CHECK_EQ(config.requested_size, 300UL << 20);
	CHECK_EQ(config.usable_region_size, 556UL << 20);
	vmem_show_config(&dev);
	vmem_read_config(&dev, &config);
	CHECK_EQ(config.requested_size, 600UL << 20);
	CHECK_EQ(config.usable_region_size, 856UL << 20);
}

TEST(device, requested_size)
{
	set_up(0);
	CHECK(!vmem_size_error(&dev, 0) && !vmem_size_error(&dev, SIZE));
	CHECK(!vmem_size_error(&dev, BLOCK));
	CHECK(vmem_size_error(&dev, BLOCK / 2) && vmem_size_error(&dev, SIZE + BLOCK));
	CHECK(vmem_size_error(&dev, UINT64_MAX));
}

TEST(device, usable_region)
{
	u64 usable;

	set_up(0);
	usable = dev.usable;
	CHECK(usable < SIZE);
	CHECK_EQ(ask(VMEM_REQ_STATE, usable / BLOCK, 1), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_STATE, usable / BLOCK - 1, 2), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_STATE, usable / BLOCK - 1, 1), STATE(VMEM_UNPLUGGED));
	vmem_set_requested(&dev, 600UL << 20);
	CHECK_EQ(dev.usable, usable + (600UL << 20));
	vmem_set_requested(&dev, 0);
	CHECK_EQ(dev.usable, usable + (600UL << 20)); /* must not shrink here */
	vmem_set_requested(&dev, SIZE);
	CHECK_EQ(dev.usable, SIZE);
	vmem_set_requested(&dev, 4 * BLOCK);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG_ALL, 0, 0), VMEM_ACK);
	CHECK_EQ(dev.usable, usable + 4 * BLOCK);
}

TEST(device, plug_and_unplug)
{
	set_up(10 * BLOCK);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 60, 10), VMEM_ACK); /* across words of the bitmap */
	CHECK_EQ(dev.plugged, 10 * BLOCK);
	CHECK_EQ(ask(VMEM_REQ_STATE, 60, 10), STATE(VMEM_PLUGGED));
	CHECK_EQ(ask(VMEM_REQ_STATE, 59, 11), STATE(VMEM_MIXED));
	CHECK_EQ(ask(VMEM_REQ_STATE, 60, 11), STATE(VMEM_MIXED));
	CHECK_EQ(ask(VMEM_REQ_STATE, 0, 60), STATE(VMEM_UNPLUGGED));
	fake.data[61] = fake.data[69] = true;
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 60, 4), VMEM_ACK);
	CHECK_EQ(dev.plugged, 6 * BLOCK);
	CHECK(!fake.data[61] && fake.data[69]);
	CHECK_EQ(fake.punched, 4 * BLOCK);
	CHECK_EQ(dev.stray, 0);
	CHECK_EQ(fake.strays, 0);
}

TEST(device, rejects_malformed)
{
	static const u16 types[] = {VMEM_REQ_PLUG, VMEM_REQ_UNPLUG, VMEM_REQ_STATE};

	set_up(SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		CHECK_EQ(ask_at(types[i], ADDR + 4096, 1), VMEM_ERROR);
		CHECK_EQ(ask_at(types[i], ADDR + BLOCK - 1, 1), VMEM_ERROR);
		CHECK_EQ(ask(types[i], 0, 0), VMEM_ERROR);
		CHECK_EQ(ask_at(types[i], ADDR - BLOCK, 1), VMEM_ERROR);
		CHECK_EQ(ask_at(types[i], ADDR - BLOCK, 2), VMEM_ERROR);
		CHECK_EQ(ask_at(types[i], 0, 1), VMEM_ERROR);
		CHECK_EQ(ask(types[i], COUNT, 1), VMEM_ERROR);
		CHECK_EQ(ask(types[i], COUNT - 1, 2), VMEM_ERROR);
		CHECK_EQ(ask(types[i], 1, 0xffff), VMEM_ERROR);
		CHECK_EQ(ask_at(types[i], -BLOCK, 0xffff), VMEM_ERROR);
	}
	CHECK_EQ(dev.violations[VMEM_V_MISALIGNED], 6);
	CHECK_EQ(dev.violations[VMEM_V_ZERO_COUNT], 3);
	CHECK_EQ(dev.violations[VMEM_V_OUT_OF_RANGE], 21);
	CHECK_EQ(ask(4, 0, 1), VMEM_ERROR);
	CHECK_EQ(ask(0xffff, 0, 1), VMEM_ERROR);
	CHECK_EQ(dev.violations[VMEM_V_BAD_TYPE], 2);
	CHECK_EQ(dev.answers[VMEM_NR_REQ][VMEM_ERROR], 2);
	CHECK_EQ(dev.plugged, 0);
}

TEST(device, rejects_wrong_state)
{
	set_up(SIZE);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 0, 1), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 8, 4), VMEM_ACK);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 8, 4), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 11, 2), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 7, 2), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 7, 2), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 11, 2), VMEM_ERROR);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 7, 6), VMEM_ERROR);
	CHECK_EQ(dev.violations[VMEM_V_WRONG_STATE], 7);
	CHECK_EQ(dev.plugged, 4 * BLOCK);
	CHECK_EQ(fake.punched, 0);
}

TEST(device, nack_above_requested)
{
	set_up(4 * BLOCK);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 0, 5), VMEM_NACK);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 0, 4), VMEM_ACK);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 9, 1), VMEM_NACK);
	/* A malformed request is an error, however much is plugged. */
	CHECK_EQ(ask(VMEM_REQ_PLUG, 3, 1), VMEM_ERROR);
	vmem_set_requested(&dev, 0);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 0, 4), VMEM_ACK);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 0, 1), VMEM_NACK);
	CHECK_EQ(dev.violations[VMEM_V_WRONG_STATE], 1);
	CHECK_EQ(dev.answers[VMEM_REQ_PLUG][VMEM_NACK], 3);
}

TEST(device, busy_changes_nothing)
{
	set_up(SIZE);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 0, 4), VMEM_ACK);
	fake.refuse = EIO;
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 0, 4), VMEM_BUSY);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG_ALL, 0, 0), VMEM_BUSY);
	CHECK_EQ(dev.plugged, 4 * BLOCK);
	CHECK_EQ(ask(VMEM_REQ_STATE, 0, 4), STATE(VMEM_PLUGGED));
	fake.data[9] = true;
	CHECK_EQ(ask(VMEM_REQ_PLUG, 8, 2), VMEM_BUSY);
	CHECK_EQ(dev.plugged, 4 * BLOCK);
	fake.refuse = 0;
	CHECK_EQ(ask(VMEM_REQ_UNPLUG_ALL, 0, 0), VMEM_ACK);
	CHECK_EQ(dev.plugged, 0);
}

static int look(void)
{
	return vmem_collect_stray(&dev, 0, SIZE);
}

TEST(device, stray)
{
	set_up(SIZE);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 0, 4), VMEM_ACK);
	fake.data[2] = true; /* in a plugged block, which is allowed */
	CHECK_EQ(look(), 0);
	CHECK_EQ(dev.stray, 0);
	fake.data[4] = fake.data[COUNT - 1] = true;
	CHECK_EQ(look(), 0);
	CHECK_EQ(dev.stray, 8192);
	/* The device returned each page to the host after counting it; the total stays. */
	CHECK(!fake.data[4] && !fake.data[COUNT - 1] && fake.data[2]);
	CHECK_EQ(look(), 0);
	CHECK_EQ(dev.stray, 8192);
	CHECK_EQ(fake.strays, 2);
	CHECK_EQ(dev.violations[VMEM_V_STRAY], 2);
	CHECK_EQ(vmem_allocated(&dev, 0, SIZE), 4096);
	/* A plug request counts and discards the data that it finds in its blocks. */
	fake.data[4] = true;
	CHECK_EQ(ask(VMEM_REQ_PLUG, 4, 2), VMEM_ACK);
	CHECK(!fake.data[4] && fake.data[2]);
	CHECK_EQ(dev.stray, 3 * 4096);
	CHECK_EQ(ask(VMEM_REQ_UNPLUG, 4, 1), VMEM_ACK);
	fake.data[4] = true;
	CHECK_EQ(vmem_unplug_all(&dev), VMEM_ACK);
	CHECK_EQ(dev.stray, 4 * 4096);
	CHECK_EQ(fake.strays, 4);
	CHECK_EQ(dev.touched, 0);
	CHECK_EQ(vmem_allocated(&dev, 0, SIZE), 0);
}

TEST(device, touched)
{
	set_up(SIZE);
	fake.data[4] = fake.zero[4] = fake.data[9] = true;
	CHECK_EQ(look(), 0);
	CHECK_EQ(dev.touched, 4096);
	CHECK_EQ(dev.stray, 4096);
	CHECK(!fake.data[4] && !fake.data[9]);
	CHECK_EQ(fake.touches, 1);
	/* Pages of zeros are not necessarily the guest's fault: no violation is counted. */
	CHECK_EQ(dev.violations[VMEM_V_STRAY], 1);
	fake.data[4] = true;
	CHECK_EQ(look(), 0);
	CHECK_EQ(dev.touched, 2 * 4096);
}

TEST(device, stray_that_cannot_be_given_back)
{
	set_up(SIZE);
	fake.data[4] = true;
	fake.refuse = EPERM;
	CHECK_EQ(look(), -EPERM);
	CHECK_EQ(look(), -EPERM);
	CHECK_EQ(dev.stray, 0);
	CHECK_EQ(vmem_allocated(&dev, 0, SIZE), 4096);
	fake.refuse = 0;
	CHECK_EQ(look(), 0);
	CHECK_EQ(dev.stray, 4096);
}

TEST(device, buffers_in_unplugged_blocks)
{
	set_up(SIZE);
	CHECK_EQ(ask(VMEM_REQ_PLUG, 1, 2), VMEM_ACK);
	CHECK(!vmem_overlaps_unplugged(&dev, 0x80000000, 0x8000000));
	CHECK(vmem_overlaps_unplugged(&dev, 0x80000000, 0x8000001));
	CHECK(vmem_overlaps_unplugged(&dev, ADDR + BLOCK - 1, 2));
	CHECK(!vmem_overlaps_unplugged(&dev, ADDR + BLOCK, 2 * BLOCK));
	CHECK(vmem_overlaps_unplugged(&dev, ADDR + BLOCK, 2 * BLOCK + 1));
	CHECK(!vmem_overlaps_unplugged(&dev, ADDR + SIZE, 24));
	CHECK(!vmem_overlaps_unplugged(&dev, ADDR + 2 * BLOCK, 24));
	CHECK(!vmem_overlaps_unplugged(&dev, ADDR, 0));
}

/* Compare random requests with a model that has a byte per block. */
TEST(device, random_against_model)
{
	static u8 model[COUNT];
	unsigned int seed = 7;
	u64 plugged = 0;

	set_up(SIZE);
	memset(model, 0, sizeof(model));
	for (int round = 0; round < 20000; round++) {
		u16 type = (u16[]){0, 1, 1, 3, 0, 3, 1, 0}[rand_r(&seed) % 8];
		u64 first = (u64)rand_r(&seed) % COUNT;
		u16 nb = (u16)(rand_r(&seed) % 12);
		u32 ones = 0, answer = VMEM_ACK, got;
		bool inside = nb && first + nb <= COUNT;

		if (rand_r(&seed) % 50 == 0)
			vmem_set_requested(&dev,
					   (u64)rand_r(&seed) % (COUNT + 1) * BLOCK);
		for (u32 i = 0; inside && i < nb; i++)
			ones += model[first + i];
		if (!inside)
			answer = VMEM_ERROR;
		else if (type == VMEM_REQ_STATE)
			answer = STATE(ones == nb ? VMEM_PLUGGED
				       : ones	  ? VMEM_MIXED
						  : VMEM_UNPLUGGED);
		else if (ones != (type == VMEM_REQ_PLUG ? 0 : nb))
			answer = VMEM_ERROR;
		else if (type == VMEM_REQ_PLUG && (plugged + nb) * BLOCK > dev.requested)
			answer = VMEM_NACK;
		got = ask(type, first, nb);
		CHECK_EQ(got, answer);
		if (answer == VMEM_ACK && type < VMEM_REQ_STATE) {
			memset(model + first, type == VMEM_REQ_PLUG, nb);
			plugged += type == VMEM_REQ_PLUG ? nb : -(u64)nb;
		}
		CHECK_EQ(dev.plugged, plugged * BLOCK);
	}
	vmem_destroy(&dev);
}
