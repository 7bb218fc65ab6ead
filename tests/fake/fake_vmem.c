/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio-mem device for tests. See fake_vmem.h; the MUSTs are those of spec 5.15.6. */
#include "tests/fake/fake_vmem.h"
#include "arch/machine.h"
#include "lib/string.h"
#include "mm/section.h"

/*
 * The test's thread resizes the device while the driver's thread makes it answer: both
 * threads change @config under the lock, and read it without the lock.
 */
static void publish(struct fake_vmem *fm)
{
	memcpy(fm->fv.config, &fm->config, sizeof(fm->config));
	fm->fv.generation++;
}

static void write_config(struct fake_vmem *fm)
{
	spin_lock(&fm->fv.lock);
	publish(fm);
	spin_unlock(&fm->fv.lock);
}

static void set_plugged_size(struct fake_vmem *fm, u64 size)
{
	spin_lock(&fm->fv.lock);
	WRITE_ONCE(fm->config.plugged_size, size);
	spin_unlock(&fm->fv.lock);
}

static void set_usable(struct fake_vmem *fm)
{
	u64 usable = fm->config.region_size;

	if (fm->usable_slack)
		usable = min(usable, fm->config.requested_size + fm->usable_slack);
	/* The usable region may only grow, except after UNPLUG_ALL. */
	WRITE_ONCE(fm->config.usable_region_size, max(fm->config.usable_region_size, usable));
}

void fake_vmem_resize(struct fake_vmem *fm, u64 requested)
{
	spin_lock(&fm->fv.lock);
	WRITE_ONCE(fm->config.requested_size, requested);
	set_usable(fm);
	publish(fm);
	spin_unlock(&fm->fv.lock);
	fake_interrupt(&fm->fv, VIRTIO_ISR_CONFIG);
}

static void toggle_tell(struct fake_vmem *fm)
{
	fm->fv.generation++;
	fake_interrupt(&fm->fv, VIRTIO_ISR_CONFIG);
}

/* Account for one access to the configuration. */
static void toggle_tick(struct fake_virtio *fv)
{
	struct fake_vmem *fm = container_of(fv, struct fake_vmem, fv);
	struct fake_vmem_toggle *t = &fm->toggle;

	if (t->told && --t->told == 0)
		toggle_tell(fm);
	if (!t->left || --t->next)
		return;
	t->left--;
	fm->config.requested_size = t->size[t->left % 2];
	memcpy(fm->fv.config, &fm->config, sizeof(fm->config));
	t->next = t->gap + prng_below(&t->prng, t->gap);
	t->told = 1 + prng_below(&t->prng, t->gap);
}

void fake_vmem_toggle(struct fake_vmem *fm, u64 a, u64 b, unsigned int nr, unsigned int gap)
{
	fm->toggle = (struct fake_vmem_toggle){
		.size = { a, b }, .left = nr, .gap = gap, .next = gap };
	prng_init(&fm->toggle.prng, nr + gap);
	fm->fv.tick = toggle_tick;
}

void fake_vmem_inject(struct fake_vmem *fm, unsigned int n, unsigned int nr,
		      enum fake_vmem_fault fault)
{
	fm->fault_at = fm->nr_log + n;
	fm->fault_for = nr;
	fm->fault = fault;
}

void fake_vmem_set_plugged(struct fake_vmem *fm, phys_addr_t addr, u64 bytes, bool plugged)
{
	const unsigned long first = (addr - fm->config.addr) / fm->config.block_size;
	const unsigned long nr = bytes / fm->config.block_size;

	if (plugged)
		bitmap_set(fm->plugged, first, nr);
	else
		bitmap_clear(fm->plugged, first, nr);
	fm->forgetful |= !plugged;
	fm->config.plugged_size = fake_vmem_plugged(fm);
	write_config(fm);
}

u64 fake_vmem_plugged(const struct fake_vmem *fm)
{
	return bitmap_weight(fm->plugged, 0, FAKE_VMEM_BLOCKS) * fm->config.block_size;
}

bool fake_vmem_is_plugged(const struct fake_vmem *fm, phys_addr_t addr)
{
	return test_bit((addr - fm->config.addr) / fm->config.block_size, fm->plugged);
}

/* Can the kernel access this frame? */
static bool is_mapped(const struct fake_vmem *fm, phys_addr_t addr)
{
	const unsigned long pfn = phys_to_pfn(addr);
	const struct mem_section *ms = pfn_to_section(fm->mm, pfn);

	return ms && !(ms->unmapped & BIT(pageblock_index(pfn)));
}

