/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory, the count of its allocated bytes, and the ring, on a real memfd. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "memfile.h"
#include "vring.h"

#define GPA   0x80000000UL
#define USER  0x7f0000000000UL
#define BYTES (1UL << 20)
#define RING  8

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static struct guest_mem mem;
static struct vring ring;
static u8 *ram;

static void tear_down(void)
{
	guest_mem_clear(&mem);
	mem.refuse = NULL;
}

static void set_up(void)
{
	struct mem_region_desc desc = {GPA, BYTES, USER, 4096};
	int fd = memfd_create("ram", MFD_CLOEXEC);

	tear_down();
	CHECK_EQ(ftruncate(fd, BYTES + 4096), 0);
	CHECK(!guest_mem_add(&mem, &desc, fd));
	ram = mem.region[0].host;
	ring = (struct vring){.size = RING,
			      .desc = USER,
			      .avail = USER + 0x1000,
			      .used = USER + 0x2000,
			      .indirect = true};
}

static void put_desc(u32 at, u32 nr, struct desc d)
{
	memcpy(ram + at + nr * sizeof(d), &d, sizeof(d));
}

static void publish(u16 head)
{
	u16 *avail = (u16 *)(ram + 0x1000);

	avail[2 + avail[1] % RING] = head;
	avail[1]++;
}

/* Publish a request at 0x3000, with room for the response at 0x4000. */
static void put_request(void)
{
	struct vmem_req req = {.type = VMEM_REQ_STATE, .addr = 0x1234, .nb_blocks = 7};

	memcpy(ram + 0x3000, &req, sizeof(req));
	put_desc(0, 0, (struct desc){GPA + 0x3000, 24, 1, 1});
	put_desc(0, 1, (struct desc){GPA + 0x4000, 10, 2, 0});
	publish(0);
}

TEST(guest_mem, refuses_bad_regions)
{
	struct mem_region_desc d = {GPA + BYTES, 4096, USER + BYTES, 0};
	int fd = memfd_create("more", MFD_CLOEXEC), pipes[2];

	set_up();
	CHECK_EQ(ftruncate(fd, 8192), 0);
	CHECK_EQ(pipe(pipes), 0);
	d.size = 8193;
	CHECK(guest_mem_add(&mem, &d, fd)); /* beyond the file */
	d.size = 0;
	CHECK(guest_mem_add(&mem, &d, fd));
	d.size = -GPA;
	CHECK(guest_mem_add(&mem, &d, fd)); /* wraps */
	d.size = 4096;
	d.file_offset = -4096UL;
	CHECK(guest_mem_add(&mem, &d, fd));
	d.file_offset = 8192;
	CHECK(guest_mem_add(&mem, &d, fd));
	d.file_offset = 0;
	d.gpa = GPA + 4096;
	CHECK(guest_mem_add(&mem, &d, fd)); /* overlaps */
	d.gpa = GPA + BYTES;
	d.user = USER;
	CHECK(guest_mem_add(&mem, &d, fd));
	d.user = USER + BYTES;
	CHECK(guest_mem_add(&mem, &d, pipes[0])); /* not a file */
	CHECK(guest_mem_add(&mem, &d, -1));
	CHECK_EQ(mem.nr, 1);
	CHECK(!guest_mem_add(&mem, &d, fd));
	CHECK(memfile_covers(&mem, GPA, BYTES + 4096));
	CHECK(!memfile_covers(&mem, GPA, BYTES + 4097));
	d.size = 8192;
	CHECK(guest_mem_remove(&mem, &d));
	d.size = 4096;
	CHECK(!guest_mem_remove(&mem, &d));
	CHECK(!memfile_covers(&mem, GPA, BYTES + 1));
	close(pipes[0]);
	close(pipes[1]);
	tear_down();
}

TEST(guest_mem, reads_across_regions)
{
	struct mem_region_desc d = {GPA + BYTES, 4096, USER + BYTES, 0};
	int fd = memfd_create("more", MFD_CLOEXEC);
	char out[8] = "abcdefg", in[8];

	set_up();
	CHECK_EQ(ftruncate(fd, 4096), 0);
	CHECK(!guest_mem_add(&mem, &d, fd));
	CHECK_EQ(guest_mem_write(&mem, GPA + BYTES - 3, out, 8), 0);
	CHECK_EQ(guest_mem_read(&mem, GPA + BYTES - 3, in, 8), 0);
	CHECK(!memcmp(in, out, 8));
	CHECK_EQ(guest_mem_read(&mem, GPA + BYTES + 4090, in, 8), -1);
	CHECK_EQ(guest_mem_read(&mem, GPA - 1, in, 1), -1);
	CHECK_EQ(guest_mem_read(&mem, -4UL, in, 8), -1);
	tear_down();
}

