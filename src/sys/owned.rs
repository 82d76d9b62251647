// SPDX-License-Identifier: GPL-2.0-or-later
//! What C allocates and this library owns.

use core::mem::forget;
use core::ptr::NonNull;

/// A type of C's whose values have an owner.
pub trait Release {
    /// Gives back what was owned: a reference, or the value itself.
    ///
    /// # Safety
    ///
    /// The caller owns `raw` and does not use it again.
    unsafe fn release(raw: *mut Self);
}

/// A value of C's, or a reference to one, that goes back when this is dropped.
///
/// Invariant: the pointer is owned.
pub struct Owned<T: Release>(NonNull<T>);

impl<T: Release> Owned<T> {
    /// Takes `raw` over.
    ///
    /// # Safety
    ///
    /// `raw` is not NULL, and the caller owns it and does not use it again, unless
    /// through what this returns.
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: the caller's word.
        unsafe { Self(NonNull::new_unchecked(raw)) }
    }

    /// Gives it away.
    pub fn into_raw(self) -> *mut T {
        let raw = self.as_ptr();
        forget(self);
        raw
    }

    /// Lends it.
    pub fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T: Release> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: invariant of Owned.
        unsafe { T::release(self.as_ptr()) }
    }
}
