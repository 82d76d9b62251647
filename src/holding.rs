// SPDX-License-Identifier: GPL-2.0-or-later
//! Holding an IOThread and letting it go, as C callers do it: the record, and
//! with each record one QOM reference.
//!
//! Any thread may call, with or without the BQL, but for a release that may be
//! the last. The lock around the records is a leaf: nothing else is taken under
//! it, and QOM's references are dropped outside it.

use core::ffi::{c_char, CStr};

use crate::class::IOThread;
use crate::fatal::misuse;
use crate::sys::glib::is_utf8;
use crate::sys::records::Name;
#[cfg(qemu_traces)]
use crate::sys::trace;
use crate::sys::{aio, object};

/// Puts `holder` on record and takes a reference for it; `call` is what C called.
///
/// # Safety
///
/// `iothread` is null or a live IOThread, `holder` null or a C string.
pub unsafe fn hold(iothread: *mut IOThread, holder: *const c_char, call: &'static CStr) {
    // SAFETY: the caller's word; invariant of IOThread.
    unsafe {
        let (iothread, name) = valid(iothread, holder, call.as_ptr());
        iothread.holders().lock(|holders| holders.add(name));
        object::add_ref(iothread.object());
        #[cfg(qemu_traces)]
        trace::hold(iothread.worker().id(), holder);
    }
}

/// Takes one record of `holder` away, then drops its reference: after that the
/// IOThread may be gone.
///
/// # Safety
///
/// As for [`hold`]; in the main thread if nobody else may have a reference by the
/// time that the record's is dropped.
pub unsafe fn let_go(iothread: *mut IOThread, holder: *const c_char, call: &'static CStr) {
    let call = call.as_ptr();
    // SAFETY: the caller's word; the record that goes owned a reference.
    unsafe {
        let (iothread, name) = valid(iothread, holder, call);
        let object = iothread.object();
        let what = if iothread.holders().lock(|holders| holders.release(name)).is_err() {
            c"is not on record"
        } else if object::is_last_ref(object) && aio::is_current(iothread.worker().ctx()) {
            c"drops the last reference on the IOThread's own thread"
        } else {
            #[cfg(qemu_traces)]
            trace::let_go(iothread.worker().id(), holder);
            object::drop_ref(object);
            return;
        };
        misuse(iothread, holder, call, what)
    }
}

/// Both arguments as Rust knows them; aborts on what no caller may pass.
///
/// # Safety
///
/// As for [`hold`].
// Inlined: what the callers have at hand needs no way back to them.
#[inline(always)]
unsafe fn valid<'a>(
    iothread: *mut IOThread,
    holder: *const c_char,
    call: *const c_char,
) -> (&'a IOThread, Name<'a>) {
    // SAFETY: the caller's word. An IOThread has cells and atomics for all that
    // others write.
    unsafe {
        validate(iothread, holder, call);
        (&*iothread, Name::from_ptr(holder))
    }
}

/// Aborts on what no caller may pass.
///
/// # Safety
///
/// As for [`hold`].
#[inline(never)]
unsafe fn validate(iothread: *mut IOThread, holder: *const c_char, call: *const c_char) {
    // SAFETY: the caller's word.
    unsafe {
        let what = if iothread.is_null() {
            c"no IOThread was given"
        } else if holder.is_null() {
            c"no name was given"
        } else if *holder == 0 {
            c"the name is empty"
        } else if !is_utf8(holder) {
            c"the name is not UTF-8"
        } else {
            return;
        };
        misuse(iothread, holder, call, what)
    }
}