TEST(memfile, counts_and_punches)
{
	u64 from, to;

	set_up();
	CHECK_EQ(memfile_next_data(&mem, GPA, GPA + BYTES, &from, &to), 0);
	memset(ram + 0x5000, 1, 0x2001);
	CHECK_EQ(memfile_next_data(&mem, GPA, GPA + BYTES, &from, &to), 1);
	CHECK_EQ(from, GPA + 0x5000);
	CHECK_EQ(to, GPA + 0x8000);
	CHECK_EQ(memfile_next_data(&mem, GPA + 0x6800, GPA + 0x7000, &from, &to), 1);
	CHECK_EQ(from, GPA + 0x6800);
	CHECK_EQ(to, GPA + 0x7000);
	CHECK_EQ(memfile_next_data(&mem, GPA + 0x8000, GPA + BYTES, &from, &to), 0);
	CHECK_EQ(memfile_discard(&mem, GPA + 0x5000, 0x1000), 0);
	CHECK_EQ(ram[0x5000], 0);
	CHECK_EQ(memfile_next_data(&mem, GPA, GPA + BYTES, &from, &to), 1);
	/* Reading the hole has filled it again, as a stray access does. */
	CHECK_EQ(from, GPA + 0x5000);
	CHECK(memfile_discard(&mem, GPA + BYTES - 4096, 8192) < 0);
	tear_down();
}

TEST(memfile, tells_written_from_read)
{
	const u64 far = 70 * 4096; /* beyond the first chunk that is read */
	u64 first = 0, from, to;

	set_up();
	(void)*(volatile u8 *)(ram + 0x5000); /* reading fills the hole */
	CHECK_EQ(memfile_next_data(&mem, GPA, GPA + BYTES, &from, &to), 1);
	CHECK_EQ(memfile_written(&mem, GPA, GPA + BYTES, &first), 0);
	ram[0x5000] = 0; /* and so does writing zeros */
	CHECK_EQ(memfile_written(&mem, GPA, GPA + BYTES, &first), 0);
	ram[far + 4095] = 1;
	ram[far + 8192] = 1;
	CHECK_EQ(memfile_written(&mem, GPA, GPA + BYTES, &first), 8192);
	CHECK_EQ(first, GPA + far);
	CHECK_EQ(memfile_written(&mem, GPA + far, GPA + far + 4096, &first), 4096);
	CHECK_EQ(memfile_written(&mem, GPA + BYTES, GPA + 2 * BYTES, &first), 0);
	/* The scan has allocated nothing. */
	CHECK_EQ(memfile_discard(&mem, GPA, BYTES), 0);
	CHECK_EQ(memfile_written(&mem, GPA, GPA + BYTES, &first), 0);
	CHECK_EQ(memfile_next_data(&mem, GPA, GPA + BYTES, &from, &to), 0);
	tear_down();
}

TEST(vring, request_and_answer)
{
	struct vmem_resp resp = {.type = 2, .state = 0x55};
	struct vring_chain chain;
	const u16 *used = (u16 *)(ram + 0x2000);

	set_up();
	used = (u16 *)(ram + 0x2000);
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_EMPTY);
	put_request();
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_CHAIN);
	CHECK_EQ(chain.out.addr, 0x1234);
	CHECK_EQ(chain.out.nb_blocks, 7);
	CHECK_EQ(chain.out_bytes, 24);
	CHECK_EQ(chain.in_bytes, 10);
	CHECK_EQ(vring_answer(&mem, &chain, &resp), 0);
	CHECK_EQ(ram[0x4000], 2);
	CHECK_EQ(ram[0x4008], 0x55);
	CHECK(vring_push(&ring, &mem, chain.head, 10));
	CHECK_EQ(used[1], 1);
	CHECK_EQ(((const u32 *)used)[1], 0);
	CHECK_EQ(((const u32 *)used)[2], 10);
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_EMPTY);
	*(u16 *)(ram + 0x1000) = 1; /* the driver wants no interrupt */
	CHECK(!vring_push(&ring, &mem, 0, 10));
	tear_down();
}

TEST(vring, scattered_and_indirect)
{
	struct vmem_resp resp = {.type = 3, .state = 0x77};
	struct vring_chain chain;

	set_up();
	put_request();
	put_desc(0x6000, 0, (struct desc){GPA + 0x3000, 9, 1, 2});
	put_desc(0x6000, 1, (struct desc){GPA + 0x4005, 5, 2, 0});
	put_desc(0x6000, 2, (struct desc){GPA + 0x3009, 15, 1, 3});
	put_desc(0x6000, 3, (struct desc){GPA + 0x4000, 5, 3, 1});
	put_desc(0, 0, (struct desc){GPA + 0x6000, 64, 4, 0});
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_CHAIN);
	CHECK_EQ(chain.out.addr, 0x1234);
	CHECK_EQ(chain.out.nb_blocks, 7);
	CHECK_EQ(chain.nr_in, 2);
	CHECK_EQ(vring_answer(&mem, &chain, &resp), 0);
	CHECK_EQ(ram[0x4008], 0x77);
	ring.indirect = false;
	publish(0);
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_BROKEN);
	tear_down();
}

