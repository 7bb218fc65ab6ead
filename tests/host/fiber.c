/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks and context switches of kernel threads on the host: ucontext, with the
 * calls that tell the sanitizers which stack is in use.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/thread.h"
#include "host.h"
#include "kernel/hart.h"
#include "kernel/sched.h"
#include "kernel/sink.h"
#include "tests/runner/ktest_private.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define HAVE_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
#endif
#endif
#if defined(HAVE_ASAN) || defined(HAVE_TSAN)
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HAVE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Sanitizers need large frames. */
#define STACK_BYTES (512 * 1024UL)
#define GUARD_BYTES 4096UL

/* The object to which sp in struct arch_context points. */
struct fiber {
	ucontext_t context;
	void *stack; /* lowest address */
	size_t stack_bytes;
	void *fake_stack;   /* ASan's */
	void *tsan_fiber;   /* TSan's; NULL: none yet */
	void (*fn)(void *); /* entry function */
	void *arg;
};

static struct fiber boot_fibers[MAX_HARTS]; /* the harts' own host threads */
static struct fiber *running[MAX_HARTS];    /* NULL: the boot fiber, not used yet */

/* Free stacks, linked through their first word; under stack_lock. */
static void *free_stacks;
static DEFINE_SPINLOCK(stack_lock);

void *stack_get(void)
{
	char *stack;

	spin_lock(&stack_lock);
	stack = free_stacks;
	if (stack != NULL)
		free_stacks = *(void **)stack;
	spin_unlock(&stack_lock);
	if (stack != NULL)
		return stack;
	stack = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return NULL;
	if (mprotect(stack + GUARD_BYTES, STACK_BYTES, PROT_READ | PROT_WRITE) != 0)
		return NULL;
	return stack + GUARD_BYTES;
}

void stack_put(void *stack)
{
	if (stack == NULL)
		return;
	spin_lock(&stack_lock);
	*(void **)stack = free_stacks;
	free_stacks = stack;
	spin_unlock(&stack_lock);
}

/* Return the fiber of a stack: it lies at the upper end of the stack. */
static struct fiber *fiber_on(void *stack)
{
	return (struct fiber *)((char *)stack + STACK_BYTES) - 1;
}

/* Set up the boot fiber, at the first switch away from a host thread's own stack. */
static struct fiber *boot_fiber(unsigned int id)
{
	struct fiber *fiber = &boot_fibers[id];
	pthread_attr_t attr;

	if (pthread_getattr_np(pthread_self(), &attr) != 0 ||
	    pthread_attr_getstack(&attr, &fiber->stack, &fiber->stack_bytes) != 0)
		abort();
	pthread_attr_destroy(&attr);
#ifdef HAVE_TSAN
	fiber->tsan_fiber = __tsan_get_current_fiber();
#endif
	return fiber;
}

/* Return the fiber that runs on this hart now. */
static struct fiber *running_here(void)
{
	const unsigned int id = this_hart()->id;

	return running[id] != NULL ? running[id] : boot_fiber(id);
}

static void after_switch(struct fiber *self)
{
	(void)self;
#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
}

static void fiber_main(unsigned int high, unsigned int low)
{
	struct fiber *self = (struct fiber *)((unsigned long)high << 32 | low);

	after_switch(self);
	self->fn(self->arg);
	abort();
}

void arch_context_init(struct arch_context *ctx, void *stack, void (*fn)(void *),
		       void *arg)
{
	struct fiber *fiber = fiber_on(stack);
	const unsigned long address = (unsigned long)fiber;

	arch_unpoison_range(stack, STACK_BYTES);
#ifdef HAVE_TSAN
	/* The previous fiber on this stack has ended, or will never run again. */
	if (fiber->tsan_fiber != NULL)
		__tsan_destroy_fiber(fiber->tsan_fiber);
#endif
	*fiber = (struct fiber){
		.stack = stack,
		.stack_bytes = STACK_BYTES - sizeof(*fiber),
		.fn = fn,
		.arg = arg,
	};
#ifdef HAVE_TSAN
	fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
	if (getcontext(&fiber->context) != 0)
		abort();
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = fiber->stack_bytes;
	makecontext(&fiber->context, (void (*)(void))fiber_main, 2,
		    (unsigned int)(address >> 32), (unsigned int)address);
	/* At each switch, ASan's swapcontext() would clear the shadow of a stack set here. */
	fiber->context.uc_stack = (stack_t){ 0 };
	ctx->sp = address;
}

static void switch_fiber(struct fiber *from, struct fiber *to)
{
#ifdef HAVE_ASAN
	__sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_bytes);
#endif
#ifdef HAVE_TSAN
	__tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
	if (swapcontext(&from->context, &to->context) != 0)
		abort();
	after_switch(from);
}

void arch_switch_to(struct arch_context *prev, struct arch_context *next)
{
	struct fiber *from = running_here();
	struct fiber *to = (struct fiber *)next->sp;

	prev->sp = (unsigned long)from;
	running[this_hart()->id] = to;
	switch_fiber(from, to);
}

bool host_make_stack(unsigned int hart, void (*fn)(void *arg), void *arg)
{
	void *stack = stack_get();
	struct arch_context ctx;

	if (stack == NULL)
		return false;
	arch_context_init(&ctx, stack, fn, arg);
	running[hart] = (struct fiber *)ctx.sp;
	return true;
}

/* Continue the fiber of hart @to where it stopped. this_hart() is already @to. */
void host_switch_stack(unsigned int from, unsigned int to)
{
	if (running[from] == NULL)
		running[from] = boot_fiber(from);
	switch_fiber(running[from], running[to]);
}

void arch_backtrace(struct sink *out)
{
	sink_puts(out, "(no backtrace on the host: run it under a debugger)\n");
}

/* A function of the sanitizer; NULL in a program without a sanitizer. */
void __sanitizer_symbolize_pc(void *pc, const char *format, char *text, size_t size)
	__attribute__((weak));

void ktest_code_place(unsigned long pc, char *text, size_t size)
{
	char place[256] = "?", top[256];
	size_t skip = 0;

	if (__sanitizer_symbolize_pc != NULL)
		__sanitizer_symbolize_pc((void *)pc, "%s:%l", place, sizeof(place));
	/* Make the path relative to the current directory, as the compiler got it. */
	if (getcwd(top, sizeof(top)) != NULL && strncmp(place, top, strlen(top)) == 0)
		skip = strlen(top) + 1;
	snprintf(text, size, "%s", place + skip);
}

extern const char __executable_start[], etext[]; /* the linker's */

/*
 * Return the name of the function itself, not of a function inlined at @addr. The next
 * look-up on the same host thread overwrites the name.
 */
const char *symbol_lookup(unsigned long addr, unsigned long *offset)
{
	static _Thread_local char names[256];
	const char *name = names, *next = names;

	if (offset != NULL)
		*offset = 0;
	if (__sanitizer_symbolize_pc == NULL || addr < (unsigned long)__executable_start ||
	    addr >= (unsigned long)etext)
		return NULL;
	memset(names, 0, sizeof(names));
	__sanitizer_symbolize_pc((void *)addr, "%f", names, sizeof(names) - 1);
	/* One string for each frame, the innermost first. */
	for (; *next != '\0'; next += strlen(next) + 1)
		name = next;
	return name;
}
