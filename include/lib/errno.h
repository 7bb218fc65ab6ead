/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_ERRNO_H
#define _LIB_ERRNO_H

/*
 * The list of error numbers; functions return them negated. The values are Linux's, so
 * that a log reads the same. Only append: the console port's "=<status>" shows them
 * outside the kernel.
 */
#define EPERM	   1  /* never allowed, in any state */
#define ENOENT	   2  /* no such thing */
#define EINTR	   4  /* cancelled by a user or a signal */
#define EIO	   5  /* the device answered nonsense or an error */
#define ENXIO	   6  /* no such device or address */
#define E2BIG	   7  /* beyond what can be addressed */
#define EAGAIN	   11 /* try again: the target changed meanwhile */
#define ENOMEM	   12 /* no memory */
#define EBUSY	   16 /* in use now */
#define EEXIST	   17 /* exists already */
#define ENODEV	   19 /* no driver, or the device is gone */
#define EINVAL	   22 /* the caller's fault */
#define ENOSPC	   28 /* the region or table is full */
#define EPIPE	   32 /* the reader is gone */
#define ENOSYS	   38 /* no such command or function */
#define EPROTO	   71 /* the device broke the protocol */
#define EOVERFLOW  75 /* does not fit */
#define ENOTSUPP   95 /* known, and not supported here (Linux: EOPNOTSUPP) */
#define ETIMEDOUT  110 /* the deadline passed */
#define ESTALE	   116 /* what was read changed meanwhile */
#define EHWPOISON  133 /* the frame is marked broken */

#endif
