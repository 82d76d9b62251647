// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU and glib as this library uses them: owned handles over raw pointers.
//! No decision about an IOThread is taken here.

pub mod aio;
pub mod bindings;
pub mod glib;
pub mod object;
pub mod owned;
pub mod qthread;
pub mod records;
#[cfg(qemu_traces)]
pub mod trace;
