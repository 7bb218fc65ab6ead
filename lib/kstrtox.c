/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strict number parsing. One scanner reads digits with an exact overflow check;
 * the typed functions differ in suffix and range.
 */
#include "lib/kstrtox.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Read the prefix that base 0 and base 16 allow; move @s past it. */
static unsigned int take_base(const char **s, unsigned int base)
{
	const char *p = *s;
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && isxdigit(p[2]);

	if (hex && (base == 0 || base == 16)) {
		*s += 2;
		return 16;
	}
	if (base == 0)
		return p[0] == '0' ? 8 : 10;
	return base;
}

/* Read all digits; move @s past them, even on overflow. */
static int take_digits(const char **s, unsigned int base, u64 *res)
{
	const char *p = *s;
	bool overflow = false;
	u64 val = 0;

	for (; digit_value(*p) < base; p++) {
		u64 digit = digit_value(*p);

		overflow |= __builtin_mul_overflow(val, base, &val);
		overflow |= __builtin_add_overflow(val, digit, &val);
	}
	if (p == *s)
		return -EINVAL;
	*s = p;
	*res = val;
	return overflow ? -EOVERFLOW : 0;
}

int kstrtou64(const char *s, unsigned int base, u64 *res)
{
	u64 val;
	int err;

	s += *s == '+';
	base = take_base(&s, base);
	err = take_digits(&s, base, &val);
	if (*s)
		return -EINVAL; /* even if the number before it overflows */
	if (!err)
		*res = val;
	return err;
}

int kstrtouint(const char *s, unsigned int base, unsigned int *res)
{
	u64 val;
	int err = kstrtou64(s, base, &val);

	if (err)
		return err;
	if (val > UINT_MAX)
		return -EOVERFLOW;
	*res = (unsigned int)val;
	return 0;
}

/* Check whether @s equals @word except for case; @word is in lower case. */
static bool is_word(const char *s, const char *word)
{
	for (; *word; s++, word++)
		if (tolower(*s) != *word)
			return false;
	return !*s;
}

int kstrtobool(const char *s, bool *res)
{
	static const char words[][2][6] = {
		{"0", "1"}, {"n", "y"},	   {"no", "yes"},
		{"f", "t"}, {"off", "on"}, {"false", "true"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (int value = 0; value < 2; value++) {
			if (is_word(s, words[i][value])) {
				*res = value;
				return 0;
			}
		}
	}
	return -EINVAL;
}

/* Return the bits to shift for a suffix; 0 if @c is no suffix. */
static unsigned int suffix_shift(char c)
{
	static const char suffixes[] = "kmgtpe";
	const char *hit = c ? strchr(suffixes, tolower(c)) : NULL;

	return hit ? 10 * (unsigned int)(hit - suffixes + 1) : 0;
}

int kstrtosize(const char *s, u64 *res)
{
	unsigned int base = take_base(&s, 0);
	unsigned int shift;
	u64 val = 0;
	int err = take_digits(&s, base, &val);

	shift = suffix_shift(*s);
	if (s[shift != 0])
		return -EINVAL; /* even if the number before it overflows */
	if (!err && val << shift >> shift != val)
		err = -EOVERFLOW;
	if (!err)
		*res = val << shift;
	return err;
}
