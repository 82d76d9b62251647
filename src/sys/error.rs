// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's `Error` in both directions: no other room writes through an `errp`.

use core::mem;
use core::ptr::{self, NonNull};

use super::bindings as qemu;

/// Where a C caller wants its error; may be null, `&error_abort` or
/// `&error_fatal`.
pub type Errp = *mut *mut qemu::Error;

/// An error that QEMU made and that is ours to pass on.
///
/// Invariant: the pointer owns a QEMU `Error`.
pub struct Error(NonNull<qemu::Error>);

impl Drop for Error {
    fn drop(&mut self) {
        // SAFETY: invariant of Error.
        unsafe { qemu::error_free(self.0.as_ptr()) }
    }
}

/// Calls a C function that reports through an `errp` alone.
pub fn check(call: impl FnOnce(Errp)) -> Result<(), Error> {
    checked(call).1
}

/// Calls a C function that returns a value and reports through an `errp`.
pub fn checked<T>(call: impl FnOnce(Errp) -> T) -> (T, Result<(), Error>) {
    let mut error = ptr::null_mut();
    let value = call(&mut error);
    (value, NonNull::new(error).map_or(Ok(()), |error| Err(Error(error))))
}

/// Hands the error, if there is one, to the C caller.
///
/// # Safety
///
/// `errp` is what a caller of QEMU's may pass as one.
pub unsafe fn propagate(errp: Errp, result: Result<(), Error>) {
    if let Err(error) = result {
        let raw = error.0.as_ptr();
        mem::forget(error);
        // SAFETY: the caller's word for errp; Error's invariant for raw, whose
        // ownership goes with it.
        unsafe { qemu::error_propagate(errp, raw) }
    }
}
