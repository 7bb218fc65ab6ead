/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of the control socket, with QMP's names where QMP has such a command.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "faults.h"

/**
 * ctl_fail() - make a reply an error
 * @reply: the reply
 * @class: QMP's class, e.g. "GenericError"
 * @fmt: printf format of the description
 */
void ctl_fail(struct ctl_reply *reply, const char *class, const char *fmt, ...)
{
	va_list ap;

	reply->error_class = class;
	va_start(ap, fmt);
	vsnprintf(reply->error, sizeof(reply->error), fmt, ap);
	va_end(ap);
}

/* Get an argument that must be a string; on failure, make the reply an error. */
static const char *need_string(const struct json *arguments, const char *name,
			       struct ctl_reply *reply)
{
	const char *value = json_get_string(arguments, name);

	if (!value)
		ctl_fail(reply, "GenericError",
			 "argument '%s' is missing or not a string", name);
	return value;
}

/* Get an optional number; on failure, make the reply an error. */
static bool want_u64(const struct json *arguments, const char *name, u64 *value,
		     struct ctl_reply *reply)
{
	const struct json *given = json_get(arguments, name);

	if (!given)
		return true;
	if (!json_is_u64(given)) {
		ctl_fail(reply, "GenericError", "argument '%s' must be a whole number",
			 name);
		return false;
	}
	*value = given->num;
	return true;
}

static const char *need_path(struct vmem *vmem, const struct json *arguments,
			     struct ctl_reply *reply)
{
	const char *path = need_string(arguments, "path", reply);

	if (path && !ctl_is_path(vmem, path)) {
		ctl_fail(reply, "DeviceNotFound", "Device '%.64s' not found", path);
		return NULL;
	}
	return path;
}

static void no_property(const char *path, const char *name, struct ctl_reply *reply)
{
	ctl_fail(reply, "GenericError",
		 "%.64s has no property '%.64s'; qom-list lists them", path, name);
}

static void qom_get(struct vmem *vmem, const struct json *arguments,
		    struct ctl_reply *reply)
{
	const char *path = need_path(vmem, arguments, reply);
	const char *name = path ? need_string(arguments, "property", reply) : NULL;

	if (name && !ctl_prop_get(vmem, name, reply))
		no_property(path, name, reply);
}

static void qom_set(struct vmem *vmem, const struct json *arguments,
		    struct ctl_reply *reply)
{
	const char *path = need_path(vmem, arguments, reply);
	const char *name = path ? need_string(arguments, "property", reply) : NULL;
	const struct json *value = json_get(arguments, "value");

	if (!name)
		return;
	if (!value)
		ctl_fail(reply, "GenericError", "argument 'value' is missing");
	else if (!ctl_prop_set(vmem, name, value, reply))
		no_property(path, name, reply);
}

static void qom_list(struct vmem *vmem, const struct json *arguments,
		     struct ctl_reply *reply)
{
	const char *path = need_string(arguments, "path", reply);

	if (!path)
		return;
	if (!strcmp(path, "/") || !strcmp(path, "/machine/peripheral"))
		buf_printf(&reply->value,
			   "[{\"name\": \"%s\", \"type\": \"child<ebb-vmem>\"}]",
			   vmem->opt.id);
	else if (need_path(vmem, arguments, reply))
		ctl_prop_list(&reply->value);
}

static void query_memory_devices(struct vmem *vmem, const struct json *arguments,
				 struct ctl_reply *reply)
{
	const struct vmem_dev *dev = &vmem->dev;

	(void)arguments;
	buf_printf(&reply->value,
		   "[{\"type\": \"virtio-mem\", \"data\": {\"id\": \"%s\", \"memaddr\": "
		   "%" PRIu64 ", \"requested-size\": %" PRIu64 ", \"size\": %" PRIu64
		   ", \"max-size\": %" PRIu64 ", \"block-size\": %" PRIu64
		   ", \"node\": 0, \"memdev\": \"/objects/ram\"}}]",
		   vmem->opt.id, dev->addr, dev->requested, dev->plugged, dev->size,
		   dev->block);
}

