/*
 * devices.h - what the kernel tells of the processor's caches and instruction sets and of
 * accelerators beside it. `root` is the directory that stands for / (tests), "" for the real one.
 */
#ifndef KK_HARDWARE_DEVICES_H
#define KK_HARDWARE_DEVICES_H

#include "hardware/hardware.h"

/* Bytes of the first CPU's own or shared caches; 0 where there is none or it is not told. */
void kk_read_caches(const char *root, kk_hardware *out);

/* Those instruction sets of the CPU that matter for inference, as the kernel names them; one that
 * the kernel does not save registers for is not among them. */
void kk_read_instruction_sets(const char *root, kk_hardware *out);

/* Device nodes of GPUs and NPUs. Whether this process may open them is not looked at. */
void kk_read_accelerators(const char *root, kk_hardware *out);

#endif
