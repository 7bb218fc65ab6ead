/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SERIAL_SERIAL_H
#define _SERIAL_SERIAL_H

/*
 * The machine's serial line: what the kernel's log and a person's terminal share.
 * One line, the ns16550 that machine_info names.
 */
#include "lib/types.h"

/**
 * serial_init - find and set up the UART
 *
 * Boot, after arch_paging_init(). Hand serial_write to printk_set_console() when it
 * returned 0.
 *
 * Return: 0, -ENODEV (the device tree names none), -ENOMEM (registers could not be
 * mapped).
 */
int serial_init(void);

/**
 * serial_write - put text on the line; "\n" goes out as "\r\n"
 * @text: bytes
 * @len: how many
 *
 * Any context; the caller serialises. When the other end does not take anything for a
 * second, bytes are dropped until it takes one again.
 */
void serial_write(const char *text, size_t len);

/**
 * serial_start_input - take what is typed, by interrupt
 * @wake: called in the interrupt when bytes have arrived; must not sleep
 *
 * Boot, after arch_irq_init().
 *
 * Return: 0, or why the interrupt could not be requested. On failure serial_getc()
 * still works when it is polled.
 */
int serial_start_input(void (*wake)(void));

/**
 * serial_getc - the next byte that was typed
 *
 * One thread at a time. Return: 0 to 255, or -EAGAIN when there is none.
 */
int serial_getc(void);

#endif
