// SPDX-License-Identifier: GPL-2.0-or-later
//! glib's main context and main loop, and strings that glib allocates.

use core::ffi::{c_char, CStr};
use core::ptr::NonNull;

use glib_sys as glib;

/// A reference to a main context.
///
/// Invariant: the pointer owns one reference.
pub struct MainContext(NonNull<glib::GMainContext>);

impl MainContext {
    /// A main context that no thread runs yet.
    pub fn new() -> Self {
        // SAFETY: glib ends the process rather than return NULL.
        unsafe { Self(NonNull::new_unchecked(glib::g_main_context_new())) }
    }

    /// Attaches `source` under `name` and keeps a reference to it.
    ///
    /// # Safety
    ///
    /// `source` is a live GSource that no other context has.
    pub unsafe fn attach(&self, source: *mut glib::GSource, name: &GString) {
        // SAFETY: the caller's word for source; invariant of MainContext.
        unsafe {
            glib::g_source_set_name(source, name.as_ptr());
            glib::g_source_attach(source, self.0.as_ptr());
        }
    }

    /// A loop that runs this context. A quit that comes before the run is lost: who
    /// runs it looks first whether it is still wanted, in the thread that quits it.
    pub fn new_loop(&self) -> MainLoop {
        // SAFETY: invariant of MainContext; as for new().
        unsafe {
            let raw = glib::g_main_loop_new(self.0.as_ptr(), glib::GTRUE);
            MainLoop(NonNull::new_unchecked(raw))
        }
    }

    /// Gives the reference away.
    pub fn into_raw(self) -> *mut glib::GMainContext {
        let raw = self.0.as_ptr();
        core::mem::forget(self);
        raw
    }

    /// Takes a reference over.
    ///
    /// # Safety
    ///
    /// `raw` comes from [`Self::into_raw`] and is not used again.
    pub unsafe fn from_raw(raw: *mut glib::GMainContext) -> Self {
        // SAFETY: the caller's word.
        unsafe { Self(NonNull::new_unchecked(raw)) }
    }
}

impl Drop for MainContext {
    fn drop(&mut self) {
        // SAFETY: invariant of MainContext.
        unsafe { glib::g_main_context_unref(self.0.as_ptr()) }
    }
}

/// A reference to a main loop.
///
/// Invariant: the pointer owns one reference.
pub struct MainLoop(NonNull<glib::GMainLoop>);

impl MainLoop {
    /// Gives the reference away.
    pub fn into_raw(self) -> *mut glib::GMainLoop {
        let raw = self.0.as_ptr();
        core::mem::forget(self);
        raw
    }

    /// Takes a reference over.
    ///
    /// # Safety
    ///
    /// `raw` comes from [`Self::into_raw`] and is not used again.
    pub unsafe fn from_raw(raw: *mut glib::GMainLoop) -> Self {
        // SAFETY: the caller's word.
        unsafe { Self(NonNull::new_unchecked(raw)) }
    }
}

impl Drop for MainLoop {
    fn drop(&mut self) {
        // SAFETY: invariant of MainLoop.
        unsafe { glib::g_main_loop_unref(self.0.as_ptr()) }
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

/// A string that glib allocated.
///
/// Invariant: the pointer owns a NUL-terminated string.
pub struct GString(NonNull<c_char>);

impl GString {
    /// `format` with `string` in the place of its `%s`; a null is shown as such.
    ///
    /// # Safety
    ///
    /// `format` has one `%s` and nothing else; `string` is null or a C string.
    pub unsafe fn format(format: &CStr, string: *const c_char) -> Self {
        // SAFETY: the caller's word; glib ends the process rather than return NULL.
        unsafe { Self(NonNull::new_unchecked(glib::g_strdup_printf(format.as_ptr(), string))) }
    }

    /// The string, borrowed.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr()
    }

    /// Gives the string away.
    pub fn into_raw(self) -> *mut c_char {
        let raw = self.0.as_ptr();
        core::mem::forget(self);
        raw
    }

    /// Takes a string over.
    ///
    /// # Safety
    ///
    /// `raw` is a string of glib's that is not used again.
    pub unsafe fn from_raw(raw: *mut c_char) -> Self {
        // SAFETY: the caller's word.
        unsafe { Self(NonNull::new_unchecked(raw)) }
    }
}

impl Drop for GString {
    fn drop(&mut self) {
        // SAFETY: invariant of GString.
        unsafe { glib::g_free(self.0.as_ptr().cast()) }
    }
}
