/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edit distance (R. Wagner, M. Fischer, "The string-to-string correction problem"),
 * with two swapped neighbours as one edit (F. Damerau), since people often swap letters
 * when they type. Only the last three rows of the table are kept.
 */
#include "lib/levenshtein.h"
#include "lib/string.h"

unsigned int levenshtein(const char *a, const char *b)
{
	size_t len_a = strnlen(a, LEVENSHTEIN_MAX + 1);
	size_t len_b = strnlen(b, LEVENSHTEIN_MAX + 1);
	u8 rows[3][LEVENSHTEIN_MAX + 1]; /* [i % 3][j]: from a[0..i) to b[0..j) */

	if (len_a > LEVENSHTEIN_MAX || len_b > LEVENSHTEIN_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= len_b; j++)
		rows[0][j] = (u8)j;
	for (size_t i = 1; i <= len_a; i++) {
		const u8 *above2 = rows[(i + 1) % 3]; /* i - 2 */
		const u8 *above = rows[(i + 2) % 3];  /* i - 1 */
		u8 *row = rows[i % 3];

		row[0] = (u8)i;
		for (size_t j = 1; j <= len_b; j++) {
			u8 replace = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = min(replace, (u8)(min(above[j], row[j - 1]) + 1));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = min(row[j], (u8)(above2[j - 2] + 1));
		}
	}
	return rows[len_a % 3][len_b];
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
