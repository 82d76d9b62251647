/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Holders of an object in the plainest way: a list that is walked from its start. */
#ifndef BENCHES_LIST_HOLDERS_H
#define BENCHES_LIST_HOLDERS_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qom/object.h"

typedef struct ListHolder ListHolder;

typedef struct {
    QemuMutex lock;
    QTAILQ_HEAD(, ListHolder) holders;
    Object *object;
} ListHolders;

void list_holders_init(ListHolders *list, Object *object);
/* Drops all records and their references */
void list_holders_destroy(ListHolders *list);

/* The same contract as iothread_ref() and iothread_unref() */
void list_holders_ref(ListHolders *list, const char *name);
void list_holders_unref(ListHolders *list, const char *name);

/* list_holders_ref() of a name that is known to be new: fills a list quickly */
void list_holders_append(ListHolders *list, const char *name);

#endif
