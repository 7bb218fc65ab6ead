/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Line editing, history and completion for a VT100-like terminal.
 *
 * A line may be longer than the terminal is wide: the editor keeps the cursor's cell, counted
 * from the start of the prompt, and moves by rows and columns. Until the editor knows the
 * terminal's width, it treats the line as one row.
 */
#include "kernel/console/lineedit.h"
#include "lib/string.h"

#define CTRL(c) ((c) & 0x1f)
#define DEL	0x7f
#define ESC	0x1b

/* Write a cursor movement, ESC [ n final; write nothing for n = 0. */
static void csi(struct lineedit *ed, size_t n, char final)
{
	if (n)
		sink_printf(ed->out, "\033[%zu%c", n, final);
}

/* Move the terminal's cursor to cell @to, which has been written. */
static void go(struct lineedit *ed, size_t to)
{
	const size_t row = to / ed->columns, was = ed->at / ed->columns;

	if (to == ed->at)
		return;
	csi(ed, was > row ? was - row : 0, 'A');
	csi(ed, row > was ? row - was : 0, 'B');
	sink_puts(ed->out, "\r");
	csi(ed, to % ed->columns, 'C');
	ed->at = to;
}

/*
 * Write text at the cursor. After a character in the last column, a terminal wraps only at the
 * next character. So write a blank then, which later text overwrites.
 */
static void put(struct lineedit *ed, const char *text)
{
	if (!*text)
		return;
	sink_puts(ed->out, text);
	ed->at += strlen(text);
	if (ed->at % ed->columns == 0)
		sink_puts(ed->out, " \r");
}

/* Return the cell of a byte of the line. */
static size_t cell(const struct lineedit *ed, size_t byte)
{
	return strlen(ed->prompt) + byte;
}

/* Write the line again from @byte on, over the old text, and set the cursor. */
static void rewrite(struct lineedit *ed, size_t byte)
{
	go(ed, cell(ed, byte));
	sink_puts(ed->out, "\033[J");
	put(ed, ed->line + byte);
	go(ed, cell(ed, ed->cursor));
}

/* Write @text, which ends with a newline, after the end of the line. */
static void leave_line(struct lineedit *ed, const char *text)
{
	go(ed, cell(ed, ed->len));
	sink_puts(ed->out, text);
	ed->at = 0;
}

void lineedit_init(struct lineedit *ed, const char *prompt, struct sink *out,
		   lineedit_complete_fn complete)
{
	memset(ed, 0, sizeof(*ed));
	ed->columns = LINE_NO_WRAP;
	ed->prompt = prompt;
	ed->out = out;
	ed->complete = complete;
}

void lineedit_hide(struct lineedit *ed)
{
	go(ed, 0);
	sink_puts(ed->out, "\033[J");
}

void lineedit_redraw(struct lineedit *ed)
{
	ed->at = 0;
	put(ed, ed->prompt);
	put(ed, ed->line);
	go(ed, cell(ed, ed->cursor));
}

void lineedit_start(struct lineedit *ed)
{
	ed->len = ed->cursor = 0;
	ed->line[0] = '\0';
	ed->browsing = 0;
	lineedit_redraw(ed);
}

static void bell(struct lineedit *ed)
{
	sink_puts(ed->out, "\a");
}

static void insert(struct lineedit *ed, const char *text, size_t n)
{
	if (ed->len + n >= LINE_MAX_BYTES) {
		bell(ed);
		return;
	}
	memmove(ed->line + ed->cursor + n, ed->line + ed->cursor, ed->len - ed->cursor + 1);
	memcpy(ed->line + ed->cursor, text, n);
	ed->len += n;
	put(ed, ed->line + ed->cursor);
	ed->cursor += n;
	go(ed, cell(ed, ed->cursor));
}

/* Remove the bytes [from, to) and leave the cursor at @from. */
static void erase(struct lineedit *ed, size_t from, size_t to)
{
	if (from >= to)
		return;
	memmove(ed->line + from, ed->line + to, ed->len - to + 1);
	ed->len -= to - from;
	ed->cursor = from;
	rewrite(ed, from);
}

