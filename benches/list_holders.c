/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See list_holders.h; what `cargo xtask bench` compares the library's holders with. */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "list_holders.h"

struct ListHolder {
    QTAILQ_ENTRY(ListHolder) next;
    unsigned count;
    char *name;
};

static void check(bool good, const char *name, const char *what)
{
    if (!good) {
        error_report("holder '%s': %s", name ? name : "(NULL)", what);
        abort();
    }
}

static void check_name(const char *name)
{
    check(name && *name, name, "no name was given");
    check(g_utf8_validate(name, -1, NULL), name, "the name is not UTF-8");
}

static ListHolder *find(ListHolders *list, const char *name)
{
    ListHolder *holder;

    QTAILQ_FOREACH(holder, &list->holders, next) {
        if (!strcmp(holder->name, name)) {
            break;
        }
    }
    return holder;
}

static ListHolder *append(ListHolders *list, const char *name)
{
    ListHolder *holder = g_new0(ListHolder, 1);

    holder->name = g_strdup(name);
    QTAILQ_INSERT_TAIL(&list->holders, holder, next);
    return holder;
}

static void forget(ListHolders *list, ListHolder *holder)
{
    QTAILQ_REMOVE(&list->holders, holder, next);
    g_free(holder->name);
    g_free(holder);
}

void list_holders_init(ListHolders *list, Object *object)
{
    qemu_mutex_init(&list->lock);
    QTAILQ_INIT(&list->holders);
    list->object = object;
}

void list_holders_destroy(ListHolders *list)
{
    ListHolder *holder;

    while ((holder = QTAILQ_FIRST(&list->holders))) {
        while (holder->count--) {
            object_unref(list->object);
        }
        forget(list, holder);
    }
    qemu_mutex_destroy(&list->lock);
}

void list_holders_ref(ListHolders *list, const char *name)
{
    check_name(name);
    WITH_QEMU_LOCK_GUARD(&list->lock) {
        ListHolder *holder = find(list, name);

        if (!holder) {
            holder = append(list, name);
        }
        holder->count++;
    }
    object_ref(list->object);
}

void list_holders_unref(ListHolders *list, const char *name)
{
    check_name(name);
    WITH_QEMU_LOCK_GUARD(&list->lock) {
        ListHolder *holder = find(list, name);

        check(holder, name, "is not on record");
        if (!--holder->count) {
            forget(list, holder);
        }
    }
    object_unref(list->object);
}

void list_holders_append(ListHolders *list, const char *name)
{
    WITH_QEMU_LOCK_GUARD(&list->lock) {
        append(list, name)->count++;
    }
    object_ref(list->object);
}
