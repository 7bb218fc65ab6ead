/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_PORT_H
#define _VIRTIO_VIRTIO_PORT_H

/*
 * Named byte channels to the host: ports of a virtio console device
 * (virtserialport). A service is a thread that talks over the port of its name; the
 * driver starts it when the host has such a port.
 *
 * Spec: virtio 1.2, section 5.3.
 */
#include "lib/time.h"
#include "lib/types.h"

struct vport;

/**
 * struct vport_service - serves the ports of a name
 * @name: the port's name, as the host gave it
 * @run: the thread's function; returns when vport_read() or vport_write() returns -ENODEV
 */
struct vport_service {
	const char *name;
	void (*run)(struct vport *port);
};

/* The linker's table of services: VPORT_SERVICE(x) = { .name = ... }; */
#define VPORT_SERVICE(var)                                                               \
	static const struct vport_service var __table("vport_services")

extern const struct vport_service __start_vport_services[], __stop_vport_services[];

/**
 * vport_read() - read bytes that the host sent
 * @buf: filled
 * @size: of @buf, at least 1
 *
 * Waits while there are none: for service threads only.
 * Return: number of bytes; -EPIPE once for each time that the host closed its side
 * (what it had sent before is dropped); -ENODEV the port is gone.
 */
int vport_read(struct vport *port, char *buf, u32 size);

/**
 * vport_try_read() - read like vport_read(), without waiting
 *
 * Context: the service's thread, no spinlock held; does not wait for the host.
 * Return: as vport_read(), but 0 if there is nothing, and -EPIPE each time until
 * vport_read() has returned it.
 */
int vport_try_read(struct vport *port, char *buf, u32 size);

/**
 * vport_write() - send bytes to the host
 * @text: the bytes
 * @len: any number
 *
 * Waits while the host does not read, and drops nothing. A host that reads nothing for
 * VPORT_STALL_NS counts as dead.
 * Context: the service's thread, no spinlock held.
 * Return: 0; -EPIPE the host closed its side, or reads nothing; -ENODEV the port is gone.
 */
int vport_write(struct vport *port, const char *text, u32 len);

/*
 * Allocate and free a service's buffers: virtio_alloc() and virtio_free() for the port's
 * device.
 */
void *vport_alloc(struct vport *port, size_t bytes);
void vport_free(struct vport *port, void *buffer, size_t bytes);

#define VPORT_STALL_NS (60 * NSEC_PER_SEC)

#endif
