/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What users type: mostly commands about the same few frames and memory blocks, so that
 * two consoles meet there; sometimes nonsense.
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

/* A frame: of an "alloc", of boot memory, of the device's memory, or none. */
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
	if (how < 86)
		return text("0x%lx", (BOOT_START >> 12) + below(BOOT_BYTES >> 12));
	if (how < 96)
		return text("0x%lx", (REGION_START >> 12) + below(REGION_BYTES >> 12));
	return text("%s", PICK(odd));
}

/* The place of an "alloc" or a "contig": few places, some of them a block's last frames. */
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

static struct text size_line(void)
{
	static const unsigned int mib[] = { 0, 128, 256, 512, 2, 510 };

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

/* Two lines about one frame or one block. */
static void meeting(struct text line[2])
{
	static const char *const deeds[] = { "free", "free", "free", "pin", "unpin", "dump_page" };
	static const char *const block_deeds[] = {
		"chmem -d -b %s", "chmem -e -b %s", "chmem -e -z Normal -b %s",
		"cat /sys/devices/system/memory/memory%s/valid_zones", "map -n %s",
		"echo offline > /sys/devices/system/memory/memory%s/state",
	};
	const struct text at = frame(), id = block();

	if (below(3) == 0) {
		line[0] = line[1] = text("free @%u", below(2));
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		switch (below(4)) {
		case 0:
			line[i] = text("alloc %u%s at 0x%lx", below(3), below(2) ? " movable" : "",
				       (strtoul(id.s, NULL, 10) << 15) + 16384);
			break;
		case 1:
			snprintf(line[i].s, sizeof(line[i].s), PICK(block_deeds), id.s);
			break;
		default:
			line[i] = text("%s %s", PICK(deeds), at.s);
		}
	}
}

/* All blocks come or leave while a user looks at them. */
static void meeting_with_device(struct text line[2])
{
	static const char *const files[] = { "valid_zones", "valid_zones", "valid_zones", "state",
					     "removable" };
	const char *file = PICK(files);
	size_t len = sprintf(line[0].s, "cat");

	/* A line of the greatest length, to give the device time. */
	for (unsigned int i = 0; i < 9; i++)
		len += sprintf(line[0].s + len, " /sys/devices/system/memory/memory%lu/%s",
			       FIRST_BLOCK + below(4), file);
	line[1] = text("%lu", below(2) ? REGION_BYTES : 0);
}

static unsigned int make_meeting(struct step *step)
{
	const bool with_device = below(3) == 0;
	const enum actor actors[2] = { below(2), with_device ? ACTOR_DEVICE : ACTOR_PORT };
	struct text line[2];

	if (with_device)
		meeting_with_device(line);
	else
		meeting(line);
	for (unsigned int i = 0; i < 2; i++) {
		step[i].actor = i || with_device ? actors[i] : ACTOR_TERMINAL;
		step[i].meets = i ? MEETS_LAST : MEETS_NEXT;
		memcpy(step[i].line, line[i].s, sizeof(line[i].s));
	}
	return 2;
}

static unsigned int make_step(struct step *step)
{
	struct text line;

	step->actor = below(16) == 0 ? ACTOR_DEVICE : below(2);
	step->meets = MEETS_NOBODY;
	line = step->actor == ACTOR_DEVICE ? size_line() : console_line();
	memcpy(step->line, line.s, sizeof(line.s));
	return 1;
}

void make_steps(u64 seed, struct step *steps, unsigned int nr)
{
	prng_init(&prng, seed);
	for (unsigned int i = 0; i < nr;)
		i += i + 1 < nr && below(6) == 0 ? make_meeting(&steps[i]) : make_step(&steps[i]);
}
