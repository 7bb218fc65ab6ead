/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the lines that users type: mostly commands about the same few frames and memory
 * blocks, so that the two consoles interfere; sometimes nonsense.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/ktest_prng.h"
#include "tests/fuzz/console/console.h"

#define PICK(array) (array)[prng_below(&prng, sizeof(array) / sizeof(*(array)))]
#define FIRST_BLOCK (REGION_START >> 27)

static struct prng prng;

static unsigned int below(unsigned int limit)
{
	return prng_below(&prng, limit);
}

/* --- parts of a line ---------------------------------------------------------- */

struct text {
	char s[STEP_BYTES];
};

static struct text text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static struct text text(const char *fmt, ...)
{
	struct text t;
	va_list args;

	va_start(args, fmt);
	vsnprintf(t.s, sizeof(t.s), fmt, args);
	va_end(args);
	return t;
}

/* Make a frame number: of an "alloc", of the driver, in either kind of memory, or invalid. */
static struct text frame(void)
{
	static const char *const odd[] = { "0",
					   "-1",
					   "0xffffffffffffffff",
					   "x",
					   "0x7ffff",
					   "0x10000000000000",
					   "99999999999999999999" };
	const unsigned int how = below(100);

	if (how < 70)
		return text("@%u", below(below(2) ? 2 : 8));
	if (how < 76)
		return text("@%u+%u", below(4), below(1U << below(10)));
	if (how < 80)
		return text("@d");
	if (how < 88)
		return text("0x%lx", (BOOT_START >> 12) + below(BOOT_BYTES >> 12));
	if (how < 96)
		return text("0x%lx", (REGION_START >> 12) + below(REGION_BYTES >> 12));
	return text("%s", PICK(odd));
}

/* Make the place of an "alloc" or "contig": one of few places, some at the end of a block. */
static struct text place(unsigned int order)
{
	const unsigned long block = (REGION_START >> 12) + 32768UL * below(4);
	const unsigned int how = below(10);

	if (how < 4)
		return text(" at 0x%lx", block + 16384);
	if (how < 6)
		return text(" at 0x%lx", block + 32768 - (1UL << order));
	if (how < 8)
		return text(" at 0x%lx", (block + below(32768)) >> order << order);
	return text(" at %s", frame().s);
}

static struct text block(void)
{
	return below(20) ? text("%lu", FIRST_BLOCK - 1 + below(5))
			 : text("%u", below(4096));
}

/* --- lines --------------------------------------------------------------------- */

static struct text alloc_line(void)
{
	static const char *const types[] = { "", " movable", " movable", " unmovable",
					     " reclaimable" };
	const unsigned int order = below(4) ? below(3) : below(12);

	return text("alloc %u%s%s", order, PICK(types), below(3) ? "" : place(order).s);
}

static struct text free_line(void)
{
	return below(8) ? text("free %s", frame().s)
			: text("free %s %u", frame().s, below(11));
}

static struct text pin_line(void)
{
	return text("%s %s", below(2) ? "pin" : "unpin", frame().s);
}

static struct text contig_line(void)
{
	const unsigned int order = below(13);

	return text("contig %u%s%s", below(2) ? 1U << order : 1 + below(5000),
		    below(2) ? "" : place(order).s, below(6) ? "" : " wait 1");
}

static struct text chmem_line(void)
{
	static const char *const zones[] = { "", "", " -z Movable", " -z Normal" };
	static const char *const ranges[] = { "128M",
					      "256M",
					      "0x88000000-0x97ffffff",
					      "17M",
					      "0-18446744073709551615",
					      "-b 17-19",
					      "-b 18446744073709551615",
					      "-b 2-1",
					      "" };
	const bool online = below(2);

	if (below(8) == 0)
		return text("chmem %s %s", online ? "-e" : "-d", PICK(ranges));
	return text("chmem %s%s%s -b %s", online ? "-e" : "-d", online ? PICK(zones) : "",
		    below(8) ? "" : " -w 1", block().s);
}

static struct text echo_line(void)
{
	static const char *const states[] = {
		"online", "offline", "online_movable", "online_kernel", "1", "0", "x", ""
	};
	static const char *const files[] = { "state",	  "state",	 "online",
					     "removable", "valid_zones", "phys_index",
					     "nothing" };
	static const char *const others[] = {
		"/sys/devices/system/memory/auto_online_blocks",
		"/proc/meminfo",
		"/proc/x",
		"/sys/devices/system/memory/block_size_bytes",
	};

	if (below(5) == 0)
		return text("echo %s > %s", PICK(states), PICK(others));
	return text("echo %s > /sys/devices/system/memory/memory%s/%s", PICK(states),
		    block().s, PICK(files));
}

