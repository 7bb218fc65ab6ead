/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_TIME_H
#define _LIB_TIME_H

/* Units of time. Clocks and limits are in nanoseconds, 64 bits. */
#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL
#define USEC_PER_SEC  1000000ULL

#endif
