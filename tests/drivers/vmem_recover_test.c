/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio-mem device that the driver gave up comes back: whatever it did meanwhile, driver,
 * device and mm agree in the end. The driver never sends UNPLUG_ALL while memory is in use,
 * and takes no old answer for a new one.
 */
#include "kernel/ktest.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/drivers/vmem_rig.h"

#define MIB (1UL << 20)

/* 256 MiB in 2 MiB blocks, 100 MiB of them plugged. */
static struct fake_vmem *add_device(struct vmem_rig *rig)
{
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 100 * MIB);
	KTEST_ASSERT_EQ(rig->test, vmem_rig_plugged(rig, 0), 100 * MIB);
	return fm;
}

/* Make the device answer the next request with an error, so that the driver gives it up. */
static void give_up(struct vmem_rig *rig, u64 requested)
{
	fake_vmem_inject(&rig->fm[0], 0, 1, FAKE_ERROR);
	vmem_rig_resize(rig, 0, requested);
	KTEST_ASSERT_TRUE(rig->test, virtio_is_broken(rig->vm[0]->vdev));
}

static void expect_agreement(struct vmem_rig *rig, u64 plugged)
{
	struct fake_vmem *fm = &rig->fm[0];

	KTEST_EXPECT_TRUE(rig->test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(rig->test, vmem_rig_plugged(rig, 0), plugged);
	KTEST_EXPECT_EQ(rig->test, fake_vmem_plugged(fm), plugged);
	KTEST_EXPECT_EQ(rig->test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL], 0);
	KTEST_EXPECT_FALSE(rig->test, rig->vm[0]->unsure);
	vmem_rig_check(rig);
}

static phys_addr_t at(const struct vmem_rig *rig, u64 offset)
{
	return rig->fm[0].config.addr + offset;
}

/* --- faults while the device comes back ---------------------------------------------- */

#define LAST_REQUEST 4

static const void *fault_gen_params(const void *prev, char desc[KTEST_DESC_SIZE])
{
	return vmem_rig_faults(prev, LAST_REQUEST, desc);
}

/* A second fault at each request of the recovery, the STATE requests included. */
static void fault_on_the_way_back(struct ktest *test)
{
	const struct rig_fault *f = test->param_value;
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	give_up(rig, 200 * MIB);
	fake_vmem_set_plugged(fm, at(rig, 150 * MIB), 10 * MIB, true);
	fake_vmem_inject(fm, f->at, 1, f->fault);
	expect_agreement(rig, 200 * MIB);
	vmem_rig_resize(rig, 0, 0);
	expect_agreement(rig, 0);
}

/* The device answers a request after the driver has given it up: the driver ignores the answer. */
static void late_answer(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	fake_vmem_inject(fm, 0, 1, FAKE_SILENT);
	vmem_rig_resize(rig, 0, 200 * MIB);
	KTEST_ASSERT_TRUE(test, virtio_is_broken(&fm->fv.vdev));
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	/* The device carried the request out, and says so now. */
	KTEST_EXPECT_EQ(test, fake_vmem_plugged(fm), 200 * MIB);
	fake_push(&fm->fv, 0, 0, VIRTIO_MEM_RESP_BYTES);
	fake_vmem_resize(fm, 150 * MIB);
	expect_agreement(rig, 150 * MIB);
}

/* Endless interrupts do not make the driver reset the device endlessly. */
static void resets_are_apart(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);
	unsigned int before;

	fake_vmem_inject(fm, 0, 1000, FAKE_ERROR);
	vmem_rig_resize(rig, 0, 200 * MIB);
	before = fm->fv.resets;
	for (unsigned int i = 0; i < 100; i++) {
		rig->vm[0]->restart_ns = ktime_ns() + NSEC_PER_SEC;
		fake_interrupt(&fm->fv, VIRTIO_ISR_CONFIG);
		KTEST_EXPECT_GT(test, vmem_work(rig->vm[0]), 0);
		KTEST_EXPECT_FALSE(test, vmem_interrupted(rig->vm[0]));
	}
	KTEST_EXPECT_EQ(test, fm->fv.resets, before);
	/* The pauses grow up to a bound. */
	KTEST_EXPECT_FALSE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(test, rig->vm[0]->retry_ns, VMEM_RETRY_LAST_NS);
	fm->fault_for = 0;
	expect_agreement(rig, 200 * MIB);
	KTEST_EXPECT_EQ(test, rig->vm[0]->retry_ns, VMEM_RETRY_FIRST_NS);
}

