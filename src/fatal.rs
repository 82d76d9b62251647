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

/// What a C caller did wrong.
pub struct Misuse<'a> {
    /// The function that was called.
    pub call: &'a CStr,
    /// The IOThread, unless that is what is wrong.
    pub iothread: Option<&'a IOThread>,
    /// The holder's name as given; may be null or not UTF-8.
    pub holder: *const c_char,
    /// What is wrong with it.
    pub what: &'a CStr,
}

/// Reports `misuse` and aborts.
pub fn misuse(misuse: &Misuse) -> ! {
    // SAFETY: strings end with NUL, and the process ends before any is freed.
    unsafe {
        let id = match misuse.iothread {
            Some(iothread) => iothread.worker().id().unwrap_or(c"(not started)").as_ptr(),
            None => c"(NULL)".as_ptr(),
        };
        let holder =
            if misuse.holder.is_null() { c"(NULL)".as_ptr() } else { escape(misuse.holder) };
        let held_by = misuse.iothread.map_or(c"(nobody)".as_ptr(), list_holders);
        let text = c"%s: IOThread '%s', holder '%s': %s; held by: %s".as_ptr();
        let (call, what) = (misuse.call.as_ptr(), misuse.what.as_ptr());
        qemu::error_report(text, call, id, holder, what, held_by);
        libc::abort()
    }
}

/// The last reference of `iothread` went where its thread cannot be joined.
pub fn last_ref_on_own_thread(iothread: &IOThread, call: &CStr, holder: Option<&CStr>) -> ! {
    misuse(&Misuse {
        call,
        iothread: Some(iothread),
        holder: holder.map_or(null(), CStr::as_ptr),
        what: c"drops the last reference on the IOThread's own thread",
    })
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
fn list_holders(iothread: &IOThread) -> *const c_char {
    // SAFETY: glib's string grows as needed.
    let list = unsafe { glib::g_string_new(null()) };
    iothread.holders().lock(|holders| {
        holders.visit(|name, count| {
            // SAFETY: list is a GString, the rest C strings.
            unsafe {
                let comma = if (*list).len == 0 { c"" } else { c", " };
                let name = escape(name.as_ptr());
                let text = if count == NonZeroU32::MIN { c"%s'%s'" } else { c"%s'%s' (%u times)" };
                let (comma, text) = (comma.as_ptr(), text.as_ptr());
                glib::g_string_append_printf(list, text, comma, name, count.get());
            }
        });
    });
    // SAFETY: list is a GString.
    unsafe {
        if (*list).len == 0 {
            return c"(nobody)".as_ptr();
        }
        (*list).str
    }
}
