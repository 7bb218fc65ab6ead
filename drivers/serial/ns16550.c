/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ns16550 UART: the machine's only serial line, see serial/serial.h.
 * Spec: National Semiconductor PC16550D data sheet, sections 6 to 8.
 */
#include "serial/serial.h"

#include "arch/io.h"
#include "arch/irq.h"
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "kernel/patience.h"
#include "lib/errno.h"
#include "lib/ringbuf.h"
#include "lib/time.h"

#define UART_DATA 0
#define UART_IER  1
#define UART_FCR  2
#define UART_LCR  3
#define UART_MCR  4
#define UART_LSR  5

#define IER_RX	     0x01
#define FCR_ENABLE   0x07 /* FIFOs on, both emptied; interrupt from the first byte on */
#define LCR_8N1	     0x03
#define MCR_DTR_RTS  0x03
#define LSR_RX_READY 0x01
#define LSR_TX_EMPTY 0x20

#define FIFO_BYTES 16
#define STALL_NS   NSEC_PER_SEC

#define INPUT_BYTES 4096 /* power of two */

static struct {
	volatile char *regs;
	u32 shift, width;
	unsigned int room;    /* bytes that the transmit FIFO is sure to take */
	unsigned int stalled; /* the other end took nothing for STALL_NS */
	void (*wake)(void);
	/* Filled by the interrupt, emptied by serial_getc(). */
	struct ringbuf input;
	u8 bytes[INPUT_BYTES];
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

	if (info->dev.regs.size == 0)
		return -ENODEV;
	ringbuf_init(&uart.input, uart.bytes, INPUT_BYTES);
	uart.shift = info->reg_shift;
	uart.width = info->reg_io_width;
	uart.regs = ioremap(info->dev.regs.start, info->dev.regs.size);
	if (!uart.regs)
		return -ENOMEM;
	/* Keep the rate that the firmware set. */
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_FCR, FCR_ENABLE);
	uart_write(UART_MCR, MCR_DTR_RTS);
	return 0;
}

/* Wait until the FIFO is empty; false if that takes too long. */
static bool wait_for_room(void)
{
	struct patience patience;

	patience_start(&patience, STALL_NS);
	while (!(uart_read(UART_LSR) & LSR_TX_EMPTY)) {
		if (uart.stalled || !patience_lasts(&patience)) {
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
	if (uart.room == 0 && !wait_for_room())
		return;
	uart.room--;
	uart_write(UART_DATA, (u8)c);
}

void serial_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			put_byte('\r');
		put_byte(text[i]);
	}
}

/* Move what the UART has received into the ring; a full ring drops the rest. */
static void receive(void)
{
	unsigned int max = INPUT_BYTES;

	while (max-- > 0 && (uart_read(UART_LSR) & LSR_RX_READY))
		(void)ringbuf_put(&uart.input, uart_read(UART_DATA));
}

static void uart_interrupt(void *)
{
	receive();
	uart.wake();
}

int serial_start_input(void (*wake)(void))
{
	int err;

	uart.wake = wake;
	err = irq_request(machine_info()->uart.dev.irq, uart_interrupt, NULL);
	if (err != 0) {
		uart.wake = NULL;
		return err;
	}
	uart_write(UART_IER, IER_RX);
	return 0;
}

int serial_getc(void)
{
	int byte;

	if (!uart.wake && uart.regs)
		receive();
	byte = ringbuf_get(&uart.input);
	return byte < 0 ? -EAGAIN : byte;
}
