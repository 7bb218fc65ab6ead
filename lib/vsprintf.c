/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted text. A conversion is parsed into a struct spec, its argument becomes a prefix and
 * a body, and one function lays these out in the field. Views of a large memory print
 * thousands of lines, so the short functions that every field uses are inline, and copy the
 * few bytes without memcpy().
 */
#include "lib/vsprintf.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/string.h"

enum {
	FLAG_LEFT = 1,
	FLAG_PLUS = 2,
	FLAG_SPACE = 4,
	FLAG_ALT = 8,
	FLAG_ZERO = 16,
};

struct spec {
	unsigned int flags;
	unsigned int bytes; /* of the integer argument */
	int width;
	int precision; /* -1: not given */
	char conv;
};

/* The output of a conversion: prefix, zeros and body, in that order. */
struct field {
	const char *prefix;
	size_t zeros;
	const char *body;
	size_t len; /* of the body */
};

struct out {
	char *next;
	size_t room;  /* bytes that are left, the terminator not counted */
	size_t total; /* above INT_MAX: output has stopped */
};

/* A va_list that functions can share, whatever type va_list is. */
struct args {
	va_list ap;
};

/* Count @n more characters. Return: the number of them that fit. */
static inline size_t take(struct out *out, size_t n)
{
	out->total += n;
	n = out->total <= INT_MAX ? min(n, out->room) : 0;
	out->room -= n;
	return n;
}

static inline void put(struct out *out, const char *s, size_t n)
{
	char *to = out->next, *end = to + take(out, n);

	out->next = end;
	while (to < end)
		*to++ = *s++;
}

static void pad(struct out *out, char c, size_t n)
{
	n = take(out, n);
	memset(out->next, c, n);
	out->next += n;
}

/*
 * Reading a conversion
 */

static unsigned int parse_flags(const char **fmt)
{
	static const char chars[] = "-+ #0"; /* in the order of the enum's bits */
	unsigned int flags = 0;
	const char *hit;

	/* Conversions, lengths and most digits come after the flags in ASCII. */
	for (; **fmt && **fmt <= '0' && (hit = strchr(chars, **fmt)); ++*fmt)
		flags |= 1U << (hit - chars);
	return flags;
}

/* Read a number or a *; set *overflow if it overflows. */
static int parse_number(const char **fmt, struct args *args, bool *overflow)
{
	int val = 0;

	if (**fmt == '*') {
		++*fmt;
		return va_arg(args->ap, int);
	}
	for (; isdigit(**fmt); ++*fmt) {
		*overflow |= __builtin_mul_overflow(val, 10, &val);
		*overflow |= __builtin_add_overflow(val, **fmt - '0', &val);
	}
	return val;
}

static unsigned int parse_length(const char **fmt)
{
	char c = **fmt;
	bool twice = c && (*fmt)[1] == c;

	switch (c) {
	case 'h':
		*fmt += twice ? 2 : 1;
		return twice ? sizeof(char) : sizeof(short);
	case 'l':
		*fmt += twice ? 2 : 1;
		return twice ? sizeof(long long) : sizeof(long);
	case 'j':
	case 'z':
	case 't':
		++*fmt;
		return sizeof(intmax_t); /* also a size_t's and a ptrdiff_t's */
	default:
		return sizeof(int);
	}
}

/* Parse a conversion; @fmt points past the %, and is moved past the conversion. */
static int parse_spec(const char **fmt, struct args *args, struct spec *spec)
{
	bool overflow = false;

	spec->flags = parse_flags(fmt);
	spec->width = parse_number(fmt, args, &overflow);
	if (spec->width < 0) { /* from a * */
		spec->flags |= FLAG_LEFT;
		overflow |= __builtin_sub_overflow(0, spec->width, &spec->width);
	}
	spec->precision = -1;
	if (**fmt == '.') {
		++*fmt;
		spec->precision = parse_number(fmt, args, &overflow);
	}
	spec->bytes = parse_length(fmt);
	spec->conv = **fmt;
	if (spec->conv)
		++*fmt;
	return overflow ? -EOVERFLOW : 0;
}

/*
 * Writing it
 */

/* Print a field in the spec's width. */
static void put_field(struct out *out, const struct spec *spec, const struct field *field)
{
	size_t prefix_len = strlen(field->prefix);
	size_t len = prefix_len + field->zeros + field->len;
	size_t width = (size_t)spec->width;
	size_t fill = width > len ? width - len : 0;

	if (fill && !(spec->flags & FLAG_LEFT))
		pad(out, ' ', fill);
	put(out, field->prefix, prefix_len);
	if (field->zeros)
		pad(out, '0', field->zeros);
	put(out, field->body, field->len);
	if (fill && spec->flags & FLAG_LEFT)
		pad(out, ' ', fill);
}

static void put_text(struct out *out, const struct spec *spec, const char *s, size_t n)
{
	put_field(out, spec, &(struct field){.prefix = "", .body = s, .len = n});
}

static void put_string(struct out *out, const struct spec *spec, const char *s)
{
	size_t max = spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision;

	if (!s)
		s = max >= strlen("(null)") ? "(null)" : "";
	put_text(out, spec, s, strnlen(s, max));
}

