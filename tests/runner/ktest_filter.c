/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice of the cases that run: KUnit's filter_glob, and its filter for the attribute
 * speed.
 */
#include "tests/runner/ktest_private.h"
#include "lib/glob.h"
#include "lib/string.h"

#define GLOB_MAX 128

static const char *const speed_names[] = {
	[KTEST_SPEED_NORMAL] = "normal",
	[KTEST_SPEED_SLOW] = "slow",
	[KTEST_SPEED_VERY_SLOW] = "very_slow",
};

enum comparison { CMP_NONE, CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_EQ, CMP_NE };

static const struct {
	const char *text; /* the longer texts first */
	enum comparison value;
} comparisons[] = {
	{ "<=", CMP_LE }, { ">=", CMP_GE }, { "!=", CMP_NE },
	{ "<", CMP_LT },  { ">", CMP_GT },  { "=", CMP_EQ },
};

/* struct ktest_options' @filter, parsed. */
struct speed_filter {
	enum comparison comparison;
	enum ktest_speed speed;
};

const char *ktest_speed_name(enum ktest_speed speed)
{
	return speed_names[speed];
}

/*
 * Parse "speed", a comparison and a speed. Return false if @text is not of this form; NULL
 * is no filter.
 */
static bool parse_filter(const char *text, struct speed_filter *filter)
{
	size_t len;

	filter->comparison = CMP_NONE;
	if (text == NULL || text[0] == '\0')
		return true;
	len = str_has_prefix(text, "speed");
	if (len == 0)
		return false;
	text += len;
	for (unsigned int i = 0; i < ARRAY_SIZE(comparisons); i++) {
		len = str_has_prefix(text, comparisons[i].text);
		if (len == 0)
			continue;
		filter->comparison = comparisons[i].value;
		break;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(speed_names); i++) {
		if (strcmp(text + len, speed_names[i]) != 0)
			continue;
		filter->speed = i;
		return filter->comparison != CMP_NONE;
	}
	return false;
}

static bool speed_passes(const struct speed_filter *filter, enum ktest_speed speed)
{
	switch (filter->comparison) {
	case CMP_LT:
		return speed < filter->speed;
	case CMP_LE:
		return speed <= filter->speed;
	case CMP_GT:
		return speed > filter->speed;
	case CMP_GE:
		return speed >= filter->speed;
	case CMP_EQ:
		return speed == filter->speed;
	case CMP_NE:
		return speed != filter->speed;
	default:
		return true;
	}
}

/* Copy the glob's part before the first dot to @suite; return the part after the dot. */
static const char *split_glob(const char *glob, char suite[GLOB_MAX])
{
	const char *dot = strchr(glob, '.');

	(void)strscpy(suite, glob, GLOB_MAX);
	if (dot == NULL)
		return "*";
	suite[dot - glob] = '\0';
	return dot + 1;
}

bool ktest_wants_suite(const struct ktest_options *options, const struct ktest_suite *suite)
{
	char suite_glob[GLOB_MAX];

	if (options->filter_glob == NULL)
		return true;
	(void)split_glob(options->filter_glob, suite_glob);
	return glob_match(suite_glob, suite->name);
}

bool ktest_wants_case(const struct ktest_options *options, const struct ktest_suite *suite,
		      const struct ktest_case *test_case)
{
	struct speed_filter filter;
	char suite_glob[GLOB_MAX];

	if (!ktest_wants_suite(options, suite))
		return false;
	if (options->filter_glob != NULL &&
	    !glob_match(split_glob(options->filter_glob, suite_glob), test_case->name))
		return false;
	return parse_filter(options->filter, &filter) &&
	       speed_passes(&filter, test_case->speed);
}

unsigned int ktest_count_cases(const struct ktest_options *options,
			       const struct ktest_suite *suite)
{
	const struct ktest_case *test_case;
	unsigned int nr = 0;

	for (test_case = suite->cases; test_case->run != NULL; test_case++)
		nr += ktest_wants_case(options, suite, test_case);
	return nr;
}

bool ktest_options_valid(const struct ktest_options *options, struct sink *out)
{
	struct speed_filter filter;

	if (options->filter_glob != NULL && strlen(options->filter_glob) >= GLOB_MAX) {
		sink_printf(out, "# ktest: kunit.filter_glob is longer than %d bytes\n",
			    GLOB_MAX - 1);
		return false;
	}
	if (!parse_filter(options->filter, &filter)) {
		sink_printf(out, "# ktest: kunit.filter=%s: want speed, one of "
			    "< <= > >= = !=, and normal, slow or very_slow\n",
			    options->filter);
		return false;
	}
	if (options->action != NULL && strcmp(options->action, "list") != 0) {
		sink_printf(out, "# ktest: kunit.action=%s: the only action is list\n",
			    options->action);
		return false;
	}
	return true;
}