/* Each of these breaks the ring until the driver sets it up again. */
TEST(vring, nonsense)
{
	static const struct {
		struct desc first, second;
		u16 head;
	} cases[] = {
		{{GPA + 0x3000, 24, 1, 0}, {0}, 0},    /* loop */
		{{GPA + 0x3000, 24, 1, RING}, {0}, 0}, /* next is not an entry */
		{{GPA + 0x3000, 24, 0, 0}, {0}, RING}, /* head is not an entry */
		{{GPA + 0x3000, 24, 0, 0}, {0}, 0xffff},
		{{GPA + BYTES - 8, 24, 0, 0}, {0}, 0}, /* not memory */
		{{-8UL, 24, 0, 0}, {0}, 0},	       /* wraps */
		{{-8UL, 24, 2, 0}, {0}, 0},
		{{GPA + 0x4000, 10, 3, 1}, {GPA + 0x3000, 24, 0, 0}, 0}, /* wrong order */
		{{GPA + 0x6000, 17, 4, 0}, {0}, 0}, /* indirect: odd size */
		{{GPA + 0x6000, 0, 4, 0}, {0}, 0},
		{{GPA + 0x6000, 16, 5, 1}, {0}, 0},	    /* indirect, with next */
		{{GPA + BYTES, 16, 4, 0}, {0}, 0},	    /* table is not in memory */
		{{GPA, 32, 4, 0}, {0}, 0},		    /* table in itself */
		{{GPA + 0x6000, 0xfffffff0, 4, 0}, {0}, 0}, /* huge */
	};
	struct vring_chain chain;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		set_up();
		put_desc(0, 0, cases[i].first);
		put_desc(0, 1, cases[i].second);
		publish(cases[i].head);
		if (vring_pop(&ring, &mem, &chain) != VRING_BROKEN)
			test_fail(__FILE__, __LINE__, "case %zu to break the ring", i);
		CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_EMPTY);
	}
	set_up();
	*(u16 *)(ram + 0x1002) = RING + 1; /* more entries available than the ring has */
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_BROKEN);
	tear_down();
}

static bool refuse_all(void *arg, u64 gpa, u64 len)
{
	(void)arg;
	return gpa >= GPA + 0x3000 && len;
}

TEST(vring, short_and_refused_buffers)
{
	struct vmem_resp resp = {0};
	struct vring_chain chain;

	set_up();
	put_request();
	put_desc(0, 0, (struct desc){GPA + 0x3000, 23, 1, 1});
	put_desc(0, 1, (struct desc){GPA + 0x4000, 9, 2, 0});
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_CHAIN);
	CHECK_EQ(chain.out_bytes, 23);
	CHECK_EQ(vring_answer(&mem, &chain, &resp), -1);
	mem.refuse = refuse_all;
	publish(0);
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_BROKEN);
	tear_down();
}

TEST(vring, not_in_memory)
{
	static const u64 users[] = {0,	      USER - 16, USER + BYTES, USER + BYTES - 16,
				    USER + 8, -16UL};
	struct vring_chain chain;

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		set_up();
		put_request();
		ring.desc = users[i];
		CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_NOMEM);
		CHECK(!vring_push(&ring, &mem, 0, 10));
		CHECK(!vring_rearm(&ring, &mem));
	}
	tear_down();
}

TEST(vring, event_index)
{
	struct vring_chain chain;
	u16 *used_event, *avail_event;

	set_up();
	ring.event_idx = true;
	used_event = (u16 *)(ram + 0x1000) + 2 + RING;
	avail_event = (u16 *)(ram + 0x2000 + 4 + 8 * RING);
	put_request();
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_CHAIN);
	*used_event = 5;
	CHECK(vring_push(&ring, &mem, 0, 10)); /* the first push always calls */
	CHECK(!vring_push(&ring, &mem, 0, 10));
	*used_event = 2;
	CHECK(vring_push(&ring, &mem, 0, 10));
	CHECK(!vring_push(&ring, &mem, 0, 10));
	CHECK(!vring_rearm(&ring, &mem));
	CHECK_EQ(*avail_event, 1);
	publish(0);
	CHECK(vring_rearm(&ring, &mem)); /* the chain came before the mark: no kick follows */
	tear_down();
}

TEST(vring, index_wraps)
{
	struct vring_chain chain;

	set_up();
	put_request();
	ring.next_avail = 0xffff;
	((u16 *)(ram + 0x1000))[1] = 0;
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_CHAIN);
	CHECK_EQ(ring.next_avail, 0);
	CHECK_EQ(vring_pop(&ring, &mem, &chain), VRING_EMPTY);
	tear_down();
}
