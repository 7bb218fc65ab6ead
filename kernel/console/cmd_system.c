/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands for the system as a whole: help, files, messages, sleep, shutdown.
 */
#include "arch/boot.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "kernel/console/shell.h"
#include "kernel/console/test_image.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"

static int help_one(const char *name, struct sink *out)
{
	const struct command *c = command_find(name);

	if (!c) {
		if (params_help(strcmp(name, "params") == 0 ? NULL : name, out))
			return 0;
		sink_printf(out, "help: no command \"%s\"; \"help\" lists them\n", name);
		return -ENOENT;
	}
	sink_printf(out, "%s\n    %s\n    example: %s\n", c->usage, c->help, c->example);
	return 0;
}

/* Find the next command after @last in alphabetical order. */
static const struct command *next_command(const char *last)
{
	const struct command *c, *best = NULL;

	for_each_command(c)
		if (strcmp(c->name, last) > 0 && (!best || strcmp(c->name, best->name) < 0))
			best = c;
	return best;
}

static int cmd_help(int argc, char **argv, struct sink *out)
{
	const struct command *c;

	if (argc == 2)
		return help_one(argv[1], out);
	if (argc > 2)
		return COMMAND_USAGE;
	for (c = next_command(""); c; c = next_command(c->name))
		sink_printf(out, "%-12s %s\n", c->name, c->help);
	sink_puts(out, "\"help COMMAND\" shows how it is used, \"help params\" the boot "
		       "parameters; a ; b runs both.\n");
	return 0;
}
COMMAND(help, "help [COMMAND | params | PARAMETER]",
	"list the commands, or explain a command or boot parameter",
	"help chmem", cmd_help);

static int cmd_cat(int argc, char **argv, struct sink *out)
{
	int status = 0;

	if (argc < 2)
		return COMMAND_USAGE;
	for (int i = 1; i < argc && status == 0; i++)
		status = pseudofs_show(argv[i], out);
	return status;
}
COMMAND(cat, "cat FILE...", "show files of /proc and /sys, in Linux's formats",
	"cat /proc/buddyinfo", cmd_cat);

static int cmd_ls(int argc, char **argv, struct sink *out)
{
	if (argc > 2)
		return COMMAND_USAGE;
	return pseudofs_list(argc == 2 ? argv[1] : "/", out);
}
COMMAND(ls, "ls [FILE]", "list the files of a directory", "ls /proc", cmd_ls);

/*
 * Cut "> FILE", with or without blanks in it, off the words; ">>" counts as ">", because no
 * file here can be appended to. Return: FILE, or NULL.
 */
static const char *cut_redirection(int *argc, char **argv)
{
	char *last = argv[*argc - 1];
	char *file = strstr(last, ">/");
	size_t len;

	if (file) {
		*file++ = '\0';
	} else if (*argc >= 3) {
		file = last;
		last = argv[*argc - 2];
		len = strlen(last);
		if (!len || last[len - 1] != '>')
			return NULL;
		last[len - 1] = '\0';
		--*argc;
	} else {
		return NULL;
	}
	len = strlen(last);
	if (len && last[len - 1] == '>')
		last[--len] = '\0';
	if (!len)
		--*argc;
	return file;
}

static int cmd_echo(int argc, char **argv, struct sink *out)
{
	const char *file = argc > 1 ? cut_redirection(&argc, argv) : NULL;
	bool newline = argc < 2 || strcmp(argv[1], "-n") != 0;
	int i, first = newline ? 1 : 2;

	if (file && argc == first + 1)
		return pseudofs_store(file, argv[first], out);
	if (file) {
		sink_puts(out, "echo: only one word can be written: echo WORD > FILE\n");
		return -EINVAL;
	}
	for (i = first; i < argc; i++)
		sink_printf(out, "%s%s", argv[i], i + 1 < argc ? " " : "");
	if (newline)
		sink_puts(out, "\n");
	return 0;
}
COMMAND(echo, "echo WORD... [> FILE]", "print words, or write one into a file",
	"echo offline > /sys/devices/system/memory/memory18/state", cmd_echo);

static int cmd_dmesg(int argc, char **, struct sink *out)
{
	if (argc > 1)
		return COMMAND_USAGE;
	printk_dump(out);
	return 0;
}
COMMAND(dmesg, "dmesg", "show the kernel's messages so far", "dmesg", cmd_dmesg);

/* Wait, for tests of what happens while a command runs. */
static int cmd_sleep(int argc, char **argv, struct sink *)
{
	const u64 start = ktime_ns();
	unsigned int ms;

	if (argc != 2 || kstrtouint(argv[1], 10, &ms))
		return COMMAND_USAGE;
	while (ktime_ns() - start < ms * NSEC_PER_MSEC) {
		msleep(1);
		if (command_interrupted(NULL))
			return -EINTR;
	}
	return 0;
}
COMMAND(sleep, "sleep MS", "for tests: wait for MS milliseconds, or until Ctrl-C",
	"sleep 100", cmd_sleep);

static int cmd_poweroff(int argc, char **, struct sink *out)
{
	if (argc > 1)
		return COMMAND_USAGE;
	sink_puts(out, "ebb: power off\n");
	arch_exit(test_image_exit_status());
}
COMMAND(poweroff, "poweroff", "end the machine with status 0", "poweroff", cmd_poweroff);

static int cmd_reboot(int argc, char **, struct sink *out)
{
	if (argc > 1)
		return COMMAND_USAGE;
	sink_puts(out, "ebb: reboot\n");
	arch_reboot();
}
COMMAND(reboot, "reboot", "reset the machine", "reboot", cmd_reboot);
