// SPDX-License-Identifier: GPL-2.0-or-later
//! Machines that lack something: the network, rights, space.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use duct::{Expression, cmd};
use nix::unistd::Uid;

use super::interrupt::interrupted;
use super::sandbox::{Sandbox, is_empty, run};
use crate::cmd::{read, succeeds};
use crate::ctx::Ctx;
use crate::report::Outcome;
use crate::setup::source;
use crate::version::{Tree, Version};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";
const NOBODY: u32 = 65534;

/// What the user reads when the disk is full.
const FULL: [&str; 2] = ["the disk is full", "run the same command again"];

pub fn no_network(ctx: &Ctx) -> Result<()> {
    let setup_in = |sandbox: &Sandbox| offline(sandbox.xtask(&["setup"])).env("PIP_RETRIES", "0");
    let sandbox = Sandbox::new(ctx)?;
    run(&setup_in(&sandbox))?.must_say(&["is the network reachable?"])?;

    let sandbox = Sandbox::new(ctx)?;
    sandbox.share_tools(ctx)?;
    let setup = setup_in(&sandbox);
    let phrases = ["Debian's mirror cannot be reached", "--qemu DIR"];
    run(&setup)?.must_say(&phrases)?;
    run(&setup)?.must_say(&phrases)?;
    ensure!(is_empty(&sandbox.path("cache/qemu-iothread/src")), "half a download was left");
    Ok(())
}

/// The same where every proxy is a dead end.
pub fn offline(expression: Expression) -> Expression {
    let proxies = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
    proxies.into_iter().fold(expression, |expression, name| expression.env(name, NOWHERE))
}

pub fn stdout_full(ctx: &Ctx) -> Result<()> {
    let sandbox = Sandbox::new(ctx)?;
    let to_full = ["sh", "-c", "\"$0\" \"$@\" >/dev/full"];
    let header = sandbox.xtask_by(&to_full, &["patches", "header"]);
    run(&header)?.must_say(&["could not be written to standard output", "No space left"])
}

/// A machine on which nothing is installed, and a user who cannot change that.
pub fn not_root(ctx: &Ctx) -> Result<Outcome> {
    let sandbox = Sandbox::new(ctx)?;
    sandbox.fake("dpkg-query", "echo nothing installed")?;
    sandbox.fake("sudo", "exit 1")?;
    let (id, words) = (NOBODY.to_string(), ["setup"]);
    let (uid, gid) = (format!("--reuid={id}"), format!("--regid={id}"));
    let setup = if Uid::effective().is_root() {
        chown(sandbox.path("cache"), Some(NOBODY), Some(NOBODY))?;
        sandbox.xtask_by(&["setpriv", &uid, &gid, "--clear-groups"], &words)
    } else {
        sandbox.xtask(&words)
    };
    let phrases =
        ["only root can install", "apt-get install --no-install-recommends", "ninja-build"];
    run(&setup)?.must_say(&phrases)?;
    ensure!(is_empty(&sandbox.path("cache")), "something was left in the cache");
    Ok(Outcome::Passed)
}

pub fn disk_full(ctx: &Ctx) -> Result<Outcome> {
    let sandbox = Sandbox::new(ctx)?;
    let Some(cache) = Small::mount(sandbox.path("cache"), "1m") else {
        return Ok(no_mount());
    };
    let setup = sandbox.xtask(&["setup"]);
    run(&setup)?.must_say(&FULL)?;
    run(&setup)?.must_say(&FULL)?;
    // With room, the same command goes on from there.
    cache.resize("200m")?;
    run(&sandbox.xtask(&["setup", "--no-install"]))?.must_say(&["to be installed by pip"])?;
    drop(cache);
    // Compilers and tests write there.
    fs::create_dir(sandbox.path("tmp"))?;
    let tmp = Small::mount(sandbox.path("tmp"), "1m").context("cannot mount a second one")?;
    let lacking = sandbox.xtask(&["setup", "--no-install"]).env("TMPDIR", sandbox.path("tmp"));
    run(&lacking)?.must_say(&FULL)?;
    drop(tmp);
    let left = fs::read_dir(sandbox.path("cache"))?.next();
    ensure!(left.is_none(), "the small file system is still mounted");
    Ok(Outcome::Passed)
}

/// QEMU's source does not fit; then there is room, and Ctrl-C; then all is well.
pub fn half_unpacked(ctx: &Ctx) -> Result<Outcome> {
    for version in Version::ALL {
        source::base(ctx, &Tree::Release(version)).context("there is nothing to unpack")?;
    }
    let sandbox = Sandbox::new(ctx)?;
    sandbox.share_tools(ctx)?;
    sandbox.share_downloads(ctx)?;
    fs::create_dir(sandbox.path("target"))?;
    let Some(target) = Small::mount(sandbox.path("target"), "100m") else {
        return Ok(no_mount());
    };
    let setup = sandbox.xtask(&["setup"]);
    run(&setup)?.must_say(&FULL)?;
    target.resize("3g")?;
    interrupted(&setup, "unpack ")?;
    run(&setup)?.must_exit(0).context("the third run fails")?;
    Ok(Outcome::Passed)
}

fn no_mount() -> Outcome {
    Outcome::Skipped("only root can mount a small file system".into())
}

/// A small file system, while it lives.
struct Small(PathBuf);

impl Small {
    fn mount(place: PathBuf, size: &str) -> Option<Small> {
        let options = format!("size={size},mode=755");
        let mount = cmd!("mount", "-t", "tmpfs", "-o", options, "tmpfs", &place);
        succeeds(&mount).then_some(Small(place))
    }

    fn resize(&self, size: &str) -> Result<()> {
        read(&cmd!("mount", "-o", format!("remount,size={size}"), &self.0)).map(drop)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        succeeds(&cmd!("umount", &self.0));
    }
}
