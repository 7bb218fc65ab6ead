/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: a small machine with a virtio-mem device and the unmodified shell, and a
 * thread for each actor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arch/boot.h"
#include "arch/machine.h"
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/console/shell.h"
#include "kernel/init.h"
#include "kernel/ktest_prng.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "kernel/workqueue.h"
#include "lib/errno.h"
#include "kernel/trace/hold.h"
#include "mm/memblock.h"
#include "tests/fake/fake_vmem.h"
#include "tests/fuzz/console/console.h"
#include "tests/host/host.h"

#define NR_FRAMES    16 /* frames of "alloc" that steps can name */
#define MOST_AHEAD   16 /* steps that an actor may be ahead of the slowest */
#define MOST_LINES   16 /* the most lines that one step runs */
#define MEETING_NS   (3 * NSEC_PER_MSEC)
#define STOPPED_NS   (12 * NSEC_PER_SEC)
#define ANSWER_BYTES 4096
#define CPU_SECONDS  30 /* CPU time limit of a session, which needs about 1 */

static const struct step *steps;
static unsigned int nr_steps;
static struct progress *progress;

static enum strategy strategy;
static struct prng turns, chance;
static struct fake_vmem device;
static unsigned long frames[NR_FRAMES]; /* printed by the last "alloc"s */
static unsigned int nr_frames;
static unsigned int at[NR_ACTORS]; /* the step that an actor is at */

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), _exit(4))

/* --- turns ---------------------------------------------------------------------- */

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
	host_turn_point((unsigned long)__builtin_return_address(0));
}

static unsigned int choose_turn(unsigned int limit)
{
	return prng_below(&turns, limit);
}

/* Has one of the last "alloc"s returned the frame? Then the next one may return it again. */
static bool is_in_use(unsigned long pfn)
{
	for (unsigned int i = 0; i < NR_FRAMES; i++)
		if (frames[i] == pfn)
			return true;
	return false;
}

/*
 * Between a walker's two looks, sometimes pause its hart for a long time, so that the
 * other harts can change a lot; always do so at a frame that consoles use. mm_check()
 * holds the zone's lock, so only a frame in a hart's cache can change meanwhile.
 */
static void walker_stands(unsigned long pfn, enum walk_step step)
{
	if (step == WALK_CHECK && page_type(&kernel_mm, pfn) != PGTY_CACHED)
		return;
	if (is_in_use(pfn) || prng_below(&turns, 16) == 0)
		host_go_away(prng_below(&turns, 1U << prng_below(&turns, 18)));
}

/* --- a console ------------------------------------------------------------------ */

/**
 * struct console - a terminal or a port
 * @sink: takes the console's output; slow at times, except in a siege
 * @interrupter: asks to interrupt at times, as an impatient user does
 * @text: the answer, as far as it fits
 */
struct console {
	struct sink sink;
	struct interrupter interrupter;
	enum actor actor;
	char text[ANSWER_BYTES];
	size_t len;
};

static struct console consoles[2];

static void console_write(struct sink *sink, const char *data, size_t len)
{
	struct console *c = container_of(sink, struct console, sink);
	const size_t room = sizeof(c->text) - 1 - c->len;

	BUG_ON(!sink_can_wait());
	memcpy(c->text + c->len, data, min(len, room));
	c->len += min(len, room);
	c->text[c->len] = '\0';
	if (!is_siege(strategy) && prng_below(&chance, 64) == 0)
		msleep(1 + prng_below(&chance, 20));
}

static bool console_asked(struct interrupter *unused)
{
	(void)unused;
	return prng_below(&chance, 256) == 0;
}

/* Return the frame that "@N", "@N+OFFSET" or "@d" means; set *used to the text's length. */
static unsigned long meant_frame(const char *mark, int *used)
{
	unsigned int n = 0, offset = 0;

	*used = 2;
	if (mark[1] == 'd')
		return driver_pfn();
	(void)sscanf(mark, "@%u%n+%u%n", &n, used, &offset, used);
	if (n >= nr_frames)
		return BOOT_START >> 12;
	return frames[(nr_frames - 1 - n) % NR_FRAMES] + offset;
}

/* Write a step's line to @line, with a frame number in place of its "@". */
static void fill_in(const char *text, char *line)
{
	const char *mark = strchr(text, '@');
	unsigned long pfn;
	int used;

	if (mark == NULL) {
		strcpy(line, text);
		return;
	}
	pfn = meant_frame(mark, &used);
	snprintf(line, STEP_BYTES, "%.*s0x%lx%s", (int)(mark - text), text, pfn,
		 mark + used);
}

