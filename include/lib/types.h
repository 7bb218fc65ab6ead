/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_TYPES_H
#define _LIB_TYPES_H

/*
 * Types, attributes and macros for every file, those of lib/compiler.h included. Only the
 * compiler's freestanding headers lie below this file.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 phys_addr_t; /* bytes, physical */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n)	      (1UL << (n))
#define GENMASK(h, l) ((~0UL << (l)) & (~0UL >> (63 - (h))))

/* @a must be a power of two. */
#define ALIGN_UP(x, a)	 (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define IS_POWER_OF_2(n)   ((n) != 0 && ((n) & ((n) - 1)) == 0)

#define min(a, b)                                                                        \
	({                                                                               \
		__typeof__(a) _min_a = (a);                                              \
		__typeof__(b) _min_b = (b);                                              \
		_min_a < _min_b ? _min_a : _min_b;                                       \
	})
#define max(a, b)                                                                        \
	({                                                                               \
		__typeof__(a) _max_a = (a);                                              \
		__typeof__(b) _max_b = (b);                                              \
		_max_a > _max_b ? _max_a : _max_b;                                       \
	})

#define container_of(ptr, type, member)                                                  \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define SZ_2M	0x200000UL
#define SZ_1G	0x40000000UL

#endif
