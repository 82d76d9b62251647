// SPDX-License-Identifier: GPL-2.0-or-later
//! What an IOThread is, apart from QEMU: who holds it, what its holders are,
//! where it stands in its life, which parameters it has. Pure and safe; tested without QEMU.

#![forbid(unsafe_code)]

pub mod holders;
pub mod kind;
pub mod params;
pub mod phase;
