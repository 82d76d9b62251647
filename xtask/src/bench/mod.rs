// SPDX-License-Identifier: GPL-2.0-or-later
//! `bench`: Measures Rust against plain C, side by side in one run.

use anyhow::{Result, bail};

use crate::ctx::Ctx;
use crate::flags;

pub fn run(_ctx: &Ctx, _args: &flags::Bench) -> Result<()> {
    bail!("not built yet")
}
