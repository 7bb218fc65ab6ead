/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs sessions one after another, each in its own process, so a failure does not end the
 * program. From a failing list of steps, the program removes each step without which the
 * rest still fails in the same way. It prints and keeps the remaining list.
 *
 *	fuzz_console [seconds=60] [seed=N] [steps=N] [sessions=N] [logs=DIR] | list=FILE
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/console/console.h"

#define REPORT_BYTES   4096
#define SHRINK_SECONDS 60
#define MOST_PRINTED   100
#define ORDERS_TO_TRY	8  /* orders of turns to try with each shorter list */
#define ORDERS_OF_ENDS	48 /* the same for the end of a list alone, which runs fast */
#define SHORTEST_END	8

static const char *const actors[NR_ACTORS] = { "terminal", "port", "device", "driver" };
static const char *const meetings[] = { "", "+", "-" }; /* enum meeting */

static unsigned long seconds = 60, nr_steps = 1000, nr_sessions = ~0UL;
static unsigned long first_seed;
static const char *logs = ".", *list_file, *program;

static struct progress *progress;

struct list {
	unsigned int nr;
	u64 turns;
	struct step step[MAX_STEPS];
};

/*
 * The way a session ended; empty if all is well. @kind has no numbers, because they differ
 * from run to run.
 */
struct verdict {
	char line[200], kind[200];
};

/* --- one session ------------------------------------------------------------------ */

static bool says_why(const char *line)
{
	static const char *const words[] = { "Kernel panic",  "ERROR: AddressSanitizer",
					     "runtime error", "mm check:",
					     "mm_check:",     "did not say why",
					     "broke",	      "every thread sleeps",
					     "no device" };

	for (unsigned int i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(line, words[i]) && !strstr(line, "---[ end"))
			return true;
	return false;
}

/* Set the verdict from a line of the log. The kind of failure is the line without numbers. */
static void set_verdict(struct verdict *v, const char *line)
{
	char *to = v->kind;
	const char *from =
		strstr(line, "Kernel panic") ? strstr(line, "Kernel panic") : line;

	snprintf(v->line, sizeof(v->line), "%.*s", (int)strcspn(from, "\n"), from);
	for (from = v->line; *from; from++) {
		if (from[0] == '0' && from[1] == 'x')
			from += 2 + strspn(from + 2, "0123456789abcdef");
		from += strspn(from, "0123456789");
		if (!*from)
			break;
		*to++ = *from;
	}
	*to = '\0';
}

static void read_verdict(struct verdict *v, const char *path, int status)
{
	FILE *file = fopen(path, "r");
	char line[REPORT_BYTES];

	*v = (struct verdict){ 0 };
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		fclose(file);
		return;
	}
	while (!v->line[0] && fgets(line, sizeof(line), file))
		if (says_why(line))
			set_verdict(v, line);
	fclose(file);
	if (v->line[0])
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		set_verdict(v, "it did not end");
	else
		set_verdict(v,
			    WIFSIGNALED(status) ? "it died of a signal" : "it gave up");
}

static struct verdict play(const struct list *list)
{
	char path[300];
	struct verdict v;
	int status, fd;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/session.log", logs);
	memset(progress, 0, sizeof(*progress));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
			_exit(3);
		run_session(list->step, list->nr, list->turns, progress);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fuzz_console");
		exit(3);
	}
	read_verdict(&v, path, status);
	return v;
}

/* --- shorter lists ------------------------------------------------------------------ */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* If the list fails in the same way without steps [from, to), leave them out. */
static bool leave_out(struct list *list, unsigned int from, unsigned int to, const char *kind,
		      unsigned int orders)
{
	static struct list shorter;

	shorter.nr = 0;
	for (unsigned int i = 0; i < list->nr; i++)
		if (i < from || i >= to)
			shorter.step[shorter.nr++] = list->step[i];
	for (unsigned int n = 0; n < orders; n++) {
		shorter.turns = (list->turns & ~0xffUL) | ((list->turns + n) & 0xff);
		if (strcmp(play(&shorter).kind, kind) == 0) {
			*list = shorter;
			return true;
		}
	}
	return false;
}

/*
 * Leave out the steps that never began. Then try the last few steps alone, with other
 * orders of turns; then leave out ever smaller parts.
 */
static void shrink(struct list *list, const char *kind)
{
	const double end = now() + SHRINK_SECONDS;
	unsigned int last = 0;

	for (unsigned int i = 0; i < list->nr; i++)
		last = progress->begun[i] ? i + 1 : last;
	(void)leave_out(list, last, list->nr, kind, 1);
	for (unsigned int end_nr = SHORTEST_END; end_nr < list->nr && now() < end; end_nr *= 2)
		if (leave_out(list, 0, list->nr - end_nr, kind, ORDERS_OF_ENDS))
			break;
	for (unsigned int part = (list->nr + 1) / 2; part; part /= 2)
		for (unsigned int i = 0; i < list->nr && now() < end;)
			if (!leave_out(list, i, i + part < list->nr ? i + part : list->nr, kind,
				       ORDERS_TO_TRY))
				i += part;
}

