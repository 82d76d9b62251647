// SPDX-License-Identifier: GPL-2.0-or-later
//! The C API: names and types as in QEMU's `include/system/iothread.h`, which
//! cbindgen writes from this file, comments included. C callers are trusted to
//! pass live IOThreads.

use core::ffi::c_char;

use glib_sys::GMainContext;

use crate::class::{self, IOThread};
use crate::sys::bindings::{self as qemu, AioContext, Error, IOThreadInfoList};
use crate::{holding, query, registry};

/// Create an IOThread for QEMU's own use and start its thread.
///
/// Users do not see it in query-iothreads. Its parent owns it; end it with
/// iothread_destroy(). Main thread.
///
/// Returns: the IOThread, borrowed, or NULL with @errp set.
#[no_mangle]
pub unsafe extern "C" fn iothread_create(
    id: *const c_char,
    errp: *mut *mut Error,
) -> *mut IOThread {
    // SAFETY: the C caller's word.
    unsafe { class::create_internal(id, errp) }
}

/// Stop the thread and wait until it has ended.
///
/// The IOThread and its contexts stay. Calling it again does nothing. Main
/// thread, never the IOThread's own.
#[no_mangle]
pub unsafe extern "C" fn iothread_stop(iothread: *mut IOThread) {
    // SAFETY: the C caller's word.
    unsafe { (*iothread).worker().stop() }
}

/// Unparent an IOThread of iothread_create().
///
/// It ends when its last reference goes. Main thread.
#[no_mangle]
pub unsafe extern "C" fn iothread_destroy(iothread: *mut IOThread) {
    // SAFETY: the C caller's word.
    unsafe { qemu::object_unparent(iothread.cast()) }
}

/// Get the IOThread's id. Main thread.
///
/// Returns: the id, to be freed with g_free(); NULL once it was unparented.
#[no_mangle]
pub unsafe extern "C" fn iothread_get_id(iothread: *mut IOThread) -> *mut c_char {
    // SAFETY: the C caller's word.
    unsafe { query::copy_id(iothread) }
}

/// Look an IOThread up by its QOM path or an unambiguous end of it.
///
/// Finds those that users created, not those of iothread_create(). Main thread.
///
/// Returns: the IOThread, borrowed, or NULL.
#[no_mangle]
pub unsafe extern "C" fn iothread_by_id(id: *const c_char) -> *mut IOThread {
    // SAFETY: the C caller's word.
    unsafe { class::find_by_path(id) }
}

/// Describe the IOThreads of iothread_create(), as query-iothreads does all
/// others. Main thread.
///
/// Returns: the list, to be freed with qapi_free_IOThreadInfoList().
#[no_mangle]
pub extern "C" fn iothread_query_internal() -> *mut IOThreadInfoList {
    query::describe_internal()
}

/// Hold an IOThread: record the user and keep the IOThread alive.
///
/// The name @holder is copied. A name may be on record several times; each
/// needs its iothread_unref(). Any thread, with or without the BQL.
#[no_mangle]
pub unsafe extern "C" fn iothread_ref(iothread: *mut IOThread, holder: *const c_char) {
    // SAFETY: the C caller's word.
    unsafe { holding::hold(iothread, holder, c"iothread_ref") }
}

/// Let an IOThread go that was held as @holder.
///
/// Any thread, with or without the BQL, but the main thread, or a vCPU's with
/// the BQL, if the IOThread may have lost its parent by then and this may be
/// the last reference: its thread is joined then.
#[no_mangle]
pub unsafe extern "C" fn iothread_unref(iothread: *mut IOThread, holder: *const c_char) {
    // SAFETY: the C caller's word.
    unsafe { holding::let_go(iothread, holder, c"iothread_unref") }
}

/// Hold an IOThread as iothread_ref() does.
///
/// Returns: its AioContext, valid until the matching iothread_unref().
#[no_mangle]
pub unsafe extern "C" fn iothread_ref_and_get_aio_context(
    iothread: *mut IOThread,
    holder: *const c_char,
) -> *mut AioContext {
    // SAFETY: the C caller's word.
    unsafe {
        holding::hold(iothread, holder, c"iothread_ref_and_get_aio_context");
        (*iothread).worker().ctx()
    }
}

/// Get the IOThread's AioContext without holding the IOThread. Any thread.
///
/// Returns: the context, which nothing keeps alive for the caller.
#[no_mangle]
pub unsafe extern "C" fn iothread_get_aio_context(iothread: *mut IOThread) -> *mut AioContext {
    // SAFETY: the C caller's word.
    unsafe { (*iothread).worker().ctx() }
}

/// Find the IOThread that an AioContext belongs to.
///
/// Finds every live IOThread, internal or unparented too. Main thread.
///
/// Returns: the IOThread, borrowed; NULL for the main loop's context and for
/// those of others.
#[no_mangle]
pub unsafe extern "C" fn iothread_from_aio_context(ctx: *mut AioContext) -> *mut IOThread {
    registry::find(ctx)
}

/// Make the thread run its GMainContext, from now on. Any thread.
///
/// Returns: that context, borrowed.
#[no_mangle]
pub unsafe extern "C" fn iothread_get_g_main_context(iothread: *mut IOThread) -> *mut GMainContext {
    // SAFETY: the C caller's word.
    unsafe { (*iothread).worker().run_main_context() }
}

/// Returns: false in the main loop's thread, and in one that holds the BQL and
/// runs no AioContext of its own; true in all others.
#[no_mangle]
pub extern "C" fn qemu_in_iothread() -> bool {
    // SAFETY: no precondition.
    unsafe { qemu::qemu_get_current_aio_context() != qemu::qemu_get_aio_context() }
}

/// The QMP command query-iothreads. Main thread.
///
/// Returns: a list for the caller to free; there is no error.
///
/// cbindgen:ignore
#[no_mangle]
pub extern "C" fn qmp_query_iothreads(_errp: *mut *mut Error) -> *mut IOThreadInfoList {
    query::describe_users()
}
