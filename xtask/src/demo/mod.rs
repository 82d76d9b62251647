// SPDX-License-Identifier: GPL-2.0-or-later
//! `demo`: Boots a Linux guest that does checked I/O through Rust IOThreads.

use anyhow::{Result, bail};

use crate::ctx::Ctx;
use crate::flags;

pub fn run(_ctx: &Ctx, _args: &flags::Demo) -> Result<()> {
    bail!("not built yet")
}
