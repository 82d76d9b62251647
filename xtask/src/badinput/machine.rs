// SPDX-License-Identifier: GPL-2.0-or-later
//! Machines that lack something: the network, rights, space.

use std::fs;
use std::os::unix::fs::chown;

use anyhow::{Result, ensure};
use duct::cmd;
use nix::unistd::Uid;

use super::sandbox::{Sandbox, is_empty, run};
use crate::cmd::{read, succeeds};
use crate::ctx::Ctx;
use crate::report::Outcome;

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";
const NOBODY: u32 = 65534;

pub fn no_network(ctx: &Ctx) -> Result<()> {
    let offline = |sandbox: &Sandbox| {
        let mut setup = sandbox.xtask(&["setup"]).env("PIP_RETRIES", "0");
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
            setup = setup.env(name, NOWHERE);
        }
        setup
    };
    let sandbox = Sandbox::new(ctx)?;
    run(&offline(&sandbox))?.must_say(&["is the network reachable?"])?;

    let sandbox = Sandbox::new(ctx)?;
    sandbox.share_tools(ctx)?;
    let setup = offline(&sandbox);
    let phrases = ["Debian's mirror cannot be reached", "--qemu DIR"];
    run(&setup)?.must_say(&phrases)?;
    run(&setup)?.must_say(&phrases)?;
    ensure!(is_empty(&sandbox.path("cache/qemu-iothread/src")), "half a download was left");
    Ok(())
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
    let cache = sandbox.path("cache");
    if !succeeds(&cmd!("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", &cache)) {
        return Ok(Outcome::Skipped("only root can mount a small file system".into()));
    }
    let setup = sandbox.xtask(&["setup"]);
    let first = run(&setup);
    let second = run(&setup);
    // With room, the same command goes on from there.
    let room = read(&cmd!("mount", "-o", "remount,size=200m", &cache));
    let third = run(&sandbox.xtask(&["setup", "--no-install"]));
    let unmounted = read(&cmd!("umount", &cache));
    for ended in [first?, second?] {
        ended.must_say(&["the disk is full", "run the same command again"])?;
    }
    room?;
    third?.must_say(&["to be installed by pip"])?;
    unmounted?;
    ensure!(fs::read_dir(&cache)?.next().is_none(), "the small file system is still mounted");
    Ok(Outcome::Passed)
}
