/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lifecycle COUNT POLL_MAX_NS: makes an IOThread and deletes it, COUNT times,
 * as object-add and object-del do. Prints the seconds that took.
 */
#include "qemu/osdep.h"
#include "harness.h"

int main(int argc, char **argv)
{
    unsigned count;
    int64_t start;

    if (argc != 3) {
        return 2;
    }
    count = harness_number(argv[1]);
    harness_start();
    start = g_get_monotonic_time();
    while (count--) {
        object_unparent(OBJECT(harness_iothread("t0", argv[2])));
    }
    printf("%f\n", (g_get_monotonic_time() - start) / 1e6);
    return 0;
}