unsigned long fake_vmem_stray(const struct fake_vmem *fm)
{
	const u64 step = min((u64)PAGEBLOCK_SIZE, fm->config.block_size);
	unsigned long nr = 0;

	for (u64 at = 0; at < fm->config.region_size; at += step) {
		const phys_addr_t addr = fm->config.addr + at;

		if (is_mapped(fm, addr) && !fake_vmem_is_plugged(fm, addr))
			nr += step >> PAGE_SHIFT;
	}
	return nr;
}

/* --- requests -------------------------------------------------------------- */

/* Do the blocks of a request lie inside the usable region? */
static bool is_usable(const struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	const u64 block = fm->config.block_size;
	const u64 offset = req->addr - fm->config.addr;

	return !(req->addr & (block - 1)) && req->nb_blocks && req->addr >= fm->config.addr &&
	       offset + req->nb_blocks * block <= READ_ONCE(fm->config.usable_region_size);
}

static unsigned long nr_plugged(const struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	return bitmap_weight(fm->plugged, (req->addr - fm->config.addr) / fm->config.block_size,
			     req->nb_blocks);
}

/* Are all blocks of the request usable, and is each in state @plugged? */
static bool range_ok(const struct fake_vmem *fm, const struct virtio_mem_req *req, bool plugged)
{
	return is_usable(fm, req) && nr_plugged(fm, req) == (plugged ? req->nb_blocks : 0);
}

/* Count a violation for each mapped block: unplugged memory must not be accessible. */
static void check_unmapped(struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	for (u64 i = 0; i < req->nb_blocks; i++)
		fm->fv.violations += is_mapped(fm, req->addr + i * fm->config.block_size);
}

/*
 * Plugged memory has undefined contents: spec 5.15.6.1. Fill the first pageblock of a
 * block that mm does not have, because the block's descriptors lie there; elsewhere one
 * frame is enough.
 */
static void make_dirty(struct fake_vmem *fm, phys_addr_t addr, u64 size)
{
	const phys_addr_t end = addr + size;

	for (phys_addr_t at = addr; at < end; at = ALIGN_UP(at + 1, 1UL << SECTION_SHIFT)) {
		const bool added = pfn_to_section(fm->mm, phys_to_pfn(at)) != NULL;
		const u64 bytes = added ? PAGE_SIZE : min(end - at, (u64)PAGEBLOCK_SIZE);

		if (arch_map_direct(at, bytes))
			continue;
		memset(phys_to_virt(at), 0xa5, bytes);
		arch_unmap_direct(at, bytes);
	}
}

static u16 do_plug(struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	const u64 size = req->nb_blocks * fm->config.block_size;

	if (!range_ok(fm, req, false)) {
		fm->fv.violations++;
		return VIRTIO_MEM_RESP_ERROR;
	}
	if (!fm->forgetful)
		check_unmapped(fm, req);
	if (fm->config.plugged_size + size > READ_ONCE(fm->config.requested_size))
		return VIRTIO_MEM_RESP_NACK;
	if (!is_mapped(fm, req->addr))
		make_dirty(fm, req->addr, size);
	bitmap_set(fm->plugged, (req->addr - fm->config.addr) / fm->config.block_size,
		   req->nb_blocks);
	set_plugged_size(fm, fm->config.plugged_size + size);
	return VIRTIO_MEM_RESP_ACK;
}

static u16 do_unplug(struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	if (!range_ok(fm, req, true)) {
		fm->fv.violations++;
		return VIRTIO_MEM_RESP_ERROR;
	}
	check_unmapped(fm, req);
	bitmap_clear(fm->plugged, (req->addr - fm->config.addr) / fm->config.block_size,
		     req->nb_blocks);
	set_plugged_size(fm, fm->config.plugged_size - req->nb_blocks * fm->config.block_size);
	return VIRTIO_MEM_RESP_ACK;
}

static u16 do_unplug_all(struct fake_vmem *fm)
{
	memset(fm->plugged, 0, sizeof(fm->plugged));
	fm->fv.violations += fake_vmem_stray(fm) != 0;
	set_plugged_size(fm, 0);
	spin_lock(&fm->fv.lock);
	WRITE_ONCE(fm->config.usable_region_size, 0);
	set_usable(fm);
	spin_unlock(&fm->fv.lock);
	return VIRTIO_MEM_RESP_ACK;
}

static u16 do_state(struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	unsigned long nr;

	if (!is_usable(fm, req)) {
		fm->fv.violations++;
		return VIRTIO_MEM_RESP_ERROR;
	}
	nr = nr_plugged(fm, req);
	fm->state = nr == 0		 ? VIRTIO_MEM_STATE_UNPLUGGED :
		    nr == req->nb_blocks ? VIRTIO_MEM_STATE_PLUGGED :
					   VIRTIO_MEM_STATE_MIXED;
	return VIRTIO_MEM_RESP_ACK;
}

