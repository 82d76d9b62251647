// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's mutex around a value of ours.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::ptr;

use super::bindings as qemu;

/// What QEMU's lock events show as the place.
const HERE: &CStr = c"qemu-iothread holders";

/// A value that whoever holds the mutex may touch.
///
/// Invariant: initialised in place by [`Self::init`], and not moved since.
#[repr(C)]
pub struct Mutex<T> {
    raw: UnsafeCell<qemu::QemuMutex>,
    value: UnsafeCell<T>,
}

impl<T> Mutex<T> {
    /// Initialises the mutex at `this`; the value is what is there.
    ///
    /// # Safety
    ///
    /// `this` is writable memory that nobody else knows and that stays there, with
    /// a valid value.
    pub unsafe fn init(this: *mut Self) {
        // SAFETY: the caller's word.
        unsafe { qemu::qemu_mutex_init(UnsafeCell::raw_get(ptr::addr_of!((*this).raw))) }
    }

    /// Runs `with` while the mutex is held. Not recursive.
    pub fn lock<R>(&self, with: impl FnOnce(&mut T) -> R) -> R {
        self.acquire();
        // SAFETY: the value is borrowed only here, while the mutex is held.
        let result = with(unsafe { &mut *self.value.get() });
        self.release();
        result
    }

    fn acquire(&self) {
        // SAFETY: invariant of Mutex.
        unsafe { qemu::qemu_mutex_lock_impl(self.raw.get(), HERE.as_ptr(), 0) }
    }

    fn release(&self) {
        // SAFETY: invariant of Mutex; lock() acquired it.
        unsafe { qemu::qemu_mutex_unlock_impl(self.raw.get(), HERE.as_ptr(), 0) }
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // SAFETY: invariant of Mutex; who drops it is the last to know it.
        unsafe { qemu::qemu_mutex_destroy(self.raw.get()) }
    }
}