static size_t word_start(const struct lineedit *ed)
{
	size_t at = ed->cursor;

	while (at > 0 && ed->line[at - 1] == ' ')
		at--;
	while (at > 0 && ed->line[at - 1] != ' ')
		at--;
	return at;
}

static void history_add(struct lineedit *ed)
{
	const char *last = ed->history[(ed->nr_seen - 1) % LINE_HISTORY];

	if (ed->len == 0 || (ed->nr_seen > 0 && strcmp(last, ed->line) == 0))
		return;
	memcpy(ed->history[ed->nr_seen % LINE_HISTORY], ed->line, ed->len + 1);
	ed->nr_seen++;
}

/* Show the line @back steps ago; 0 is the line being typed. */
static void history_show(struct lineedit *ed, unsigned int back)
{
	unsigned int kept = ed->nr_seen < LINE_HISTORY ? ed->nr_seen : LINE_HISTORY;
	const char *text;

	if (back > kept) {
		bell(ed);
		return;
	}
	if (ed->browsing == 0)
		memcpy(ed->kept, ed->line, ed->len + 1);
	text = back == 0 ? ed->kept : ed->history[(ed->nr_seen - back) % LINE_HISTORY];
	ed->browsing = back;
	ed->len = ed->cursor = strlen(text);
	memcpy(ed->line, text, ed->len + 1);
	rewrite(ed, 0);
}

/* Begin a new row of the list of matches. */
static void leave_list_row(struct lineedit *ed)
{
	sink_puts(ed->out, "\n");
	ed->at = 0;
}

static void offer(void *arg, const char *match)
{
	struct lineedit *ed = arg;
	size_t n = 0;

	if (strncmp(match, ed->word, ed->word_len) != 0)
		return;
	if (ed->listing) {
		n = strlen(match) + 2;
		if (ed->at && ed->at + n > ed->columns)
			leave_list_row(ed);
		sink_printf(ed->out, "%s  ", match);
		ed->at += n;
		return;
	}
	if (ed->nr_matches++ == 0) {
		strscpy(ed->match, match, sizeof(ed->match));
		ed->common = strlen(ed->match);
		return;
	}
	while (n < ed->common && match[n] == ed->match[n])
		n++;
	ed->common = n;
}

static void complete(struct lineedit *ed)
{
	size_t start = ed->cursor;
	char head[LINE_MAX_BYTES];

	if (!ed->complete)
		return;
	while (start > 0 && ed->line[start - 1] != ' ' && ed->line[start - 1] != ';')
		start--;
	memcpy(head, ed->line, ed->cursor);
	head[ed->cursor] = '\0';
	ed->word = head + start;
	ed->word_len = ed->cursor - start;
	ed->nr_matches = 0;
	ed->listing = false;
	ed->complete(head, start, offer, ed);
	if (ed->nr_matches == 0) {
		bell(ed);
	} else if (ed->common > ed->word_len) {
		insert(ed, ed->match + ed->word_len, ed->common - ed->word_len);
	} else if (ed->nr_matches > 1) {
		leave_line(ed, "\n");
		ed->listing = true;
		ed->complete(head, start, offer, ed);
		leave_list_row(ed);
		lineedit_redraw(ed);
	}
	if (ed->nr_matches == 1 && ed->cursor == ed->len &&
	    !strchr("/=", ed->match[ed->common - 1]))
		insert(ed, " ", 1);
}

static void move_to(struct lineedit *ed, size_t at)
{
	ed->cursor = at;
	go(ed, cell(ed, at));
}

