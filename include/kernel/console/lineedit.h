/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_LINEEDIT_H
#define _KERNEL_CONSOLE_LINEEDIT_H

/*
 * A line editor as a pure state machine: it takes bytes from a terminal, and writes text for
 * the terminal to a sink. It knows nothing of threads or devices.
 */
#include "kernel/command.h"
#include "kernel/sink.h"
#include "lib/types.h"

#define LINE_MAX_BYTES	  256 /* of one line, including its terminator */
#define LINE_HISTORY	  16
#define LINE_NO_WRAP	  (~(size_t)0) /* more columns than any line has */

enum lineedit_event {
	LINE_MORE,	/* nothing for the caller yet */
	LINE_READY,	/* ed->line holds a whole line */
	LINE_CANCELLED, /* Ctrl-C: the line is dropped */
	LINE_END,	/* Ctrl-D on an empty line */
};

/* The input's position in a VT100 escape sequence. */
enum lineedit_escape {
	ESC_NONE, /* plain bytes */
	ESC_SEEN, /* after ESC */
	ESC_CSI,  /* after ESC [ or ESC O */
};

struct lineedit;

/**
 * lineedit_complete_fn() - find completions of the word before the cursor
 * @line: the line up to the cursor
 * @word: offset of that word in @line
 * @offer: to be called once per match with @arg and the whole word
 */
typedef void (*lineedit_complete_fn)(const char *line, size_t word, word_offer_fn offer,
				     void *arg);

struct lineedit {
	char line[LINE_MAX_BYTES];
	size_t len;
	size_t cursor;
	size_t columns; /* of the terminal, or LINE_NO_WRAP until it is known */
	size_t at;	/* the terminal's cursor: cells after the start of the prompt */
	const char *prompt;
	struct sink *out;
	lineedit_complete_fn complete;
	enum lineedit_escape escape;
	unsigned int csi_number;
	bool swallow_lf; /* after CR: the LF of a CR LF pair does not end another line */
	/* History: a ring of lines; nr_seen counts all lines ever added. */
	char history[LINE_HISTORY][LINE_MAX_BYTES];
	unsigned int nr_seen;
	unsigned int browsing; /* how many lines back; 0: the line being typed */
	char kept[LINE_MAX_BYTES]; /* the line being typed, while browsing */
	/* One completion at a time. */
	const char *word;
	size_t word_len;
	size_t common; /* length of the prefix that all matches share */
	unsigned int nr_matches;
	char match[LINE_MAX_BYTES];
	bool listing;
};

/**
 * lineedit_init() - make an empty editor
 * @prompt: shown before each line
 * @out: the terminal
 * @complete: may be NULL
 */
void lineedit_init(struct lineedit *ed, const char *prompt, struct sink *out,
		   lineedit_complete_fn complete);

/* Start a line: clear it and show the prompt. */
void lineedit_start(struct lineedit *ed);

/* Erase prompt and line from the terminal, to make room for other text. */
void lineedit_hide(struct lineedit *ed);

/* Show prompt and line again, after other text that has ended with a newline. */
void lineedit_redraw(struct lineedit *ed);

/**
 * lineedit_feed() - take one byte from the terminal
 *
 * Knows arrows, Home, End, Delete, Tab, Ctrl-A B C D E F H K L N P U W. Bytes beyond the
 * longest line ring the bell and are dropped. A terminal reports its size as xterm does:
 * ESC [ 8 ; lines ; columns t.
 * Return: what happened; after LINE_READY the line is in ed->line until
 * lineedit_start().
 */
enum lineedit_event lineedit_feed(struct lineedit *ed, u8 byte);

#endif
