// SPDX-License-Identifier: GPL-2.0-or-later
//! What every row measures with: the two builds and a place for what is thrown away.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::build::{self, Flavor};
use crate::ctx::Ctx;
use crate::series::Series;
use crate::version::Point;

/// The build directories that are compared.
pub struct Lab<'a> {
    pub ctx: &'a Ctx,
    /// QEMU with its own C `iothread.c`.
    pub base: PathBuf,
    /// QEMU with the library.
    pub tip: PathBuf,
    /// Whether the user named them.
    pub given: bool,
    scratch: TempDir,
}

impl Lab<'_> {
    /// Builds both, as `cargo xtask build` does, unless they are `given`.
    pub fn new<'a>(ctx: &'a Ctx, given: Option<&[PathBuf]>) -> Result<Lab<'a>> {
        let build = |at| build::build(ctx, &ctx.tree, at, Flavor::Default).map(|b| b.build);
        let (base, tip) = match given {
            Some([base, tip]) => (build::existing(base)?, build::existing(tip)?),
            _ => (build(Point::Base)?, build(Point::Tip)?),
        };
        let scratch = tempfile::tempdir().context("cannot make a scratch directory")?;
        Ok(Lab { ctx, base, tip, given: given.is_some(), scratch })
    }

    /// QEMU at the commit that links the library; none if the user named the builds.
    pub fn switch(&self) -> Result<Option<PathBuf>> {
        if self.given {
            return Ok(None);
        }
        let ctx = self.ctx;
        let switch = Series::open(ctx, &ctx.tree)?.switch(ctx)?;
        let built = build::build(ctx, &ctx.tree, Point::At(switch), Flavor::Default)?;
        Ok(Some(built.build))
    }

    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The C sources of what is measured.
    pub fn sources(&self) -> PathBuf {
        self.ctx.root.join("benches")
    }
}

/// Measures both in turn, each as often first, so that what drifts meets both alike.
pub fn interleave<T>(
    rounds: usize,
    mut theirs: impl FnMut() -> Result<T>,
    mut ours: impl FnMut() -> Result<T>,
) -> Result<(Vec<T>, Vec<T>)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            a.push(theirs()?);
            b.push(ours()?);
        } else {
            b.push(ours()?);
            a.push(theirs()?);
        }
    }
    Ok((a, b))
}
