/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edit distance (R. Wagner, M. Fischer, "The string-to-string correction
 * problem"), one row of the table at a time.
 */
#include "lib/levenshtein.h"
#include "lib/string.h"

unsigned int levenshtein(const char *a, const char *b)
{
	size_t len_a = strnlen(a, LEVENSHTEIN_MAX + 1);
	size_t len_b = strnlen(b, LEVENSHTEIN_MAX + 1);
	u8 row[LEVENSHTEIN_MAX + 1]; /* from a[0..i) to b[0..j) */

	if (len_a > LEVENSHTEIN_MAX || len_b > LEVENSHTEIN_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = (u8)j;
	for (size_t i = 1; i <= len_a; i++) {
		u8 diagonal = row[0];

		row[0] = (u8)i;
		for (size_t j = 1; j <= len_b; j++) {
			u8 replace = diagonal + (a[i - 1] != b[j - 1]);
			u8 shift = min(row[j], row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = min(replace, shift);
		}
	}
	return row[len_b];
}

void nearest_start(struct nearest *n, const char *given)
{
	size_t bound = strnlen(given, LEVENSHTEIN_MAX) / 3;

	n->given = given;
	n->word = NULL;
	n->distance = (unsigned int)(bound ? bound : 1) + 1;
}

void nearest_offer(struct nearest *n, const char *word)
{
	unsigned int distance = levenshtein(n->given, word);

	if (distance < n->distance) {
		n->distance = distance;
		n->word = word;
	}
}
