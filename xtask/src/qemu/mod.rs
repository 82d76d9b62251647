// SPDX-License-Identifier: GPL-2.0-or-later
//! A QEMU that runs: its process, and QMP to it.

mod bare;
pub mod cpu;
pub mod lines;
pub mod process;
pub mod qmp;

pub use bare::Bare;
