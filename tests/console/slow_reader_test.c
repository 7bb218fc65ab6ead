/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who reads an answer may be as slow as a host that is stopped: while a line is written
 * nothing is held that others need.
 */
#include "drivers/virtio/virtio_mem.h"
#include "kernel/command.h"
#include "kernel/shell.h"
#include "lib/errno.h"
#include "mm/mm.h"
#include "tests/console/kernel_block.h"

/* Looks, at each write, at what the writer holds. */
struct slow_reader {
	struct sink sink;
	struct ktest *test;
	unsigned int writes;
};

static void slow_write(struct sink *sink, const char *text, size_t len)
{
	struct slow_reader *r = container_of(sink, struct slow_reader, sink);

	(void)text;
	(void)len;
	r->writes++;
	KTEST_EXPECT_FALSE(r->test, mutex_is_held(&kernel_mm.hotplug_lock));
	KTEST_EXPECT_FALSE(r->test, mutex_is_held(&vmem_list_mutex));
	assert_sink_may_wait();
}

static struct slow_reader reader(struct ktest *test)
{
	return (struct slow_reader){ .sink = { slow_write }, .test = test };
}

static void show(const char *path, void *arg)
{
	struct slow_reader *r = arg;
	const unsigned int before = r->writes;

	/* A file of a block that went away meanwhile says that it is not there. */
	(void)pseudofs_show(path, &r->sink);
	KTEST_EXPECT_GT(r->test, r->writes, before);
}

static void files(struct ktest *test)
{
	struct slow_reader r = reader(test);

	(void)kernel_whole_blocks(test, 2);
	pseudofs_for_each(show, &r);
}

static void commands(struct ktest *test)
{
	static const char *const lines[] = {
		"lsmem -a", "map",	 "mm census", "mm check", "vmem",
		"vmem reset nobody", "chmem -d -b 4095", "dump_page 0", "contig 99999999",
	};
	struct slow_reader r = reader(test);

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		const unsigned int before = r.writes;

		(void)console_run_line(lines[i], &r.sink);
		KTEST_EXPECT_GT(test, r.writes, before);
	}
}

static const struct ktest_case slow_reader_cases[] = {
	KTEST_CASE(files),
	KTEST_CASE(commands),
	{},
};
static struct ktest_suite slow_reader_suite = { .name = "slow_reader",
						.cases = slow_reader_cases };
KTEST_SUITE(slow_reader_suite);
