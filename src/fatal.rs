// SPDX-License-Identifier: GPL-2.0-or-later
//! The one way out for programming errors of C callers: a line that says which
//! call, which IOThread, which holder and who holds it now, then abort. No other
//! room may end the process.

use core::ffi::{c_char, CStr};
use core::num::NonZeroU32;
use core::ptr::null;

use glib_sys as glib;

use crate::class::IOThread;
use crate::sys::bindings as qemu;
use crate::sys::glib::is_utf8;

/// All bytes beyond ASCII: left as they are in names that are UTF-8.
#[expect(clippy::indexing_slicing, reason = "constant")]
static BEYOND_ASCII: [u8; 129] = {
    let mut bytes = [0; 129];
    let mut i = 0;
    while i < 128 {
        bytes[i] = 128 + i as u8;
        i += 1;
    }
    bytes
};

/// Reports that `call` was wrong, and aborts.
///
/// # Safety
///
/// `iothread` is null or live, and this thread does not have the mutex of its
/// holders, which is taken to list them. `holder` is null or a C string of any
/// bytes.
#[cold]
pub unsafe fn misuse(
    iothread: *const IOThread,
    holder: *const c_char,
    call: *const c_char,
    what: &'static CStr,
) -> ! {
    // SAFETY: the caller's word, and constants; the process ends before any
    // string is freed.
    unsafe {
        let (mut id, mut held_by) = (c"(NULL)".as_ptr(), c"(nobody)".as_ptr());
        if let Some(iothread) = iothread.as_ref() {
            id = iothread.worker().id();
            held_by = list_holders(iothread);
        }
        let holder = if holder.is_null() { c"(NULL)".as_ptr() } else { escape(holder) };
        let text = c"%s: IOThread '%s', holder '%s': %s; held by: %s".as_ptr();
        qemu::error_report(text, call, id, holder, what.as_ptr(), held_by);
        libc::abort()
    }
}

/// The name on one line, whatever bytes it has: UTF-8 stays readable.
///
/// # Safety
///
/// `name` is a C string.
unsafe fn escape(name: *const c_char) -> *const c_char {
    // SAFETY: the caller's word; BEYOND_ASCII ends with NUL.
    unsafe {
        let keep = if is_utf8(name) { BEYOND_ASCII.as_ptr() } else { null() };
        glib::g_strescape(name, keep.cast())
    }
}

/// The names of all holders, as `'a', 'b' (2 times)`.
// Not inlined: shorter on its own.
#[inline(never)]
fn list_holders(iothread: &IOThread) -> *const c_char {
    // SAFETY: glib's string grows as needed.
    let list = unsafe { glib::g_string_new(null()) };
    iothread.holders().lock(|holders| {
        holders.visit(|name, count| {
            let text = if count == NonZeroU32::MIN { c", '%s'" } else { c", '%s' (%u times)" };
            // SAFETY: list is glib's, the rest are C strings; a name on record is
            // UTF-8.
            unsafe {
                let name = glib::g_strescape(name.as_ptr(), BEYOND_ASCII.as_ptr().cast());
                glib::g_string_append_printf(list, text.as_ptr(), name, count.get());
            }
        });
    });
    // SAFETY: list is glib's, and begins with a comma if it is not empty.
    unsafe {
        if (*list).len == 0 {
            c"(nobody)".as_ptr()
        } else {
            (*list).str.add(c", ".count_bytes())
        }
    }
}
