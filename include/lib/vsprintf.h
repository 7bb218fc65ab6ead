/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_VSPRINTF_H
#define _LIB_VSPRINTF_H

/*
 * Formatted text: %d %i %u %x %X %o %c %s %p %%, the flags - + space 0 #, width
 * and precision (numbers or *), the lengths hh h l ll z t j. Results and return
 * values are those of C11 section 7.21.6.1 and, where that leaves room (%p, a
 * NULL string), glibc's. An unknown conversion is printed as it stands and takes no argument.
 */
#include "lib/types.h"

/* A hosted build also links libc, which keeps these names. */
#if __STDC_HOSTED__
#define vsnprintf ebb_vsnprintf
#define snprintf  ebb_snprintf
#endif

/**
 * vsnprintf() - print into a buffer
 * @buf: the buffer; may be NULL if @size is 0
 * @size: the buffer's bytes; the result is cut to fit, and terminated unless @size is 0
 * @fmt: format
 * @ap: arguments
 *
 * Return: the length of the whole text, the terminator not counted; or -EOVERFLOW.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* Like vsnprintf(), but return the length of the text in the buffer (0 if @size is 0). */
int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
