/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holders COUNT rust|list OTHERS new|oldest|newest: beside OTHERS other holders
 * of an IOThread, takes and drops a record of one name, COUNT times: of a name
 * that is not on record otherwise, or of the oldest or newest of the others.
 */
#include "qemu/osdep.h"
#include "harness.h"
#include "list_holders.h"

typedef struct {
    IOThread *iothread;
    ListHolders list;
    bool is_rust;
} Subject;

static void ref(Subject *subject, const char *name)
{
    if (subject->is_rust) {
        iothread_ref(subject->iothread, name);
    } else {
        list_holders_ref(&subject->list, name);
    }
}

static void unref(Subject *subject, const char *name)
{
    if (subject->is_rust) {
        iothread_unref(subject->iothread, name);
    } else {
        list_holders_unref(&subject->list, name);
    }
}

/* As long as the QOM path of a device that a user gave an id */
static char *holder_name(unsigned number)
{
    return g_strdup_printf("/machine/peripheral/the-devices-id-%08u", number);
}

int main(int argc, char **argv)
{
    g_autofree char *name = NULL;
    unsigned count, others, number;
    Subject subject;

    if (argc != 5) {
        return 2;
    }
    count = harness_number(argv[1]);
    others = harness_number(argv[3]);
    harness_start();
    subject.iothread = harness_iothread("t0", "0");
    subject.is_rust = !strcmp(argv[2], "rust");
    list_holders_init(&subject.list, OBJECT(subject.iothread));

    for (number = 0; number < others; number++) {
        g_autofree char *other = holder_name(number);

        if (subject.is_rust) {
            iothread_ref(subject.iothread, other);
        } else {
            list_holders_append(&subject.list, other);
        }
    }
    if (!strcmp(argv[4], "oldest")) {
        number = 0;
    } else if (!strcmp(argv[4], "newest")) {
        number = others - 1;
    }
    name = holder_name(number);
    while (count--) {
        ref(&subject, name);
        unref(&subject, name);
    }

    for (number = 0; subject.is_rust && number < others; number++) {
        g_autofree char *other = holder_name(number);

        iothread_unref(subject.iothread, other);
    }
    list_holders_destroy(&subject.list);
    object_unparent(OBJECT(subject.iothread));
    return 0;
}
