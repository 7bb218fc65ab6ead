/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock-order checker: see kernel/lock_order.h.
 *
 * struct thread has a stack of the locks that the thread holds. An interrupt handler pushes
 * its locks on top of those of the thread that it interrupts. Taking a lock adds an edge to
 * this lock from the most recently taken lock of its kind (mutex or spinlock). Edges from
 * locks further down the stack are implied, because each of those already has an edge to the
 * next. A trylock adds no edge, so if the most recent lock was taken by trylock, the lock
 * before it gets an edge to the new lock, too.
 *
 * The table of edges is small and only grows. A new edge is an inversion if it closes a cycle,
 * which a plain transitive closure over the table finds. This search runs only once for each
 * pair of classes: @known has a bit for each pair that was checked, and is read without a
 * lock. graph_lock protects all changes.
 *
 * Compare with: Linux kernel/locking/lockdep.c.
 */
#include "arch/machine.h"
#include "arch/thread.h"
#include "kernel/lock_order.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define MAX_CLASSES 128
#define MAX_EDGES   256

enum {
	CLASS_NEW,
	CLASS_INTERRUPT,
	CLASS_NONE = MAX_CLASSES
};

bool lock_check __attribute__((weak)); /* tests/runner/lock_check_on.c */
PARAM_BOOL("lock_check", lock_check, "warn about locks that are taken in two orders");

bool lock_order_on = true;

static spinlock_t graph_lock = { .owner = 0, .name = "lock order" }; /* not checked */
static struct {
	const char *name;
	bool sleeps;
} classes[MAX_CLASSES];
static u32 nr_classes = CLASS_INTERRUPT + 1;
static struct lock_edge edges[MAX_EDGES];
static u32 nr_edges;
static u64 known[MAX_CLASSES][MAX_CLASSES / 64]; /* bits of edges and of inversions */

void lock_order_boot(void)
{
	lock_order_on = lock_check;
}

const char *lock_order_name(u32 class)
{
	return class == CLASS_INTERRUPT ? LOCK_INTERRUPT : classes[class].name;
}

const struct lock_edge *lock_order_edge(u32 nr)
{
	/* Pairs with the release in see_edge(). */
	return nr < __atomic_load_n(&nr_edges, __ATOMIC_ACQUIRE) ? &edges[nr] : NULL;
}

static void say_full(const char *what)
{
	static u32 said;

	if (__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED) == 0)
		pr_warn("lock order: too many %s: some locks are not checked", what);
}

/* Find or add the class of a name. Return: CLASS_NONE if the table is full. */
static u32 find_class(const char *name, bool sleeps)
{
	const unsigned long flags = spin_lock_irqsave(&graph_lock);
	u32 nr = CLASS_INTERRUPT + 1;

	while (nr < nr_classes &&
	       (classes[nr].sleeps != sleeps || strcmp(classes[nr].name, name) != 0))
		nr++;
	if (nr == nr_classes && nr < MAX_CLASSES) {
		classes[nr].name = name;
		classes[nr].sleeps = sleeps;
		nr_classes++;
	}
	spin_unlock_irqrestore(&graph_lock, flags);
	if (nr == CLASS_NONE)
		say_full("names");
	return nr;
}

/* Find a path from class @from to class @to. Return: its first edge, or NULL. */
static const struct lock_edge *find_way(u32 from, u32 to) __must_hold(graph_lock)
{
	u16 first[MAX_CLASSES] = {}; /* 1 + the edge that a path to the class starts with */
	bool more = true;

	while (more && first[to] == 0) {
		more = false;
		for (u32 i = 0; i < nr_edges; i++) {
			const struct lock_edge *e = &edges[i];

			if (first[e->inner] != 0 ||
			    (e->outer != from && first[e->outer] == 0))
				continue;
			first[e->inner] = e->outer == from ? i + 1 : first[e->outer];
			more = true;
		}
	}
	return first[to] != 0 ? &edges[first[to] - 1] : NULL;
}

/*
 * Print a return address. Look up the byte before it: the call may be the function's last
 * instruction.
 */
static size_t format_place(char *text, size_t size, const void *place)
{
	unsigned long offset;
	const char *name = symbol_lookup((unsigned long)place - 1, &offset);

	return name ? scnprintf(text, size, "%s+%#lx", name, offset + 1)
		    : scnprintf(text, size, "%#lx", (unsigned long)place);
}

