/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares lib/vsprintf.c with the host's C library: one conversion at a time, made of
 * everything that ebb supports, into buffers of any size.
 */
#include "tests/fuzz/fuzz.h"
#include <string.h>

static int (*const libc_vsnprintf)(char *, size_t, const char *, va_list) = vsnprintf;

#include "lib/vsprintf.h"

enum {
	ARG_INT,
	ARG_LONG,
	ARG_STR,
	ARG_PTR
};

struct conv {
	char text[64];
	int kind;
	int stars; /* bit 0: width, bit 1: precision */
	int star[2];
	u64 val;
	const char *str;
};

static const char *const strings[] = {
	"",	"x",
	"text", "percent % d",
	NULL,	"a rather long string, longer than most fields"};

static void add_number(struct choices *c, char **p, struct conv *conv, int which)
{
	switch (take_below(c, 5)) {
	case 0:
		conv->stars |= 1 << which;
		conv->star[which] = (int)take_below(c, 80) - 30;
		*(*p)++ = '*';
		break;
	case 1:
		*p += sprintf(*p, "%u", (unsigned int)take_byte(c));
		break;
	case 2:
		/* Too large for an int: glibc returns an error instead of padding. */
		if (take_byte(c) == 77)
			*p += sprintf(*p, "%lu", 2147483648UL + take_byte(c));
		break;
	case 3:
		if (which == 0)
			break;
		break; /* a lone dot */
	default:
		*p += sprintf(*p, "%u", take_below(c, 24));
	}
}

static void make_conv(struct choices *c, struct conv *conv)
{
	static const char lengths[][3] = {"", "hh", "h", "l", "ll", "z", "t", "j"};
	static const char convs[] = "diuoxXcsp%";
	char *p = conv->text;
	unsigned int length = 0;
	char letter;

	memset(conv, 0, sizeof(*conv));
	*p++ = '%';
	letter = convs[take_below(c, sizeof(convs) - 1)];
	for (unsigned int flags = take_below(c, 32), i = 0; i < 5; i++)
		if (flags >> i & 1)
			*p++ = "-+ #0"[i];
	if (letter == '%')
		p = conv->text + 1;
	if (letter != '%' && take_below(c, 2))
		add_number(c, &p, conv, 0);
	if (letter != '%' && take_below(c, 2)) {
		*p++ = '.';
		add_number(c, &p, conv, 1);
	}
	if (strchr("diuoxX", letter)) {
		length = take_below(c, ARRAY_SIZE(lengths));
		p += sprintf(p, "%s", lengths[length]);
	}
	*p++ = letter;
	*p = '\0';
	conv->kind = length > 2 ? ARG_LONG : ARG_INT;
	conv->val = take_bytes(c, take_below(c, 9));
	if (take_below(c, 4) == 0)
		conv->val = 0 - conv->val;
	if (letter == 's') {
		conv->kind = ARG_STR;
		conv->str = strings[take_below(c, ARRAY_SIZE(strings))];
	} else if (letter == 'p') {
		conv->kind = ARG_PTR;
	} else if (letter == '%') {
		conv->kind = ARG_INT;
	}
}

static char ours[600], theirs[600];
static int our_ret, their_ret;

static void call_both(size_t size, const char *fmt, ...)
{
	va_list ap, copy;

	va_start(ap, fmt);
	va_copy(copy, ap);
	our_ret = vsnprintf(size ? ours : NULL, size, fmt, ap);
	their_ret = libc_vsnprintf(size ? theirs : NULL, size, fmt, copy);
	va_end(copy);
	va_end(ap);
}

/* Call both functions with the conversion's arguments in the right types. */
static void call_typed(size_t size, const char *fmt, const struct conv *v)
{
	int w = v->star[0], p = v->star[1];

#define CALL(arg)                                                         \
	do {                                                              \
		if (v->stars == 0)                                        \
			call_both(size, fmt, arg);                        \
		else if (v->stars == 3)                                   \
			call_both(size, fmt, w, p, arg);                  \
		else                                                      \
			call_both(size, fmt, v->stars == 1 ? w : p, arg); \
	} while (0)

	switch (v->kind) {
	case ARG_INT:
		CALL((int)v->val);
		break;
	case ARG_LONG:
		CALL(v->val);
		break;
	case ARG_STR:
		CALL(v->str);
		break;
	default:
		CALL((void *)v->val);
	}
#undef CALL
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct choices c = {data, size};

	while (c.size) {
		struct conv conv;
		char fmt[128];
		size_t room = take_below(&c, 4) ? sizeof(ours) : take_byte(&c);

		make_conv(&c, &conv);
		sprintf(fmt, "%.*s%s%.*s", (int)take_below(&c, 5), "lead", conv.text,
			(int)take_below(&c, 6), " tail");
		memset(ours, 0x55, sizeof(ours));
		memset(theirs, 0x55, sizeof(theirs));
		call_typed(room, fmt, &conv);
		if (their_ret < 0) {
			CHECK(our_ret < 0, "format '%s': %d, not an error", fmt, our_ret);
			continue;
		}
		CHECK(our_ret == their_ret,
		      "format '%s': %d, glibc %d ('%s', glibc '%s')", fmt, our_ret,
		      their_ret, ours, theirs);
		CHECK(memcmp(ours, theirs, sizeof(ours)) == 0,
		      "format '%s' size %zu: '%s', glibc '%s'", fmt, room, ours, theirs);
	}
	return 0;
}
