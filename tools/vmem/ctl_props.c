/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Properties of the device on the control socket: QEMU's names for those that QEMU's
 * device has, "x-" in front of all others.
 */
#include <inttypes.h>
#include <string.h>

#include "ctl.h"
#include "faults.h"

static void put_u64(struct buf *out, u64 value)
{
	buf_printf(out, "%" PRIu64, value);
}

static void put_bool(struct buf *out, bool value)
{
	buf_printf(out, "%s", value ? "true" : "false");
}

static void get_requested(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.requested);
}

static void get_size(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.plugged);
}

static void get_block(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.block);
}

static void get_addr(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.addr);
}

static void get_region_size(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.size);
}

static void get_usable(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.usable);
}

static void get_host_bytes(struct vmem *vmem, struct buf *out)
{
	put_u64(out, region_host_bytes(vmem));
}

static void get_stray_bytes(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.stray);
}

static void get_touched_bytes(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dev.touched);
}

static void get_violations(struct vmem *vmem, struct buf *out)
{
	u64 total = 0;

	buf_printf(out, "{");
	for (u32 i = 0; i < VMEM_NR_VIOLATIONS; i++) {
		buf_printf(out, "\"%s\": %" PRIu64 ", ", vmem_violation_names[i],
			   vmem->dev.violations[i]);
		total += vmem->dev.violations[i];
	}
	buf_printf(out, "\"total\": %" PRIu64 "}", total);
}

static void get_answers(struct vmem *vmem, struct buf *out)
{
	static const char *const types[] = {"plug", "unplug", "unplug-all", "state",
					    "unknown"};
	static const char *const answers[] = {"ack", "nack", "busy", "error"};

	buf_printf(out, "{");
	for (u32 t = 0; t < ARRAY_SIZE(types); t++) {
		buf_printf(out, "%s\"%s\": {", t ? ", " : "", types[t]);
		for (u32 a = 0; a < VMEM_NR_ANSWER; a++)
			buf_printf(out, "%s\"%s\": %" PRIu64, a ? ", " : "", answers[a],
				   vmem->dev.answers[t][a]);
		buf_printf(out, "}");
	}
	buf_printf(out, "}");
}

static void get_requests(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->requests);
}

static void get_resets(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->resets);
}

static void get_faults(struct vmem *vmem, struct buf *out)
{
	(void)vmem;
	put_u64(out, faults_pending());
}

static void get_connected(struct vmem *vmem, struct buf *out)
{
	put_bool(out, vhost_connected(&vmem->vhost));
}

static void get_driver(struct vmem *vmem, struct buf *out)
{
	put_bool(out, vmem->vhost.running);
}

/* Return the state of the driver, as far as a device can tell. */
static const char *driver_state(const struct vmem *vmem)
{
	if (!vhost_connected(&vmem->vhost))
		return "no-qemu";
	if (!vmem->vhost.ran)
		return "none";
	if (!vmem->vhost.running)
		return "stopped";
	return vmem->vhost.ring.broken ? "broken-ring" : "running";
}

static void get_driver_state(struct vmem *vmem, struct buf *out)
{
	buf_json_string(out, driver_state(vmem));
}

static void get_unread(struct vmem *vmem, struct buf *out)
{
	vhost_notice_answers(&vmem->vhost);
	put_bool(out, vmem->unread);
}

static void get_unanswered(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->dropped + (vmem->delay.at != 0));
}

/* Leave out bit 30, which only the two ends of vhost-user exchange; no driver sees it. */
static void get_features(struct vmem *vmem, struct buf *out)
{
	put_u64(out, vmem->vhost.features & ~BIT(VHOST_F_PROTOCOL_FEATURES));
}

static void get_qmp(struct vmem *vmem, struct buf *out)
{
	(void)vmem;
	buf_json_string(out, qmp_watch_state());
}

static void get_type(struct vmem *vmem, struct buf *out)
{
	(void)vmem;
	buf_json_string(out, "ebb-vmem");
}