static struct text look_line(void)
{
	static const char *const lines[] = {
		"cat /proc/meminfo",
		"cat /proc/buddyinfo",
		"cat /proc/pagetypeinfo",
		"cat /proc/zoneinfo",
		"cat /proc/vmstat",
		"cat /proc/iomem",
		"cat /sys/kernel/debug/extfrag/extfrag_index",
		"cat /sys/kernel/debug/extfrag/unusable_index",
		"echo 1 > /proc/sys/vm/compact_memory",
		"ls /sys/devices/system/memory",
		"lsmem",
		"lsmem -a",
		"map",
		"map -n 17",
		"vmem",
		"mm census",
		"dmesg",
		"help",
		"trace list",
		"trace sites",
		"trace dump 5",
		"mm",
		"nonsense",
		"dumpsys header",
	};
	static const char *const files[] = { "state", "online", "removable",
					     "valid_zones", "phys_index" };

	switch (below(4)) {
	case 0:
		return text("%s", PICK(lines));
	case 1:
		return text("cat /sys/devices/system/memory/memory%s/%s", block().s,
			    PICK(files));
	default:
		return text("dump_page %s", frame().s);
	}
}

static struct text tool_line(void)
{
	static const char *const lines[] = {
		"hold evac:phase",
		"hold evac:phase migrate",
		"hold evac:verdict",
		"hold evac:move",
		"hold evac:phase idle",
		"hold",
		"step",
		"step",
		"go",
		"go",
		"go",
		"trace on",
		"trace off",
		"trace clear",
		"trace mute 3",
		"trace unmute 3",
		"trace on mm:*",
		"veto online 1",
		"veto offline 1",
		"veto offline 2 12 7",
		"veto cancel-offline 1",
		"veto went-online 3 1",
		"veto",
		"dumpsys records",
		"dumpsys snapshot",
	};

	return text("%s", PICK(lines));
}

static struct text host_line(void)
{
	static const unsigned int mib[] = { 0, 128, 256, 512, 2, 510 };

	if (below(8) == 0)
		return text(STOP);
	return text("%lu", (below(2) ? PICK(mib) : 2UL * below(257)) << 20);
}

static struct text console_line(void)
{
	const unsigned int how = below(100);

	return how < 24	  ? alloc_line()
	       : how < 44 ? free_line()
	       : how < 60 ? pin_line()
	       : how < 67 ? contig_line()
	       : how < 77 ? chmem_line()
	       : how < 83 ? echo_line()
	       : how < 94 ? look_line()
	       : how < 98 ? tool_line()
			  : text("mm check");
}

/* Make a command about the frame or about the block. */
static struct text line_about(const char *frame, unsigned long block)
{
	static const char *const deeds[] = { "free", "free",  "free",
					     "pin",  "unpin", "dump_page" };
	static const char *const block_deeds[] = {
		"chmem -d -b %lu",
		"chmem -e -b %lu",
		"chmem -e -z Normal -b %lu",
		"cat /sys/devices/system/memory/memory%lu/valid_zones",
		"map -n %lu",
		"echo offline > /sys/devices/system/memory/memory%lu/state",
	};
	struct text line;

	switch (below(4)) {
	case 0:
		return text("alloc %u%s at 0x%lx", below(3), below(2) ? " movable" : "",
			    (block << 15) + 16384);
	case 1:
		snprintf(line.s, sizeof(line.s), PICK(block_deeds), block);
		return line;
	default:
		return text("%s %s", PICK(deeds), frame);
	}
}

/* Make two lines about one frame or one block. */
static void meeting(struct text line[2])
{
	const struct text at = frame();
	const unsigned long id = strtoul(block().s, NULL, 10);

	if (below(3) == 0) {
		line[0] = line[1] = text("free @%u", below(2));
		return;
	}
	for (unsigned int i = 0; i < 2; i++)
		line[i] = line_about(at.s, id);
}

/* Make a very long line that reads files of blocks, to give the other actors time. */
static struct text long_look(void)
{
	static const char *const files[] = { "valid_zones", "valid_zones", "valid_zones",
					     "state", "removable" };
	struct text line;
	size_t len = sprintf(line.s, "cat");

	for (unsigned int i = 0; i < 9; i++)
		len += sprintf(line.s + len, " /sys/devices/system/memory/memory%lu/%s",
			       FIRST_BLOCK + below(4), PICK(files));
	return line;
}

/* Make the driver's line: the size of the next objects. */
static struct text driver_line(void)
{
	return text("%u", 8U << below(9));
}

/* Make two lines: all blocks come or leave while a user looks at them. */
static void meeting_with_device(struct text line[2])
{
	line[0] = long_look();
	line[1] = text("%lu", below(2) ? REGION_BYTES : 0);
}

static void set_step(struct step *step, enum actor actor, enum meeting meets,
		     const struct text *line)
{
	step->actor = actor;
	step->meets = meets;
	memcpy(step->line, line->s, sizeof(step->line));
}

/**
 * struct siege - two actors do something to the same thing and undo it, many times
 * @slow: the actor that takes longer
 * @quick: a console
 * @act: for each actor: the line that does something, and the line that undoes it
 * @repeats: @quick repeats its two lines while a line of @slow runs
 */
