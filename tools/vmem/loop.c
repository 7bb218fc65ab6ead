/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event loop over ppoll(2). See loop.h.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "loop.h"

#define MAX_WATCHES 64
#define MAX_TIMERS  8

static struct watch *watches[MAX_WATCHES];
static int nr_watches;
static struct loop_timer *timers[MAX_TIMERS];
static int nr_timers;
static bool stopping;
static int exit_status;

/**
 * loop_now() - get the monotonic time
 *
 * Return: nanoseconds.
 */
u64 loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/**
 * loop_add() - start watching a descriptor
 * @watch: must stay valid until loop_del()
 *
 * Descriptors that are ready together are served in the order of loop_add().
 *
 * Return: 0, or -1 if there are too many.
 */
int loop_add(struct watch *watch)
{
	if (nr_watches == MAX_WATCHES)
		return -1;
	watches[nr_watches++] = watch;
	return 0;
}

static int find(const struct watch *watch)
{
	for (int i = 0; i < nr_watches; i++) {
		if (watches[i] == watch)
			return i;
	}
	return -1;
}

/**
 * loop_del() - stop watching a descriptor
 * @watch: may be unwatched already
 */
void loop_del(struct watch *watch)
{
	int i = find(watch);

	if (i < 0)
		return;
	nr_watches--;
	memmove(&watches[i], &watches[i + 1],
		(size_t)(nr_watches - i) * sizeof(*watches));
}

/**
 * loop_timer_set() - start a timer, or move a running one
 * @timer: must stay valid until it has run or has been stopped
 * @ns: from now
 */
void loop_timer_set(struct loop_timer *timer, u64 ns)
{
	loop_timer_stop(timer);
	if (nr_timers == MAX_TIMERS) {
		log_line("bug: more than %d timers", MAX_TIMERS);
		return;
	}
	timer->at = loop_now() + ns;
	timers[nr_timers++] = timer;
}

/**
 * loop_timer_stop() - stop a timer
 * @timer: may be stopped already
 */
void loop_timer_stop(struct loop_timer *timer)
{
	for (int i = 0; i < nr_timers; i++) {
		if (timers[i] == timer) {
			timers[i] = timers[--nr_timers];
			break;
		}
	}
	timer->at = 0;
}

/* Set the time until the next timer is due; return false if there is no timer. */
static bool next_timeout(struct timespec *left)
{
	u64 now = loop_now(), first = UINT64_MAX, ns;

	for (int i = 0; i < nr_timers; i++)
		first = min(first, timers[i]->at);
	ns = first > now ? first - now : 0;
	*left = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	return first != UINT64_MAX;
}

static void run_timers(void)
{
	u64 now = loop_now();
	int i = 0;

	while (i < nr_timers) {
		struct loop_timer *timer = timers[i];

		if (timer->at > now) {
			i++;
			continue;
		}
		loop_timer_stop(timer);
		timer->fn(timer);
		i = 0; /* the list may have changed */
	}
}

/**
 * loop_stop() - make loop_run() return soon
 * @status: its return value; only the first call counts
 */
void loop_stop(int status)
{
	if (!stopping)
		exit_status = status;
	stopping = true;
}

/**
 * loop_run() - serve descriptors and timers until loop_stop()
 *
 * Return: the status given to loop_stop(), or 1 if ppoll(2) fails.
 */
int loop_run(void)
{
	struct pollfd fds[MAX_WATCHES];
	struct watch *served[MAX_WATCHES];
	struct timespec left;
	int nr;

	while (!stopping) {
		nr = nr_watches;
		for (int i = 0; i < nr; i++) {
			served[i] = watches[i];
			fds[i] = (struct pollfd){.fd = served[i]->fd,
						 .events = served[i]->events};
		}
		if (ppoll(fds, (nfds_t)nr, next_timeout(&left) ? &left : NULL, NULL) <
			    0 &&
		    errno != EINTR) {
			log_line("ppoll: %s", strerror(errno));
			return 1;
		}
		for (int i = 0; i < nr && !stopping; i++) {
			/* An earlier function of this round may have removed the watch. */
			if (fds[i].revents && find(served[i]) >= 0 &&
			    served[i]->fd == fds[i].fd)
				served[i]->fn(served[i], fds[i].revents);
		}
		if (!stopping)
			run_timers();
	}
	return exit_status;
}