static const struct prop {
	const char *name, *type;
	void (*get)(struct vmem *vmem, struct buf *out);
} props[] = {
	{"type", "string", get_type},
	{"requested-size", "size", get_requested},
	{"size", "size", get_size},
	{"block-size", "size", get_block},
	{"x-memaddr", "size", get_addr},
	{"x-region-size", "size", get_region_size},
	{"x-usable-region-size", "size", get_usable},
	{"x-host-bytes", "size", get_host_bytes},
	{"x-stray-bytes", "size", get_stray_bytes},
	{"x-touched-bytes", "size", get_touched_bytes},
	{"x-violations", "struct", get_violations},
	{"x-answers", "struct", get_answers},
	{"x-requests", "uint64", get_requests},
	{"x-resets", "uint64", get_resets},
	{"x-faults-pending", "uint64", get_faults},
	{"x-connected", "bool", get_connected},
	{"x-driver-running", "bool", get_driver},
	{"x-driver", "string", get_driver_state},
	{"x-config-unread", "bool", get_unread},
	{"x-unanswered", "uint64", get_unanswered},
	{"x-features", "uint64", get_features},
	{"x-qmp", "string", get_qmp},
};

/* Check whether all unplugged blocks must be scanned before the property is read. */
static bool needs_look(const char *name)
{
	return !strcmp(name, "x-stray-bytes") || !strcmp(name, "x-touched-bytes") ||
	       !strcmp(name, "x-violations");
}

/**
 * ctl_prop_get() - read a property
 * @vmem: the program
 * @name: of the property
 * @reply: gets the value as JSON, or @again if the scan that it needs is not finished
 *
 * Return: true if there is such a property.
 */
bool ctl_prop_get(struct vmem *vmem, const char *name, struct ctl_reply *reply)
{
	for (size_t i = 0; i < ARRAY_SIZE(props); i++) {
		if (strcmp(props[i].name, name))
			continue;
		reply->again = needs_look(name) && !region_look_on(vmem, reply->look);
		if (!reply->again)
			props[i].get(vmem, &reply->value);
		return true;
	}
	return false;
}

static void set_requested(struct vmem *vmem, const struct json *value,
			  struct ctl_reply *reply)
{
	const char *error;

	if (!json_is_u64(value)) {
		ctl_fail(reply, "GenericError",
			 "requested-size must be a whole number of bytes, 0 or more");
		return;
	}
	error = vmem_size_error(&vmem->dev, value->num);
	if (error) {
		ctl_fail(reply, "GenericError",
			 "requested-size %" PRIu64 " %s (region 0x%" PRIx64
			 ", block 0x%" PRIx64 ")",
			 value->num, error, vmem->dev.size, vmem->dev.block);
		return;
	}
	if (value->num == vmem->dev.requested)
		return;
	vmem_set_requested(&vmem->dev, value->num);
	/* Until a frontend connects, no driver has seen the old size. */
	if (!vhost_connected(&vmem->vhost))
		vmem_show_config(&vmem->dev);
	vhost_config_changed(&vmem->vhost, 1);
}

/**
 * ctl_prop_set() - write a property
 * @vmem: the program
 * @name: of the property
 * @value: the new value
 * @reply: receives the error if the value is not valid
 *
 * Return: true if there is such a property.
 */
bool ctl_prop_set(struct vmem *vmem, const char *name, const struct json *value,
		  struct ctl_reply *reply)
{
	if (!strcmp(name, "requested-size")) {
		set_requested(vmem, value, reply);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(props); i++) {
		if (strcmp(props[i].name, name))
			continue;
		ctl_fail(reply, "GenericError", "property %s can only be read", name);
		return true;
	}
	return false;
}

/**
 * ctl_prop_list() - list the names and types of all properties
 * @out: a JSON array is appended
 */
void ctl_prop_list(struct buf *out)
{
	buf_printf(out, "[");
	for (size_t i = 0; i < ARRAY_SIZE(props); i++)
		buf_printf(out, "%s{\"name\": \"%s\", \"type\": \"%s\"}", i ? ", " : "",
			   props[i].name, props[i].type);
	buf_printf(out, "]");
}

/**
 * ctl_is_path() - check whether a QOM path names the device
 * @vmem: the program
 * @path: "/ID", "/machine/peripheral/ID" as in QEMU, or just "ID"
 */
bool ctl_is_path(const struct vmem *vmem, const char *path)
{
	static const char peripheral[] = "/machine/peripheral/";

	if (!strncmp(path, peripheral, sizeof(peripheral) - 1))
		path += sizeof(peripheral) - 1;
	else if (*path == '/')
		path++;
	return !strcmp(path, vmem->opt.id);
}
