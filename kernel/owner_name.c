/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for owner words: see the header. */
#include "arch/thread.h"
#include "kernel/owner_name.h"
#include "kernel/sink.h"

extern const struct owner_name __start_owner_names[], __stop_owner_names[];

const char *owner_name(u64 word)
{
	const struct owner_name *n;

	for (n = __start_owner_names; n < __stop_owner_names; n++)
		if (word - n->first < n->nr)
			return n->name;
	return NULL;
}

void owner_print(u64 word, struct sink *out)
{
	const char *name = owner_name(word);
	unsigned long offset;

	if (name)
		sink_puts(out, name);
	else if ((name = symbol_lookup(word, &offset)) != NULL)
		sink_printf(out, "%s+0x%lx", name, offset);
	else if (word)
		sink_printf(out, "0x%lx", (unsigned long)word);
	else
		sink_puts(out, "the kernel, which gave it no name");
}