size_t lock_order_format(char *text, size_t size, const struct lock_edge *edge)
{
	size_t len =
		scnprintf(text, size, "%s -> %s (held since ",
			  lock_order_name(edge->outer), lock_order_name(edge->inner));

	len += format_place(text + len, size - len, edge->held_at);
	len += scnprintf(text + len, size - len, ", taken at ");
	len += format_place(text + len, size - len, edge->taken_at);
	return len + scnprintf(text + len, size - len, ")");
}

/*
 * Report that @edge closes a cycle; @back is the first edge of the rest of the cycle, or NULL
 * if there is no other.
 */
static void report(const struct lock_edge *edge, const struct lock_edge *back)
{
	static struct ratelimit_state said;
	char text[320];
	size_t len = scnprintf(text, sizeof(text), "lock order: ");

	if (!ratelimit(&said, "lock order: "))
		return;
	len += lock_order_format(text + len, sizeof(text) - len, edge);
	len += scnprintf(text + len, sizeof(text) - len,
			 back ? " contradicts " : ": two of a kind");
	if (back)
		len += lock_order_format(text + len, sizeof(text) - len, back);
	if (back && back->inner != edge->outer)
		(void)scnprintf(text + len, sizeof(text) - len, ", which leads to %s",
				lock_order_name(edge->outer));
	warn_report(__FILE__, __LINE__, text);
}

/*
 * Note that @inner is taken with @outer held: add a new edge to the graph, or report an
 * inversion.
 */
static void see_edge(const struct lock_held *outer, const struct lock_held *inner)
{
	const struct lock_edge edge = { outer->class, inner->class, outer->place,
					inner->place };
	u64 *const bits = &known[edge.outer][edge.inner / 64];
	const u64 bit = 1ULL << edge.inner % 64;
	const struct lock_edge *back;
	unsigned long flags;
	bool circle;

	if (likely(READ_ONCE(*bits) & bit))
		return;
	flags = spin_lock_irqsave(&graph_lock);
	back = find_way(edge.inner, edge.outer);
	circle = !(*bits & bit) && (back || edge.inner == edge.outer);
	if (!(*bits & bit) && !circle && nr_edges < MAX_EDGES) {
		edges[nr_edges] = edge;
		STORE_RELEASE(nr_edges, nr_edges + 1);
	}
	WRITE_ONCE(*bits, *bits | bit);
	spin_unlock_irqrestore(&graph_lock, flags);
	if (circle)
		report(&edge, back);
	if (READ_ONCE(nr_edges) == MAX_EDGES)
		say_full("pairs");
}

/* Add all edges that taking @taken causes. */
static void see_edges(const struct thread *self, const struct lock_held *taken,
		      bool irqs_on)
{
	const struct lock_held interrupt = { .class = CLASS_INTERRUPT,
					     .place = taken->place };
	bool waits = !(taken->how & LOCK_TRIED);

	if (irqs_on && !(taken->how & LOCK_SLEEPS))
		see_edge(taken, &interrupt);
	for (u32 i = self->nr_held; waits && i-- > 0;) {
		const struct lock_held *outer = &self->held[i];

		if (outer->in_handler != taken->in_handler)
			break;
		if ((outer->how ^ taken->how) & LOCK_SLEEPS)
			continue;
		see_edge(outer, taken);
		waits = outer->how & LOCK_TRIED;
	}
	if (waits && taken->in_handler)
		see_edge(&interrupt, taken);
}

void lock_order_acquire(u32 *class, const char *name, u32 how, const void *place)
{
	struct thread *const self = current_thread();
	struct lock_held taken = { 0, how, this_hart()->irq_depth != 0, place };
	unsigned long flags;

	if (!lock_order_on || self == NULL)
		return;
	if (READ_ONCE(*class) == CLASS_NEW)
		WRITE_ONCE(*class, find_class(name, how & LOCK_SLEEPS));
	taken.class = READ_ONCE(*class);
	if (taken.class == CLASS_NONE)
		return;
	see_edges(self, &taken, arch_irqs_enabled());
	/* Mask interrupts: a handler pushes on the same stack of held locks. */
	flags = arch_irq_save();
	if (self->nr_held < LOCK_MAX_HELD)
		self->held[self->nr_held++] = taken;
	else
		say_full("locks held");
	arch_irq_restore(flags);
}

void lock_order_release(u32 class)
{
	struct thread *const self = current_thread();
	unsigned long flags;
	u32 i;

	if (!lock_order_on || self == NULL)
		return;
	flags = arch_irq_save();
	i = self->nr_held;
	while (i > 0 && self->held[i - 1].class != class)
		i--;
	if (i > 0) {
		self->nr_held--;
		for (; i <= self->nr_held; i++)
			self->held[i - 1] = self->held[i];
	}
	arch_irq_restore(flags);
}
