// SPDX-License-Identifier: GPL-2.0-or-later
//! Each commit's tests on the commit before it: where none of them fails, they protect nothing.

use std::fs;

use anyhow::{Context, Result, ensure};
use comfy_table::{Table, presets};
use serde::Deserialize;

use super::suite::{self, Extent};
use super::{FLAVOR, WORKTREES};
use crate::build;
use crate::cmd::read;
use crate::ctx::Ctx;
use crate::git::Git;
use crate::interrupt;
use crate::series::Series;
use crate::setup::{self, Host};
use crate::suites;
use crate::worktree;

/// What QEMU keeps tests in, and what changes nothing that they could see.
const TESTS: &str = "tests/";
const WORDS: [&str; 2] = ["docs/", "MAINTAINERS"];

/// What protects nothing: tests that pass, or a build of tests that is not so much as configured.
const PASS: &str = "nothing fails";
const UNCONFIGURED: &str = "cannot be configured";

/// Steps of which that is known.
const KNOWN: &str = "tests/bisect/idle.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    idle: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    subject: String,
    why: String,
}

/// Prints what fails at each commit; fails if nothing does at one that brings tests, unless it is
/// known why.
pub fn run(ctx: &Ctx, series: &Series, first: usize, last: usize) -> Result<()> {
    let host = setup::host(ctx)?;
    let known = known(ctx, series)?;
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["N", "subject", "its tests on the commit before"]);
    let mut idle = Vec::new();
    for depth in first..=last {
        let commit = series.commit(ctx, depth)?;
        let subject = series.base.git.read(["log", "-1", "--format=%s", &commit])?;
        ctx.ui.say(format!("commit {depth} of {last}"));
        let before = series.commit(ctx, depth - 1)?;
        let outcome = match transplanted(&series.base.git, &before, &commit)? {
            None => "it has none, or nothing else".into(),
            Some(commit) => outcome(ctx, &host, series, depth, &commit)?,
        };
        let known = known.iter().find(|step| step.subject == subject);
        let outcome = match ([PASS, UNCONFIGURED].contains(&&*outcome), known) {
            (true, Some(step)) => format!("{outcome}: {}", step.why),
            (true, None) => {
                idle.push(depth.to_string());
                outcome
            }
            (false, _) => outcome,
        };
        table.add_row([depth.to_string(), subject, outcome]);
    }
    out!("{}\n\n{table}", crate::host::Host::now(&ctx.root)?);
    ensure!(idle.is_empty(), "the tests of {} pass without what they came with", idle.join(", "));
    Ok(())
}

/// What is known of steps of this series; it must know all of them.
fn known(ctx: &Ctx, series: &Series) -> Result<Vec<Step>> {
    let text = fs::read_to_string(ctx.root.join(KNOWN)).context(KNOWN)?;
    let Known { idle } = toml::from_str(&text).context(KNOWN)?;
    let tip = series.commit(ctx, series.patches.len())?;
    let subjects = series.base.git.read(["log", "--format=%s", &tip])?;
    for step in &idle {
        let there = subjects.lines().any(|subject| subject == step.subject);
        ensure!(there, "{KNOWN}: the series has no step {:?}", step.subject);
    }
    Ok(idle)
}

/// The commit before, with all tests as they are at `commit`; none if that makes no difference.
fn transplanted(git: &Git, before: &str, commit: &str) -> Result<Option<String>> {
    let changed = git.read(["diff", "--name-only", before, commit])?;
    let (tests, others): (Vec<_>, Vec<_>) =
        changed.lines().partition(|file| file.starts_with(TESTS));
    let words = |file: &&str| WORDS.iter().any(|word| file.starts_with(word));
    if tests.is_empty() || others.iter().all(words) {
        return Ok(None);
    }
    let entry = |commit| git.read(["ls-tree", commit, TESTS.trim_end_matches('/')]);
    let listing = git.read(["ls-tree", before])?.replace(&entry(before)?, &entry(commit)?);
    let tree = read(&git.command(["mktree"]).stdin_bytes(listing + "\n"))?;
    let message = "The tests of the next commit";
    git.read(["commit-tree", &tree, "-p", before, "-m", message]).map(Some)
}

