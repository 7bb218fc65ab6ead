/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's console, for the time before the UART is mapped, and as the last resort. It
 * works with paging on and off.
 */

#include "arch.h"
#include "sbi.h"

/* One line of output; the callers of arch_early_write() serialise (console lock, panic). */
static char bounce[256];
/* After this many writes that accept no byte, the rest is dropped. */
#define MAX_STALLS 100000

static void write_bounce(size_t n)
{
	phys_addr_t pa = (unsigned long)bounce;
	unsigned int stalls = 0;
	struct sbi_ret ret;

	if ((long)pa < 0) /* paging is on */
		pa = image_to_phys(bounce);
	while (n > 0 && stalls < MAX_STALLS) {
		ret = sbi_call(SBI_DBCN, SBI_DBCN_WRITE, SBI_ARGS(n, pa));
		if (ret.error != SBI_SUCCESS)
			return;
		if (ret.value == 0)
			stalls++;
		pa += ret.value;
		n -= min(n, (size_t)ret.value);
	}
}

static void write_chars(size_t n)
{
	for (size_t i = 0; i < n; i++)
		sbi_call(SBI_LEGACY_PUTCHAR, 0, SBI_ARGS((u8)bounce[i]));
}

/*
 * Copy as much as fits, with "\r" before each "\n". Return the number of bytes taken from @s.
 */
static size_t fill_bounce(const char *s, size_t n, size_t *used)
{
	size_t in, out = 0;

	for (in = 0; in < n && out + 2 <= sizeof(bounce); in++) {
		if (s[in] == '\n')
			bounce[out++] = '\r';
		bounce[out++] = s[in];
	}
	*used = out;
	return in;
}

void arch_early_write(const char *s, size_t n)
{
	size_t taken, used;

	while (n > 0) {
		taken = fill_bounce(s, n, &used);
		s += taken;
		n -= taken;
		if (early_info.firmware_console)
			write_bounce(used);
		else
			write_chars(used);
	}
}
