/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_VERSION_H
#define _KERNEL_VERSION_H

/* MAJOR.MINOR.PATCH; CHANGELOG.md begins with it. The first line of a boot shows it. */
#define EBB_VERSION "0.9.0"

#endif
