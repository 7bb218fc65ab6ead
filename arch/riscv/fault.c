/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports a trap that no handler takes: the cause in words, the owner of the address,
 * the registers, and the page-table walk. panic() adds the backtrace and ends.
 */
#include "arch/thread.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "mm/page.h"
#include "mm/pgtable.h"

#include "arch.h"
#include "csr.h"
#include "sbi.h"

/* Spec: Privileged Architecture 1.12, table 4.2. */
static const char *const cause_names[] = {
	[0] = "instruction address misaligned",
	[1] = "instruction access fault",
	[2] = "illegal instruction",
	[3] = "breakpoint",
	[4] = "load address misaligned",
	[5] = "load access fault: no memory or device answers there",
	[6] = "store address misaligned",
	[7] = "store access fault: no memory or device answers there",
	[9] = "environment call from supervisor mode",
	[EXC_INSN_PAGE_FAULT] = "page fault: instruction fetch",
	[EXC_LOAD_PAGE_FAULT] = "page fault: load",
	[EXC_STORE_PAGE_FAULT] = "page fault: store",
};

static const char *const register_names[32] = {
	"zero", "ra", "sp", "gp", "tp",	 "t0",	"t1", "t2", "s0", "s1", "a0",
	"a1",	"a2", "a3", "a4", "a5",	 "a6",	"a7", "s2", "s3", "s4", "s5",
	"s6",	"s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

/* A sink that prints its lines as messages, so they also reach the log's ring. */
struct log_sink {
	struct sink sink;
	char line[160];
	size_t len;
};

static void log_write(struct sink *sink, const char *text, size_t len)
{
	struct log_sink *log = container_of(sink, struct log_sink, sink);

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n' && log->len < sizeof(log->line) - 1) {
			log->line[log->len++] = text[i];
			continue;
		}
		log->line[log->len] = '\0';
		log->len = 0;
		pr_emerg("%s", log->line);
	}
}

static const char *cause_name(u64 cause)
{
	if (cause < ARRAY_SIZE(cause_names) && cause_names[cause])
		return cause_names[cause];
	return "unknown exception";
}

static bool is_address_fault(u64 cause)
{
	return cause == 1 || cause == 5 || cause == 7 || cause >= EXC_INSN_PAGE_FAULT;
}

/*
 * Print the frame of an address in the direct map, and what mm knows about it. Return false
 * for any other address.
 */
static bool describe_direct(u64 addr, struct sink *out)
{
	const phys_addr_t pa = addr - direct_map_offset;
	phys_addr_t start, end;

	arch_mappable_range(&start, &end);
	if (table_offset == 0 || pa < start || pa >= end)
		return false;
	sink_printf(out, "direct map of physical address %#lx, pfn %#lx\n", pa,
		    pa >> PAGE_SHIFT);
	mm_describe_fault(pa, out);
	return true;
}

static bool describe_memmap(u64 addr, struct sink *out)
{
	const unsigned long pfn = page_to_pfn((const struct page *)addr);
	phys_addr_t start, end;

	arch_mappable_range(&start, &end);
	if (table_offset == 0 || pfn < phys_to_pfn(start) || pfn >= phys_to_pfn(end))
		return false;
	sink_printf(out, "page descriptor of pfn %#lx\n", pfn);
	mm_describe_fault(pfn_to_phys(pfn), out);
	return true;
}

static void describe_address(u64 addr, struct sink *out)
{
	if (stack_guard_hit(addr))
		sink_puts(out, "guard below a kernel stack: the stack overflowed\n");
	else if (addr >= (u64)_start && addr < (u64)__data_start)
		sink_puts(out, "kernel text or read-only data\n");
	else if (addr >= (u64)_start && addr < (u64)_end)
		sink_puts(out, "kernel data\n");
	else if (addr - MMIO_BASE < MMIO_SIZE)
		sink_puts(out, "window of device registers\n");
	else if (addr < PAGE_SIZE)
		sink_puts(out, "null pointer\n");
	else if (!describe_direct(addr, out) && !describe_memmap(addr, out))
		sink_puts(out, "no window of the kernel\n");
}

static void print_registers(const struct trap_frame *frame, struct sink *out)
{
	sink_printf(out, "epc  %016lx  status %016lx  cause %lu  tval %016lx\n",
		    frame->sepc, frame->sstatus, frame->scause, frame->stval);
	for (unsigned int i = 1; i < 32; i++)
		sink_printf(out, "%-4s %016lx%s", register_names[i], frame->x[i],
			    i % 4 == 3 || i == 31 ? "\n" : "  ");
}

static void print_place(const struct trap_frame *frame, struct sink *out)
{
	unsigned long offset;
	const char *name = symbol_lookup(frame->sepc, &offset);

	sink_printf(out, "at %s+%#lx, hart %u\n", name ? name : "?", name ? offset : 0,
		    this_hart()->id);
}

/*
 * End the machine after a fault in the report itself. This may fault again, so each attempt
 * does less.
 */
static void __noreturn give_up(void)
{
	static const char text[] = "ebb: a fault while reporting a fault\n";
	static unsigned int times;

	if (times++ == 0) {
		arch_early_write(text, sizeof(text) - 1);
		arch_exit(EXIT_STATUS_PANIC);
	}
	firmware_reset(SBI_SRST_SHUTDOWN);
}

/**
 * fault_report() - report a fatal trap and end the kernel
 * @frame: the registers at the trap
 */
void fault_report(const struct trap_frame *frame)
{
	static u32 reporting; /* 1 + id of the hart that is in here */
	struct log_sink log = {.sink.write = log_write};
	const char *cause = cause_name(frame->scause);

	if (READ_ONCE(reporting) == this_hart()->id + 1)
		give_up();
	panic_enter();
	WRITE_ONCE(reporting, this_hart()->id + 1);
	pr_emerg("%s\n", cause);
	if (is_address_fault(frame->scause)) {
		sink_printf(&log.sink, "address %016lx: ", frame->stval);
		describe_address(frame->stval, &log.sink);
	}
	print_place(frame, &log.sink);
	print_registers(frame, &log.sink);
	if (!is_address_fault(frame->scause))
		panic("%s at %016lx", cause, frame->sepc);
	pgtable_describe(frame->stval, &log.sink);
	panic("%s at %016lx, address %016lx", cause, frame->sepc, frame->stval);
}
