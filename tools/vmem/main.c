/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ebb-vmem: the virtio-mem device that stock QEMU does not have on riscv64, as a
 * process that QEMU's generic vhost-user device talks to. This file starts it,
 * ends it, and connects its parts.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "faults.h"
#include "log.h"
#include "vmem.h"

#define VIRTIO_F_VERSION_1 32

#define NEEDED_FEATURES \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE))

static struct vmem vmem;

static void read_config(struct vhost *vhost, void *config, size_t len)
{
	struct vmem_config now;

	(void)vhost;
	/* First handle any reset that QEMU announced earlier. */
	qmp_watch_poll();
	vmem.unread = false;
	vmem_read_config(&vmem.dev, &now);
	memcpy(config, &now, min(len, sizeof(now)));
}

static void config_told(struct vhost *vhost)
{
	(void)vhost;
	vmem_show_config(&vmem.dev);
	vmem.unread = true;
}

static void config_written(struct vhost *vhost)
{
	(void)vhost;
	vmem_violation(&vmem.dev, VMEM_V_CONFIG_WRITE);
	log_limited("driver violation: a write to the configuration was ignored");
}

static void features_set(struct vhost *vhost)
{
	vmem.refused = (vhost->features & NEEDED_FEATURES) != NEEDED_FEATURES;
	if (!vmem.refused)
		return;
	vmem_violation(&vmem.dev, VMEM_V_FEATURES);
	log_limited("the driver did not accept UNPLUGGED_INACCESSIBLE and VERSION_1 "
		 "(features "
		 "%#llx): all requests are answered with ERROR",
		 (unsigned long long)vhost->features);
}

static void memory_changed(struct vhost *vhost)
{
	(void)vhost;
	region_changed(&vmem);
}

static void ring_started(struct vhost *vhost)
{
	(void)vhost;
	queue_started(&vmem);
}

static void ring_stopped(struct vhost *vhost)
{
	(void)vhost;
	queue_stopped(&vmem);
}

static void kick(struct vhost *vhost)
{
	(void)vhost;
	queue_serve(&vmem);
}

static void connected(struct vhost *vhost)
{
	(void)vhost;
	loop_timer_stop(&vmem.patience);
	qmp_watch_start(&vmem);
}

static void closed(struct vhost *vhost)
{
	(void)vhost;
	loop_stop(0);
}

static const struct vhost_ops ops = {
	.virtio_features = NEEDED_FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			   BIT(VIRTIO_RING_F_EVENT_IDX),
	.connected = connected,
	.read_config = read_config,
	.config_told = config_told,
	.config_written = config_written,
	.features_set = features_set,
	.memory_changed = memory_changed,
	.ring_started = ring_started,
	.ring_stopped = ring_stopped,
	.kick = kick,
	.closed = closed,
};

static void out_of_patience(struct loop_timer *timer)
{
	(void)timer;
	log_line("QEMU did not connect to %s within %llu s", vmem.opt.socket,
		 (unsigned long long)vmem.opt.wait);
	loop_stop(1);
}

static void signalled(struct watch *watch, short events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop_stop(0);
}

/* Watch for SIGTERM, SIGINT and SIGHUP, which end the program as the end of QEMU does. */
static int watch_signals(void)
{
	static struct watch watch;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch = (struct watch){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN,
			       signalled, NULL};
	if (watch.fd < 0) {
		log_line("signalfd: %s", strerror(errno));
		return -1;
	}
	return loop_add(&watch);
}

/*
 * Handle SIGBUS: the host cannot provide a page of guest memory (its memory is full, or the
 * file was truncated). The program cannot continue, but it says why.
 */
static void bus_error(int signal)
{
	static const char text[] =
		"ebb-vmem: guest memory cannot be read or written (is the "
		"host out of memory?)\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal;
	(void)ignored;
	unlink(vmem.opt.socket);
	unlink(vmem.opt.ctl);
	_exit(1);
}

/* Set up the device from the options; print one line if something is wrong. */
static int set_up(struct vmem *v)
{
	const char *error = vmem_geometry_error(v->opt.addr, v->opt.size, v->opt.block);

	v->dev.addr = v->opt.addr;
	v->dev.size = v->opt.size;
	v->dev.block = v->opt.block;
	if (error) {
		log_line("%s", error);
		return -1;
	}
	if (vmem_init(&v->dev, &v->host)) {
		log_line("out of memory");
		return -1;
	}
	error = vmem_size_error(&v->dev, v->opt.requested);
	if (error) {
		log_line("--requested %s", error);
		return -1;
	}
	vmem_set_requested(&v->dev, v->opt.requested);
	vmem_show_config(&v->dev);
	error = v->opt.faults ? faults_parse(v->opt.faults) : NULL;
	if (error) {
		log_line("--faults %s: %s", v->opt.faults, error);
		return -1;
	}
	return events_open(v->opt.events, (u8)v->opt.number);
}

/* Scan the memory a last time, while its files are open, and print the totals. */
static void say_goodbye(void)
{
	vmem_collect_stray(&vmem.dev, 0, vmem.dev.size);
	log_line("done: %llu bytes plugged, %llu on the host, %llu stray, %llu touched",
		 (unsigned long long)vmem.dev.plugged,
		 (unsigned long long)region_host_bytes(&vmem),
		 (unsigned long long)vmem.dev.stray,
		 (unsigned long long)vmem.dev.touched);
}

static int run(void)
{
	int status;

	if (watch_signals() || ctl_listen(&vmem))
		return 1;
	if (vhost_listen(&vmem.vhost, vmem.opt.socket)) {
		ctl_close();
		unlink(vmem.opt.ctl);
		return 1;
	}
	signal(SIGBUS, bus_error);
	vmem.patience = (struct loop_timer){0, out_of_patience, &vmem};
	if (vmem.opt.wait)
		loop_timer_set(&vmem.patience, vmem.opt.wait * 1000000000);
	status = loop_run();
	say_goodbye();
	qmp_watch_stop();
	ctl_close();
	vhost_close(&vmem.vhost);
	guest_mem_clear(&vmem.vhost.mem);
	unlink(vmem.opt.socket);
	unlink(vmem.opt.ctl);
	return status;
}

int main(int argc, char **argv)
{
	enum options_result result = options_parse(&vmem.opt, argc, argv);
	int status = 2;

	if (result != OPTIONS_RUN)
		return result == OPTIONS_DONE ? 0 : 2;
	/* Only the user may access sockets and files, whatever the shell's umask is. */
	umask(0177);
	log_set_name(vmem.opt.id);
	region_init(&vmem);
	queue_init(&vmem);
	vmem.vhost.ops = &ops;
	if (!set_up(&vmem))
		status = run();
	events_close();
	vmem_destroy(&vmem.dev);
	return status;
}