struct siege {
	enum actor slow, quick;
	struct text act[NR_ACTORS][2];
	bool repeats;
};

static void allocates(struct siege *s, const char *where)
{
	static const char *const types[] = { "", " movable", " movable", " unmovable" };

	s->act[s->quick][0] =
		text("alloc %u%s%s", below(2) ? 0 : below(3), PICK(types), where);
	s->act[s->quick][1] = text("free @0");
}

static void looks(struct siege *s, struct text line)
{
	s->act[s->quick][0] = s->act[s->quick][1] = line;
}

/* Let one block or all blocks come and leave, while a console uses or looks at them. */
static void besiege_blocks(struct siege *s)
{
	static const char *const zones[] = { "", " -z Movable", " -z Normal" };
	const unsigned long id = FIRST_BLOCK + below(4);

	if (below(3)) {
		s->slow = ACTOR_DEVICE;
		s->act[ACTOR_DEVICE][0] = text("%lu", REGION_BYTES);
		s->act[ACTOR_DEVICE][1] = text("0");
	} else {
		s->act[s->slow][0] = text("chmem -d -b %lu", id);
		s->act[s->slow][1] = text("chmem -e%s -b %lu", PICK(zones), id);
	}
	if (below(3))
		looks(s, below(4) ? long_look() : line_about("@0", id));
	else
		allocates(s, text(" at 0x%lx", (id << 15) + 16384).s);
}

/*
 * Let the driver's objects come and go, while a console looks at the page of the last
 * object.
 */
static void besiege_driver(struct siege *s)
{
	s->slow = ACTOR_DRIVER;
	s->act[ACTOR_DRIVER][0] = driver_line();
	s->act[ACTOR_DRIVER][1] = driver_line();
	looks(s, text("dump_page @d"));
}

/* Let a console allocate and free, while the other console checks or frees the same frame. */
static void besiege_frame(struct siege *s, bool checks)
{
	s->repeats = checks;
	s->act[s->slow][0] = s->act[s->slow][1] =
		text("%s", checks ? "mm check" : "free @0");
	allocates(s, "");
}

static struct siege make_siege(void)
{
	struct siege s = { .quick = below(2) };
	const unsigned int how = below(13);

	s.slow = !s.quick;
	if (how < 7)
		besiege_blocks(&s);
	else if (how < 11)
		besiege_frame(&s, how < 10);
	else
		besiege_driver(&s);
	return s;
}

/* Add the steps of a siege, and count their commands roughly. */
static unsigned int add_siege(struct step *step, unsigned int most,
			      unsigned int *commands)
{
	const struct siege s = make_siege();
	const struct text *quick = s.act[s.quick], *slow = s.act[s.slow];
	const struct text both = text("%.*s%s%.*s", STEP_BYTES / 2, quick[0].s, BETWEEN,
				      STEP_BYTES / 2 - 2, quick[1].s);
	const unsigned int phase = below(2);
	unsigned int i, nr = 2 * (s.repeats ? 1 + below(3) : 4 + below(13));

	for (i = 0; i < nr && i + 1 < most; i += 2) {
		set_step(&step[i], s.quick, MEETS_NEXT,
			 s.repeats ? &both : &quick[i / 2 % 2]);
		set_step(&step[i + 1], s.slow, MEETS_LAST, &slow[(i / 2 + phase) % 2]);
	}
	*commands += s.repeats ? i * 8 : i;
	return i;
}

static unsigned int add_meeting(struct step *step)
{
	const bool with_device = below(3) == 0;
	struct text line[2];

	if (with_device)
		meeting_with_device(line);
	else
		meeting(line);
	set_step(&step[0], with_device ? below(2) : ACTOR_TERMINAL, MEETS_NEXT, &line[0]);
	set_step(&step[1], with_device ? ACTOR_DEVICE : ACTOR_PORT, MEETS_LAST, &line[1]);
	return 2;
}

static unsigned int add_step(struct step *step)
{
	const enum actor actor = below(8) == 0 ? ACTOR_DEVICE + below(2) : below(2);
	const struct text line = actor == ACTOR_DEVICE	 ? host_line()
				 : actor == ACTOR_DRIVER ? driver_line()
							 : console_line();

	set_step(step, actor, MEETS_NOBODY, &line);
	return 1;
}

unsigned int make_steps(u64 seed, struct step *steps, unsigned int nr)
{
	const bool sieges = is_siege(strategy_of(seed));
	unsigned int i = 0, commands = 0;

	prng_init(&prng, seed);
	while (sieges && commands < nr && i + 1 < nr)
		i += add_siege(&steps[i], nr - i, &commands);
	while (!sieges && i < nr)
		i += i + 1 < nr && below(3) == 0 ? add_meeting(&steps[i])
						 : add_step(&steps[i]);
	return i;
}