/*
 * The device does not reset, offers other features, or has lost its queue; later it
 * works as before.
 */
static void not_the_device_it_was(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);
	const u64 offered = fm->fv.offered;
	const u32 max = fm->fv.queue[0].max;

	give_up(rig, 200 * MIB);
	fm->fv.stuck = true;
	rig->vm[0]->restart_ns = 0;
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_NOT_NULL(test, strstr(fm->fv.vdev.why, "did not finish its reset"));
	fm->fv.stuck = false;
	fm->fv.offered &= ~VIRTIO_F_INDIRECT_DESC;
	KTEST_EXPECT_FALSE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_NOT_NULL(test, strstr(fm->fv.vdev.why, "offers features"));
	fm->fv.offered = 0;
	KTEST_EXPECT_FALSE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_NOT_NULL(test, strstr(fm->fv.vdev.why, "legacy device"));
	fm->fv.offered = offered;
	fm->fv.queue[0].max = 1;
	KTEST_EXPECT_FALSE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_NOT_NULL(test, strstr(fm->fv.vdev.why, "its queues"));
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	fm->fv.queue[0].max = max;
	expect_agreement(rig, 200 * MIB);
}

/* --- silence ---------------------------------------------------------------------------- */

/* Make the device answer no request, not even STATE. Return: the number of its requests. */
static unsigned int go_silent(struct vmem_rig *rig)
{
	struct fake_vmem *fm = &rig->fm[0];

	fake_vmem_inject(fm, 0, 1000, FAKE_SILENT);
	vmem_rig_resize(rig, 0, 200 * MIB);
	KTEST_ASSERT_TRUE(rig->test, virtio_is_broken(&fm->fv.vdev));
	KTEST_ASSERT_TRUE(rig->test, rig->vm[0]->silent);
	/* The driver does not reset the device: the device's process may have ended. */
	KTEST_EXPECT_FALSE(rig->test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(rig->test, fm->fv.resets, 1);
	fm->fault_for = 0;
	return fm->nr_log;
}

static void silent_until_it_answers(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	KTEST_EXPECT_EQ(test, go_silent(rig), 3);
	fake_push(&fm->fv, 0, 0, VIRTIO_MEM_RESP_BYTES);
	expect_agreement(rig, 200 * MIB);
}

static void silent_until_it_interrupts(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	go_silent(rig);
	fake_vmem_resize(fm, 120 * MIB);
	expect_agreement(rig, 120 * MIB);
}

static void silent_until_forced(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	go_silent(rig);
	WRITE_ONCE(rig->vm[0]->reset_asked, VMEM_RESET_ASKED);
	KTEST_EXPECT_FALSE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(test, fm->fv.resets, 1);
	KTEST_EXPECT_EQ(test, rig->vm[0]->nr_resets, 1);
	WRITE_ONCE(rig->vm[0]->reset_asked, VMEM_RESET_FORCED);
	expect_agreement(rig, 200 * MIB);
}

/*
 * A single STATE request shows whether a device answers, and does not disturb a device that
 * does.
 */
static void a_look(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	vmem_look(rig->vm[0]);
	KTEST_EXPECT_FALSE(test, virtio_is_broken(&fm->fv.vdev));
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_STATE], 1);
	fake_vmem_inject(fm, 0, 1000, FAKE_SILENT);
	vmem_look(rig->vm[0]);
	KTEST_EXPECT_TRUE(test, virtio_is_broken(&fm->fv.vdev));
	KTEST_EXPECT_TRUE(test, rig->vm[0]->silent);
}

/* --- what the device has plugged ------------------------------------------------------- */

