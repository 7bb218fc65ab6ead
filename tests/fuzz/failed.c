/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a fuzzer after a failed check. */
#include <stdarg.h>

#include "tests/fuzz/fuzz.h"

void check_failed(const char *file, unsigned int line, const char *cond, const char *fmt,
		  ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: %s: ", file, line, cond);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
