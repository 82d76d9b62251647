// SPDX-License-Identifier: GPL-2.0-or-later
//! The library built by the rustc that Debian 13 ships; Debian 12 has it as rustc-web. The packages
//! are unpacked in the cache, not installed: the machine's own Rust stays what it is.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use duct::cmd;

use crate::build::Built;
use crate::cmd::{Step, read};
use crate::ctx::Ctx;
use crate::lock;
use crate::report::{Outcome, Report};

const RELEASE: &str = "1.85";
/// The compiler, its library and the library's parts, as Debian 13 and Debian 12 call them.
const PACKAGES: [[&str; 3]; 2] = [
    ["rustc", "libstd-rust-dev", "libstd-rust-1.85"],
    ["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.85"],
];

pub fn check(ctx: &Ctx, tip: &Built, report: &mut Report) {
    report.check(&format!("library built by Debian's rustc {RELEASE}"), || {
        let Some(rustc) = rustc(ctx)? else {
            return Ok(Outcome::Skipped(format!("apt offers no rustc {RELEASE}")));
        };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = cmd!(cargo, "build", "--locked", "--release", "--lib")
            .dir(&ctx.root)
            .env("RUSTC", rustc)
            .env("QEMU_BUILD_DIR", &tip.build)
            .env("CARGO_TARGET_DIR", ctx.target.join("oldrust"));
        Step::new(format!("library by rustc {RELEASE}"), "oldrust", build).run(ctx)?;
        Ok(Outcome::Passed)
    });
}

fn rustc(ctx: &Ctx) -> Result<Option<PathBuf>> {
    let dir = ctx.cache.join(format!("rustc-{RELEASE}"));
    let _lock = lock::acquire(ctx, &ctx.cache.join("rustc.lock"))?;
    if !dir.join("usr/bin/rustc").exists() {
        let found = PACKAGES.iter().find_map(|names| Some((names, version_of(names[0])?)));
        let Some((names, version)) = found.filter(|_| ctx.may_install) else {
            return Ok(None);
        };
        fs::create_dir_all(&ctx.cache)?;
        let fresh = tempfile::tempdir_in(&ctx.cache).context("cannot make a directory")?;
        unpack(ctx, names, &version, fresh.path())?;
        let _ = fs::remove_dir_all(&dir);
        fs::rename(fresh.keep(), &dir).context("cannot put the compiler in place")?;
    }
    let rustc = dir.join("usr/bin/rustc");
    let says = read(&cmd!(&rustc, "--version"))?;
    ensure!(says.starts_with(&format!("rustc {RELEASE}.")), "{} says {says}", rustc.display());
    Ok(Some(rustc))
}

/// The version of that release that apt offers.
fn version_of(package: &str) -> Option<String> {
    let table = read(&cmd!("apt-cache", "madison", package)).ok()?;
    let versions = table.lines().filter_map(|line| line.split('|').nth(1));
    versions.map(str::trim).find(|v| v.starts_with(&format!("{RELEASE}."))).map(str::to_string)
}

fn unpack(ctx: &Ctx, names: &[&str], version: &str, to: &Path) -> Result<()> {
    let wanted = names.iter().map(|name| format!("{name}={version}"));
    let words = ["download".to_string()].into_iter().chain(wanted);
    Step::new(format!("rustc {RELEASE} of Debian"), "apt-rustc", cmd("apt-get", words).dir(to))
        .run(ctx)?;
    for entry in fs::read_dir(to)?.flatten().map(|entry| entry.path()) {
        if entry.extension().is_some_and(|extension| extension == "deb") {
            read(&cmd!("dpkg-deb", "-x", &entry, to))?;
            fs::remove_file(entry)?;
        }
    }
    Ok(())
}