static u16 do_request(struct fake_vmem *fm, const struct virtio_mem_req *req)
{
	switch (req->type) {
	case VIRTIO_MEM_REQ_PLUG:
		return do_plug(fm, req);
	case VIRTIO_MEM_REQ_UNPLUG:
		return do_unplug(fm, req);
	case VIRTIO_MEM_REQ_UNPLUG_ALL:
		return do_unplug_all(fm);
	case VIRTIO_MEM_REQ_STATE:
		return do_state(fm, req);
	default:
		fm->fv.violations++;
		return VIRTIO_MEM_RESP_ERROR;
	}
}

/* Return the answer to one request; carry it out, unless the fault replaces the answer. */
static u16 answer_of(struct fake_vmem *fm, const struct virtio_mem_req *req,
		     enum fake_vmem_fault fault)
{
	u16 answer;

	switch (fault) {
	case FAKE_BUSY:
		return VIRTIO_MEM_RESP_BUSY;
	case FAKE_NACK:
		return VIRTIO_MEM_RESP_NACK;
	case FAKE_ERROR:
		return VIRTIO_MEM_RESP_ERROR;
	case FAKE_GARBAGE:
		return 0x1234;
	default:
		answer = do_request(fm, req);
		write_config(fm);
		return answer;
	}
}

static void respond(struct fake_vmem *fm, const struct fake_chain *chain, u16 type,
		    enum fake_vmem_fault fault)
{
	struct virtio_mem_resp *resp = chain->in[0].addr;

	memset(resp, 0xa5, VIRTIO_MEM_RESP_BYTES);
	resp->type = type;
	if (fm->state_asked)
		resp->state = fm->state;
	switch (fault) {
	case FAKE_SILENT:
		break;
	case FAKE_SHORT:
		fake_push(&fm->fv, 0, chain->head, 1);
		break;
	case FAKE_LIE_ID:
		fake_push_raw(&fm->fv, 0, chain->head + 1000, VIRTIO_MEM_RESP_BYTES);
		break;
	case FAKE_LIE_LEN:
		fake_push_raw(&fm->fv, 0, chain->head, VIRTIO_MEM_RESP_BYTES + 1);
		break;
	default:
		fake_push(&fm->fv, 0, chain->head, VIRTIO_MEM_RESP_BYTES);
		break;
	}
}

static void one_request(struct fake_vmem *fm, const struct fake_chain *chain)
{
	enum fake_vmem_fault fault = FAKE_OK;
	struct virtio_mem_req req;

	if (chain->nr_out != 1 || chain->out[0].len != sizeof(req) || chain->nr_in != 1 ||
	    chain->in[0].len < VIRTIO_MEM_RESP_BYTES) {
		fm->fv.violations++;
		return;
	}
	memcpy(&req, chain->out[0].addr, sizeof(req));
	if (fm->choose)
		fault = fm->choose(fm);
	else if (fm->nr_log >= fm->fault_at && fm->nr_log < fm->fault_at + fm->fault_for)
		fault = fm->fault;
	fm->log[fm->nr_log++ % FAKE_VMEM_LOG] = req;
	if (req.type <= VIRTIO_MEM_REQ_STATE)
		fm->nr_requests[req.type]++;
	if (fm->ask_reset)
		WRITE_ONCE(*fm->ask_reset, 1);
	fm->ask_reset = NULL;
	fm->state_asked = req.type == VIRTIO_MEM_REQ_STATE;
	respond(fm, chain, answer_of(fm, &req, fault), fault);
	if (fm->resize_at && fm->nr_log == fm->resize_at)
		fake_vmem_resize(fm, fm->resize_to);
	else if (fm->spurious)
		fake_interrupt(&fm->fv, VIRTIO_ISR_CONFIG);
}

static void handle(struct fake_virtio *fv, u32 index)
{
	struct fake_vmem *fm = container_of(fv, struct fake_vmem, fv);
	struct fake_chain chain;

	while (index == 0 && fake_pop(fv, 0, &chain))
		one_request(fm, &chain);
}

void fake_vmem_init(struct fake_vmem *fm, struct mm *mm, phys_addr_t addr, u64 size, u64 block)
{
	memset(fm, 0, sizeof(*fm));
	fake_virtio_init(&fm->fv, VIRTIO_ID_MEM, mm);
	fm->fv.offered |= VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE;
	fm->fv.config_size = sizeof(fm->config);
	fm->fv.handle = handle;
	fm->mm = mm;
	fm->config.block_size = block;
	/* Without ACPI_PXM the node id is undefined, and padding always is. */
	fm->config.node_id = 0xa5a5;
	memset(fm->config.padding, 0xa5, sizeof(fm->config.padding));
	fm->config.addr = addr;
	fm->config.region_size = size;
	set_usable(fm);
	write_config(fm);
}
