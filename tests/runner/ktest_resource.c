/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The resources that a case holds; the runner frees them at the case's end, however it
 * ends.
 */
#include "arch/machine.h"
#include "tests/runner/ktest_private.h"
#include "kernel/panic.h"
#include "lib/string.h"

/* A gap between two allocations, so that a checker sees overruns. */
#define RED_ZONE 32

/*
 * One arena for all runs. Runs nest (the runner tests itself): an inner run takes the
 * part after the outer run's.
 */
static u8 arena[KTEST_ARENA_SIZE] __aligned(16);
static size_t arena_top;

void ktest_resources_begin(struct ktest_run *run)
{
	run->nr_actions = 0;
	run->arena_start = arena_top;
	run->warnings_before = warn_count();
	run->warnings_allowed = 0;
	arch_poison_range(arena + arena_top, sizeof(arena) - arena_top);
}

void ktest_resources_end(struct ktest_run *run)
{
	arena_top = run->arena_start;
	arch_unpoison_range(arena + arena_top, sizeof(arena) - arena_top);
}

void *ktest_alloc(struct ktest *test, size_t size)
{
	const size_t start = arena_top + RED_ZONE;
	void *memory = arena + start;

	if (size > sizeof(arena) || start + ALIGN_UP(size, 16UL) > sizeof(arena)) {
		ktest_fail_message(test, _KTEST_PLACE("", true),
				   "ktest_alloc(%zu): more than %d bytes in one case", size,
				   KTEST_ARENA_SIZE);
		return NULL;
	}
	arena_top = start + ALIGN_UP(size, 16UL);
	arch_unpoison_range(memory, size);
	memset(memory, 0, size);
	return memory;
}

void ktest_add_action(struct ktest *test, void (*action)(void *ctx), void *ctx)
{
	struct ktest_run *run = test->run;

	if (run->nr_actions == KTEST_MAX_ACTIONS) {
		action(ctx);
		KTEST_FAIL_AND_ABORT(test, "more than %d actions", KTEST_MAX_ACTIONS);
	}
	run->actions[run->nr_actions++] = (struct ktest_action){ action, ctx };
}

void ktest_release_action(struct ktest *test, void (*action)(void *ctx), void *ctx)
{
	struct ktest_run *run = test->run;

	for (unsigned int i = run->nr_actions; i > 0; i--) {
		struct ktest_action *entry = &run->actions[i - 1];

		if (entry->fn != action || entry->ctx != ctx)
			continue;
		entry->fn = NULL;
		action(ctx);
		return;
	}
	KTEST_FAIL(test, "ktest_release_action(): no such action");
}

void ktest_run_actions(struct ktest_run *run)
{
	while (run->nr_actions > 0) {
		const struct ktest_action *action = &run->actions[--run->nr_actions];

		if (action->fn != NULL)
			action->fn(action->ctx);
	}
}