/* Note the frames that "alloc" returned, so that later steps can name them. */
static void note_frame(const struct console *c, const char *line)
{
	unsigned long pfn;

	if (strncmp(line, "alloc", 5) == 0 && sscanf(c->text, "pfn 0x%lx", &pfn) == 1)
		frames[nr_frames++ % NR_FRAMES] = pfn;
}

static void run_command(struct console *c, const char *line)
{
	int status;

	c->len = 0;
	c->text[0] = '\0';
	status = console_run_line(line, &c->sink);
	if (status == 0)
		note_frame(c, line);
	else if (strcmp(line, "mm check") == 0)
		DIE("mm check: %s", c->text);
	else if (c->len == 0 && status != -EINTR)
		DIE("\"%s\" failed with %d and did not say why", line, status);
}

/* --- actors --------------------------------------------------------------------- */

static unsigned int slowest(void)
{
	unsigned int first = nr_steps;

	for (unsigned int i = 0; i < NR_ACTORS; i++)
		first = min(first, READ_ONCE(at[i]));
	return first;
}

/*
 * Keep each actor from running far ahead, so that steps happen roughly in the order of
 * the list.
 */
static void wait_for_others(unsigned int i)
{
	while (i > slowest() + MOST_AHEAD)
		msleep(1);
}

/* Return the step that begins at the same time as step @i, or @i if there is none. */
static unsigned int partner(unsigned int i)
{
	if (steps[i].meets == MEETS_NEXT && i + 1 < nr_steps && steps[i + 1].meets == MEETS_LAST)
		return i + 1;
	if (steps[i].meets == MEETS_LAST && i && steps[i - 1].meets == MEETS_NEXT)
		return i - 1;
	return i;
}

/*
 * The second actor to arrive sets the time at which both continue. Which of them
 * comes first, and how long before the other, is random: at most as long as the unplug of a
 * block takes.
 */
static void meet(unsigned int i)
{
	static u64 when[MAX_STEPS];
	const unsigned int other = partner(i), pair = min(i, other);

	if (other == i)
		return;
	if (READ_ONCE(at[steps[other].actor]) >= other && !when[pair])
		when[pair] = ktime_ns() + MEETING_NS;
	while (!when[pair])
		msleep(1);
	do {
		WRITE_ONCE(current_thread()->woken, false);
	} while (thread_sleep_until(when[pair]));
	host_go_away(prng_below(&turns, 1U << prng_below(&turns, 18)));
}

static void run_line(enum actor actor, const char *text, char *line)
{
	fill_in(text, line);
	if (strcmp(line, STOP) == 0) {
		host_jump_clock(STOPPED_NS);
	} else if (actor == ACTOR_DEVICE) {
		fake_vmem_resize(&device, strtoul(line, NULL, 10));
		msleep(prng_below(&chance, 8));
	} else if (actor == ACTOR_DRIVER) {
		run_driver(line);
	} else {
		run_command(&consoles[actor], line);
	}
	progress->done++;
}

/*
 * Run a step. If it has several lines, repeat them until its partner has ended, but run at
 * most MOST_LINES.
 */
static void act(enum actor actor, unsigned int i)
{
	const bool repeats = strstr(steps[i].line, BETWEEN);
	const unsigned int other = partner(i);
	char text[STEP_BYTES], *next = NULL;
	unsigned int nr = 0;

	do {
		if (!next)
			next = strcpy(text, steps[i].line);
		run_line(actor, strsep(&next, BETWEEN), progress->line[i]);
	} while (repeats && ++nr < MOST_LINES && READ_ONCE(progress->begun[other]) != 2);
}

static int actor_thread(void *arg)
{
	const enum actor actor = (enum actor)(uintptr_t)arg;

	if (actor < ARRAY_SIZE(consoles))
		console_can_interrupt(&consoles[actor].interrupter);
	for (unsigned int i = 0; i < nr_steps; i++) {
		WRITE_ONCE(at[actor], i);
		if (steps[i].actor != actor)
			continue;
		wait_for_others(i);
		meet(i);
		progress->begun[i] = 1;
		act(actor, i);
		progress->begun[i] = 2;
		yield();
	}
	/*
	 * Wait as if another step followed, so that a list that was cut short runs the
	 * same way.
	 */
	wait_for_others(nr_steps);
	WRITE_ONCE(at[actor], nr_steps);
	return 0;
}

static void run_actors(void)
{
	struct thread *threads[NR_ACTORS];

	for (unsigned int i = 0; i < NR_ACTORS; i++) {
		threads[i] = thread_create("actor", actor_thread, (void *)(uintptr_t)i);
		if (threads[i] == NULL)
			DIE("no thread");
	}
	for (unsigned int i = 0; i < NR_ACTORS; i++)
		if (thread_join(threads[i], WAIT_FOREVER, NULL))
			DIE("an actor does not end");
}

