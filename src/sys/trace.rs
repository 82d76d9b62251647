// SPDX-License-Identifier: GPL-2.0-or-later
//! Trace events, by way of the C glue: QEMU declares them as inline functions.

use core::ffi::c_char;

extern "C" {
    fn qemu_iothread_trace_start(id: *const c_char);
    fn qemu_iothread_trace_stop(id: *const c_char);
    fn qemu_iothread_trace_ref(id: *const c_char, holder: *const c_char);
    fn qemu_iothread_trace_unref(id: *const c_char, holder: *const c_char);
}

/// The thread of IOThread `id` is about to be made.
///
/// # Safety
///
/// `id` is a C string, as all strings here.
pub unsafe fn start(id: *const c_char) {
    // SAFETY: the caller's word.
    unsafe { qemu_iothread_trace_start(id) }
}

/// The thread is about to be stopped.
///
/// # Safety
///
/// As for [`start`].
pub unsafe fn stop(id: *const c_char) {
    // SAFETY: the caller's word.
    unsafe { qemu_iothread_trace_stop(id) }
}

/// `holder` is on record, once more perhaps.
///
/// # Safety
///
/// As for [`start`].
pub unsafe fn hold(id: *const c_char, holder: *const c_char) {
    // SAFETY: the caller's word.
    unsafe { qemu_iothread_trace_ref(id, holder) }
}

/// One record of `holder` is gone.
///
/// # Safety
///
/// As for [`start`].
pub unsafe fn let_go(id: *const c_char, holder: *const c_char) {
    // SAFETY: the caller's word.
    unsafe { qemu_iothread_trace_unref(id, holder) }
}
