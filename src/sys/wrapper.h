/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every QEMU header that this library takes declarations from. */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#if __has_include("qapi/qapi-types-iothread.h")
#include "qapi/qapi-types-iothread.h"
#else
#include "qapi/qapi-types-misc.h"
#endif
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qom/object.h"
#include "system/event-loop-base.h"
#include "system/iothread.h"
#include "trace/trace-root.h"