/* Write the digits of @val, none for 0, up to @end. Return: their start. */
static char *write_digits(char *end, u64 val, unsigned int base, char ten)
{
	for (; val; val /= base) {
		unsigned int digit = (unsigned int)(val % base);

		*--end = (char)(digit < 10 ? '0' + digit : ten + digit - 10);
	}
	return end;
}

/*
 * Print a number. @prefix: the sign or 0x; the zeros of the precision or of the 0 flag follow
 * it.
 */
static void put_number(struct out *out, const struct spec *spec, u64 val,
		       const char *prefix)
{
	char buf[24]; /* 22 octal digits */
	char *end = buf + sizeof(buf);
	const unsigned int base = spec->conv == 'o' ? 8 : strchr("diu", spec->conv) ? 10 : 16;
	char *digits;
	size_t n, want;

	digits = write_digits(end, val, base, spec->conv == 'X' ? 'A' : 'a');
	n = (size_t)(end - digits);
	want = spec->precision < 0 ? 1 : (size_t)spec->precision;
	if (spec->precision < 0 && (spec->flags & (FLAG_ZERO | FLAG_LEFT)) == FLAG_ZERO) {
		size_t width = (size_t)spec->width;
		size_t len = strlen(prefix);

		want = max(want, width > len ? width - len : 0);
	}
	if (spec->conv == 'o' && (spec->flags & FLAG_ALT))
		want = max(want, n + 1);
	put_field(out, spec, &(struct field){prefix, want > n ? want - n : 0, digits, n});
}

static const char *sign_prefix(const struct spec *spec, bool negative)
{
	if (negative)
		return "-";
	if (spec->flags & FLAG_PLUS)
		return "+";
	return spec->flags & FLAG_SPACE ? " " : "";
}

static void put_integer(struct out *out, const struct spec *spec, struct args *args)
{
	const unsigned int unused = 64 - 8 * spec->bytes;
	const bool is_signed = spec->conv == 'd' || spec->conv == 'i';
	const char *prefix = "";
	u64 val;

	if (spec->bytes == sizeof(u64))
		val = va_arg(args->ap, u64);
	else
		val = va_arg(args->ap, unsigned int);
	val = is_signed ? (u64)((s64)(val << unused) >> unused) : val << unused >> unused;
	if (is_signed) {
		prefix = sign_prefix(spec, (s64)val < 0);
		val = (s64)val < 0 ? 0 - val : val;
	} else if (spec->flags & FLAG_ALT && val && spec->conv != 'u' && spec->conv != 'o') {
		prefix = spec->conv == 'X' ? "0X" : "0x";
	}
	put_number(out, spec, val, prefix);
}

static void put_pointer(struct out *out, const struct spec *spec, const void *p)
{
	const char *prefix = "0x";

	if (!p) {
		put_text(out, spec, "(nil)", strlen("(nil)"));
		return;
	}
	if (spec->flags & FLAG_PLUS) /* undefined in C; glibc prints the sign */
		prefix = "+0x";
	else if (spec->flags & FLAG_SPACE)
		prefix = " 0x";
	put_number(out, spec, (uintptr_t)p, prefix);
}

/*
 * Print a conversion. @from and @to: its text, printed as it is if the conversion is unknown.
 */
static void put_conversion(struct out *out, const struct spec *spec, struct args *args,
			   const char *from, const char *to)
{
	char c;

	switch (spec->conv) {
	case 'd':
	case 'i':
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		put_integer(out, spec, args);
		break;
	case 'c':
		c = (char)va_arg(args->ap, int);
		put_text(out, spec, &c, 1);
		break;
	case 's':
		put_string(out, spec, va_arg(args->ap, const char *));
		break;
	case 'p':
		put_pointer(out, spec, va_arg(args->ap, const void *));
		break;
	case '%':
		put(out, "%", 1);
		break;
	default:
		put(out, from, (size_t)(to - from));
	}
}

static int format(struct out *out, const char *fmt, struct args *args)
{
	int err = 0;

	while (*fmt && !err && out->total <= INT_MAX) {
		const char *from = fmt;
		struct spec spec;

		while (*fmt && *fmt != '%')
			fmt++;
		put(out, from, (size_t)(fmt - from));
		if (!*fmt)
			break;
		from = fmt++;
		err = parse_spec(&fmt, args, &spec);
		if (!err)
			put_conversion(out, &spec, args, from, fmt);
	}
	return err || out->total > INT_MAX ? -EOVERFLOW : (int)out->total;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	char none;
	struct out out = {.next = size ? buf : &none, .room = size ? size - 1 : 0};
	struct args args;
	int ret;

	va_copy(args.ap, ap);
	ret = format(&out, fmt, &args);
	va_end(args.ap);
	*out.next = '\0';
	return ret;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return ret;
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	int ret = vsnprintf(buf, size, fmt, ap);

	if (ret < 0 || (size_t)ret < size)
		return ret;
	return size ? (int)min(size - 1, (size_t)INT_MAX) : 0;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vscnprintf(buf, size, fmt, ap);
	va_end(ap);
	return ret;
}