static void query_version(struct vmem *vmem, const struct json *arguments,
			  struct ctl_reply *reply)
{
	(void)vmem;
	(void)arguments;
	buf_printf(&reply->value,
		   "{\"qemu\": {\"major\": 0, \"minor\": 1, \"micro\": 0}, "
		   "\"package\": \"ebb-vmem\"}");
}

static void query_status(struct vmem *vmem, const struct json *arguments,
			 struct ctl_reply *reply)
{
	bool running = vhost_connected(&vmem->vhost);

	(void)arguments;
	buf_printf(&reply->value, "{\"running\": %s, \"status\": \"%s\"}",
		   running ? "true" : "false", running ? "running" : "prelaunch");
}

static void quit(struct vmem *vmem, const struct json *arguments, struct ctl_reply *reply)
{
	(void)vmem;
	(void)arguments;
	reply->quit = true;
}

/* x-inject {kind, count, skip, ms}; kind "none" forgets all queued faults. */
static void inject(struct vmem *vmem, const struct json *arguments,
		   struct ctl_reply *reply)
{
	const char *word = need_string(arguments, "kind", reply);
	struct fault fault = {.count = 1};
	const char *error;

	if (!word || !want_u64(arguments, "count", &fault.count, reply) ||
	    !want_u64(arguments, "skip", &fault.skip, reply) ||
	    !want_u64(arguments, "ms", &fault.ms, reply))
		return;
	if (!strcmp(word, "none")) {
		faults_clear();
		return;
	}
	fault.kind = faults_kind(word);
	if (fault.kind == FAULT_SPURIOUS) {
		queue_spurious(vmem, (u32)min(fault.count, (u64)1000));
		return;
	}
	error = fault.kind == FAULT_NONE ? "is not known" : faults_add(&fault);
	if (error)
		ctl_fail(reply, "GenericError",
			 "fault '%.32s' %s; kinds: busy nack error delay drop garbage "
			 "short "
			 "bad-id spurious-config none",
			 word, error);
}

static void query_commands(struct vmem *vmem, const struct json *arguments,
			   struct ctl_reply *reply);

static const struct command {
	const char *name;
	void (*fn)(struct vmem *vmem, const struct json *arguments,
		   struct ctl_reply *reply);
	const char *arguments; /* accepted names, each followed by a blank */
} commands[] = {
	{"qom-get", qom_get, "path property "},
	{"qom-set", qom_set, "path property value "},
	{"qom-list", qom_list, "path "},
	{"query-memory-devices", query_memory_devices, ""},
	{"query-version", query_version, ""},
	{"query-status", query_status, ""},
	{"query-commands", query_commands, ""},
	{"quit", quit, ""},
	{"x-inject", inject, "kind count skip ms "},
};

static void query_commands(struct vmem *vmem, const struct json *arguments,
			   struct ctl_reply *reply)
{
	(void)vmem;
	(void)arguments;
	buf_printf(&reply->value, "[{\"name\": \"qmp_capabilities\"}");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		buf_printf(&reply->value, ", {\"name\": \"%s\"}", commands[i].name);
	buf_printf(&reply->value, "]");
}

/* Check whether a list of blank-terminated words contains a word. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == len && !memcmp(list, word, n))
			return true;
		list += n + 1;
	}
	return false;
}

/**
 * ctl_execute() - run a command
 * @vmem: the program
 * @command: its name
 * @arguments: an object, or NULL for none
 * @reply: empty; filled in
 */
void ctl_execute(struct vmem *vmem, const char *command, const struct json *arguments,
		 struct ctl_reply *reply)
{
	const struct json *member = arguments ? arguments->child : NULL;
	size_t i = 0;

	while (i < ARRAY_SIZE(commands) && strcmp(commands[i].name, command))
		i++;
	if (i == ARRAY_SIZE(commands)) {
		ctl_fail(
			reply, "CommandNotFound",
			"The command %.64s has not been found; query-commands lists them",
			command);
		return;
	}
	for (; member; member = member->next) {
		if (!has_word(commands[i].arguments, member->key)) {
			ctl_fail(reply, "GenericError", "argument '%.64s' is unexpected",
				 member->key);
			return;
		}
	}
	commands[i].fn(vmem, arguments, reply);
}
