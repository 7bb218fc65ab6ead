/* SPDX-License-Identifier: BSD-2-Clause */
/* Names a place in the code for the test runner, from the image's symbols. */
#include "lib/vsprintf.h"
#include "tests/runner/ktest_private.h"

void ktest_code_place(unsigned long pc, char *text, size_t size)
{
	unsigned long offset = 0;
	const char *name = symbol_lookup(pc, &offset);

	(void)scnprintf(text, size, "%s+0x%lx [0x%lx]", name != NULL ? name : "?", offset, pc);
}
