/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Rust cannot say itself: QEMU's module constructor, and trace events, which
 * are inline functions. Everything else that the library calls in QEMU is a plain
 * function.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qom/object.h"
#include "trace/trace-root.h"

extern const TypeInfo qemu_iothread_type_info;

/* type_init() runs this before main(), with all other types of QEMU's. */
static void qemu_iothread_register_type(void)
{
    type_register_static(&qemu_iothread_type_info);
}

type_init(qemu_iothread_register_type)

void qemu_iothread_trace_start(const char *id);
void qemu_iothread_trace_stop(const char *id);
void qemu_iothread_trace_ref(const char *id, const char *holder);
void qemu_iothread_trace_unref(const char *id, const char *holder);

/* A QEMU without these events traces nothing. */
#ifndef TRACE_IOTHREAD_REF_ENABLED
#define trace_iothread_start(id) ((void)(id))
#define trace_iothread_stop(id) ((void)(id))
#define trace_iothread_ref(id, holder) ((void)(id), (void)(holder))
#define trace_iothread_unref(id, holder) ((void)(id), (void)(holder))
#endif

void qemu_iothread_trace_start(const char *id)
{
    trace_iothread_start(id);
}

void qemu_iothread_trace_stop(const char *id)
{
    trace_iothread_stop(id);
}

void qemu_iothread_trace_ref(const char *id, const char *holder)
{
    trace_iothread_ref(id, holder);
}

void qemu_iothread_trace_unref(const char *id, const char *holder)
{
    trace_iothread_unref(id, holder);
}
