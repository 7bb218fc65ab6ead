/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each trace_emit() of mm/ that records a new state of frames, pageblocks or blocks is
 * needed: without its records the corpus does not replay. The test mutes each call in a
 * separate process, in which a check must find the difference and abort.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/trace/trace.h"
#include "tests/fuzz/fuzz.h"

static bool says_state(const struct trace_site *site)
{
	return site->event <= TRACE_BLOCK_STATE;
}

/* Run the corpus in a child process, without the records of one call. */
static void run_muted(unsigned long nr)
{
	if (!freopen("/dev/null", "w", stderr) || trace_mute(nr, TRACE_OFF))
		_exit(2);
	fuzz_run_corpus();
	_exit(__start_trace_sites[nr].reached ? 0 : 1);
}

static bool is_noticed(unsigned long nr)
{
	static const char *const words[] = { "not noticed", "not reached",
					     "cannot be muted" };
	const struct trace_site *site = &__start_trace_sites[nr];
	const pid_t child = fork();
	int status = 0;
	bool noticed;

	if (child == 0)
		run_muted(nr);
	CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
	noticed = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	printf("    # %2lu %s:%u %s\n", nr, site->file, site->line,
	       noticed					      ? "noticed"
	       : WIFEXITED(status) && WEXITSTATUS(status) < 3 ? words[WEXITSTATUS(status)]
							      : "ended otherwise");
	return noticed;
}

static bool each_emit_call_is_needed(void)
{
	bool all = true;

	fflush(stdout);
	for (unsigned long nr = 0; &__start_trace_sites[nr] < __stop_trace_sites; nr++)
		if (says_state(&__start_trace_sites[nr]))
			all &= is_noticed(nr);
	return all;
}

const struct fuzz_case fuzz_cases[] = {
	{ "each_emit_call_is_needed", each_emit_call_is_needed },
	{ 0 },
};
