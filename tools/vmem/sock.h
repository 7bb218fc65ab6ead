/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_SOCK_H
#define _VMEM_SOCK_H

/*
 * Unix sockets: listening without replacing a living process's socket, connecting, and
 * messages that carry descriptors.
 */
#include <sys/types.h>

#include "lib/types.h"

/* Descriptors in one message: a memory table has up to eight. */
#define SOCK_MAX_FDS 8

int sock_listen(const char *path, const char *what);
int sock_connect(const char *path);
ssize_t sock_recv_fds(int sock, void *buf, size_t len, int *fds, u32 *nr_fds);
int sock_send(int sock, const void *buf, size_t len);

#endif
