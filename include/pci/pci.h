/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _PCI_PCI_H
#define _PCI_PCI_H

/*
 * PCI functions on the root bus of a generic ECAM host bridge: finding them, and sizing
 * and placing their memory BARs in the bridge's windows. INTx only, no bridges.
 * Spec: PCI 3.0 section 6; PCI Express 4.0 section 7.2 (ECAM).
 */
#include "lib/types.h"

#define PCI_VENDOR_ID	    0x00
#define PCI_DEVICE_ID	    0x02
#define PCI_COMMAND	    0x04
#define PCI_STATUS	    0x06
#define PCI_HEADER_TYPE	    0x0e
#define PCI_BAR0	    0x10
#define PCI_SUBSYSTEM_ID    0x2e
#define PCI_CAPABILITY_LIST 0x34
#define PCI_INTERRUPT_PIN   0x3d

#define PCI_COMMAND_MEMORY	BIT(1)
#define PCI_COMMAND_MASTER	BIT(2)
#define PCI_COMMAND_INTX_OFF	BIT(10)
#define PCI_STATUS_CAP_LIST	BIT(4)
#define PCI_CAP_ID_VENDOR	0x09
#define PCI_NUM_BARS		6
#define PCI_CONFIG_BYTES	256 /* of the part that has capabilities */

/**
 * struct pci_bar - one memory BAR
 * @addr: physical address for the CPU; 0 if there is no BAR or no place for it
 * @size: bytes
 */
struct pci_bar {
	phys_addr_t addr;
	u64 size;
};

/**
 * struct pci_device - one function
 * @config: its 4 KiB of configuration, mapped: for readb() to writel()
 * @devfn: device << 3 | function
 * @irq: PLIC source of its pin, 0 if it has none
 * @bar: a 64-bit BAR is in the lower of its two slots
 */
struct pci_device {
	volatile u8 *config;
	u32 devfn;
	u16 vendor, device, subsystem;
	u32 irq;
	struct pci_bar bar[PCI_NUM_BARS];
};

/**
 * pci_find_capability() - find the next capability of a kind
 * @id: PCI_CAP_ID_*
 * @after: offset of the previous capability, or 0 for the first
 *
 * The search is bounded, even if the list loops.
 * Return: offset in the configuration, below PCI_CONFIG_BYTES; 0 if there is none.
 */
u32 pci_find_capability(const struct pci_device *dev, u8 id, u32 after);

/* Make the function decode memory and allow it DMA and INTx. */
void pci_enable(struct pci_device *dev);

/* Return the n-th function found at boot, in the order of devfn; NULL after the last. */
struct pci_device *pci_device_at(unsigned int n);

#endif
