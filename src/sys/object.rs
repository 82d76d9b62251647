// SPDX-License-Identifier: GPL-2.0-or-later
//! QOM objects as IOThreads need them: references and names.

use core::ffi::c_char;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::bindings as qemu;

/// Takes a reference.
///
/// # Safety
///
/// `object` is live.
pub unsafe fn add_ref(object: *mut qemu::Object) {
    // SAFETY: the caller's word.
    unsafe { qemu::object_ref(object.cast()) };
}

/// Drops a reference, which may finalize the object.
///
/// # Safety
///
/// The caller owns a reference of `object`.
pub unsafe fn drop_ref(object: *mut qemu::Object) {
    // SAFETY: the caller's word.
    unsafe { qemu::object_unref(object.cast()) }
}

/// Whether there is one reference alone, which then is the caller's.
///
/// # Safety
///
/// The caller owns a reference of `object`.
pub unsafe fn is_last_ref(object: *mut qemu::Object) -> bool {
    // SAFETY: the object lives; QEMU counts atomically.
    let count = unsafe { AtomicU32::from_ptr(ptr::addr_of_mut!((*object).ref_)) };
    count.load(Ordering::Acquire) == 1
}

/// The object's name below its parent, borrowed from it; null without a parent.
///
/// # Safety
///
/// `object` is live. Main thread.
pub unsafe fn id(object: *mut qemu::Object) -> *const c_char {
    // SAFETY: the caller's word.
    unsafe { qemu::object_get_canonical_path_component(object) }
}
