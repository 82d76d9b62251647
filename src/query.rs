// SPDX-License-Identifier: GPL-2.0-or-later
//! `query-iothreads`: one pass over the objects that users created, or over those
//! that QEMU made for itself.
//!
//! Main thread, under the BQL where there is one.

use core::ffi::c_char;
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
pub fn describe_users() -> *mut qemu::IOThreadInfoList {
    // SAFETY: no precondition; QOM makes this root when it is first asked.
    unsafe { describe_below(qemu::object_get_objects_root()) }
}

/// Describes every IOThread of [`create_internal`](crate::class::create_internal)
/// alike.
pub fn describe_internal() -> *mut qemu::IOThreadInfoList {
    // SAFETY: as above.
    unsafe { describe_below(qemu::object_get_internal_root()) }
}

/// # Safety
///
/// `root` is a live object whose children stay the same meanwhile.
unsafe fn describe_below(root: *mut qemu::Object) -> *mut qemu::IOThreadInfoList {
    let mut head: *mut qemu::IOThreadInfoList = null_mut();
    let mut tail: *mut *mut qemu::IOThreadInfoList = &mut head;
    // SAFETY: the caller's word; invariant of IOThread. QAPI's types are freed by
    // g_free(), member for member.
    unsafe {
        object::each_child(root, |id, child| {
            let iothread: *mut IOThread =
                qemu::object_dynamic_cast(child, TYPE_IOTHREAD.as_ptr()).cast();
            if iothread.is_null() {
                return;
            }
            let info: *mut qemu::IOThreadInfo =
                glib::g_malloc0(size_of::<qemu::IOThreadInfo>()).cast();
            describe(&*iothread, info);
            (*info).id = glib::g_strdup(id);

            let link: *mut qemu::IOThreadInfoList =
                glib::g_malloc0(size_of::<qemu::IOThreadInfoList>()).cast();
            (*link).value = info;
            *tail = link;
            tail = &raw mut (*link).next;
        });
    }
    head
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
        #[cfg(qemu_holders)]
        holders::describe(iothread, &raw mut (*info).holders);
    }
}

/// What QMP's schema has from the commit on that shows holders.
#[cfg(qemu_holders)]
mod holders {
    use super::*;
    use crate::model::kind::{classify, Kind};
    use core::ffi::CStr;

    /// How the schema numbers what a holder is.
    const fn number(kind: Kind) -> qemu::IOThreadHolderType {
        match kind {
            Kind::QomObject => qemu::IOThreadHolderType_IO_THREAD_HOLDER_TYPE_QOM_OBJECT,
            Kind::BlockExport => qemu::IOThreadHolderType_IO_THREAD_HOLDER_TYPE_BLOCK_EXPORT,
            Kind::BlockNode => qemu::IOThreadHolderType_IO_THREAD_HOLDER_TYPE_BLOCK_NODE,
            Kind::Monitor => qemu::IOThreadHolderType_IO_THREAD_HOLDER_TYPE_MONITOR,
            Kind::Other => qemu::IOThreadHolderType_IO_THREAD_HOLDER_TYPE_OTHER,
        }
    }

    // The schema has no kind that the library does not know, and each kind's
    // member is one string.
    const _: () = {
        assert!(Kind::ALL.len() == qemu::IOThreadHolderType_IO_THREAD_HOLDER_TYPE__MAX as usize);
        let string = size_of::<*mut c_char>();
        assert!(size_of::<qemu::IOThreadHolderQomObject>() == string);
        assert!(size_of::<qemu::IOThreadHolderBlockExport>() == string);
        assert!(size_of::<qemu::IOThreadHolderBlockNode>() == string);
        assert!(size_of::<qemu::IOThreadHolderMonitor>() == string);
        assert!(size_of::<qemu::IOThreadHolderOther>() == string);
    };

    /// Lists the holders, first come first, each once.
    ///
    /// # Safety
    ///
    /// `tail` is a pointer of ours that the first link goes to.
    pub unsafe fn describe(iothread: &IOThread, mut tail: *mut *mut qemu::IOThreadHolderList) {
        iothread.holders().lock(|holders| {
            holders.visit(|name, _| {
                let name = name.as_ptr();
                // SAFETY: the caller's word, and memory of ours; what is shown is
                // the end of a C string. See the assertion above for the union.
                unsafe {
                    let (kind, from) = classify(CStr::from_ptr(name).to_bytes());
                    let holder: *mut qemu::IOThreadHolder =
                        glib::g_malloc0(size_of::<qemu::IOThreadHolder>()).cast();
                    let shown: *mut *mut c_char = (&raw mut (*holder).u).cast();
                    (*holder).type_ = number(kind);
                    *shown = glib::g_strdup(name.add(from));

                    let link: *mut qemu::IOThreadHolderList =
                        glib::g_malloc0(size_of::<qemu::IOThreadHolderList>()).cast();
                    (*link).value = holder;
                    *tail = link;
                    tail = &raw mut (*link).next;
                }
            });
        });
    }
}