/* --- the machine ---------------------------------------------------------------- */

/* Let the device answer BUSY or NACK now and then. */
static enum fake_vmem_fault device_mood(struct fake_vmem *unused)
{
	const u64 n = prng_below(&chance, 32);

	(void)unused;
	return n == 0 ? FAKE_BUSY : n == 1 ? FAKE_NACK : FAKE_OK;
}

static void plug_in_device(void)
{
	const struct virtio_driver *drv = __start_virtio_drivers;

	while (drv->id != VIRTIO_ID_MEM)
		drv++;
	fake_vmem_init(&device, &kernel_mm, REGION_START, REGION_BYTES, 2UL << 20);
	device.choose = device_mood;
	device.fv.vdev.driver = drv;
	if (virtio_negotiate(&device.fv.vdev, drv) || drv->probe(&device.fv.vdev))
		DIE("no device");
}

static void boot(void)
{
	const struct {
		phys_addr_t start;
		u64 size;
		enum page_type type;
	} reserved[] = {
		{ BOOT_START, 512UL << 10, PGTY_FIRMWARE },
		{ BOOT_START + (2UL << 20), 1UL << 20, PGTY_IMAGE },
	};

	workqueue_start();
	if (memblock_add(&memblock, BOOT_START, BOOT_BYTES) ||
	    arch_map_direct(BOOT_START, BOOT_BYTES))
		DIE("no memory");
	for (unsigned int i = 0; i < ARRAY_SIZE(reserved); i++)
		if (memblock_reserve(&memblock, reserved[i].start, reserved[i].size,
				     reserved[i].type))
			DIE("no reservation");
	memblock.mapped = 1;
	if (mm_boot())
		DIE("no mm");
	initcalls_run(INIT_core);
	plug_in_device();
}

/* Check at the end that nothing is held, and that frames, counters and the device agree. */
static void check_all(void)
{
	hold_go();
	end_driver();
	run_command(&consoles[0], "trace off");
	for (unsigned int i = 0; i < 2; i++) {
		run_command(&consoles[0], "mm check");
		fake_vmem_resize(&device, 0);
		msleep(100);
	}
	if (device.fv.violations)
		DIE("the driver broke %u rules of the device", device.fv.violations);
}

static void start_harts(void)
{
	static const enum host_turns rules[NR_STRATEGIES] = {
		[STRATEGY_CROWD_RARE] = HOST_TURNS_RARE,
		[STRATEGY_CROWD_UNLOCKED] = HOST_TURNS_UNLOCKED,
		[STRATEGY_SIEGE_RARE] = HOST_TURNS_RARE,
		[STRATEGY_SIEGE_UNLOCKED] = HOST_TURNS_UNLOCKED,
	};
	struct hart *hart;

	host_start_turns(NR_SESSION_HARTS, rules[strategy], choose_turn);
	for_each_hart(hart)
		if (hart->id && mm_hart_init(&kernel_mm, hart->id))
			DIE("no page cache");
}

static int session_thread(void *unused)
{
	(void)unused;
	boot();
	start_harts();
	hold_walk = walker_stands;
	run_actors();
	check_all();
	arch_exit(0);
}

/* Set the boot parameters, which differ from session to session. */
static void set_params(u64 number)
{
	static const char *const states[] = { "online", "offline", "online_movable", "offline" };
	const bool odd = number & 1, poison = number % 8 == 2;

	if (param_set("loglevel", "1") ||
	    param_set("memory_hotplug.online_policy", odd ? "auto-movable" : "contig-zones") ||
	    param_set("memhp_default_state", states[number / 2 % 4]) ||
	    param_set("page_poison", poison ? "1" : "0"))
		DIE("no parameters");
}

void run_session(const struct step *list, unsigned int nr, u64 turns_seed,
		 struct progress *shared)
{
	steps = list;
	nr_steps = nr;
	progress = shared;
	prng_init(&turns, turns_seed);
	prng_init(&chance, ~turns_seed);
	for (unsigned int i = 0; i < ARRAY_SIZE(consoles); i++) {
		consoles[i].sink.write = console_write;
		consoles[i].interrupter.asked = console_asked;
	}
	(void)setrlimit(RLIMIT_CPU, &(struct rlimit){ CPU_SECONDS, CPU_SECONDS + 1 });
	host_init();
	set_params(turns_seed >> 8);
	strategy = strategy_of(turns_seed >> 8);
	if (!thread_create("session", session_thread, NULL))
		DIE("no session");
	idle_loop();
}
