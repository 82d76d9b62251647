// SPDX-License-Identifier: GPL-2.0-or-later
//! An AioContext that we own.

use super::bindings::{self as qemu, Errp};
use super::glib::{GString, MainContext};
use super::owned::{Owned, Release};
use crate::model::params::PollParams;

/// A reference to an AioContext.
pub type AioContext = Owned<qemu::AioContext>;

impl Release for qemu::AioContext {
    unsafe fn release(raw: *mut Self) {
        // SAFETY: the caller's word.
        unsafe { qemu::aio_context_unref(raw) }
    }
}

impl AioContext {
    /// A new AioContext that no thread runs yet; none, and the reason in `errp`, as
    /// when file descriptors run out.
    ///
    /// # Safety
    ///
    /// `errp` is what a caller of QEMU's may pass as one.
    pub unsafe fn new(errp: Errp) -> Option<Self> {
        // SAFETY: the caller's word. What is not NULL is a reference.
        unsafe {
            let raw = qemu::aio_context_new(errp);
            if raw.is_null() {
                return None;
            }
            Some(Self::from_raw(raw))
        }
    }

    /// Lets `context` run this AioContext's events, as the source `name`.
    ///
    /// # Safety
    ///
    /// Called once for an AioContext: its source can be attached once only.
    pub unsafe fn attach_to(&self, context: &MainContext, name: &GString) {
        // SAFETY: invariant of Owned, the caller's word. attach() takes its own
        // reference, so the one that we got goes back.
        unsafe {
            let source = qemu::aio_get_g_source(self.as_ptr());
            context.attach(source, name);
            glib_sys::g_source_unref(source);
        }
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
