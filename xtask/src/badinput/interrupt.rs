// SPDX-License-Identifier: GPL-2.0-or-later
//! Ctrl-C in the middle, and the same command once more.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use duct::Expression;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandbox::{Ended, Sandbox, run};
use crate::build::Built;
use crate::cmd::in_own_group;
use crate::ctx::Ctx;
use crate::gates::rebuild::touch_header;
use crate::interrupt::{INTERRUPTED, Watched};
use crate::lock;
use crate::wait::comes_true;

const PATIENCE: Duration = Duration::from_secs(3);

/// Long enough for the step to be busy, too short for it to end.
const INTO_THE_STEP: Duration = Duration::from_millis(700);

pub fn installing(ctx: &Ctx) -> Result<()> {
    let sandbox = Sandbox::new(ctx)?;
    let tree = sandbox.path("qemu");
    fs::create_dir(&tree)?;
    fs::write(tree.join("VERSION"), "10.2.2\n")?;
    let dir = tree.display().to_string();
    let build = sandbox.xtask(&["build", "--at", "base", "--qemu", &dir]);
    let ended = interrupted(&build, "Python venv for QEMU's configure ...")?;
    ended.says(&["interrupted; run the same command again"])?;
    all_gone(|process| mentions(process, &sandbox.path("cache")))?;
    // There is nothing to build in this tree: what counts is that the tools came to be.
    run(&build)?.must_say(&["pinned Python tools done"])
}

pub fn building(ctx: &Ctx, tip: &Built) -> Result<()> {
    touch_header(&tip.source)?;
    let build = build_of_tip(ctx)?;
    let ended = interrupted(&build, "build QEMU")?;
    let blamed = ["FAILED", "full log", "error:"].iter().any(|word| ended.text.contains(word));
    ensure!(!blamed, "what was interrupted is said to have failed:\n{}", ended.text);
    all_gone(|process| works_in(process, &tip.build))?;
    let again = run(&build)?;
    again.must_exit(0).context("the second run fails")?;
    let last = again.text.lines().last().unwrap_or_default();
    ensure!(last == tip.build.to_string_lossy(), "the last line is {last}");
    Ok(())
}

/// Nothing that it started runs then, and it tells all the same.
pub fn waiting(ctx: &Ctx, tip: &Built) -> Result<()> {
    let _lock = lock::acquire(ctx, &tip.source.with_extension("lock"))?;
    let ended = interrupted(&build_of_tip(ctx)?, "waiting for another cargo xtask")?;
    ended.says(&["interrupted; run the same command again"])
}

fn build_of_tip(ctx: &Ctx) -> Result<Expression> {
    let program = std::env::current_exe()?;
    let tree = ctx.tree.to_string();
    Ok(duct::cmd!(program, "--qemu", tree, "build", "--at", "tip").dir(&ctx.root))
}

/// Starts it, waits for a line that begins so, then sends SIGINT to it alone, which must end it.
pub fn interrupted(command: &Expression, line: &str) -> Result<Ended> {
    let reader = in_own_group(command).stdin_null().stderr_to_stdout().unchecked().reader()?;
    let pid = *reader.pids().first().context("it has no process id")?;
    let _watched = Watched::new(pid);
    let mut text = String::new();
    let mut lines = BufReader::new(&reader);
    loop {
        let before = text.len();
        if lines.read_line(&mut text)? == 0 {
            bail!("it ended before it said {line:?}:\n{text}");
        }
        if text[before..].starts_with(line) {
            break;
        }
    }
    std::thread::sleep(INTO_THE_STEP);
    kill(Pid::from_raw(pid as i32), Signal::SIGINT).context("cannot interrupt it")?;
    while lines.read_line(&mut text)? > 0 {}
    let status = reader.try_wait()?.map(|output| output.status);
    let ended = Ended { code: status.and_then(|status| status.code()), text };
    ended.must_exit(INTERRUPTED)?;
    Ok(ended)
}

/// Children were told to end before the command ended; their last moments may come after it.
fn all_gone(is_child: impl Fn(&Path) -> bool) -> Result<()> {
    let none_left = || {
        let all = fs::read_dir("/proc").context("no /proc")?;
        Ok(!all.flatten().any(|entry| is_child(&entry.path())))
    };
    ensure!(comes_true(PATIENCE, none_left)?, "a child outlived the command");
    Ok(())
}

fn mentions(process: &Path, path: &Path) -> bool {
    let words = fs::read(process.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).contains(&*path.to_string_lossy())
}

fn works_in(process: &Path, dir: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
}
