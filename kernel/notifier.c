/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notifier chains. Starts have numbers, and several may be open at the same time. All
 * listeners registered at that moment heard a start that was not refused, so its end goes to
 * the listeners that were registered before the start.
 *
 * Compare with: Linux kernel/notifier.c, blocking_notifier_call_chain_robust().
 */
#include "kernel/notifier.h"
#include "kernel/printk.h"
#include "lib/errno.h"

void notifier_chain_init(struct notifier_chain *chain, const char *name)
{
	mutex_init(&chain->lock, name);
	INIT_LIST_HEAD(&chain->blocks);
	chain->starts = 0;
}

static bool is_member(struct notifier_chain *chain, const struct notifier_block *nb)
	__must_hold(chain->lock)
{
	const struct notifier_block *entry;

	list_for_each_entry(entry, &chain->blocks, link)
		if (entry == nb)
			return true;
	return false;
}

static void insert(struct notifier_chain *chain, struct notifier_block *nb)
	__must_hold(chain->lock)
{
	struct notifier_block *after;

	list_for_each_entry(after, &chain->blocks, link)
		if (after->priority < nb->priority)
			break;
	list_add_tail(&nb->link, &after->link);
}

int notifier_register(struct notifier_chain *chain, struct notifier_block *nb)
{
	int err = -EEXIST;

	mutex_lock(&chain->lock);
	if (!is_member(chain, nb)) {
		nb->since = chain->starts;
		insert(chain, nb);
		err = 0;
	}
	mutex_unlock(&chain->lock);
	return err;
}

int notifier_unregister(struct notifier_chain *chain, struct notifier_block *nb)
{
	int err = -ENOENT;

	mutex_lock(&chain->lock);
	if (is_member(chain, nb)) {
		list_del(&nb->link);
		err = 0;
	}
	mutex_unlock(&chain->lock);
	return err;
}

/* Call a listener for an event that it cannot refuse: an error causes only a warning. */
static void tell(struct notifier_block *nb, unsigned long event, void *data)
{
	static struct ratelimit_state log;
	const int err = nb->fn(nb, event, data);

	if (err != 0)
		pr_warn_ratelimited(&log,
				    "notifier of priority %d: answered %d to event %lu, "
				    "which no listener can refuse",
				    nb->priority, err, event);
}

/* Send @cancel to the listeners before @refused, the listener that has vetoed a start. */
static void cancel_start(struct notifier_chain *chain, struct notifier_block *refused,
			 unsigned long cancel, void *data) __must_hold(chain->lock)
{
	for (struct notifier_block *nb = list_prev_entry(refused, link);
	     &nb->link != &chain->blocks; nb = list_prev_entry(nb, link))
		tell(nb, cancel, data);
}

int notifier_call_start(struct notifier_chain *chain, unsigned long event,
			unsigned long cancel, void *data, struct notifier_start *start)
{
	struct notifier_block *nb;
	int err = 0;

	mutex_lock(&chain->lock);
	*start = (struct notifier_start){ .nr = ++chain->starts };
	list_for_each_entry(nb, &chain->blocks, link) {
		err = nb->fn(nb, event, data);
		if (err != 0)
			break;
	}
	if (err != 0) {
		*start = (struct notifier_start){ .veto = nb };
		cancel_start(chain, nb, cancel, data);
	}
	mutex_unlock(&chain->lock);
	return err;
}

void notifier_call_end(struct notifier_chain *chain, unsigned long event, void *data,
		       struct notifier_start *start)
{
	struct notifier_block *nb;

	mutex_lock(&chain->lock);
	list_for_each_entry(nb, &chain->blocks, link)
		if (nb->since < start->nr)
			tell(nb, event, data);
	start->nr = 0;
	mutex_unlock(&chain->lock);
}
