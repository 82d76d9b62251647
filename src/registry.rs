// SPDX-License-Identifier: GPL-2.0-or-later
//! Which IOThread an AioContext belongs to, for whoever follows a node whose
//! context moves.
//!
//! glib keeps it, as data that is associated with the AioContext's address. C had
//! no such map; a walk over QOM's tree would miss an IOThread that lost its parent
//! and lives on for its holders. The main thread makes and ends IOThreads, so what
//! it finds is live.

use glib_sys as glib;

use crate::class::IOThread;
use crate::sys::bindings as qemu;

/// Invariant: under this name an AioContext's data is the live IOThread that it
/// belongs to; it leaves before either goes.
fn owner() -> glib::GQuark {
    // SAFETY: a constant string.
    unsafe { glib::g_quark_from_static_string(c"iothread".as_ptr()) }
}

/// Makes `iothread` found by `ctx`.
pub fn enter(ctx: *mut qemu::AioContext, iothread: *mut IOThread) {
    // SAFETY: glib takes any address, and nothing is to be freed.
    unsafe { glib::g_dataset_id_set_data_full(ctx.cast(), owner(), iothread.cast(), None) }
}

/// Makes it found no longer.
pub fn leave(ctx: *mut qemu::AioContext) {
    // SAFETY: as for enter(); nobody else associates data with an AioContext.
    unsafe { glib::g_dataset_destroy(ctx.cast()) }
}

/// The IOThread of `ctx`, borrowed, or null.
pub fn find(ctx: *mut qemu::AioContext) -> *mut IOThread {
    if ctx.is_null() {
        return core::ptr::null_mut();
    }
    // SAFETY: as for enter().
    unsafe { glib::g_dataset_id_get_data(ctx.cast(), owner()).cast() }
}
