/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_COMPILER_H
#define _LIB_COMPILER_H

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __must_check	 __attribute__((warn_unused_result))
#define __packed	 __attribute__((packed))
#define __aligned(n)	 __attribute__((aligned(n)))
#define __noreturn	 __attribute__((noreturn))
#define __used		 __attribute__((used))
#define __maybe_unused	 __attribute__((unused))
#define __noinline	 __attribute__((noinline))
#undef __always_inline /* the C library of a host has one too */
#define __always_inline	 inline __attribute__((always_inline))
#define __cold		 __attribute__((cold))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
/*
 * Tables that the linker collects: between __start_NAME and __stop_NAME lie the
 * entries of every file (linker.ld keeps them; hosts' linkers do so by name).
 */
#define __table(name) __attribute__((used, section(name), aligned(8)))

/* Lock contracts: checked by clang -Wthread-safety, documentation elsewhere. */
#if defined(__clang__) && !defined(EBB_NO_THREAD_SAFETY)
#define __capability(name) __attribute__((capability(name)))
#define __acquires(...)	   __attribute__((acquire_capability(__VA_ARGS__)))
#define __releases(...)	   __attribute__((release_capability(__VA_ARGS__)))
#define __must_hold(...)   __attribute__((requires_capability(__VA_ARGS__)))
#define __no_lock_analysis __attribute__((no_thread_safety_analysis))
#else
#define __capability(name)
#define __acquires(...)
#define __releases(...)
#define __must_hold(...)
#define __no_lock_analysis
#endif
#define __guarded_by(lock) /* documentation: the lock that protects a field */

#define READ_ONCE(x)	 __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

#define static_assert _Static_assert

#endif
