// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU trees that cannot be served.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::sandbox::{Sandbox, is_empty, run};
use crate::ctx::Ctx;
use crate::series::{self, Series};
use crate::version::{Tree, Version};

/// It is refused before anything is installed or fetched.
pub fn no_such_point(ctx: &Ctx) -> Result<()> {
    let sandbox = Sandbox::new(ctx)?;
    for (words, says) in [
        (["build", "--at", "999"], "patches, not 999"),
        (["demo", "--at", "999"], "patches, not 999"),
        (["dual", "--at", "999"], "patches, not 999"),
        (["dual", "--at", "base"], "base is plain C"),
    ] {
        let ended = run(&sandbox.xtask(&words))?;
        ended.must_exit(2)?;
        ended.says(&[says])?;
    }
    ensure!(is_empty(&sandbox.path("cache")), "something was left in the cache");
    Ok(())
}

pub fn not_served(ctx: &Ctx) -> Result<()> {
    let sandbox = Sandbox::new(ctx)?;
    let tree = sandbox.path("qemu");
    fs::create_dir(&tree)?;
    let dir = tree.display().to_string();
    let build = sandbox.xtask(&["build", "--qemu", &dir]);
    run(&build)?.must_say(&[&dir, "is no QEMU source tree", "name the top"])?;
    for version in ["9.2.1", "10.2.50", "11.0.0"] {
        fs::write(tree.join("VERSION"), version)?;
        run(&build)?.must_say(&[version, "10.2.x and 10.0.x"])?;
    }
    ensure!(is_empty(&sandbox.path("target/qemu")), "something was left in target/qemu");
    Ok(())
}

/// A tree that has all that the patches touch, and a change of its own in the way of one.
pub fn does_not_fit(ctx: &Ctx) -> Result<()> {
    let sandbox = Sandbox::new(ctx)?;
    sandbox.share_tools(ctx)?;
    let tree = sandbox.path("qemu");
    let series = Series::open(ctx, &Tree::Release(Version::V10_2))?;
    let git = &series.base.git;
    for patch in &series.patches {
        for file in series::touched(git, patch)? {
            let Ok(text) = git.read(["show", &format!("base:{file}")]) else {
                continue;
            };
            let to = tree.join(&file);
            fs::create_dir_all(to.parent().context("a file has a directory")?)?;
            fs::write(to, text + "\n")?;
        }
    }
    fs::write(tree.join("VERSION"), "10.2.2\n")?;
    let changed = tree.join("include/system/iothread.h");
    let text = fs::read_to_string(&changed)?;
    fs::write(&changed, text.replace("bool running;", "bool is_running;"))?;
    let dir = tree.display().to_string();
    let build = sandbox.xtask(&["build", "--qemu", &dir]);
    let phrases = ["does not fit", ".patch", "include/system/iothread.h", "take back"];
    run(&build)?.must_say(&phrases)?;
    run(&build)?.must_say(&phrases)
}
