/* SPDX-License-Identifier: BSD-2-Clause */
/* Search the kernel's log as printk_dump() prints it; see the header. */
#include "tests/kernel/log.h"
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "lib/string.h"

#define LOG_MARK "from here on the log is counted"

/* Words to look for; the last @matched bytes of the text are their beginning. */
struct pattern {
	const char *words;
	size_t matched;
};

struct search {
	struct sink sink;
	struct pattern words, mark;
	unsigned int nr;
};

/* Take the next byte of the text, and return true if it completes the words. */
static bool ends(struct pattern *p, char c)
{
	const char *w = p->words;
	size_t n = p->matched + 1;

	/* Find the longest beginning of the words that ends with this byte. */
	while (n && (w[n - 1] != c || memcmp(w, w + p->matched + 1 - n, n - 1) != 0))
		n--;
	p->matched = w[n] ? n : 0;
	return !w[n];
}

static void look(struct sink *sink, const char *text, size_t len)
{
	struct search *s = container_of(sink, struct search, sink);

	for (; len; len--, text++) {
		s->nr += ends(&s->words, *text);
		if (ends(&s->mark, *text))
			s->nr = 0;
	}
}

void log_mark(void)
{
	printk("%s\n", LOG_MARK);
}

unsigned int times_logged(const char *words)
{
	struct search s = { .sink.write = look,
			    .words.words = words,
			    .mark.words = LOG_MARK };

	printk_dump(&s.sink);
	return s.nr;
}
