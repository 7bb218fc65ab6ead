/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of the test runner: on the kernel's command line, and as words for the
 * console's "ut" and for the host's program.
 */
#include "kernel/ktest.h"
#include "kernel/param.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"

static const char *boot_glob, *boot_filter, *boot_action;
static u64 boot_seed, boot_repeat = 1;
static bool boot_shuffle, boot_enable;

PARAM_STRING("kunit.filter_glob", boot_glob, "run tests: suite_glob.case_glob");
PARAM_STRING("kunit.filter", boot_filter, "run tests by attribute, such as speed<=slow");
PARAM_STRING("kunit.action", boot_action, "list: print the tests' names only");
PARAM_BOOL("kunit.enable", boot_enable, "run tests after boot");
PARAM_UINT("kunit.seed", boot_seed, "as ktest.seed");
PARAM_UINT("ktest.seed", boot_seed, "seed of tests' random numbers and of the shuffle");
PARAM_UINT("ktest.repeat", boot_repeat, "how often tests run");
PARAM_BOOL("ktest.shuffle", boot_shuffle, "run tests in an order that the seed decides");

/* Copy a value: tests of the command line overwrite the text that it points into. */
static const char *kept(const char *value, char *copy, size_t size)
{
	if (value == NULL)
		return NULL;
	(void)strscpy(copy, value, size);
	return copy;
}

const struct ktest_options *ktest_boot_options(void)
{
	static char glob[128], filter[64], action[16];
	static struct ktest_options options;

	if (boot_glob == NULL && boot_filter == NULL && boot_action == NULL && !boot_enable)
		return NULL;
	options = (struct ktest_options){
		.filter_glob = kept(boot_glob, glob, sizeof(glob)),
		.filter = kept(boot_filter, filter, sizeof(filter)),
		.action = kept(boot_action, action, sizeof(action)),
		.seed = boot_seed, .repeat = boot_repeat, .shuffle = boot_shuffle,
	};
	return &options;
}

/* Return the text after "NAME=" in @word, or NULL. */
static const char *value_of(const char *word, const char *name)
{
	const size_t len = str_has_prefix(word, name);

	return len != 0 && word[len] == '=' ? word + len + 1 : NULL;
}

int ktest_param(const char *word, struct ktest_options *options)
{
	const char *value;
	unsigned int repeat;
	int err = 0;

	if ((value = value_of(word, "kunit.filter_glob")) != NULL)
		options->filter_glob = value;
	else if ((value = value_of(word, "kunit.filter")) != NULL)
		options->filter = value;
	else if ((value = value_of(word, "kunit.action")) != NULL)
		options->action = value;
	else if ((value = value_of(word, "kunit.seed")) != NULL ||
		 (value = value_of(word, "ktest.seed")) != NULL)
		err = kstrtou64(value, 0, &options->seed);
	else if ((value = value_of(word, "ktest.repeat")) != NULL) {
		err = kstrtouint(value, 0, &repeat);
		if (err == 0)
			options->repeat = repeat;
	} else if (strcmp(word, "ktest.shuffle") == 0)
		options->shuffle = true;
	else if ((value = value_of(word, "ktest.shuffle")) != NULL)
		err = kstrtobool(value, &options->shuffle);
	else
		return -ENOENT;
	return err == 0 ? 0 : -EINVAL;
}
