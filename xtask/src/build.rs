// SPDX-License-Identifier: GPL-2.0-or-later
//! `build`: QEMU at a point of the series, in one of several flavours.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::ctx::Ctx;
use crate::flags;
use crate::version::{Point, Tree};

/// How QEMU is configured and compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavor {
    Default,
    Clang,
    Debug,
    Lto,
    Modules,
    Asan,
    Debian,
}

/// A finished build.
pub struct Built {
    /// QEMU's source at that point.
    pub source: PathBuf,
    /// Where the programs are.
    pub build: PathBuf,
}

pub fn run(ctx: &Ctx, args: &flags::Build) -> Result<()> {
    let built = build(ctx, &ctx.tree, args.at, args.flavor)?;
    println!("{}", built.build.display());
    Ok(())
}

/// Makes ready all that is needed and builds QEMU's programs and tests.
pub fn build(_ctx: &Ctx, _tree: &Tree, _at: Point, _flavor: Flavor) -> Result<Built> {
    bail!("not built yet")
}
