// SPDX-License-Identifier: GPL-2.0-or-later
//! Finding the first commit at which a command fails: `git bisect run` over the series.

use std::fs;
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, bail};
use duct::cmd;

use super::WORKTREES;
use crate::build::{self, Flavor};
use crate::cmd::{Step, output, succeeds};
use crate::ctx::Ctx;
use crate::series::Series;
use crate::setup::{self, Host};
use crate::version::Point;
use crate::worktree::{self, Worktree};

/// 125 tells git that a commit which does not build says nothing about the command.
const BUILD_AND_RUN: &str = r#"ninja -C build || exit 125; "$@""#;

/// Whether the shell finds the program before anything is built; what may lie in a work tree can
/// come to be there.
pub fn may_be_found(ctx: &Ctx, program: &str) -> bool {
    let path = Path::new(program);
    let may_be_built =
        path.starts_with(&ctx.target) || (path.is_relative() && program.contains('/'));
    may_be_built || succeeds(&cmd!("sh", "-c", r#"command -v "$1""#, "sh", program))
}

/// Bisects between the commit before `first`, which must be good, and `last`, which must be bad.
/// The subject of the first bad one.
pub fn first_bad(
    ctx: &Ctx,
    series: &Series,
    first: usize,
    last: usize,
    command: &[String],
) -> Result<String> {
    let host = setup::host(ctx)?;
    let before = first.saturating_sub(1);
    let good = built_at(ctx, &host, series, before)?;
    if !run(&good, command)?.status.success() {
        bail!("the command fails at commit {before} already: there is no first commit to find");
    }
    drop(good);
    let bad = built_at(ctx, &host, series, last)?;
    if run(&bad, command)?.status.success() {
        bail!("the command does not fail at commit {last}: there is nothing to find");
    }
    let (good, git) = (series.commit(ctx, before)?, &bad.git);
    let tip = series.commit(ctx, last)?;
    bad.lend()?;
    git.run(["bisect", "start", &tip, &good])?;
    let words = ["bisect", "run", "sh", "-c", BUILD_AND_RUN, "sh"];
    let words = words.into_iter().map(String::from).chain(command.iter().cloned());
    let search = build::environment(ctx, git.command(words));
    let outcome = Step::new("git bisect run", "bisect", search).run(ctx);
    git.run(["bisect", "reset", &tip]).context("cannot end the bisection")?;
    let log = outcome?.log;
    let text = fs::read_to_string(&log).with_context(|| format!("no {}", log.display()))?;
    let found = text.lines().find_map(|line| line.strip_suffix(" is the first bad commit"));
    let found = found.with_context(|| format!("git names no commit, see {}", log.display()))?;
    out!("{}", git.read(["log", "-1", "--format=first bad commit: %H%n%s", found])?);
    git.read(["log", "-1", "--format=%s", found])
}

fn built_at(ctx: &Ctx, host: &Host, series: &Series, depth: usize) -> Result<Worktree> {
    let commit = series.commit(ctx, depth)?;
    let worktree = worktree::named(ctx, series, WORKTREES[0], &commit, false)?;
    // Left by a search that was interrupted.
    worktree.git.run(["bisect", "reset", "HEAD"])?;
    let label = format!("{} {}", build::label(series), Point::At(depth));
    build::in_worktree(ctx, host, &worktree, &label, Flavor::Default)?;
    Ok(worktree)
}

fn run(worktree: &Worktree, command: &[String]) -> Result<Output> {
    // By way of the shell, a relative path is one in the work tree.
    let words = [&["-c", r#""$@""#, "sh"].map(String::from), command].concat();
    let run = cmd("sh", words).dir(worktree.dir()).stderr_to_stdout().stdout_capture();
    output(&run).context("cannot run the command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_can_never_run_is_known_at_once() {
        let cli = clap::Parser::parse_from(["xtask", "test"]);
        let ctx = Ctx::new(&cli).unwrap();
        let built = ctx.target.join("qemu/10.2/bisect/build/qemu-nbd");
        for program in ["sh", "/bin/sh", "test", "build/qemu-nbd", &built.to_string_lossy()] {
            assert!(may_be_found(&ctx, program), "{program}");
        }
        for program in ["/no/such/command", "no-such-command", ""] {
            assert!(!may_be_found(&ctx, program), "{program}");
        }
    }
}
