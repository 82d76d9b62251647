// SPDX-License-Identifier: GPL-2.0-or-later
//! Holding an IOThread and letting it go, as C callers do it: the record, and
//! with each record one QOM reference.
//!
//! Any thread may call, with or without the BQL, but for a release that may be
//! the last. The lock around the records is a leaf: nothing else is taken under
//! it, and QOM's references are dropped outside it.

use core::ffi::{c_char, CStr};

use crate::class::IOThread;
use crate::fatal::{self, Misuse};
use crate::sys::glib::is_utf8;
use crate::sys::{aio, object};

/// Puts `holder` on record and takes a reference for it.
///
/// # Safety
///
/// `iothread` is null or a live IOThread, `holder` null or a C string.
pub unsafe fn hold(call: &CStr, iothread: *mut IOThread, holder: *const c_char) {
    // SAFETY: the caller's word.
    let (iothread, holder) = unsafe { valid(call, iothread, holder) };
    iothread.holders().lock(|holders| holders.add(holder));
    // SAFETY: invariant of IOThread.
    unsafe { object::add_ref(iothread.object()) }
}

/// Takes one record of `holder` away, then drops its reference: after that the
/// IOThread may be gone.
///
/// # Safety
///
/// As for [`hold`]; in the main thread if nobody else has a reference.
pub unsafe fn let_go(call: &CStr, iothread: *mut IOThread, holder: *const c_char) {
    // SAFETY: the caller's word.
    let (iothread, name) = unsafe { valid(call, iothread, holder) };
    if iothread.holders().lock(|holders| holders.release(name)).is_err() {
        let what = c"is not on record";
        fatal::misuse(&Misuse { call, iothread: Some(iothread), holder, what });
    }
    let object = iothread.object();
    // SAFETY: the record that is gone owned a reference.
    unsafe {
        if object::is_last_ref(object) && aio::is_current(iothread.worker().ctx()) {
            fatal::last_ref_on_own_thread(iothread, call, Some(name));
        }
        object::drop_ref(object);
    }
}

/// Both arguments as Rust knows them; aborts on what no caller may pass.
///
/// # Safety
///
/// As for [`hold`].
unsafe fn valid<'a>(
    call: &CStr,
    iothread: *mut IOThread,
    holder: *const c_char,
) -> (&'a IOThread, &'a CStr) {
    let wrong = |iothread, what| -> ! { fatal::misuse(&Misuse { call, iothread, holder, what }) };
    // SAFETY: the caller's word. An IOThread has cells and atomics for all that
    // others write.
    unsafe {
        let Some(iothread) = iothread.as_ref() else {
            wrong(None, c"no IOThread was given");
        };
        if holder.is_null() {
            wrong(Some(iothread), c"no name was given");
        }
        if *holder == 0 {
            wrong(Some(iothread), c"the name is empty");
        }
        if !is_utf8(holder) {
            wrong(Some(iothread), c"the name is not UTF-8");
        }
        (iothread, CStr::from_ptr(holder))
    }
}
