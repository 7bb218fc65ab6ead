/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line. See options.h.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define WAIT_MAX_S 1000000000UL /* fits 64 bits in nanoseconds, too */

static const char usage[] =
	"usage: ebb-vmem --socket PATH --ctl PATH --addr ADDR --size SIZE [options]\n"
	"A virtio-mem device for QEMU's vhost-user-test-device (virtio-id=24,num_vqs=1,\n"
	"config_size=56). Start it before QEMU; it ends with QEMU's connection.\n"
	"\n"
	"  --socket PATH      where QEMU connects (vhost-user)\n"
	"  --ctl PATH         control socket; speaks QMP, the device is /ID there\n"
	"  --addr ADDR        guest physical address of the region: RAM in QEMU's\n"
	"                     memory-backend-memfd,share=on, unknown to the guest\n"
	"  --size SIZE        of the region\n"
	"  --block SIZE       of a block, a power of two (default 2M)\n"
	"  --requested SIZE   requested at the start (default 0)\n"
	"  --qmp PATH         a QMP socket of QEMU's, for this process alone: when\n"
	"                     the machine is reset, all blocks are unplugged\n"
	"  --id ID            name of the device (default vm0); a number at its end,\n"
	"                     up to 255, marks its event records\n"
	"  --events FILE      write trace records there\n"
	"  --faults SPEC      KIND[:count=N][:skip=N][:ms=N],...: see x-inject\n"
	"  --wait SECONDS     how long to wait for QEMU (default 300, 0: forever)\n"
	"Sizes and addresses are decimal or 0x hexadecimal, followed by K, M, G or T.\n";

/**
 * parse_size() - read a size or an address
 * @text: decimal or hexadecimal digits, optionally followed by K, M, G or T
 * @bytes: set on success
 *
 * Return: true if the text is a number that 64 bits hold.
 */
bool parse_size(const char *text, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	int shift = 0;
	u64 number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, strncasecmp(text, "0x", 2) ? 10 : 16);
	if (errno || end == text)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end & ~0x20);
		if (!suffix || !*suffix || end[1])
			return false;
		shift = 10 * (int)(suffix - suffixes + 1);
	}
	*bytes = number << shift;
	return *bytes >> shift == number;
}

/**
 * parse_number() - read a count
 * @text: decimal digits and nothing else
 * @max: the largest accepted number
 * @number: set on success
 *
 * Return: true if the text is a number up to @max.
 */
bool parse_number(const char *text, u64 max, u64 *number)
{
	u64 value;

	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno || value > max)
		return false;
	*number = value;
	return true;
}

/* Find the number at the end of an id; the event records carry it. */
static const char *number_at_end(const char *id)
{
	const char *end = id + strlen(id);

	while (end > id && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return end;
}

static bool is_name(const char *id)
{
	size_t len = strlen(id);

	return len && len < 32 &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			  "-_.") == len;
}

static bool complain(const char *what, const char *value)
{
	fprintf(stderr, "ebb-vmem: %s%s%s\n", what, value ? ": " : "",
		value ? value : "");
	return false;
}

static bool check(struct options *o)
{
	const char *digits = number_at_end(o->id);

	if (!o->socket || !o->ctl)
		return complain("--socket and --ctl are required; see --help", NULL);
	if (!o->size)
		return complain("--addr and --size are required; see --help", NULL);
	if (!is_name(o->id))
		return complain("--id must be up to 31 letters, digits, '-', '_' and '.'",
				o->id);
	if (*digits && !parse_number(digits, UINT8_MAX, &o->number))
		return complain("a number at the end of --id marks its records and must "
				"be at most 255",
				o->id);
	return true;
}

enum {
	OPT_SOCKET,
	OPT_CTL,
	OPT_ADDR,
	OPT_SIZE,
	OPT_BLOCK,
	OPT_REQUESTED,
	OPT_QMP,
	OPT_ID,
	OPT_EVENTS,
	OPT_FAULTS,
	OPT_WAIT,
	OPT_HELP
};

static bool take(struct options *o, int option, const char *value)
{
	const char **text[] = {[OPT_SOCKET] = &o->socket, [OPT_CTL] = &o->ctl,
			       [OPT_QMP] = &o->qmp,	  [OPT_ID] = &o->id,
			       [OPT_EVENTS] = &o->events, [OPT_FAULTS] = &o->faults,
			       [OPT_HELP] = NULL};
	u64 *number[] = {[OPT_ADDR] = &o->addr,
			 [OPT_SIZE] = &o->size,
			 [OPT_BLOCK] = &o->block,
			 [OPT_REQUESTED] = &o->requested,
			 [OPT_HELP] = NULL};

	if (text[option]) {
		*text[option] = value;
		return true;
	}
	if (option == OPT_WAIT)
		return parse_number(value, WAIT_MAX_S, &o->wait) ||
		       complain("--wait takes seconds, up to 1000000000", value);
	return parse_size(value, number[option]) ||
	       complain("not a size or address (digits, then K, M, G or T)", value);
}

/**
 * options_parse() - read the command line
 * @options: filled in
 * @argc: as main() has it
 * @argv: as main() has it; @options keeps pointers into it
 */
enum options_result options_parse(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"ctl", required_argument, NULL, OPT_CTL},
		{"addr", required_argument, NULL, OPT_ADDR},
		{"size", required_argument, NULL, OPT_SIZE},
		{"block", required_argument, NULL, OPT_BLOCK},
		{"requested", required_argument, NULL, OPT_REQUESTED},
		{"qmp", required_argument, NULL, OPT_QMP},
		{"id", required_argument, NULL, OPT_ID},
		{"events", required_argument, NULL, OPT_EVENTS},
		{"faults", required_argument, NULL, OPT_FAULTS},
		{"wait", required_argument, NULL, OPT_WAIT},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0},
	};
	int option;

	*options = (struct options){.id = "vm0", .block = 2 << 20, .wait = 300};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (option == OPT_HELP) {
			fputs(usage, stdout);
			return OPTIONS_DONE;
		}
		if (option == '?' || !take(options, option, optarg))
			return OPTIONS_WRONG;
	}
	if (optind < argc) {
		complain("unexpected argument", argv[optind]);
		return OPTIONS_WRONG;
	}
	return check(options) ? OPTIONS_RUN : OPTIONS_WRONG;
}
