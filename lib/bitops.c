/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables that lib/bitops.h uses. In a de Bruijn sequence, each window of six bits is
 * unique. Multiplying it by 1 << n, or by a mask of the bits up to n, puts a window that is
 * unique for n at the top. (C. Leiserson, H. Prokop, K. Randall: "Using de Bruijn sequences to
 * index a 1 in a computer word".)
 */
#include "lib/bitops.h"

const u8 bitops_ctz_table[64] = {
	0,  1,	48, 2,	57, 49, 28, 3,	61, 58, 50, 42, 38, 29, 17, 4,
	62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
	63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
	46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,	13, 8,	7,  6,
};

const u8 bitops_fls_table[64] = {
	0,  47, 1,  56, 48, 27, 2,  60, 57, 49, 41, 37, 28, 16, 3,  61,
	54, 58, 35, 52, 50, 42, 21, 44, 38, 32, 29, 23, 17, 11, 4,  62,
	46, 55, 26, 59, 40, 36, 15, 53, 34, 51, 20, 43, 31, 22, 10, 45,
	25, 39, 14, 33, 19, 30, 9,  24, 13, 18, 8,  12, 7,  6,	5,  63,
};
