/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three listeners of memory events, and what each of them must hear: a listener that
 * has heard a start hears exactly one end; a listener that has not hears nothing. The
 * second listener may refuse.
 */
#include "tests/model/blocks.h"
#include "tests/model/chunks.h"

#define NR_LISTENERS 3U
#define MAX_HEARD    64U

struct record_of {
	struct heard heard[MAX_HEARD];
	unsigned int nr;
};

static struct record_of real, model;
static struct refusal real_refusal;
struct refusal blocks_refusal;

static void note(struct record_of *r, unsigned int listener, unsigned long event,
		 unsigned long block)
{
	CHECK(r->nr < MAX_HEARD, "too many events");
	r->heard[r->nr++] = (struct heard){ listener, event, block };
}

/* Return the refusal's error if this is the event that the listener refuses, else 0. */
static int refuse(struct refusal *refusal, unsigned long event)
{
	if (event != refusal->event || !refusal->left || --refusal->left)
		return 0;
	return refusal->error;
}

static int listen(struct notifier_block *nb, unsigned long event, void *data);

/* In order of priority. listeners_refuse() changes the second listener's priority. */
static struct notifier_block listeners[NR_LISTENERS] = {
	{ .fn = listen, .priority = 2, .name = "first" },
	{ .fn = listen, .priority = 1, .name = "refuser" },
	{ .fn = listen, .priority = 0, .name = "last" },
};

/*
 * Check that at a start, and when an offlining is cancelled, the whole block is isolated, and
 * that at the start of an offlining no page has moved yet.
 */
static void check_block(const struct memory_notify *notify, unsigned long event)
{
	const struct mem_section *ms = pfn_to_section(notify->mm, notify->start_pfn);
	struct page_state st;

	if (event == MEM_ONLINE || event == MEM_OFFLINE || event == MEM_CANCEL_ONLINE)
		return;
	CHECK(page_state_get(notify->mm, notify->start_pfn, &st) ==
		      (event != MEM_GOING_ONLINE),
	      "event %lu: pfn %#lx", event, notify->start_pfn);
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		CHECK(ms->pb[b].word & PB_ISOLATE, "event %lu: pageblock %u", event, b);
	for (unsigned int i = 0; i < nr_chunks && event == MEM_GOING_OFFLINE; i++)
		CHECK(chunks[i].kind != FM_SLOT ||
			      slots[chunks[i].slot].pfn == chunks[i].pfn,
		      "moved from %#lx too early", chunks[i].pfn);
}

static int listen(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct memory_notify *notify = data;
	const unsigned int listener = nb - listeners;

	check_block(notify, event);
	CHECK(notify->mm == fm.mm && notify->nr_pages == PAGES_PER_SECTION, "event %lu",
	      event);
	note(&real, listener, event, fm_section(notify->start_pfn));
	return listener == 1 ? refuse(&real_refusal, event) : 0;
}

void listeners_setup(void)
{
	real.nr = model.nr = 0;
	for (unsigned int i = 0; i < NR_LISTENERS; i++)
		CHECK(register_memory_notifier(fm.mm, &listeners[i]) == 0, "listener %u",
		      i);
}

void listeners_refuse(struct refusal refusal)
{
	unregister_memory_notifier(fm.mm, &listeners[1]);
	listeners[1].priority = 3 - 2 * (int)refusal.place;
	CHECK(register_memory_notifier(fm.mm, &listeners[1]) == 0, "refuser");
	blocks_refusal = real_refusal = refusal;
}

/* Return the index of the listener that is the @i-th to hear an event, counted from 0. */
static unsigned int listener_at(unsigned int i)
{
	static const u8 order[3][NR_LISTENERS] = { { 1, 0, 2 },
						   { 0, 1, 2 },
						   { 0, 2, 1 } };

	return order[blocks_refusal.place][i];
}

static int hears(unsigned int listener, unsigned long event, unsigned long n)
{
	note(&model, listener, event, n);
	return listener == 1 ? refuse(&blocks_refusal, event) : 0;
}

bool listeners_refuse_nth(enum mem_event event, unsigned int nth)
{
	return event == blocks_refusal.event && blocks_refusal.left == nth + 1;
}

int model_start(enum mem_event going, enum mem_event cancel, unsigned long n)
{
	for (unsigned int i = 0; i < NR_LISTENERS; i++) {
		const int err = hears(listener_at(i), going, n);

		if (!err)
			continue;
		while (i--)
			(void)hears(listener_at(i), cancel, n);
		return err;
	}
	return 0;
}

void model_end(enum mem_event end, unsigned long n)
{
	for (unsigned int i = 0; i < NR_LISTENERS; i++)
		(void)hears(listener_at(i), end, n);
}

void listeners_check(void)
{
	for (unsigned int i = 0; i < max(real.nr, model.nr); i++) {
		const struct heard *r = &real.heard[i], *m = &model.heard[i];

		CHECK(i < real.nr && i < model.nr && r->listener == m->listener &&
			      r->event == m->event && r->block == m->block,
		      "event %u of %u (model: of %u): %u heard %u of block %u; model: %u "
		      "%u %u",
		      i, real.nr, model.nr, r->listener, r->event, r->block, m->listener, m->event,
		      m->block);
	}
	real.nr = model.nr = 0;
}

bool listeners_were_asked(unsigned long n)
{
	for (unsigned int i = 0; i < real.nr; i++)
		if (real.heard[i].event == MEM_GOING_OFFLINE && real.heard[i].block == n)
			return true;
	return false;
}