static void keep(const struct list *list, const char *path)
{
	FILE *file = fopen(path, "w");

	if (file == NULL) {
		perror(path);
		return;
	}
	fprintf(file, "turns %lu\n", (unsigned long)list->turns);
	for (unsigned int i = 0; i < list->nr; i++)
		fprintf(file, "%s%s %s\n", actors[list->step[i].actor],
			meetings[list->step[i].meets], list->step[i].line);
	fclose(file);
}

/* Print only the last steps of a long list; the file has all of them. */
static void print_steps(const struct list *list)
{
	static const char *const ends[] = { "  (not begun)", "  (did not end)", "" };
	const unsigned int first = list->nr > MOST_PRINTED ? list->nr - MOST_PRINTED : 0;

	for (unsigned int i = first; i < list->nr; i++)
		printf("  %-9s%s %s%s\n", actors[list->step[i].actor],
		       list->step[i].meets ? "*" : " ",
		       progress->begun[i] ? progress->line[i] : list->step[i].line,
		       ends[progress->begun[i]]);
}

static void report(struct list *list, unsigned long seed, unsigned long before)
{
	struct verdict v = play(list);
	char path[300];

	printf("seed %lu: %s\n", seed, v.line[0] ? v.line : "not a second time");
	printf("found after %lu commands, in a list of %u; looking for a shorter one\n",
	       before + progress->done, list->nr);
	fflush(stdout);
	if (v.line[0])
		shrink(list, v.kind);
	v = play(list);
	snprintf(path, sizeof(path), "%s/seed-%lu.list", logs, seed);
	keep(list, path);
	printf("%u steps: %s\n", list->nr, v.line);
	print_steps(list);
	printf("again: %s list=%s\n", program, path);
}

/* --- the program -------------------------------------------------------------------- */

static bool read_list(struct list *list)
{
	FILE *file = fopen(list_file, "r");
	char line[STEP_BYTES + 16];

	if (file == NULL || fscanf(file, "turns %lu\n", &list->turns) != 1)
		return false;
	while (list->nr < MAX_STEPS && fgets(line, sizeof(line), file)) {
		struct step *s = &list->step[list->nr++];
		char *text = strchr(line, ' ');

		if (text == NULL)
			return false;
		s->meets = text[-1] == '+'   ? MEETS_NEXT
			   : text[-1] == '-' ? MEETS_LAST
					     : MEETS_NOBODY;
		text[s->meets ? -1 : 0] = '\0';
		text++;
		text[strcspn(text, "\n")] = '\0';
		snprintf(s->line, sizeof(s->line), "%s", text);
		while (s->actor < NR_ACTORS && strcmp(line, actors[s->actor]))
			s->actor++;
		if (s->actor == NR_ACTORS)
			return false;
	}
	fclose(file);
	return true;
}

static int play_list(void)
{
	static struct list list;
	struct verdict v;

	if (!read_list(&list)) {
		fprintf(stderr, "fuzz_console: %s is no list of steps\n", list_file);
		return 3;
	}
	v = play(&list);
	print_steps(&list);
	printf("%s\n", v.line[0] ? v.line : "all is well");
	return v.line[0] != 0;
}

static int fuzz(void)
{
	const double end = now() + seconds;
	static struct list list;
	unsigned long total = 0, n;

	for (n = 0; n < nr_sessions && now() < end; n++) {
		list.turns = (first_seed + n) << 8;
		list.nr = make_steps(first_seed + n, list.step, nr_steps);
		if (play(&list).line[0]) {
			report(&list, first_seed + n, total);
			return 1;
		}
		total += progress->done;
	}
	printf("Done %lu runs, seeds %lu to %lu, %lu commands\n", n, first_seed,
	       first_seed + n - 1, total);
	return 0;
}

static bool option(const char *word)
{
	static const struct {
		const char *name;
		unsigned long *value;
	} numbers[] = {
		{ "seconds=", &seconds },
		{ "seed=", &first_seed },
		{ "steps=", &nr_steps },
		{ "sessions=", &nr_sessions },
	};

	if (strncmp(word, "logs=", 5) == 0)
		logs = word + 5;
	else if (strncmp(word, "list=", 5) == 0)
		list_file = word + 5;
	else
		for (unsigned int i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
			if (strncmp(word, numbers[i].name, strlen(numbers[i].name)) ==
			    0) {
				*numbers[i].value =
					strtoul(strchr(word, '=') + 1, NULL, 0);
				return true;
			}
	return logs == word + 5 || list_file == word + 5;
}

int main(int argc, char **argv)
{
	program = argv[0];
	first_seed = (unsigned long)time(NULL);
	for (int i = 1; i < argc; i++)
		if (!option(argv[i]) || nr_steps > MAX_STEPS) {
			fprintf(stderr, "fuzz_console: what is %s?\n", argv[i]);
			return 3;
		}
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED) {
		perror("fuzz_console");
		return 3;
	}
	return list_file ? play_list() : fuzz();
}
