/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_LEVENSHTEIN_H
#define _LIB_LEVENSHTEIN_H

/*
 * "Did you mean ...?": the known word that is nearest to a mistyped one.
 */

#define LEVENSHTEIN_MAX 47 /* longest word that is compared, bytes */

/**
 * levenshtein() - count the edits (insert, delete, replace, swap two) between two words
 * @a: a word
 * @b: another
 *
 * Return: their number; UINT_MAX if one is longer than LEVENSHTEIN_MAX.
 */
unsigned int levenshtein(const char *a, const char *b);

/* A search: start it, offer every known word, then read @word. */
struct nearest {
	const char *given;     /* what was typed */
	const char *word;      /* the nearest word so far; NULL if none is near */
	unsigned int distance; /* its edits; at first the exclusive bound */
};

/* A word is near if its edits are at most a third of the length of @given, or 1. */
void nearest_start(struct nearest *n, const char *given);
void nearest_offer(struct nearest *n, const char *word);

#endif
