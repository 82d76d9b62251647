/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events, which QEMU declares as inline functions. Not in glue.c: who links
 * the model alone takes in what is called, but no constructor.
 */
#include "qemu/osdep.h"
#include "trace/trace-root.h"

/* A QEMU without these events traces nothing. */
#ifdef TRACE_IOTHREAD_REF_ENABLED
void qemu_iothread_trace_start(const char *id);
void qemu_iothread_trace_stop(const char *id);
void qemu_iothread_trace_ref(const char *id, const char *holder);
void qemu_iothread_trace_unref(const char *id, const char *holder);

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
#endif