static void control(struct lineedit *ed, u8 byte)
{
	switch (byte) {
	case CTRL('A'):
		move_to(ed, 0);
		break;
	case CTRL('B'):
		if (ed->cursor > 0)
			move_to(ed, ed->cursor - 1);
		break;
	case CTRL('D'):
		if (ed->cursor < ed->len)
			erase(ed, ed->cursor, ed->cursor + 1);
		break;
	case CTRL('E'):
		move_to(ed, ed->len);
		break;
	case CTRL('F'):
		if (ed->cursor < ed->len)
			move_to(ed, ed->cursor + 1);
		break;
	case CTRL('H'):
	case DEL:
		if (ed->cursor > 0)
			erase(ed, ed->cursor - 1, ed->cursor);
		break;
	case CTRL('I'):
		complete(ed);
		break;
	case CTRL('K'):
		erase(ed, ed->cursor, ed->len);
		break;
	case CTRL('L'):
		sink_puts(ed->out, "\033[H\033[2J");
		lineedit_redraw(ed);
		break;
	case CTRL('N'):
		if (ed->browsing > 0)
			history_show(ed, ed->browsing - 1);
		break;
	case CTRL('P'):
		history_show(ed, ed->browsing + 1);
		break;
	case CTRL('U'):
		erase(ed, 0, ed->cursor);
		break;
	case CTRL('W'):
		erase(ed, word_start(ed), ed->cursor);
		break;
	}
}

/* Escape sequences that stand for a control character: ESC [ x or ESC O x, and ESC [ n ~. */
static const struct {
	char final;
	u8 number; /* before a '~' */
	u8 means;
} keys[] = {
	{ 'A', 0, CTRL('P') }, { 'B', 0, CTRL('N') }, { 'C', 0, CTRL('F') }, { 'D', 0, CTRL('B') },
	{ 'H', 0, CTRL('A') }, { 'F', 0, CTRL('E') }, { '~', 1, CTRL('A') }, { '~', 7, CTRL('A') },
	{ '~', 4, CTRL('E') }, { '~', 8, CTRL('E') }, { '~', 3, CTRL('D') },
};

/* Set the terminal's width, at which lines wrap from now on. */
static void set_columns(struct lineedit *ed, size_t columns)
{
	lineedit_hide(ed);
	ed->columns = columns ? columns : LINE_NO_WRAP;
	lineedit_redraw(ed);
}

static void escape_byte(struct lineedit *ed, u8 byte)
{
	if (ed->escape == ESC_SEEN) {
		ed->escape = byte == '[' || byte == 'O' ? ESC_CSI : ESC_NONE;
		ed->csi_number = 0;
	} else if (byte >= '0' && byte <= '9') {
		ed->csi_number = ed->csi_number % 100 * 10 + (byte - '0');
	} else if (byte == ';') {
		ed->csi_number = 0;
	} else if (byte >= 0x40) {
		const unsigned int number = byte == '~' ? ed->csi_number : 0;

		ed->escape = ESC_NONE;
		if (byte == 't')
			set_columns(ed, ed->csi_number);
		for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
			if (byte == keys[i].final && number == keys[i].number)
				control(ed, keys[i].means);
	}
}

static enum lineedit_event finish(struct lineedit *ed)
{
	leave_line(ed, "\n");
	history_add(ed);
	ed->browsing = 0;
	return LINE_READY;
}

enum lineedit_event lineedit_feed(struct lineedit *ed, u8 byte)
{
	bool lf_of_crlf = ed->swallow_lf && byte == '\n';
	char c = (char)byte;

	ed->swallow_lf = byte == '\r';
	if (lf_of_crlf)
		return LINE_MORE;
	if (byte == ESC) {
		ed->escape = ESC_SEEN;
		return LINE_MORE;
	}
	if (ed->escape != ESC_NONE) {
		escape_byte(ed, byte);
		return LINE_MORE;
	}
	if (byte == '\r' || byte == '\n')
		return finish(ed);
	if (byte == CTRL('C')) {
		leave_line(ed, "^C\n");
		return LINE_CANCELLED;
	}
	if (byte == CTRL('D') && ed->len == 0)
		return LINE_END;
	if (byte >= 0x20 && byte != DEL)
		insert(ed, &c, 1);
	else
		control(ed, byte);
	return LINE_MORE;
}