/* The device has plugged memory without a request: the driver unplugs it. */
static void has_more(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	give_up(rig, 102 * MIB);
	fake_vmem_set_plugged(fm, at(rig, 120 * MIB), 30 * MIB, true);
	fake_vmem_set_plugged(fm, at(rig, 254 * MIB), 2 * MIB, true);
	expect_agreement(rig, 102 * MIB);
	for (u64 offset = 120 * MIB; offset < 256 * MIB; offset += 2 * MIB)
		KTEST_EXPECT_FALSE(test, fake_vmem_is_plugged(fm, at(rig, offset)));
}

/*
 * The device has unplugged memory that mm uses: the driver plugs it again, and nothing
 * panics.
 */
static void has_less(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);
	const unsigned long pfn = phys_to_pfn(at(rig, 50 * MIB));

	KTEST_ASSERT_EQ(test, alloc_pages_at(rig->w->mm, pfn, 0, PGTY_KERNEL), 0);
	give_up(rig, 120 * MIB);
	fake_vmem_set_plugged(fm, at(rig, 48 * MIB), 6 * MIB, false);
	fake_vmem_set_plugged(fm, at(rig, 98 * MIB), 2 * MIB, false);
	expect_agreement(rig, 120 * MIB);
	free_pages(rig->w->mm, pfn, 0);
	vmem_rig_resize(rig, 0, 0);
	expect_agreement(rig, 0);
}

/*
 * The device also refuses to plug this memory again, because it requests less: the status
 * says so, and the driver plugs the memory once it may.
 */
static void has_less_and_refuses(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);
	const unsigned long pfn = phys_to_pfn(at(rig, 50 * MIB));
	struct sink_buffer buffer;
	char text[160];

	KTEST_ASSERT_EQ(test, alloc_pages_at(rig->w->mm, pfn, 0, PGTY_KERNEL), 0);
	give_up(rig, 120 * MIB);
	fake_vmem_set_plugged(fm, at(rig, 50 * MIB), 2 * MIB, false);
	fake_vmem_resize(fm, 96 * MIB);
	rig->vm[0]->restart_ns = 0;
	KTEST_EXPECT_NE(test, vmem_work(rig->vm[0]), WAIT_FOREVER);
	KTEST_EXPECT_TRUE(test, rig->vm[0]->unsure);
	sink_buffer_init(&buffer, text, sizeof(text));
	KTEST_EXPECT_TRUE(test, vmem_print_failure(rig->vm[0], &buffer.sink));
	KTEST_EXPECT_STREQ(test, text, "memory in use is not plugged at the device");
	expect_agreement(rig, 96 * MIB);
	free_pages(rig->w->mm, pfn, 0);
}

/*
 * Only parts of granules are plugged: the driver plugs the rest of mm's granules, and
 * unplugs the parts of others.
 */
static void parts_of_granules(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 64UL << 10);

	vmem_rig_resize(rig, 0, 100 * MIB);
	give_up(rig, 102 * MIB);
	fake_vmem_set_plugged(fm, at(rig, 51 * MIB), 64UL << 10, false);
	fake_vmem_set_plugged(fm, at(rig, 61 * MIB), 3 * MIB, false);
	fake_vmem_set_plugged(fm, at(rig, 151 * MIB), 192UL << 10, true);
	fake_vmem_set_plugged(fm, at(rig, 255 * MIB), 1 * MIB, true);
	expect_agreement(rig, 102 * MIB);
}

/* The device plugs and unplugs random pieces: in the end device and mm agree. */
static void random_differences(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 1 * MIB);

	for (unsigned int i = 0; i < 20; i++) {
		const u64 target = 2 * MIB * (20 + prng_below(&test->prng, 100));

		vmem_rig_resize(rig, 0, target);
		give_up(rig, target - 10 * MIB);
		for (unsigned int k = 0; k < 8; k++) {
			const u64 offset = MIB * prng_below(&test->prng, 240);

			/* Never unplug a block's descriptors. */
			if (offset % (128 * MIB) >= 2 * MIB)
				fake_vmem_set_plugged(fm, at(rig, offset), MIB, k % 2);
		}
		fake_vmem_resize(fm, 256 * MIB);
		expect_agreement(rig, 256 * MIB);
	}
}

/* --- resets by a user -------------------------------------------------------------------- */

