/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C API through the crate's own header and the plain static library, linked
 * with the parts of a QEMU build that it calls. Each function runs at least once
 * and does what its comment says.
 *
 * Not tested here: the shape in which QEMU links the library (one object, by
 * Meson), the QMP and HMP commands beyond their C function, properties, errors,
 * many threads, and each kind of wrong use. QEMU's own unit tests, qtests and
 * iotests do that, with the tests that the patches add to them.
 */
#include "qemu/osdep.h"
#include <sys/resource.h>
#include "qapi/error.h"
#if __has_include("qapi/qapi-commands-iothread.h")
#include "qapi/qapi-commands-iothread.h"
#else
#include "qapi/qapi-commands-misc.h"
#endif
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "system/iothread.h"

/* What code sees that runs in an IOThread. */
typedef struct {
    QemuEvent done;
    AioContext *ctx;
    int thread_id;
    bool in_iothread;
} Probe;

static void probe_bh(void *opaque)
{
    Probe *probe = opaque;

    probe->ctx = qemu_get_current_aio_context();
    probe->thread_id = qemu_get_thread_id();
    probe->in_iothread = qemu_in_iothread();
    qemu_event_set(&probe->done);
}

static gboolean probe_source(void *opaque)
{
    probe_bh(opaque);
    return G_SOURCE_REMOVE;
}

static void probe_wait(Probe *probe)
{
    qemu_event_wait(&probe->done);
    qemu_event_destroy(&probe->done);
}

static Probe probe_ctx(AioContext *ctx)
{
    Probe probe = { 0 };

    qemu_event_init(&probe.done, false);
    aio_bh_schedule_oneshot(ctx, probe_bh, &probe);
    probe_wait(&probe);
    return probe;
}

static Probe probe_main_context(GMainContext *context)
{
    g_autoptr(GSource) source = g_idle_source_new();
    Probe probe = { 0 };

    qemu_event_init(&probe.done, false);
    g_source_set_callback(source, probe_source, &probe, NULL);
    g_source_attach(source, context);
    probe_wait(&probe);
    return probe;
}

/* As object-add does it. */
static IOThread *add_object(const char *id)
{
    Object *objects = object_get_objects_root();

    return IOTHREAD(object_new_with_props(TYPE_IOTHREAD, objects, id,
                                          &error_abort, NULL));
}

static void test_internal(void)
{
    IOThread *iothread = iothread_create("i0", &error_abort);
    g_autofree char *id = iothread_get_id(iothread);

    g_assert_cmpstr(id, ==, "i0");
    g_assert_null(iothread_by_id("i0"));
    g_assert_null(qmp_query_iothreads(&error_abort));
    iothread_destroy(iothread);
}

static void test_user(void)
{
    IOThread *iothread = add_object("t0");
    IOThreadInfoList *list = qmp_query_iothreads(&error_abort);
    Probe probe = probe_ctx(iothread_get_aio_context(iothread));

    g_assert(iothread_by_id("t0") == iothread);
    g_assert(iothread_by_id("/objects/t0") == iothread);
    g_assert_nonnull(list);
    g_assert_cmpstr(list->value->id, ==, "t0");
    g_assert_cmpint(list->value->thread_id, ==, probe.thread_id);
    g_assert_null(list->next);
    qapi_free_IOThreadInfoList(list);
    object_unparent(OBJECT(iothread));
    g_assert_null(iothread_by_id("t0"));
}

/* QEMU's own IOThreads are listed apart from those of users. */
static void test_query_internal(void)
{
    IOThread *internal = iothread_create("i0", &error_abort);
    IOThread *user = add_object("t0");
    IOThreadInfoList *list = iothread_query_internal();

    g_assert_nonnull(list);
    g_assert_cmpstr(list->value->id, ==, "i0");
    g_assert_null(list->next);
    qapi_free_IOThreadInfoList(list);
    object_unparent(OBJECT(user));
    iothread_destroy(internal);
    g_assert_null(iothread_query_internal());
}

static void test_contexts(void)
{
    IOThread *iothread = iothread_create("i0", &error_abort);
    AioContext *ctx = iothread_get_aio_context(iothread);
    Probe probe = probe_ctx(ctx);
    int thread_id = probe.thread_id;

    g_assert_cmpint(thread_id, !=, qemu_get_thread_id());
    g_assert(probe.ctx == ctx);
    g_assert_true(probe.in_iothread);
    g_assert_false(qemu_in_iothread());

    probe = probe_main_context(iothread_get_g_main_context(iothread));
    g_assert_cmpint(probe.thread_id, ==, thread_id);
    g_assert(probe.ctx == ctx);
    iothread_destroy(iothread);
}

static void set_bool(void *opaque)
{
    bool *done = opaque;

    *done = true;
}

static void test_stop(void)
{
    IOThread *iothread = iothread_create("i0", &error_abort);
    bool done = false;

    aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), set_bool,
                            &done);
    iothread_stop(iothread);
    g_assert_true(done);
    iothread_stop(iothread);
    iothread_destroy(iothread);
}

static void test_holding(void)
{
    IOThread *iothread = add_object("t0");
    AioContext *ctx = iothread_ref_and_get_aio_context(iothread, "a");
    GSource *source = aio_get_g_source(ctx);

    iothread_ref(iothread, "b");
    g_assert_cmpuint(OBJECT(iothread)->ref, ==, 3);
    g_assert(iothread_from_aio_context(ctx) == iothread);
    g_assert_null(iothread_from_aio_context(qemu_get_aio_context()));

    object_unparent(OBJECT(iothread));
    iothread_unref(iothread, "a");
    g_assert(probe_ctx(ctx).ctx == ctx);
    g_assert(iothread_from_aio_context(ctx) == iothread);

    iothread_unref(iothread, "b");
    g_assert_true(g_source_is_destroyed(source));
    g_assert_null(iothread_from_aio_context(ctx));
    g_source_unref(source);
}

static void test_wrong_use(void)
{
    if (g_test_subprocess()) {
        IOThread *iothread = iothread_create("i0", &error_abort);
        struct rlimit no_core_dump = { 0, 0 };

        setrlimit(RLIMIT_CORE, &no_core_dump);
        iothread_ref(iothread, "a");
        iothread_unref(iothread, "b");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*: iothread_unref: IOThread 'i0', holder 'b': "
                              "is not on record; held by: 'a'\n");
}

int main(int argc, char **argv)
{
    module_call_init(MODULE_INIT_QOM);
    qemu_init_main_loop(&error_abort);

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/api/internal", test_internal);
    g_test_add_func("/api/user", test_user);
    g_test_add_func("/api/query-internal", test_query_internal);
    g_test_add_func("/api/contexts", test_contexts);
    g_test_add_func("/api/stop", test_stop);
    g_test_add_func("/api/holding", test_holding);
    g_test_add_func("/api/wrong-use", test_wrong_use);
    return g_test_run();
}
