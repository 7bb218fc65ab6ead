/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that executes commands: it reads them from the UART, drives the virtio-mem
 * devices on virtio-mmio by polling, and prints the answers. So the memory device's tests with
 * QEMU need no kernel.
 *
 *   plug|unplug|state DEV BLOCK COUNT   answer (and state)
 *   all DEV                             unplug all
 *   start|reset DEV                     set the device up; reset it
 *   config DEV                          block addr region usable plugged requested
 *   notes DEV                           configuration notifications since last asked
 *   torn DEV A B                        read the requested size 1000 times, each time
 *                                       under one generation: how often it was
 *                                       neither A nor B, and what it was then
 *   write|read ADDR                     one word of memory
 *   reboot, off                         the machine
 *
 * All numbers are hexadecimal.
 */
#include "lib/types.h"

#define UART	   ((volatile u8 *)0x10000000)
#define FINISHER   (*(volatile u32 *)0x100000)
#define MMIO(dev)  ((volatile u32 *)(0x10008000UL - 0x1000 * (dev)))
#define NR_DEVICES 4
#define RING	   8
#define SPINS	   200000000UL

enum {
	MAGIC = 0,
	VERSION = 1,
	ID = 2,
	FEATURES_SEL = 5,
	FEATURES = 4,
	DRIVER_SEL = 9,
	DRIVER = 8,
	QUEUE_SEL = 12,
	QUEUE_NUM = 14,
	QUEUE_READY = 17,
	NOTIFY = 20,
	INT_STATUS = 24,
	INT_ACK = 25,
	STATUS = 28,
	DESC_LO = 32,
	AVAIL_LO = 36,
	USED_LO = 40,
	GENERATION = 63,
	CONFIG = 64
};

struct queue {
	struct {
		u64 addr;
		u32 len;
		u16 flags, next;
	} desc[RING];
	volatile u16 avail[4 + RING];
	volatile u16 used[4 + 4 * RING] __attribute__((aligned(4)));
	u16 next;
	u32 notes;
	struct {
		u16 type, pad[3];
		u64 addr;
		u16 nb, pad2[3];
	} req;
	volatile u16 resp[8];
};

static struct queue queues[NR_DEVICES] __attribute__((aligned(64)));

__asm__(".section .text.start, \"ax\"\n"
	".globl _start\n"
	"_start:	csrr	t0, mhartid\n"
	"	bnez	t0, park\n"
	"	la	sp, stack_top\n"
	"	call	guest_main\n"
	"park:	wfi\n"
	"	j	park\n"
	".bss\n"
	".balign 16\n"
	"	.skip	8192\n"
	"stack_top:\n"
	".text\n");

void guest_main(void);

static void put(char c)
{
	while (!(UART[5] & 0x20))
		;
	UART[0] = (u8)c;
}

