// SPDX-License-Identifier: GPL-2.0-or-later
//! `build`: QEMU at a point of the series, in one of several flavours.

mod configure;
pub mod edited;
mod firmware;
pub mod flavor;
pub mod library;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use duct::{Expression, cmd};
use serde::Deserialize;

use crate::bisect::suite::{is_own_unit_test, is_quick};
use crate::cmd::Step;
use crate::ctx::Ctx;
use crate::flags;
use crate::series::{self, Series};
use crate::setup;
use crate::suites::meson;
use crate::version::{Point, Tree};
use crate::worktree::{self, Worktree};

pub use flavor::Flavor;

/// A finished build.
pub struct Built {
    /// QEMU's source at that point.
    pub source: PathBuf,
    /// Where the programs are.
    pub build: PathBuf,
    /// True if the source is exactly that point, false if the user works in it.
    pub exact: bool,
    /// How long compiling took.
    pub seconds: f64,
}

pub fn run(ctx: &Ctx, args: &flags::Build) -> Result<()> {
    let built = build(ctx, &ctx.tree, args.at, args.flavor)?;
    out!("{}", built.build.display());
    Ok(())
}

/// Makes ready all that is needed and builds QEMU's programs and tests.
pub fn build(ctx: &Ctx, tree: &Tree, at: Point, flavor: Flavor) -> Result<Built> {
    let built = aside(ctx, tree, at, flavor)?;
    if flavor == Flavor::Default {
        point_current_at(ctx, &built.build)?;
    }
    Ok(built)
}

/// The same for a look in between: it does not become the build that the library's own tests use.
pub fn aside(ctx: &Ctx, tree: &Tree, at: Point, flavor: Flavor) -> Result<Built> {
    series::expect(ctx, tree, at)?;
    let host = setup::host(ctx)?;
    let series = Series::open(ctx, tree)?;
    let worktree = worktree::at(ctx, &series, at)?;
    let label = format!("{} {at}", label(&series));
    in_worktree(ctx, &host, &worktree, &label, flavor)
}

/// `10.2`, or the name of the copy of a user's tree.
pub fn label(series: &Series) -> String {
    series.base.dir.file_name().unwrap_or_default().to_string_lossy().to_string()
}

/// Configures if need be and compiles in a tree that is at its commit.
pub fn in_worktree(
    ctx: &Ctx,
    host: &setup::Host,
    worktree: &Worktree,
    label: &str,
    flavor: Flavor,
) -> Result<Built> {
    let source = worktree.dir().to_path_buf();
    let build = source.join(flavor.dir_name());
    configure::ensure(ctx, host, &source, &build, label, flavor)?;
    firmware::link(&build)?;
    let targets = targets(&build, flavor)?;
    let words: Vec<&str> = targets.iter().map(String::as_str).collect();
    let title = format!("build QEMU {label}{}", flavor.suffix());
    let done =
        Step::new(title, log_name(label, flavor), flavor.sanitized(ninja(ctx, &build, &words)))
            .counted()
            .run(ctx)?;
    Ok(Built { source, build, exact: worktree.exact, seconds: done.seconds })
}

/// Where ninja's output of `in_worktree` goes.
pub fn log_name(label: &str, flavor: Flavor) -> String {
    format!("build-{}{}", label.replace(' ', "-"), flavor.suffix())
}

/// A build directory that somebody else made.
pub fn existing(build: &Path) -> Result<PathBuf> {
    ensure!(build.join("build.ninja").exists(), "{} is no QEMU build", build.display());
    build.canonicalize().with_context(|| format!("cannot find {}", build.display()))
}

/// How one file is compiled.
#[derive(Deserialize)]
pub struct Compilation {
    pub command: String,
    /// Relative to the build directory.
    pub file: String,
}

/// Everything that a build compiles.
pub fn compilations(build: &Path) -> Result<Vec<Compilation>> {
    let text = fs::read_to_string(build.join("compile_commands.json"))
        .context("the build has no compile_commands.json")?;
    serde_json::from_str(&text).context("compile_commands.json")
}

/// What ninja is asked for; nothing means everything.
fn targets(build: &Path, flavor: Flavor) -> Result<Vec<String>> {
    if !flavor.builds_only_what_is_tested() {
        return Ok(Vec::new());
    }
    if flavor.is_for_unit_tests() {
        return meson::targets(build, is_own_unit_test);
    }
    let programs = flavor::PROGRAMS.iter().chain(&["qemu-img", "qemu-io"]);
    let mut targets: Vec<String> = programs.map(|name| name.to_string()).collect();
    targets.extend(meson::targets(build, is_quick)?);
    Ok(targets)
}

/// ninja in a build directory, with the environment that all builds share.
pub fn ninja(ctx: &Ctx, build: &Path, targets: &[&str]) -> Expression {
    environment(ctx, cmd("ninja", targets).dir(build)).env("NINJA_STATUS", "[%f/%t] ")
}

/// The compiler cache: paths relative to the trees, so that equal files of two trees are one.
pub fn environment(ctx: &Ctx, expression: Expression) -> Expression {
    expression
        .env("CCACHE_DIR", ctx.cache.join("ccache"))
        .env("CCACHE_BASEDIR", ctx.qemu_dir())
        .env("CCACHE_NOHASHDIR", "1")
        // What is not in the cache is preprocessed once, by the compiler, and not before as well.
        .env("CCACHE_DEPEND", "1")
        // Cargo's own variables are about this tool, not about the library.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("RUSTFLAGS")
        .env_remove("DESTDIR")
}

/// `target/qemu/current` names the last good build: the library's own tests find QEMU's headers
/// there. A file, and written only when it changes: cargo looks at its time.
fn point_current_at(ctx: &Ctx, build: &Path) -> Result<()> {
    let file = ctx.qemu_dir().join("current");
    let named = format!("{}\n", build.display());
    if fs::read_to_string(&file).is_ok_and(|had| had == named) {
        return Ok(());
    }
    let new = ctx.qemu_dir().join(".current");
    fs::write(&new, named)
        .and_then(|()| fs::rename(&new, &file))
        .with_context(|| format!("cannot write {}", file.display()))
}
