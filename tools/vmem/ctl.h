/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_CTL_H
#define _VMEM_CTL_H

/*
 * The control socket's internal interfaces: commands and properties, which do not use
 * sockets.
 */
#include "buf.h"
#include "json.h"
#include "vmem.h"

/**
 * struct ctl_reply - the answer of a command
 * @value: the JSON text of "return"; empty means {}
 * @error_class: NULL, or QMP's class of an error
 * @error: what is wrong, for the user
 * @quit: the program must end once the answer is sent
 * @again: no answer yet: serve the other clients, then execute the request again
 * @look: the client's progress, for region_look_on()
 */
struct ctl_reply {
	struct buf value;
	const char *error_class;
	char error[256];
	bool quit, again;
	u64 *look;
};

void ctl_fail(struct ctl_reply *reply, const char *class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ctl_execute(struct vmem *vmem, const char *command, const struct json *arguments,
		 struct ctl_reply *reply);

/* ctl_props.c: the properties of the device's object */
bool ctl_prop_get(struct vmem *vmem, const char *name, struct ctl_reply *reply);
bool ctl_prop_set(struct vmem *vmem, const char *name, const struct json *value,
		  struct ctl_reply *reply);
void ctl_prop_list(struct buf *out);
bool ctl_is_path(const struct vmem *vmem, const char *path);

#endif
