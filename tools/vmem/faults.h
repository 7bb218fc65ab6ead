/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_FAULTS_H
#define _VMEM_FAULTS_H

/*
 * Faults that tests inject into the device: each hits a number of requests, after letting
 * some pass.
 */
#include "lib/types.h"

/* FAULTS(X): X(NAME, "word", "what the device does to a request") */
#define FAULTS(X)                                                                      \
	X(BUSY, "busy", "answers BUSY and does nothing")                               \
	X(NACK, "nack", "answers NACK and does nothing")                               \
	X(ERROR, "error", "answers ERROR and does nothing")                            \
	X(DELAY, "delay", "answers after some milliseconds; later requests wait, too") \
	X(DROP, "drop", "takes the request and never answers")                         \
	X(GARBAGE, "garbage", "answers with an unknown type; does nothing")            \
	X(SHORT, "short", "carries it out, and reports that no byte was written")      \
	X(BADID, "bad-id", "carries it out, and returns an unknown descriptor")        \
	X(SPURIOUS, "spurious-config", "sends configuration notifications at once, for no request")

enum fault_kind {
#define X(name, word, what) FAULT_##name,
	FAULTS(X)
#undef X
	NR_FAULTS,
	FAULT_NONE = NR_FAULTS,
};

struct fault {
	enum fault_kind kind;
	u64 count; /* requests still to hit */
	u64 skip;  /* requests still to let pass */
	u64 ms;	   /* FAULT_DELAY: how long */
};

enum fault_kind faults_kind(const char *word);
const char *faults_word(enum fault_kind kind);
const char *faults_add(const struct fault *fault);
const char *faults_parse(const char *spec);
struct fault faults_next(void);
void faults_clear(void);
u64 faults_pending(void);

#endif
