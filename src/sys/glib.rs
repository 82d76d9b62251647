// SPDX-License-Identifier: GPL-2.0-or-later
//! glib's main context and main loop, and strings that glib allocates.

use core::ffi::{c_char, CStr};

use glib_sys as glib;

use super::owned::{Owned, Release};

/// A reference to a main context.
pub type MainContext = Owned<glib::GMainContext>;

impl Release for glib::GMainContext {
    unsafe fn release(raw: *mut Self) {
        // SAFETY: the caller's word.
        unsafe { glib::g_main_context_unref(raw) }
    }
}

impl MainContext {
    /// A main context that no thread runs yet.
    pub fn new() -> Self {
        // SAFETY: glib ends the process rather than return NULL.
        unsafe { Self::from_raw(glib::g_main_context_new()) }
    }

    /// Attaches `source` under `name` and keeps a reference to it.
    ///
    /// # Safety
    ///
    /// `source` is a live GSource that no other context has.
    pub unsafe fn attach(&self, source: *mut glib::GSource, name: &GString) {
        // SAFETY: the caller's word for source; invariant of Owned.
        unsafe {
            glib::g_source_set_name(source, name.as_ptr());
            glib::g_source_attach(source, self.as_ptr());
        }
    }

    /// A loop that runs this context. A quit that comes before the run is lost: who
    /// runs it looks first whether it is still wanted, in the thread that quits it.
    pub fn new_loop(&self) -> MainLoop {
        // SAFETY: invariant of Owned; as for new().
        unsafe { MainLoop::from_raw(glib::g_main_loop_new(self.as_ptr(), glib::GTRUE)) }
    }
}

/// A reference to a main loop.
pub type MainLoop = Owned<glib::GMainLoop>;

impl Release for glib::GMainLoop {
    unsafe fn release(raw: *mut Self) {
        // SAFETY: the caller's word.
        unsafe { glib::g_main_loop_unref(raw) }
    }
}

/// A NUL-terminated string that glib allocated.
pub type GString = Owned<c_char>;

impl Release for c_char {
    unsafe fn release(raw: *mut Self) {
        // SAFETY: the caller's word.
        unsafe { glib::g_free(raw.cast()) }
    }
}

impl GString {
    /// `format` with `string` in the place of its `%s`; a null is shown as such.
    ///
    /// # Safety
    ///
    /// `format` has one `%s` and nothing else; `string` is null or a C string.
    pub unsafe fn format(format: &CStr, string: *const c_char) -> Self {
        // SAFETY: the caller's word; glib ends the process rather than return NULL.
        unsafe { Self::from_raw(glib::g_strdup_printf(format.as_ptr(), string)) }
    }
}

/// Whether a string is UTF-8.
///
/// # Safety
///
/// `string` is a C string.
// Inlined: no longer than a call.
#[inline(always)]
pub unsafe fn is_utf8(string: *const c_char) -> bool {
    // SAFETY: the caller's word.
    unsafe { glib::g_utf8_validate(string.cast(), -1, core::ptr::null_mut()) != glib::GFALSE }
}
