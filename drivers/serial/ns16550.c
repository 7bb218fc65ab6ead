/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ns16550 UART: the machine's one serial line, see serial/serial.h.
 * Spec: National Semiconductor PC16550D data sheet, sections 6 to 8.
 */
#include "serial/serial.h"

#include "arch/io.h"
#include "arch/irq.h"
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "lib/compiler.h"
#include "lib/errno.h"

#define UART_DATA 0
#define UART_IER  1
#define UART_FCR  2
#define UART_LCR  3
#define UART_MCR  4
#define UART_LSR  5

#define IER_RX	     0x01
#define FCR_ENABLE   0x07 /* on, both emptied; interrupt from the first byte on */
#define LCR_8N1	     0x03
#define MCR_DTR_RTS  0x03
#define LSR_RX_READY 0x01
#define LSR_TX_EMPTY 0x20

#define FIFO_BYTES 16
#define STALL_NS   1000000000ULL

#define INPUT_BYTES 4096 /* power of two */

static struct {
	volatile char *regs;
	u32 shift, width;
	unsigned int room;    /* bytes that the transmit FIFO surely takes */
	unsigned int stalled; /* the other end took nothing for STALL_NS */
	unsigned long dropped;
	void (*wake)(void);
	/* Filled by the interrupt, emptied by serial_getc(). */
	u8 input[INPUT_BYTES];
	u32 head, tail;
} uart;

static u32 uart_read(unsigned int reg)
{
	volatile char *addr = uart.regs + (reg << uart.shift);

	return uart.width == 4 ? readl(addr) : readb(addr);
}

static void uart_write(unsigned int reg, u32 value)
{
	volatile char *addr = uart.regs + (reg << uart.shift);

	if (uart.width == 4)
		writel(value, addr);
	else
		writeb(value, addr);
}

int serial_init(void)
{
	const struct machine_uart *info = &machine_info()->uart;

	if (info->dev.size == 0)
		return -ENODEV;
	uart.shift = info->reg_shift;
	uart.width = info->reg_io_width;
	uart.regs = ioremap(info->dev.start, info->dev.size);
	if (!uart.regs)
		return -ENOMEM;
	/* The rate is as the firmware set it. */
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_FCR, FCR_ENABLE);
	uart_write(UART_MCR, MCR_DTR_RTS);
	return 0;
}

/* Waits until the FIFO is empty; false when it does not get so in time. */
static bool wait_for_room(void)
{
	const u64 deadline = arch_clock_ns() + STALL_NS;

	while (!(uart_read(UART_LSR) & LSR_TX_EMPTY)) {
		if (uart.stalled || arch_clock_ns() > deadline) {
			uart.stalled = 1;
			return false;
		}
		arch_cpu_relax();
	}
	uart.stalled = 0;
	uart.room = FIFO_BYTES;
	return true;
}

static void put_byte(char c)
{
	if (uart.room == 0 && !wait_for_room()) {
		uart.dropped++;
		return;
	}
	uart.room--;
	uart_write(UART_DATA, (u8)c);
}

void serial_write(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '\n')
			put_byte('\r');
		put_byte(text[i]);
	}
}

/* Moves what the UART has received into the ring. One caller at a time. */
static void receive(void)
{
	unsigned int i;

	for (i = 0; i < INPUT_BYTES && (uart_read(UART_LSR) & LSR_RX_READY); i++) {
		const u8 byte = uart_read(UART_DATA);

		/* Pairs with the release in serial_getc(): the place is free. */
		if (uart.head - __atomic_load_n(&uart.tail, __ATOMIC_ACQUIRE) ==
		    INPUT_BYTES) {
			uart.dropped++;
			continue;
		}
		uart.input[uart.head % INPUT_BYTES] = byte;
		/* Pairs with the acquire in serial_getc(): the byte is there. */
		__atomic_store_n(&uart.head, uart.head + 1, __ATOMIC_RELEASE);
	}
}

static void uart_interrupt(void *arg)
{
	(void)arg;
	receive();
	uart.wake();
}

int serial_start_input(void (*wake)(void))
{
	int err;

	uart.wake = wake;
	err = irq_request(machine_info()->uart.dev.irq, uart_interrupt, NULL, "serial");
	if (err != 0) {
		uart.wake = NULL;
		return err;
	}
	uart_write(UART_IER, IER_RX);
	return 0;
}

int serial_getc(void)
{
	const u32 tail = uart.tail;
	int byte;

	if (!uart.wake && uart.regs)
		receive();
	if (__atomic_load_n(&uart.head, __ATOMIC_ACQUIRE) == tail)
		return -EAGAIN;
	byte = uart.input[tail % INPUT_BYTES];
	__atomic_store_n(&uart.tail, tail + 1, __ATOMIC_RELEASE);
	return byte;
}

unsigned long serial_dropped(void)
{
	return uart.dropped;
}
