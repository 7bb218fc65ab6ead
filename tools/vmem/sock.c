/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unix socket helpers. See sock.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "sock.h"

static bool make_address(const char *path, struct sockaddr_un *addr)
{
	size_t len = strlen(path);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (len >= sizeof(addr->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(addr->sun_path, path, len);
	return true;
}

/**
 * sock_connect() - connect to a Unix socket, without waiting
 * @path: its path
 *
 * Return: a non-blocking descriptor, or -1 with errno.
 */
int sock_connect(const char *path)
{
	struct sockaddr_un addr;
	int fd;

	if (!make_address(path, &addr))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

/* Remove a socket that a killed process left; refuse any other file. */
static bool clear_path(const char *path, const char *what)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return true;
	if (!S_ISSOCK(st.st_mode)) {
		log_line("%s %s: exists and is not a socket", what, path);
		return false;
	}
	fd = sock_connect(path);
	if (fd >= 0 || errno == EAGAIN) {
		if (fd >= 0)
			close(fd);
		log_line("%s %s: another process is listening on it", what, path);
		return false;
	}
	unlink(path);
	return true;
}

/**
 * sock_listen() - listen on a Unix socket
 * @path: its path; replaces the socket of a dead process, but not of a living one
 * @what: the option that named the path, for the message
 *
 * The path exists only once clients can connect to it: QEMU's launcher waits for it.
 *
 * Return: a non-blocking descriptor, or -1 after one line that says why.
 */
int sock_listen(const char *path, const char *what)
{
	char fresh[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un addr;
	int fd;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh)) {
		log_line("%s %s: longer than %zu bytes; use a relative path", what, path,
			 sizeof(fresh) - sizeof(".new"));
		return -1;
	}
	(void)make_address(fresh, &addr);
	if (!clear_path(path, what) || !clear_path(fresh, what))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8) ||
	    rename(fresh, path)) {
		log_line("%s %s: %s", what, path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/**
 * sock_recv_fds() - receive bytes and the descriptors that came with them
 * @sock: a non-blocking socket
 * @buf: for the bytes
 * @len: how many at most
 * @fds: SOCK_MAX_FDS entries; receives close-on-exec descriptors
 * @nr_fds: set to their number
 *
 * Return: bytes, 0 at the end of the stream, -1 with errno (EAGAIN: none now).
 */
ssize_t sock_recv_fds(int sock, void *buf, size_t len, int *fds, u32 *nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SOCK_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	*nr_fds = 0;
	do {
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return got;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*nr_fds = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *nr_fds * sizeof(int));
	}
	return got;
}

/**
 * sock_send() - send a short message as a whole, without waiting
 * @sock: a stream socket
 * @buf: the message
 * @len: bytes
 *
 * Return: 0, or -1 with errno; EAGAIN if no byte was sent.
 */
int sock_send(int sock, const void *buf, size_t len)
{
	ssize_t sent;

	do {
		sent = send(sock, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)len)
		return 0;
	if (sent >= 0)
		errno = EPIPE; /* half a message: the stream is unusable now */
	return -1;
}
