// SPDX-License-Identifier: GPL-2.0-or-later
//! QOM objects as IOThreads need them: references, names and children.

use core::ffi::{c_char, CStr};
use core::mem::MaybeUninit;
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

/// Shows each child of an object with its name, both borrowed, in QOM's order.
///
/// What [`id`] says of one child takes as long as there are children; this has
/// each name at hand.
///
/// # Safety
///
/// `parent` is live and keeps its children meanwhile. Main thread.
pub unsafe fn each_child(
    parent: *mut qemu::Object,
    mut see: impl FnMut(*const c_char, *mut qemu::Object),
) {
    const CHILD: &CStr = c"child<";
    let mut properties = MaybeUninit::uninit();
    // SAFETY: the caller's word. QOM calls the type of a property that is a child
    // so, and keeps the child in it.
    unsafe {
        qemu::object_property_iter_init(properties.as_mut_ptr(), parent);
        loop {
            let property = qemu::object_property_iter_next(properties.as_mut_ptr());
            if property.is_null() {
                return;
            }
            if glib_sys::g_str_has_prefix((*property).type_, CHILD.as_ptr()) != 0 {
                see((*property).name, (*property).opaque.cast());
            }
        }
    }
}
