// SPDX-License-Identifier: GPL-2.0-or-later
//! The same source gives the same object, byte for byte, wherever it lies and whatever the user's
//! environment is: with debug information, which knows places.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use duct::Expression;

use crate::build::edited::copy_crate;
use crate::build::environment;
use crate::build::library::{OBJECT, Recipe};
use crate::cmd::Step;
use crate::ctx::Ctx;

/// QEMU's configure keeps to itself which pkg-config it was told to take; the others are settings
/// that somebody may have for all crates.
const ELSEWHERE: &[(&str, &str)] = &[
    ("PKG_CONFIG", "/nowhere/pkg-config"),
    ("CARGO_INCREMENTAL", "1"),
    ("CARGO_PROFILE_EMBED_LTO", "fat"),
    ("CARGO_PROFILE_EMBED_DEBUG_ASSERTIONS", "true"),
    ("CARGO_PROFILE_EMBED_CODEGEN_UNITS", "16"),
];

pub fn object(ctx: &Ctx, build: &Path) -> Result<()> {
    let scratch = tempfile::tempdir_in(&ctx.target).context("cannot make a directory")?;
    let here = clean(ctx, build, &scratch.path().join("here"), Ok, &[])?;
    let copy = scratch.path().join("copy");
    copy_crate(&ctx.root, &copy)?;
    let link = scratch.path().join("link");
    symlink(&copy, &link)?;
    let there = scratch.path().join("there");
    let elsewhere = |recipe: Recipe| recipe.with("--crate", &link);
    let there = clean(ctx, build, &there, elsewhere, ELSEWHERE)?;
    ensure!(here == there, "{OBJECT} differs between two clean builds");
    Ok(())
}

/// The object's bytes, made in an empty folder.
fn clean(
    ctx: &Ctx,
    build: &Path,
    dir: &Path,
    change: impl FnOnce(Recipe) -> Result<Recipe>,
    variables: &[(&str, &str)],
) -> Result<Vec<u8>> {
    fs::create_dir(dir)?;
    let recipe = Recipe::of(build)?.below(dir)?.with("--debug-info", Path::new("true"))?;
    let command = environment(ctx, change(recipe)?.command()?.dir(build));
    let set = |command: Expression, (name, value): &(&str, &str)| command.env(name, value);
    let command = variables.iter().fold(command, set);
    Step::new("clean build of the object", "rebuild-clean", command).run(ctx)?;
    fs::read(dir.join(OBJECT)).context("no object was made")
}
