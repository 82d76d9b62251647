/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linked into programs that run under valgrind, which waits for io_uring with
 * its own lock held and so for ever: QEMU falls back to epoll.
 */
#include <errno.h>

struct io_uring;

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    return -ENOSYS;
}
