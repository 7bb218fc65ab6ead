/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_REQUEST_H
#define _TESTS_MODEL_REQUEST_H

/*
 * Requests to mm/. predict() says before a request is made how it ends: errno, reason and
 * frame. request_make() makes the request, compares, and then follows it in the model. The
 * model follows only requests that succeed, so a request that fails must change nothing.
 *
 * A few failures depend on more than the layout: a page in use, a copy that fails, no free
 * chunk, a caller that cancels. The model accepts such a failure where the request could
 * meet it, and checks that its cause is there.
 */
#include "tests/model/frames.h"

struct request_kind;

/**
 * struct request - one request
 * @kind: which function of mm/ is called
 * @range: frames, of requests on frames
 * @block: blocks, by their number in the model, of requests on blocks
 * @nr: how many of them
 * @owner: number of the owner that adds memory or registers
 * @plugged: of an add: bit b: pageblock b is memory
 * @type: the online type of an add or an onlining
 * @policy: of requests that empty frames; those on blocks take its limits
 */
struct request {
	const struct request_kind *kind;
	struct pfn_range range;
	unsigned long block[FM_SECTIONS];
	unsigned int nr;
	unsigned int owner;
	u64 plugged;
	enum mhp_online_type type;
	struct evacuate_policy policy;
};

/**
 * struct request_kind - how the requests of a kind are predicted, made and followed
 * @name: for messages
 * @predict: predicts the end, and changes nothing in the model
 * @make: calls mm/
 * @otherwise: may the request fail like this for a cause that the layout does not show,
 * against the verdict? NULL: only if the move of a page can fail like this
 * @follow: makes the same change in the model, if the request has succeeded
 * @fail: follows what the listeners heard, if the request has failed; NULL: nothing
 */
struct request_kind {
	const char *name;
	struct verdict (*predict)(const struct request *rq);
	int (*make)(const struct request *rq, struct mm_failure *why);
	bool (*otherwise)(const struct request *rq, const struct verdict *v,
			  const struct mm_failure *why);
	void (*follow)(const struct request *rq);
	void (*fail)(const struct request *rq, const struct verdict *v);
};

extern const struct request_kind alloc_at_request, isolate_request, contig_request,
	compact_request;

/* Predict how a request that is made now ends. */
struct verdict predict(const struct request *rq);

/* Make a request, check that it ends as predicted, and follow it. Return: its errno. */
int request_make(const struct request *rq);

/* --- wrong predictions ----------------------------------------------------- */

/*
 * A lie is a wrong prediction on purpose, or a change that the model does not follow:
 * the checks must notice each of them.
 */
enum lie {
	LIE_NONE,
	LIE_END,    /* a request that succeeds is predicted to fail */
	LIE_REASON, /* a request fails for another reason */
	LIE_PFN,    /* a request fails at the next frame */
	LIE_FORGET, /* the model does not follow a request that succeeds */
	NR_LIES
};

/**
 * struct liar - a planted mistake of the model, which the checks must find
 * @kind: the model lies about the first request of this kind that the lie fits
 * @lie: the kind of lie
 * @told: the model has told the lie
 */
struct liar {
	const struct request_kind *kind;
	enum lie lie;
	bool told;
};

extern struct liar liar;

/* --- pages that move ------------------------------------------------------- */

/* Let steps make copies of movable pages fail from now on: no other suite may move any. */
void frame_copies_may_fail(void);

/* Choose a policy; a request with it is cancelled at some point, or never. */
struct evacuate_policy frame_policy(struct choices *c);
bool frame_was_cancelled(void);

/*
 * Follow the movable pages after an evacuation. Only pages in fm.target may have moved; with
 * @all_emptied, they must have moved out of it, into a zone with enough memory left.
 */
void frame_follow_slots(bool all_emptied);

#endif
