/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the measured programs share: QEMU's start, an IOThread as a user makes it. */
#ifndef BENCHES_HARNESS_H
#define BENCHES_HARNESS_H

#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/thread.h"
#include "qom/object.h"
#include "system/iothread.h"

static inline void harness_start(void)
{
    qemu_thread_naming(true);
    module_call_init(MODULE_INIT_QOM);
    qemu_init_main_loop(&error_abort);
}

static inline unsigned harness_number(const char *text)
{
    unsigned number;

    if (qemu_strtoui(text, NULL, 10, &number) < 0) {
        error_report("not a number: %s", text);
        exit(2);
    }
    return number;
}

/* @poll_max_ns: "0" makes the thread sleep at once, so that runs are alike */
static inline IOThread *harness_iothread(const char *id, const char *poll_max_ns)
{
    return IOTHREAD(object_new_with_props(TYPE_IOTHREAD,
                                          object_get_objects_root(), id,
                                          &error_abort,
                                          "poll-max-ns", poll_max_ns, NULL));
}

#endif
