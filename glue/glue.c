/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Rust cannot say itself: QEMU's module constructor. See trace.c for inline
 * functions; everything else that the library calls in QEMU is a plain function.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qom/object.h"

extern const TypeInfo qemu_iothread_type_info;

/* type_init() enrols this before main(); QEMU runs it with all other types. */
static void qemu_iothread_register_type(void)
{
    type_register_static(&qemu_iothread_type_info);
}

type_init(qemu_iothread_register_type)
