// SPDX-License-Identifier: GPL-2.0-or-later
//! The object built by the Rust that Debian 13 ships; Debian 12 has it as rustc-web and cargo-web. The
//! packages are unpacked in the cache, not installed: the machine's own Rust stays what it is.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use duct::cmd;

use crate::build::Built;
use crate::build::library::Recipe;
use crate::cmd::{Step, read};
use crate::ctx::Ctx;
use crate::gates::object;
use crate::lock;
use crate::report::{Outcome, Report};

const RELEASE: &str = "1.85";
/// The compiler, its library and cargo, as Debian 13 and Debian 12 call them.
const PACKAGES: [[&str; 3]; 2] =
    [["rustc", "libstd-rust-dev", "cargo"], ["rustc-web", "libstd-rust-web-dev", "cargo-web"]];

pub fn check(ctx: &Ctx, tip: &Built, report: &mut Report) {
    report.check(&format!("library built by Debian's rustc {RELEASE}"), || {
        let Some(old) = old_rust(ctx)? else {
            let reason = if ctx.may_install {
                format!("apt offers no rustc {RELEASE}")
            } else {
                format!("rustc {RELEASE} is not here and --no-install was given")
            };
            return Ok(Outcome::Skipped(reason));
        };
        let dir = ctx.target.join("oldrust");
        let recipe = Recipe::of(&tip.build)?.below(&dir)?;
        let recipe = recipe.by("RUSTC", &old.tool("rustc"))?.by("CARGO", &old.tool("cargo"))?;
        let build = recipe.command()?.dir(&tip.build).env("LD_LIBRARY_PATH", &old.libraries);
        Step::new(format!("library by rustc {RELEASE}"), "oldrust", build).run(ctx)?;
        object::exports(&ctx.root, &dir)?;
        object::undefined(&dir, &tip.build)?;
        object::runtime(&dir)?;
        Ok(Outcome::Passed)
    });
}

struct OldRust {
    dir: PathBuf,
    /// Where its own shared libraries lie: it looks in the machine's, where they are not installed.
    libraries: OsString,
}

impl OldRust {
    fn tool(&self, name: &str) -> PathBuf {
        self.dir.join("usr/bin").join(name)
    }
}

fn old_rust(ctx: &Ctx) -> Result<Option<OldRust>> {
    let dir = ctx.cache.join(format!("rustc-{RELEASE}"));
    let _lock = lock::acquire(ctx, &ctx.cache.join("rustc.lock"))?;
    if ["rustc", "cargo"].iter().any(|tool| !dir.join("usr/bin").join(tool).exists()) {
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
    let multiarch = read(&cmd!("dpkg-architecture", "-qDEB_HOST_MULTIARCH"))?;
    // Some packages put theirs where they were before /lib became a part of /usr.
    let places = ["usr/lib", "lib"].map(|place| dir.join(place).join(&multiarch));
    let old = OldRust { libraries: env::join_paths(places)?, dir };
    for name in ["rustc", "cargo"] {
        let tool = old.tool(name);
        let says = read(&cmd!(&tool, "--version").env("LD_LIBRARY_PATH", &old.libraries))?;
        ensure!(says.starts_with(&format!("{name} {RELEASE}.")), "{} says {says}", tool.display());
    }
    Ok(Some(old))
}

/// The version of that release that apt offers.
fn version_of(package: &str) -> Option<String> {
    let table = read(&cmd!("apt-cache", "madison", package)).ok()?;
    let versions = table.lines().filter_map(|line| line.split('|').nth(1));
    versions.map(str::trim).find(|v| v.starts_with(&format!("{RELEASE}."))).map(str::to_string)
}

fn unpack(ctx: &Ctx, names: &[&str], version: &str, to: &Path) -> Result<()> {
    fs::create_dir_all(to.join("partial"))?;
    let place = format!("Dir::Cache::archives={}/", to.display());
    // With what they depend on and the machine lacks; nothing is installed, so nothing is locked.
    let options = ["-o", &place, "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"];
    let verb = ["--yes", "--download-only", "--no-install-recommends", "install"];
    let wanted = names.iter().map(|name| format!("{name}={version}"));
    let words = options.iter().chain(&verb).map(|word| word.to_string()).chain(wanted);
    Step::new(format!("rustc {RELEASE} of Debian"), "apt-rustc", cmd("apt-get", words)).run(ctx)?;
    for entry in fs::read_dir(to)?.flatten().map(|entry| entry.path()) {
        if entry.extension().is_some_and(|extension| extension == "deb") {
            read(&cmd!("dpkg-deb", "-x", &entry, to))?;
            fs::remove_file(entry)?;
        }
    }
    Ok(())
}
