// SPDX-License-Identifier: GPL-2.0-or-later
//! The same source gives the same object, byte for byte.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use duct::Expression;

use crate::build;
use crate::build::library::OBJECT;
use crate::cmd::Step;
use crate::ctx::Ctx;

/// cargo's target directory inside the build.
const CARGO: &str = "subprojects/qemu-iothread/cargo";

pub fn object(ctx: &Ctx, build: &Path) -> Result<()> {
    let again = |ninja: Expression| ninja;
    // QEMU's configure keeps to itself which pkg-config it was told to take.
    let without_pkg_config = |ninja: Expression| ninja.env("PKG_CONFIG", "/nowhere/pkg-config");
    let first = clean(ctx, build, "first", again)?;
    let second = clean(ctx, build, "second", without_pkg_config)?;
    ensure!(first == second, "{OBJECT} differs between two clean builds");
    Step::new("programs with the object just built", "rebuild-all", build::ninja(ctx, build, &[]))
        .counted()
        .run(ctx)?;
    Ok(())
}

/// The object's bytes after everything that cargo made is gone.
fn clean(
    ctx: &Ctx,
    build: &Path,
    which: &str,
    change: impl FnOnce(Expression) -> Expression,
) -> Result<Vec<u8>> {
    fs::remove_dir_all(build.join(CARGO)).context("cargo's directory is not where it was")?;
    fs::remove_file(build.join(OBJECT)).context("the object is not where it was")?;
    let ninja = change(build::ninja(ctx, build, &[OBJECT]));
    Step::new(format!("{which} clean build of the object"), "rebuild-clean", ninja).run(ctx)?;
    fs::read(build.join(OBJECT)).context("ninja made no object")
}
