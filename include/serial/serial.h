/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _SERIAL_SERIAL_H
#define _SERIAL_SERIAL_H

/*
 * The machine's serial line, which the kernel's log and a user's terminal share: the
 * ns16550 that machine_info names.
 */
#include "lib/types.h"

/**
 * serial_init() - find and set up the UART
 *
 * Call it at boot, after arch_paging_init(). If it returns 0, pass serial_write to
 * printk_set_console().
 *
 * Return: 0, -ENODEV (the device tree names none), -ENOMEM (registers could not be
 * mapped).
 */
int serial_init(void);

/**
 * serial_write() - put text on the line; "\n" goes out as "\r\n"
 * @text: bytes
 * @len: how many
 *
 * Any context; the caller serialises. If the other end takes nothing for a second,
 * drops bytes until it takes one again.
 */
void serial_write(const char *text, size_t len);

/**
 * serial_start_input() - receive input by interrupt
 * @wake: called in the interrupt when bytes have arrived; must not sleep
 *
 * Call it at boot, after arch_irq_init().
 *
 * Return: 0, or the error of irq_request(). After a failure, polling serial_getc()
 * still works.
 */
int serial_start_input(void (*wake)(void));

/**
 * serial_getc() - get the next byte that was typed
 *
 * One thread at a time. Return: 0 to 255, or -EAGAIN if there is none.
 */
int serial_getc(void);

#endif
