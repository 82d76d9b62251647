// SPDX-License-Identifier: GPL-2.0-or-later
//! An AioContext that we own.

use core::ptr::NonNull;

use super::bindings::{self as qemu, Errp};
use super::glib::{GString, MainContext};
use crate::model::params::PollParams;

/// A reference to an AioContext.
///
/// Invariant: the pointer owns one reference.
pub struct AioContext(NonNull<qemu::AioContext>);

impl AioContext {
    /// A new AioContext that no thread runs yet; none, and the reason in `errp`, as
    /// when file descriptors run out.
    ///
    /// # Safety
    ///
    /// `errp` is what a caller of QEMU's may pass as one.
    pub unsafe fn new(errp: Errp) -> Option<Self> {
        // SAFETY: the caller's word. What is not NULL is a reference.
        NonNull::new(unsafe { qemu::aio_context_new(errp) }).map(Self)
    }

    /// Lets `context` run this AioContext's events, as the source `name`.
    ///
    /// # Safety
    ///
    /// Called once for an AioContext: its source can be attached once only.
    pub unsafe fn attach_to(&self, context: &MainContext, name: &GString) {
        // SAFETY: invariant of AioContext, the caller's word. attach() takes its
        // own reference, so the one that we got goes back.
        unsafe {
            let source = qemu::aio_get_g_source(self.0.as_ptr());
            context.attach(source, name);
            glib_sys::g_source_unref(source);
        }
    }

    /// Gives the reference away.
    pub fn into_raw(self) -> *mut qemu::AioContext {
        let raw = self.0.as_ptr();
        core::mem::forget(self);
        raw
    }

    /// Takes a reference over.
    ///
    /// # Safety
    ///
    /// `raw` comes from [`Self::into_raw`] and is not used again.
    pub unsafe fn from_raw(raw: *mut qemu::AioContext) -> Self {
        // SAFETY: the caller's word.
        unsafe { Self(NonNull::new_unchecked(raw)) }
    }
}

impl Drop for AioContext {
    fn drop(&mut self) {
        // SAFETY: invariant of AioContext.
        unsafe { qemu::aio_context_unref(self.0.as_ptr()) }
    }
}

/// Makes `ctx` poll as `params` says.
///
/// # Safety
///
/// `ctx` is live, `errp` what a caller of QEMU's may pass as one. Main thread.
// Inlined: no longer than a call.
#[inline(always)]
pub unsafe fn set_poll_params(ctx: *mut qemu::AioContext, params: &PollParams, errp: Errp) {
    let (max, grow, shrink) = (params.max_ns.get(), params.grow.get(), params.shrink.get());
    // SAFETY: the caller's word.
    unsafe {
        #[cfg(not(qemu_poll_weight))]
        qemu::aio_context_set_poll_params(ctx, max, grow, shrink, errp);
        #[cfg(qemu_poll_weight)]
        qemu::aio_context_set_poll_params(ctx, max, grow, shrink, 0, errp);
    }
}

/// Gives `ctx` the limits of its event-loop base: requests in a batch, threads in
/// its pool.
///
/// # Safety
///
/// `ctx` and `base` are live, `errp` what a caller of QEMU's may pass as one. Main
/// thread.
pub unsafe fn set_base_params(
    ctx: *mut qemu::AioContext,
    base: *const qemu::EventLoopBase,
    errp: Errp,
) {
    // SAFETY: the caller's word. Only the main thread writes these fields.
    unsafe {
        qemu::aio_context_set_aio_params(ctx, (*base).aio_max_batch);
        let (min, max) = ((*base).thread_pool_min, (*base).thread_pool_max);
        qemu::aio_context_set_thread_pool_params(ctx, min, max, errp);
    }
}

/// Whether the calling thread runs `ctx`, if there is one.
pub fn is_current(ctx: *mut qemu::AioContext) -> bool {
    // SAFETY: no precondition.
    !ctx.is_null() && unsafe { qemu::qemu_get_current_aio_context() == ctx }
}
