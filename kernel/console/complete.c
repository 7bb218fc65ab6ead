/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion: the words that may stand where the cursor is. A command's usage line is the
 * grammar: words in lower case stand for themselves, words in capitals for the lists that
 * modules register, "[ ]" encloses what may be left out, and "|" separates alternatives.
 */
#include "kernel/console/shell.h"
#include "kernel/param.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/memory_hotplug.h"

#define WORD_BYTES 64

extern const struct word_list __start_word_lists[], __stop_word_lists[];

void print_offer(void *sink, const char *word)
{
	sink_printf(sink, " %s", word);
}

/* A completion of arguments: the command, and the function that takes the words. */
struct completion {
	const struct command *command;
	word_offer_fn offer;
	void *arg;
};

static bool is_mark(char c)
{
	return c == ' ' || c == '[' || c == ']' || c == '|' || c == '\0';
}

static size_t word_len(const char *text)
{
	size_t len = 0;

	while (!is_mark(text[len]))
		len++;
	return len;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strncmp(text, word, len) == 0 && word[len] == '\0';
}

/* Check for a word in capitals, such as PFN or FIRST-LAST; "Movable" is a literal word. */
static bool is_placeholder(const char *text)
{
	return (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'a' && text[1] <= 'z')) ||
	       (text[0] == '-' && text[1] >= 'A' && text[1] <= 'Z');
}

/*
 * Offer a word of the usage line; for a placeholder, the words of its list; for
 * NAME=VALUE, the name.
 */
static void offer_word(struct completion *c, const char *text)
{
	const struct word_list *list;
	char word[WORD_BYTES];
	size_t len = word_len(text);
	char *equals;

	while (len && text[len - 1] == '.')
		len--;
	if (!is_placeholder(text)) {
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		equals = strchr(word, '=');
		if (equals)
			equals[1] = '\0';
		c->offer(c->arg, word);
		return;
	}
	for (list = __start_word_lists; list < __stop_word_lists; list++)
		if (is_word(text, len, list->placeholder))
			list->each(c->offer, c->arg);
}

/* Find the bracket that closes the group around @p, or the end of the line. */
static const char *end_of_group(const char *p)
{
	unsigned int depth = 0;

	for (; *p && (*p != ']' || depth); p++) {
		depth += *p == '[';
		depth -= *p == ']';
	}
	return p;
}

/* Return the text after the group that the bracket at @p opens. */
static const char *skip_group(const char *p)
{
	p = end_of_group(p + 1);
	return *p ? p + 1 : p;
}

static void offer_alternatives(struct completion *c, const char *p);

/* Offer the words that the usage line allows at @p. */
static void offer_next(struct completion *c, const char *p)
{
	for (;;) {
		if (*p == '[') {
			offer_alternatives(c, p + 1);
			p = skip_group(p);
		} else if (*p == ' ' || *p == ']') {
			p++;
		} else if (*p == '|') {
			/* Skip the other alternatives; continue after them. */
			p = end_of_group(p);
		} else if (*p == '\0') {
			return;
		} else if (is_word(p, word_len(p), c->command->name)) {
			p += word_len(p);
		} else {
			break;
		}
	}
	offer_word(c, p);
	for (p += word_len(p); p[0] == '|' && !is_mark(p[1]); p += word_len(p))
		offer_word(c, ++p);
}

/* Offer the first words of each alternative, up to the bracket that closes the group. */
static void offer_alternatives(struct completion *c, const char *p)
{
	offer_next(c, p);
	while (*p && *p != ']') {
		if (*p == '[')
			p = skip_group(p);
		else if (*p++ == '|' && *p == ' ')
			offer_next(c, p);
	}
}

/* Skip a word of the usage line and its alternatives without blanks, as in "on|off". */
static const char *skip_words(const char *p)
{
	for (p += word_len(p); p[0] == '|' && !is_mark(p[1]); p += word_len(p))
		p++;
	return p;
}

/*
 * Offer the words that may follow @last, the word before the cursor. If @last is not in the
 * usage line (a number or a name), offer all words of the usage line.
 */
static void offer_after(struct completion *c, const char *last, size_t len)
{
	const char *usage = c->command->usage, *p;
	bool known = false;

	if (is_word(last, len, c->command->name)) {
		offer_alternatives(c, usage);
		return;
	}
	for (p = usage; *p; p += is_mark(*p) ? 1 : word_len(p)) {
		if (is_mark(*p) || word_len(p) != len || strncmp(p, last, len) != 0)
			continue;
		known = true;
		offer_next(c, skip_words(p));
	}
	for (p = usage + word_len(usage); *p && !known; p += is_mark(*p) ? 1 : word_len(p))
		if (!is_mark(*p) && !is_word(p, word_len(p), c->command->name))
			offer_word(c, p);
}

static void each_command(word_offer_fn offer, void *arg)
{
	const struct command *c;

	for_each_command(c)
		offer(arg, c->name);
}
WORD_LIST(COMMAND, each_command);

static void each_param(word_offer_fn offer, void *arg)
{
	const struct param *p;

	for_each_param(p)
		offer(arg, p->name);
}
WORD_LIST(PARAMETER, each_param);

static void each_block(word_offer_fn offer, void *arg)
{
	char text[24];

	for_each_memory_block(&kernel_mm, b, 0) {
		snprintf(text, sizeof(text), "%lu", b);
		offer(arg, text);
	}
}
WORD_LIST(BLOCK, each_block);

static void each_file(word_offer_fn offer, void *arg)
{
	pseudofs_complete("/", offer, arg);
}
WORD_LIST(FILE, each_file);

/* Find the start of the word that ends at @end; look no further back than @start. */
static const char *word_before(const char *start, const char *end)
{
	while (end > start && end[-1] != ' ' && end[-1] != ';')
		end--;
	return end;
}

void shell_complete(const char *line, size_t word, word_offer_fn offer, void *arg)
{
	struct completion c = { .offer = offer, .arg = arg };
	const char *start = line + word, *end = line + word, *last;
	char name[WORD_BYTES];

	while (start > line && start[-1] != ';')
		start--;
	while (*start == ' ' && start < end)
		start++;
	while (end > start && end[-1] == ' ')
		end--;
	if (end == start) {
		each_command(offer, arg);
		return;
	}
	if (line[word] == '/') {
		pseudofs_complete(line + word, offer, arg);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)word_len(start), start);
	c.command = command_find(name);
	last = word_before(start, end);
	if (c.command)
		offer_after(&c, last, end - last);
}

/* The last word of a line, and the sink for the words that begin with it. */
struct matches {
	const char *word;
	struct sink *out;
};

static void print_match(void *arg, const char *match)
{
	const struct matches *m = arg;

	if (strncmp(match, m->word, strlen(m->word)) == 0)
		sink_printf(m->out, "%s\n", match);
}

static int cmd_complete(int argc, char **argv, struct sink *out)
{
	struct matches m = { .out = out };

	if (argc != 2)
		return COMMAND_USAGE;
	m.word = word_before(argv[1], argv[1] + strlen(argv[1]));
	shell_complete(argv[1], m.word - argv[1], print_match, &m);
	return 0;
}
COMMAND(complete, "complete LINE",
	"for \"make console\": the words that Tab offers at the end of LINE",
	"complete \"trace on evac:\"", cmd_complete);
