// SPDX-License-Identifier: GPL-2.0-or-later
//! `query-iothreads`: one pass over the objects that users created.
//!
//! Main thread, under the BQL where there is one.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;

use glib_sys as glib;

use crate::class::{IOThread, TYPE_IOTHREAD};
use crate::sys::bindings as qemu;
use crate::sys::object;

/// A copy of the IOThread's id that the caller frees; null without a parent.
///
/// # Safety
///
/// `iothread` is live.
pub unsafe fn copy_id(iothread: *mut IOThread) -> *mut c_char {
    // SAFETY: the caller's word; glib's copy of NULL is NULL.
    unsafe { glib::g_strdup(object::id(iothread.cast())) }
}

/// Describes every IOThread that users created, in QOM's order. The caller frees
/// the list.
pub fn describe_all() -> *mut qemu::IOThreadInfoList {
    let mut head: *mut qemu::IOThreadInfoList = null_mut();
    let mut tail: *mut *mut qemu::IOThreadInfoList = &mut head;
    // SAFETY: add_one() gets what it asks for.
    unsafe {
        let objects = qemu::object_get_objects_root();
        qemu::object_child_foreach(objects, Some(add_one), (&raw mut tail).cast());
    }
    head
}

/// Appends the description of `object` if that is an IOThread.
///
/// # Safety
///
/// `opaque` points to the pointer that the next link goes to.
unsafe extern "C" fn add_one(object: *mut qemu::Object, opaque: *mut c_void) -> c_int {
    // SAFETY: the caller's word; invariant of IOThread. QAPI's types are freed by
    // g_free(), member for member.
    unsafe {
        let iothread: *mut IOThread =
            qemu::object_dynamic_cast(object, TYPE_IOTHREAD.as_ptr()).cast();
        if iothread.is_null() {
            return 0;
        }
        let info: *mut qemu::IOThreadInfo = glib::g_malloc0(size_of::<qemu::IOThreadInfo>()).cast();
        describe(&*iothread, info);
        (*info).id = copy_id(iothread);

        let link: *mut qemu::IOThreadInfoList =
            glib::g_malloc0(size_of::<qemu::IOThreadInfoList>()).cast();
        (*link).value = info;
        let tail: *mut *mut *mut qemu::IOThreadInfoList = opaque.cast();
        **tail = link;
        *tail = &raw mut (*link).next;
    }
    0
}

/// # Safety
///
/// `info` is zeroed memory of ours.
unsafe fn describe(iothread: &IOThread, info: *mut qemu::IOThreadInfo) {
    let params = iothread.params();
    // SAFETY: the caller's word; only the main thread writes the batch size.
    unsafe {
        (*info).thread_id = iothread.worker().thread_id().into();
        (*info).poll_max_ns = params.max_ns.get();
        (*info).poll_grow = params.grow.get();
        (*info).poll_shrink = params.shrink.get();
        (*info).aio_max_batch = (*iothread.base()).aio_max_batch;
    }
}
