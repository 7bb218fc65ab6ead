/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shell patterns. After a mismatch, only the last * can help, by matching one more character.
 * So one saved position is enough, and there is no recursion.
 */
#include "lib/glob.h"

/* Find the ] that closes the class opened by the [ at @pat; NULL if there is none. */
static const char *class_end(const char *pat)
{
	pat += pat[1] == '!' ? 2 : 1;
	do { /* a leading ] is a member */
		if (!*pat)
			return NULL;
	} while (*++pat != ']');
	return pat;
}

static bool in_class(const char *pat, const char *end, u8 c)
{
	bool inverted = pat[1] == '!';
	bool found = false;

	for (pat += inverted ? 2 : 1; pat < end; pat++) {
		u8 low = (u8)pat[0];
		u8 high = low;

		if (pat[1] == '-' && pat + 2 < end) {
			high = (u8)pat[2];
			pat += 2;
		}
		found |= low <= c && c <= high;
	}
	return found != inverted;
}

/* Check whether the element at @*pat, which is not a *, matches @c. Moves @pat past it. */
static bool match_one(const char **pat, char c)
{
	const char *p = *pat;
	const char *end = *p == '[' ? class_end(p) : NULL;

	if (end) {
		*pat = end + 1;
		return in_class(p, end, (u8)c);
	}
	if (*p == '\\' && p[1])
		p++;
	else if (*p == '?') {
		*pat = p + 1;
		return true;
	}
	*pat = p + (*p != '\0');
	return *p == c;
}

bool glob_match(const char *pat, const char *str)
{
	const char *star_pat = NULL; /* just past the last * */
	const char *star_str = NULL; /* the text that the last * has not matched yet */

	while (*str) {
		if (*pat == '*') {
			star_pat = ++pat;
			star_str = str;
		} else if (match_one(&pat, *str)) {
			str++;
		} else if (star_pat) {
			pat = star_pat;
			str = ++star_str;
		} else {
			return false;
		}
	}
	while (*pat == '*')
		pat++;
	return !*pat;
}
