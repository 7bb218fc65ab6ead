/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands and their answers: see the header. */
#include "tests/console/answer.h"
#include "kernel/console/shell.h"
#include "lib/vsprintf.h"

char answer[ANSWER_BYTES];

int command(const char *format, ...)
{
	struct sink_buffer buffer;
	char line[SHELL_LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	sink_buffer_init(&buffer, answer, sizeof(answer));
	return console_run_line(line, &buffer.sink);
}
