// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's IOThread: an event-loop thread as a QOM object, and the record of
//! who uses it.
//!
//! This library takes the place of QEMU's `iothread.c` and keeps its C ABI.
//! The rooms, and who may call whom (never right to left):
//!
//! ```text
//! capi -> query -> holding -> class -> registry, thread -> sys/*  -> bindings
//!    the thinking part, pure and safe:          model/{holders, kind, phase, params}
//! ```
//!
//! `holding` ends in `fatal` if a caller was wrong. That reads an IOThread's name
//! and holders; `registry` knows the type that `class` defines and calls nothing
//! of it. `sys` implements the traits that `model` asks for.
//!
//! `model` needs nothing but `core`. All else exists only where `build.rs` found
//! a configured QEMU build to take its types from (`cfg(qemu)`), and calls into
//! that QEMU; a unit test binary has no QEMU to link with, so it goes without.

#![no_std]

// For its panic handler, which a static library must have and nothing reaches.
extern crate std;

pub mod model;

#[cfg(all(qemu, not(test)))]
mod capi;
#[cfg(all(qemu, not(test)))]
mod class;
#[cfg(all(qemu, not(test)))]
mod fatal;
#[cfg(all(qemu, not(test)))]
mod holding;
#[cfg(all(qemu, not(test)))]
mod query;
#[cfg(all(qemu, not(test)))]
mod registry;
#[cfg(all(qemu, not(test)))]
mod sys;
#[cfg(all(qemu, not(test)))]
mod thread;
