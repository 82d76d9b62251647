// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's declarations, as bindgen read them from the tree that is being built.
//! Layout assertions come with them and fail the build on drift.
#![expect(
    non_camel_case_types,
    dead_code,
    clippy::all,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "generated"
)]
// Only where the schema has holders, an enum and a union.
#![allow(non_upper_case_globals, clippy::undocumented_unsafe_blocks, reason = "generated")]

use glib_sys::GSource;

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// Where a C caller wants its error; may be null, `&error_abort` or
/// `&error_fatal`.
pub type Errp = *mut *mut Error;

/// What QOM hands to a class initialiser beside the class.
#[cfg(qemu_const_class_data)]
pub type ClassData = *const core::ffi::c_void;
/// What QOM hands to a class initialiser beside the class.
#[cfg(not(qemu_const_class_data))]
pub type ClassData = *mut core::ffi::c_void;
