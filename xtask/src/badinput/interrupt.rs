// SPDX-License-Identifier: GPL-2.0-or-later
//! Ctrl-C in the middle, and the same command once more.

use std::fs::{self, File};
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
use crate::interrupt::Watched;

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
    ensure!(ended.code == Some(130), "exit code {:?}:\n{}", ended.code, ended.text);
    ended.says(&["interrupted; run the same command again"])?;
    ensure!(!anyone_mentions(&sandbox.path("cache"))?, "a child outlived the command");
    // The tree is empty: what counts is that the tools came to be.
    run(&build)?.must_say(&["pinned Python tools done", "no meson_options.txt"])
}

pub fn building(ctx: &Ctx, tip: &Built) -> Result<()> {
    let header = tip.source.join("include/system/event-loop-base.h");
    File::options().append(true).open(&header)?.set_modified(std::time::SystemTime::now())?;
    let program = std::env::current_exe()?;
    let build = duct::cmd!(program, "build", "--at", "tip").dir(&ctx.root);
    let ended = interrupted(&build, "build QEMU")?;
    ensure!(ended.code == Some(130), "exit code {:?}:\n{}", ended.code, ended.text);
    ensure!(!anyone_works_in(&tip.build)?, "a child outlived the command");
    let again = run(&build)?;
    ensure!(again.code == Some(0), "the second run fails:\n{}", again.text);
    let last = again.text.lines().last().unwrap_or_default();
    ensure!(last == tip.build.to_string_lossy(), "the last line is {last}");
    Ok(())
}

/// Starts it, waits for a line that begins so, then sends SIGINT to it alone.
fn interrupted(command: &Expression, line: &str) -> Result<Ended> {
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
    Ok(Ended { code: status.and_then(|status| status.code()), text })
}

fn processes() -> Result<Vec<std::path::PathBuf>> {
    let all = fs::read_dir("/proc").context("no /proc")?.flatten().map(|entry| entry.path());
    Ok(all.filter(|path| path.join("cmdline").exists()).collect())
}

fn anyone_mentions(path: &Path) -> Result<bool> {
    let wanted = path.to_string_lossy().to_string();
    let mentions = |process: &std::path::PathBuf| {
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&wanted)
    };
    Ok(processes()?.iter().any(mentions))
}

fn anyone_works_in(dir: &Path) -> Result<bool> {
    let works = |process: &std::path::PathBuf| {
        fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
    };
    Ok(processes()?.iter().any(works))
}
