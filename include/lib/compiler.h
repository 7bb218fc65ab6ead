/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_COMPILER_H
#define _LIB_COMPILER_H

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __must_check	 __attribute__((warn_unused_result))
#define __aligned(n)	 __attribute__((aligned(n)))
#define __noreturn	 __attribute__((noreturn))
#define __noinline	 __attribute__((noinline))
#undef __always_inline /* the host's C library also defines it */
#define __always_inline	 inline __attribute__((always_inline))
#define __cold		 __attribute__((cold))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
/* A hot function that makes only tail calls: it needs no frame. */
#if defined(__GNUC__) && !defined(__clang__)
#define __leaf __attribute__((optimize("omit-frame-pointer")))
#else
#define __leaf
#endif
/*
 * Tables that the linker collects: the entries of every file lie between __start_NAME
 * and __stop_NAME (linker.ld keeps them; hosts' linkers do so by name).
 */
#define __table(name) __attribute__((used, section(name), aligned(8)))

/* Lock contracts: checked by clang -Wthread-safety, documentation elsewhere. */
#if defined(__clang__) && !defined(EBB_NO_THREAD_SAFETY)
#define __capability(name) __attribute__((capability(name)))
#define __acquires(...)	   __attribute__((acquire_capability(__VA_ARGS__)))
#define __acquires_if(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define __releases(...)	   __attribute__((release_capability(__VA_ARGS__)))
#define __must_hold(...)   __attribute__((requires_capability(__VA_ARGS__)))
#define __no_lock_analysis __attribute__((no_thread_safety_analysis))
/* Only for global locks: in C, clang 19 cannot name a lock in the same struct. */
#define __guarded_by(lock) __attribute__((guarded_by(lock)))
#else
#define __capability(name)
#define __acquires(...)
#define __acquires_if(...)
#define __releases(...)
#define __must_hold(...)
#define __no_lock_analysis
#define __guarded_by(lock)
#endif

#if defined(__SANITIZE_THREAD__)
#define EBB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EBB_TSAN 1
#endif
#endif

/*
 * Load or store once: the compiler neither splits nor repeats the access. gcc 12 turns every
 * atomic store into an amoswap on RISC-V, so stores are volatile instead; under
 * ThreadSanitizer they must be atomic, or it reports a race.
 */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#ifdef EBB_TSAN
/* ThreadSanitizer does not know address dependencies. */
#define READ_POINTER(x)	    __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define WRITE_ONCE(x, v)    __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define STORE_RELEASE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)
#else
/* Load a pointer that STORE_RELEASE() published; the data behind it is visible, too. */
#define READ_POINTER(x)	 READ_ONCE(x)
#define WRITE_ONCE(x, v) ((void)(*(volatile __typeof__(x) *)&(x) = (v)))
/* A reader that loads this with an acquire also sees what was written before it. */
#define STORE_RELEASE(x, v)                                                              \
	do {                                                                             \
		__atomic_thread_fence(__ATOMIC_RELEASE);                                 \
		WRITE_ONCE(x, v);                                                        \
	} while (0)
#endif

#define static_assert _Static_assert

#endif