static void puts_(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_hex(u64 value)
{
	int shift = 60;

	put(' ');
	while (shift && !(value >> shift & 15))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put("0123456789abcdef"[value >> shift & 15]);
}

static char get(void)
{
	while (!(UART[5] & 1))
		;
	return (char)UART[0];
}

static bool start(u32 dev)
{
	volatile u32 *mmio = MMIO(dev);
	struct queue *q = &queues[dev];
	u64 rings[] = {(u64)q->desc, (u64)q->avail, (u64)q->used};
	int regs[] = {DESC_LO, AVAIL_LO, USED_LO};

	if (mmio[MAGIC] != 0x74726976 || mmio[VERSION] != 2 || mmio[ID] != 24)
		return false;
	mmio[STATUS] = 0;
	mmio[STATUS] = 3;
	mmio[DRIVER_SEL] = 0;
	mmio[DRIVER] = 2; /* UNPLUGGED_INACCESSIBLE */
	mmio[DRIVER_SEL] = 1;
	mmio[DRIVER] = 1; /* VERSION_1 */
	mmio[STATUS] = 11;
	if (!(mmio[STATUS] & 8))
		return false;
	q->next = 0;
	q->avail[1] = q->used[1] = 0;
	mmio[QUEUE_SEL] = 0;
	mmio[QUEUE_NUM] = RING;
	for (int i = 0; i < 3; i++) {
		mmio[regs[i]] = (u32)rings[i];
		mmio[regs[i] + 1] = (u32)(rings[i] >> 32);
	}
	mmio[QUEUE_READY] = 1;
	mmio[STATUS] = 15;
	return true;
}

/* Send a request and waits for its answer; -1 if there is none. */
static int request(u32 dev, u16 type, u64 addr, u16 nb)
{
	struct queue *q = &queues[dev];
	u16 head = 2 * (q->next % (RING / 2));

	q->req.type = type;
	q->req.addr = addr;
	q->req.nb = nb;
	q->resp[0] = 0xaaaa;
	q->desc[head].addr = (u64)&q->req;
	q->desc[head].len = 24;
	q->desc[head].flags = 1;
	q->desc[head].next = head + 1;
	q->desc[head + 1].addr = (u64)q->resp;
	q->desc[head + 1].len = 10;
	q->desc[head + 1].flags = 2;
	q->avail[2 + q->next % RING] = head;
	q->next++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->avail[1] = q->next;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	MMIO(dev)[NOTIFY] = 0;
	for (u64 i = 0; i < SPINS; i++) {
		if (q->used[1] == q->next)
			break;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return q->used[1] == q->next ? q->resp[0] : -1;
}

static u64 config64(u32 dev, int at)
{
	volatile u32 *config = MMIO(dev) + CONFIG + at / 4;

	return config[0] | (u64)config[1] << 32;
}

static void show_config(u32 dev)
{
	static const u8 fields[] = {0, 16, 24, 32, 40, 48};
	u32 generation;

	do {
		generation = MMIO(dev)[GENERATION];
		config64(dev, 48);
	} while (generation != MMIO(dev)[GENERATION]);
	for (size_t i = 0; i < sizeof(fields); i++)
		put_hex(config64(dev, fields[i]));
}

static void show_notes(u32 dev)
{
	u32 status = MMIO(dev)[INT_STATUS];

	MMIO(dev)[INT_ACK] = status;
	put_hex(status >> 1 & 1);
}

/* Read the requested size 1000 times, in two halves, as a driver does. */
static void show_torn(u32 dev, u64 a, u64 b)
{
	u64 passes = 0, bad = 0, last = 0;

	while (passes < 1000) {
		u32 generation = MMIO(dev)[GENERATION];
		u64 size = config64(dev, 48);

		if (generation != MMIO(dev)[GENERATION])
			continue;
		passes++;
		if (size == a || size == b)
			continue;
		bad++;
		last = size;
	}
	put_hex(bad);
	put_hex(last);
}

static void run(const char *word, const u64 *n)
{
	u32 dev = (u32)(n[0] % NR_DEVICES);
	u64 addr = config64(dev, 16) + n[1] * config64(dev, 0);

	switch (word[0] << 8 | word[1]) {
	case 'p' << 8 | 'l':
		put_hex((u64)request(dev, 0, addr, (u16)n[2]));
		break;
	case 'u' << 8 | 'n':
		put_hex((u64)request(dev, 1, addr, (u16)n[2]));
		break;
	case 'a' << 8 | 'l':
		put_hex((u64)request(dev, 2, 0, 0));
		break;
	case 's' << 8 | 't':
		if (word[3] == 'r') {
			put_hex(start(dev));
			break;
		}
		put_hex((u64)request(dev, 3, addr, (u16)n[2]));
		put_hex(queues[dev].resp[4]);
		break;
	case 'r' << 8 | 'e':
		if (word[2] == 's')
			MMIO(dev)[STATUS] = 0;
		else if (word[2] == 'b')
			FINISHER = 0x7777;
		else
			put_hex(*(volatile u64 *)n[0]);
		break;
	case 'w' << 8 | 'r':
		*(volatile u64 *)n[0] = 0x5a5a5a5a;
		break;
	case 'c' << 8 | 'o':
		show_config(dev);
		break;
	case 'n' << 8 | 'o':
		show_notes(dev);
		break;
	case 't' << 8 | 'o':
		show_torn(dev, n[1], n[2]);
		break;
	case 'o' << 8 | 'f':
		FINISHER = 0x5555;
		break;
	default:
		puts_(" what?");
	}
}

/* Read a line: a word and up to three numbers. */
static void read_line(char *word, u64 *n)
{
	int len = 0, nr = -1;
	char c;

	n[0] = n[1] = n[2] = 0;
	while ((c = get()) != '\n' && c != '\r') {
		if (c == ' ')
			nr++;
		else if (nr < 0 && len < 15)
			word[len++] = c;
		else if (nr >= 0 && nr < 3)
			n[nr] = n[nr] << 4 | (u64)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	word[len] = '\0';
}

/**
 * guest_main() - serve commands until the machine ends
 */
void guest_main(void)
{
	char word[16];
	u64 n[3];

	puts_("guest ready\n");
	for (;;) {
		read_line(word, n);
		put('=');
		run(word, n);
		put('\n');
	}
}
