// SPDX-License-Identifier: GPL-2.0-or-later
//! Which IOThread an AioContext belongs to, for whoever follows a node whose
//! context moves.
//!
//! Main thread only, as is all that makes or ends an IOThread. C had no such map;
//! a walk over QOM's tree would miss an IOThread that lost its parent and lives
//! on for its holders.

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use glib_sys as glib;

use crate::class::IOThread;
use crate::sys::bindings as qemu;

/// AioContext to IOThread, neither owned; null while there is none.
///
/// Invariant: only the main thread touches it. Each IOThread in it is live, has
/// that AioContext, and leaves it before either goes.
static IOTHREADS: AtomicPtr<glib::GHashTable> = AtomicPtr::new(null_mut());

/// Makes `iothread` found by `ctx`.
pub fn enter(ctx: *mut qemu::AioContext, iothread: *mut IOThread) {
    // SAFETY: invariant of IOTHREADS.
    unsafe {
        let mut table = IOTHREADS.load(Ordering::Relaxed);
        if table.is_null() {
            table = glib::g_hash_table_new(None, None);
            IOTHREADS.store(table, Ordering::Relaxed);
        }
        glib::g_hash_table_insert(table, ctx.cast(), iothread.cast());
    }
}

/// Makes it found no longer. The map goes with its last entry.
pub fn leave(ctx: *mut qemu::AioContext) {
    let table = IOTHREADS.load(Ordering::Relaxed);
    if table.is_null() {
        return;
    }
    // SAFETY: invariant of IOTHREADS.
    unsafe {
        glib::g_hash_table_remove(table, ctx.cast());
        if glib::g_hash_table_size(table) == 0 {
            IOTHREADS.store(null_mut(), Ordering::Relaxed);
            glib::g_hash_table_unref(table);
        }
    }
}

/// The IOThread of `ctx`, borrowed, or null.
pub fn find(ctx: *mut qemu::AioContext) -> *mut IOThread {
    let table = IOTHREADS.load(Ordering::Relaxed);
    if table.is_null() {
        return null_mut();
    }
    let key: *const c_void = ctx.cast();
    // SAFETY: invariant of IOTHREADS.
    unsafe { glib::g_hash_table_lookup(table, key).cast() }
}
