/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reason for a failure, in words that a user can act on:
 *
 *	pfn 0x90a40 is Slab, cache kmem_cache (3 retries, 12 ms); its owner must free it
 *	cancelled, pfn 0x90a41 is pinned, type Driver, owner console (800 ms); unpin it first
 */
#include "kernel/owner_name.h"
#include "kernel/panic.h"
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/time.h"
#include "mm/descriptor.h"
#include "mm/free.h"
#include "mm/memory_hotplug.h"
#include "mm/slab.h"

#define FAILURE_TEXT_MAX 256

static const struct {
	u8 error;
	const char *name, *hint;
} reasons[] = {
#define X(name, ...) { __VA_ARGS__ },
	MM_REASONS(X)
#undef X
};

const char *mm_reason_name(enum mm_reason reason)
{
	return (unsigned int)reason < NR_MM_REASONS ? reasons[reason].name : "?";
}

const char *mm_reason_hint(enum mm_reason reason)
{
	return (unsigned int)reason < NR_MM_REASONS ? reasons[reason].hint : "?";
}

int mm_reason_errno(enum mm_reason reason)
{
	return (unsigned int)reason < NR_MM_REASONS ? -reasons[reason].error : -EBUSY;
}

int mm_fail(struct mm_failure *why, enum mm_reason reason, unsigned long pfn)
{
	*why = (struct mm_failure){ .reason = reason, .pfn = pfn };
	return mm_reason_errno(reason);
}

void mm_failure_name(struct mm *mm, struct mm_failure *why)
{
	const struct memory_owner *owner;

	if (why->detail || why->pfn == PFN_NONE)
		return;
	if (why->type == PGTY_SLAB)
		why->detail = slab_name_of(mm, why->pfn);
	if (why->type == PGTY_KERNEL || why->type == PGTY_DRIVER)
		why->detail = owner_name(why->owner);
	if (why->type != PGTY_OFFLINE)
		return;
	pfn_walk_begin();
	owner = memory_owner_of(mm, why->pfn);
	why->detail = owner ? owner->name : NULL;
	pfn_walk_end();
}

/* Is the reason a predicate ("is pinned")? The others are complete by themselves. */
static bool reason_is_predicate(enum mm_reason reason)
{
	static const char *const verbs[] = { "is ", "has ", "could ", "does ", "exists ",
					     "holds ", "shares ", "spans " };

	for (unsigned int i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_has_prefix(mm_reason_name(reason), verbs[i]))
			return true;
	return false;
}

/* Does the reason say more than the frame's type? */
static bool reason_says_more(enum mm_reason reason)
{
	return reason != MM_REASON_NONE && reason != MM_REASON_UNMOVABLE;
}

static void print_subject(const struct mm_failure *why, struct sink *out)
{
	const bool is_predicate = reason_is_predicate(why->reason);
	const bool typed = why->pfn != PFN_NONE && why->type != PGTY_NONE;
	const char *type = page_type_name(why->type);

	if (why->reason == MM_REASON_UNMOVABLE && typed)
		sink_printf(out, "pfn 0x%lx is %s", why->pfn, type);
	else if (is_predicate && why->pfn != PFN_NONE)
		sink_printf(out, "pfn 0x%lx %s", why->pfn, mm_reason_name(why->reason));
	else
		sink_printf(out, "%s%s", is_predicate ? "it " : "", mm_reason_name(why->reason));

	if (!is_predicate && typed && reason_says_more(why->cause))
		sink_printf(out, ", pfn 0x%lx %s, type %s", why->pfn, mm_reason_name(why->cause),
			    type);
	else if (!is_predicate && typed)
		sink_printf(out, ", pfn 0x%lx is %s", why->pfn, type);
	/* The reason already says that a frame is Offline. */
	else if (typed && why->reason != MM_REASON_UNMOVABLE && why->type != PGTY_OFFLINE)
		sink_printf(out, ", type %s", type);
}

static void print_detail(const struct mm_failure *why, struct sink *out)
{
	if (why->detail) {
		sink_printf(out, ", %s%s", why->type == PGTY_SLAB ? "cache " :
			    why->type != PGTY_NONE		  ? "owner " : "",
			    why->detail);
	} else if (why->owner && why->type != PGTY_OFFLINE && why->type != PGTY_PGTABLE) {
		sink_puts(out, ", owner ");
		owner_print(why->owner, out);
	}
}

/* "(3 retries, 2 pages moved, 12 ms)", without the parts that are zero. */
static void print_effort(const struct mm_failure *why, struct sink *out)
{
	const char *sep = " (";

	if (why->retries) {
		sink_printf(out, "%s%u %s", sep, why->retries,
			    why->retries == 1 ? "retry" : "retries");
		sep = ", ";
	}
	if (why->migrated) {
		sink_printf(out, "%s%lu page%s moved", sep, why->migrated,
			    str_plural(why->migrated));
		sep = ", ";
	}
	if (why->elapsed_ns >= NSEC_PER_MSEC) {
		sink_printf(out, "%s%lu ms", sep, (unsigned long)(why->elapsed_ns / NSEC_PER_MSEC));
		sep = ", ";
	}
	if (sep[0] == ',')
		sink_puts(out, ")");
}

/* The hint for the user; after a deadline or a cancel, it is about the awaited frame. */
static const char *hint_about(const struct mm_failure *why)
{
	const enum mm_reason reason = why->cause ? why->cause : why->reason;

	if (reason != MM_REASON_UNMOVABLE || why->type == PGTY_NONE || type_is_alloc(why->type))
		return mm_reason_hint(reason);
	return why->type == PGTY_MEMMAP ? mm_reason_hint(MM_REASON_METADATA) : "it is never freed";
}

void mm_failure_print(const struct mm_failure *why, struct sink *out)
{
	char text[FAILURE_TEXT_MAX];
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, sizeof(text));
	print_subject(why, &buffer.sink);
	print_detail(why, &buffer.sink);
	print_effort(why, &buffer.sink);
	sink_printf(&buffer.sink, "; %s", hint_about(why));
	sink_puts(out, text);
}

/* The reason why a chunk cannot be freed. */
static const char *unfit(const struct page_state *st, unsigned int order)
{
	if (st->type == PGTY_BUDDY || st->type == PGTY_CACHED)
		return "is free already";
	if (!type_is_alloc(st->type))
		return "was not allocated";
	if (st->flags & PG_TAIL)
		return "is the tail of a chunk";
	if (st->order != order)
		return "has another order";
	if (st->flags & PG_CLAIMED)
		return "is being moved";
	if (st->flags & PG_PINNED)
		return "is pinned";
	return "cannot be freed";
}

/**
 * bad_free() - panic, naming the frame and its state
 * @mm: memory
 * @pfn: frame that the caller tried to free
 * @order: order that the caller gave
 * @what: what is wrong with the frame; NULL if its descriptor says so
 */
void bad_free(struct mm *mm, unsigned long pfn, unsigned int order, const char *what)
{
	struct page_state st;

	if (!page_state_get(mm, pfn, &st))
		panic("%s: free of pfn 0x%lx, order %u: no online memory", mm->name, pfn,
		      order);
	panic("%s: free of pfn 0x%lx, order %u: it %s: it is %s, %sorder %u, "
	      "flags 0x%x, count %u, head 0x%lx",
	      mm->name, pfn, order, what ?: unfit(&st, order), page_type_name(st.type),
	      st.flags & PG_TAIL ? "tail, " : "", st.order, st.flags, st.count, st.head);
}