/* A user resets a device that works: the driver asks what is plugged, and continues. */
static void reset_by_hand(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);
	const unsigned int before = fm->fv.resets;

	fake_vmem_set_plugged(fm, at(rig, 200 * MIB), 4 * MIB, true);
	WRITE_ONCE(rig->vm[0]->reset_asked, VMEM_RESET_ASKED);
	expect_agreement(rig, 100 * MIB);
	KTEST_EXPECT_EQ(test, fm->fv.resets, before + 1);
	KTEST_EXPECT_EQ(test, rig->vm[0]->nr_resets, 1);
	KTEST_EXPECT_GT(test, fm->nr_requests[VIRTIO_MEM_REQ_STATE], 0);
}

/* A device that owes an answer is reset at once, not when its time to answer has run out. */
static void reset_while_it_is_silent(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	fake_vmem_inject(fm, 0, 1, FAKE_SILENT);
	fake_vmem_resize(fm, 200 * MIB);
	rig->vm[0]->answer_ns = NSEC_PER_SEC * 3600;
	fm->ask_reset = &rig->vm[0]->reset_asked;
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), 0);
	expect_agreement(rig, 200 * MIB);
}

/*
 * Let a user ask for a reset while the device owes an answer; the device does not answer a
 * STATE request either.
 */
static void ask_reset_of_a_dead_device(struct vmem_rig *rig)
{
	struct fake_vmem *fm = &rig->fm[0];

	fake_vmem_inject(fm, 0, 1000, FAKE_SILENT);
	rig->vm[0]->answer_ns = NSEC_PER_SEC * 3600;
	fm->ask_reset = &rig->vm[0]->reset_asked;
}

/* Expect that the driver does not reset the device and says so; a forced reset works. */
static void expect_not_reset(struct vmem_rig *rig, u64 plugged)
{
	struct fake_vmem *fm = &rig->fm[0];

	KTEST_EXPECT_FALSE(rig->test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(rig->test, fm->fv.resets, 1);
	KTEST_EXPECT_TRUE(rig->test, rig->vm[0]->silent);
	KTEST_EXPECT_NOT_NULL(rig->test, strstr(fm->fv.vdev.why, "its process may have ended"));
	KTEST_EXPECT_GE(rig->test, rig->vm[0]->nr_resets, 1);
	fm->fault_for = 0;
	WRITE_ONCE(rig->vm[0]->reset_asked, VMEM_RESET_FORCED);
	expect_agreement(rig, plugged);
}

static void dead_while_it_owes_an_answer(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = add_device(rig);

	ask_reset_of_a_dead_device(rig);
	fake_vmem_resize(fm, 200 * MIB);
	vmem_work(rig->vm[0]);
	expect_not_reset(rig, 200 * MIB);
}

/*
 * The device owes the answer to a STATE request from an idle worker, or from another
 * console's reset.
 */
static void dead_while_it_is_looked_at(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);

	add_device(rig);
	ask_reset_of_a_dead_device(rig);
	WRITE_ONCE(rig->vm[0]->reset_asked, VMEM_RESET_ASKED);
	vmem_work(rig->vm[0]);
	expect_not_reset(rig, 100 * MIB);
}

static const struct ktest_case vmem_recover_cases[] = {
	KTEST_CASE_PARAM(fault_on_the_way_back, fault_gen_params),
	KTEST_CASE(late_answer),
	KTEST_CASE(resets_are_apart),
	KTEST_CASE(not_the_device_it_was),
	KTEST_CASE(silent_until_it_answers),
	KTEST_CASE(silent_until_it_interrupts),
	KTEST_CASE(silent_until_forced),
	KTEST_CASE(a_look),
	KTEST_CASE(has_more),
	KTEST_CASE(has_less),
	KTEST_CASE(has_less_and_refuses),
	KTEST_CASE(parts_of_granules),
	KTEST_CASE(random_differences),
	KTEST_CASE(reset_by_hand),
	KTEST_CASE(reset_while_it_is_silent),
	KTEST_CASE(dead_while_it_owes_an_answer),
	KTEST_CASE(dead_while_it_is_looked_at),
	{},
};

static struct ktest_suite vmem_recover_suite = { .name = "vmem_recover",
						 .cases = vmem_recover_cases };
KTEST_SUITE(vmem_recover_suite);
