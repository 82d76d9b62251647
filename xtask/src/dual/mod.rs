// SPDX-License-Identifier: GPL-2.0-or-later
//! `dual`: Runs the same suites on plain C and on Rust and compares the results.

use anyhow::{Result, bail};

use crate::ctx::Ctx;
use crate::flags;

pub fn run(_ctx: &Ctx, _args: &flags::Dual) -> Result<()> {
    bail!("not built yet")
}
