// SPDX-License-Identifier: GPL-2.0-or-later
//! What cargo checks: the library with QEMU and as the model alone, and this tool.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use duct::{Expression, cmd};

use super::Level;
use crate::build::Built;
use crate::cmd::{Step, succeeds};
use crate::ctx::Ctx;
use crate::report::{Outcome, Report};

pub fn checks(ctx: &Ctx, level: Level, tip: Option<&Built>, report: &mut Report) {
    let (root, tool) = (&ctx.root, &ctx.root.join("xtask"));
    let library = &ctx.target.join("check");
    let own = &ctx.target.join("xtask");
    for (name, dir) in [("library", root), ("xtask", tool)] {
        report.check(&format!("cargo fmt: {name}"), || {
            if let Some(skipped) = not_installed("fmt") {
                return Ok(skipped);
            }
            run(ctx, &format!("cargo fmt {name}"), cargo(dir, &["fmt", "--check"]))
        });
    }
    let mut lint_and_test = |name: &str, dir: &Path, target: &Path, build: Option<&Path>| {
        for (verb, words) in [("clippy", LINT), ("test", TEST)] {
            report.check(&format!("cargo {verb}: {name}"), || {
                if let Some(skipped) = not_installed(verb) {
                    return Ok(skipped);
                }
                let command = cargo(dir, words).env("CARGO_TARGET_DIR", target);
                let command = match build {
                    Some(build) => command.env("QEMU_BUILD_DIR", build),
                    None => command.env_remove("QEMU_BUILD_DIR"),
                };
                run(ctx, &format!("cargo {verb} {name}"), command)
            });
        }
    };
    lint_and_test("xtask", tool, own, None);
    if let Some(tip) = tip {
        lint_and_test("library", root, library, Some(&tip.build));
    }
    match without_qemu(root) {
        Ok(dir) => {
            lint_and_test("model alone", dir.path(), library, None);
            if level > Level::Quick {
                report.check("model alone: Miri", || under_miri(ctx, dir.path()));
            }
        }
        Err(error) => report.pass("the model alone", || Err(error)),
    }
    if let Some(tip) = tip {
        report.check("cargo doc: library", || {
            let doc = cargo(root, DOC)
                .env("CARGO_TARGET_DIR", library)
                .env("QEMU_BUILD_DIR", &tip.build)
                .env("RUSTDOCFLAGS", "-D warnings");
            run(ctx, "cargo doc library", doc)
        });
    }
    if level > Level::Quick {
        report.check("model checker: every interleaving", || {
            let words = ["test", "--locked", "--release", "--test", "interleavings"];
            let command = cargo(root, &words)
                .env("RUSTFLAGS", "--cfg loom")
                .env("CARGO_TARGET_DIR", ctx.target.join("loom"));
            run(ctx, "model checker", command)
        });
    }
}

/// The model's tests where undefined behaviour is seen, if a toolchain at hand can do that.
fn under_miri(ctx: &Ctx, dir: &Path) -> Result<Outcome> {
    let there = |miri: &&&[&str]| {
        succeeds(&cmd(miri[0], [&miri[1..], &["--version"]].concat()).env_remove("CARGO"))
    };
    let Some(miri) = MIRI.iter().find(there) else {
        let reason = "no toolchain here has Miri: rustup toolchain install nightly -c miri";
        return Ok(Outcome::Skipped(reason.into()));
    };
    let words = [&miri[1..], &["test", "--locked", "--lib", "--test", "holders_model"]].concat();
    let command = cmd(miri[0], words)
        .dir(dir)
        .env_remove("QEMU_BUILD_DIR")
        .env("CARGO_TARGET_DIR", ctx.target.join("miri"));
    run(ctx, "Miri", command)
}

/// What distributions, and rustup's minimal profile, have in packages of their own.
fn not_installed(verb: &str) -> Option<Outcome> {
    let package = match verb {
        "fmt" => "rustfmt",
        "clippy" => "clippy",
        _ => return None,
    };
    let there = succeeds(&cargo(Path::new("."), &[verb, "--version"]));
    let reason = format!(
        "this Rust has none: rustup component add {package}, or the distribution's package of \
         that name"
    );
    (!there).then_some(Outcome::Skipped(reason))
}

const MIRI: &[&[&str]] = &[&["cargo", "miri"], &["rustup", "run", "nightly", "cargo", "miri"]];
const LINT: &[&str] = &["clippy", "--locked", "--all-targets", "--", "-D", "warnings"];
const TEST: &[&str] = &["test", "--locked"];
const DOC: &[&str] = &["doc", "--locked", "--no-deps", "--document-private-items"];

fn cargo(dir: &Path, words: &[&str]) -> Expression {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    cmd(cargo, words).dir(dir).env("CARGO_TERM_COLOR", "never")
}

fn run(ctx: &Ctx, title: &str, command: Expression) -> Result<Outcome> {
    Step::new(title, title.replace(' ', "-"), command).run(ctx).map(|_| Outcome::Passed)
}

/// The crate as one who has no QEMU sees it: the same files, no `target/qemu/current`.
fn without_qemu(root: &Path) -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    for entry in fs::read_dir(root)?.flatten() {
        if entry.file_name() != "target" {
            symlink(entry.path(), dir.path().join(entry.file_name()))?;
        }
    }
    Ok(dir)
}