fn outcome(ctx: &Ctx, host: &Host, series: &Series, depth: usize, commit: &str) -> Result<String> {
    let worktree = worktree::named(ctx, series, WORKTREES[0], commit, false)?;
    let label = format!("{} {depth} without its code", build::label(series));
    let log = ctx.ui.log_path(&build::log_name(&label, FLAVOR));
    // Configure may fail before it is written again.
    let _ = fs::remove_file(&log);
    let built = build::in_worktree(ctx, host, &worktree, &label, FLAVOR);
    interrupt::check()?;
    let built = match built {
        Ok(built) => built,
        Err(error) => {
            let text = fs::read_to_string(log).unwrap_or_default();
            return match do_not_build(&text) {
                Some(test) => Ok(format!("do not build: {test}")),
                None if cannot_be_configured(&error.to_string()) => Ok(UNCONFIGURED.into()),
                None => Err(error),
            };
        }
    };
    let results = suite::run(ctx, &built, &label, Extent::Own, None).context("its tests")?;
    let failed = suites::failures(&results);
    Ok(if failed.is_empty() { PASS.into() } else { failed.join(" ") })
}

/// A test that does not compile or link, if nothing else does not.
fn do_not_build(log: &str) -> Option<&str> {
    let failed = log.lines().filter_map(|line| line.strip_prefix("FAILED: "));
    let mut failed = failed.flat_map(str::split_whitespace).filter(|word| !word.starts_with('['));
    let first = failed.next()?;
    let all = first.starts_with(TESTS) && failed.all(|target| target.starts_with(TESTS));
    all.then_some(first)
}

/// Whether Meson finds no more wrong than what the tests' own build files say.
fn cannot_be_configured(error: &str) -> bool {
    let mut errors = error.lines().filter_map(|line| line.split_once(": ERROR: "));
    errors.next().is_some_and(|(place, _)| place.starts_with(&format!("../{TESTS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository whose last commit changes these files.
    fn repository(files: &[&str]) -> (tempfile::TempDir, Git) {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::at(dir.path());
        git.run(["init", "--quiet"]).unwrap();
        for text in ["old", "new"] {
            for file in files.iter().chain(&["tests/same", "same"]) {
                let path = dir.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, if file.ends_with("same") { "same" } else { text }).unwrap();
            }
            git.run(["add", "--all"]).unwrap();
            git.run(["commit", "--quiet", "-m", text]).unwrap();
        }
        (dir, git)
    }

    #[test]
    fn tests_move_and_nothing_else_does() {
        let (_dir, git) = repository(&["tests/a", "b", "docs/c"]);
        let commit = transplanted(&git, "HEAD^", "HEAD").unwrap().unwrap();
        let show = |file: &str| git.read(["show", &format!("{commit}:{file}")]).unwrap();
        let all = ["tests/a", "tests/same", "b", "docs/c"].map(show);
        assert_eq!(all, ["new", "same", "old", "old"]);
    }

    #[test]
    fn only_a_test_may_fail_to_build() {
        let test = "FAILED: tests/unit/a.p/a.c.o \ngcc -c a.c\n";
        let code = "FAILED: [code=1] libblock.a.p/b.c.o \n";
        assert_eq!(do_not_build(test), Some("tests/unit/a.p/a.c.o"));
        assert_eq!(do_not_build(&format!("{test}{code}")), None);
        assert_eq!(do_not_build("ninja: error: no such target\n"), None);
        assert!(cannot_be_configured("a\n../tests/unit/meson.build:69:22: ERROR: no x\nb"));
        assert!(!cannot_be_configured("../meson.build:1:2: ERROR: no x"));
    }

    #[test]
    fn what_brings_tests_or_code_alone_is_not_asked() {
        for files in [&["tests/a", "docs/b"][..], &["a"]] {
            let (_dir, git) = repository(files);
            assert_eq!(transplanted(&git, "HEAD^", "HEAD").unwrap(), None);
        }
    }
}
