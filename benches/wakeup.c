/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wakeup COUNT plain|gcontext: wakes a sleeping IOThread with a bottom half and
 * waits for it, COUNT times; with gcontext the thread runs its GMainContext.
 */
#include "qemu/osdep.h"
#include "harness.h"

static void answer(void *opaque)
{
    qemu_sem_post(opaque);
}

int main(int argc, char **argv)
{
    QemuSemaphore answered;
    AioContext *ctx;
    IOThread *iothread;
    unsigned count;

    if (argc != 3) {
        return 2;
    }
    count = harness_number(argv[1]);
    harness_start();
    iothread = harness_iothread("t0", "0");
    ctx = iothread_get_aio_context(iothread);
    if (!strcmp(argv[2], "gcontext")) {
        iothread_get_g_main_context(iothread);
    }
    qemu_sem_init(&answered, 0);
    while (count--) {
        aio_bh_schedule_oneshot(ctx, answer, &answered);
        qemu_sem_wait(&answered);
    }
    qemu_sem_destroy(&answered);
    object_unparent(OBJECT(iothread));
    return 0;
}
