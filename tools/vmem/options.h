/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_OPTIONS_H
#define _VMEM_OPTIONS_H

/* The command line of the memory device. */
#include "lib/types.h"

struct options {
	const char *id;
	const char *socket, *ctl, *qmp, *events, *faults;
	u64 addr, size, block, requested; /* bytes */
	u64 wait;			  /* seconds for QEMU to connect; 0: for ever */
	u64 number;			  /* at the end of @id, 0 to 255 */
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* help was printed */
	OPTIONS_WRONG, /* one line has said what is wrong */
};

bool parse_size(const char *text, u64 *bytes);
bool parse_number(const char *text, u64 max, u64 *number);
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
