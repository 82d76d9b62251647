// SPDX-License-Identifier: GPL-2.0-or-later
//! Running QEMU's own test suites in a build directory, result by result.

pub mod iotests;
pub mod meson;
pub mod tap;

use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};
use duct::Expression;
use serde::{Deserialize, Serialize};

use crate::cmd::{Done, Step};
use crate::ctx::Ctx;
use crate::lock::{self, Lock};

/// The slow way to walk a stack also passes glib, which keeps no frame pointers.
const ASAN_OPTIONS: &str =
    "halt_on_error=1:abort_on_error=1:fast_unwind_on_malloc=0:malloc_context_size=10";

/// QEMU builds it to tell and go on, which no test would notice.
const UBSAN_OPTIONS: &str = "halt_on_error=1:print_stacktrace=1";

/// So many lines tell why a test failed.
const LAST_LINES: usize = 12;

/// How long tests may take, as in `make check SPEED=...`: some have more rounds for those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    Quick,
    Slow,
}

/// Tests of a build that are to be run.
pub struct Asked<'a> {
    pub build: &'a Path,
    pub title: &'a str,
    pub speed: Speed,
    pub names: &'a [String],
}

impl Asked<'_> {
    /// The results are read from files that carry the title: another run would write them, too.
    pub fn lock(&self, ctx: &Ctx) -> Result<Lock> {
        lock::acquire(ctx, &ctx.ui.log_path(&self.log_name()).with_extension("lock"))
    }

    pub fn log_name(&self) -> String {
        format!("xtask-{}", self.title.replace([' ', '/'], "-"))
    }

    /// The program that runs the tests, as a step.
    fn step(&self, ctx: &Ctx, runner: Expression) -> Step {
        Step::new(self.title, self.log_name(), in_build(ctx, runner, self.build, self.speed))
            .sweeping()
    }

    /// What ran. A test that fails is a result, and so the runner may fail with it; that it fails
    /// without, or leaves tests out, is an error.
    fn settle(
        &self,
        ctx: &Ctx,
        outcome: Result<Done>,
        results: Vec<TestResult>,
    ) -> Result<Vec<TestResult>> {
        let (asked, ran) = (self.names.len(), results.len());
        let told = failures_told(&results);
        if !told.is_empty() {
            ctx.ui.say(&told);
        }
        if told.is_empty() || ran < asked {
            outcome.with_context(|| format!("{ran} of {asked} ended"))?;
        }
        ensure!(ran >= asked, "{}: {asked} tests asked for, {ran} ran", self.title);
        Ok(results)
    }
}

/// How one test of a suite ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    Skip,
}

#[derive(Clone, Debug)]
pub struct TestResult {
    pub name: String,
    pub verdict: Verdict,
    /// What it says that it did not test, and why.
    pub left_out: Vec<(String, String)>,
    /// The end of what it printed, if it failed.
    pub words: String,
    /// How plain C fails it, too, if that is why it counts as skipped.
    pub excuse: Option<String>,
}

impl TestResult {
    pub fn new(name: impl Into<String>, verdict: Verdict) -> TestResult {
        let (name, left_out, words) = (name.into(), Vec::new(), String::new());
        TestResult { name, verdict, left_out, words, excuse: None }
    }
}

/// How many ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    pub fn of(results: &[TestResult]) -> Tally {
        let count = |verdict| results.iter().filter(|result| result.verdict == verdict).count();
        Tally {
            passed: count(Verdict::Pass),
            failed: count(Verdict::Fail),
            skipped: count(Verdict::Skip),
        }
    }
}

/// The tests that count as skipped since plain C fails them, too, and how it does.
pub fn excused(results: &[TestResult]) -> Vec<(String, String)> {
    let excused = results.iter().filter_map(|result| Some((&result.name, result.excuse.as_ref()?)));
    excused.map(|(name, excuse)| (name.clone(), excuse.clone())).collect()
}

/// What did not run: tests that say so, or parts of tests, and what is excused; each with its reason.
pub fn skipped(results: &[TestResult]) -> Vec<(String, String)> {
    let skips = |result: &&TestResult| result.verdict == Verdict::Skip && result.excuse.is_none();
    let whole = results.iter().filter(skips).map(|result| {
        let reason = result.left_out.first().map_or("as it says itself", |(_, reason)| reason);
        (result.name.clone(), reason.to_string())
    });
    let parts = results.iter().filter(|result| !skips(result));
    let parts = parts.flat_map(|result| result.left_out.iter().cloned());
    whole.chain(parts).chain(excused(results)).collect()
}

/// The names of the tests that failed.
pub fn failures(results: &[TestResult]) -> Vec<&str> {
    let failed = results.iter().filter(|result| result.verdict == Verdict::Fail);
    failed.map(|result| result.name.as_str()).collect()
}

/// The tests that failed, with their last words; empty if none did.
pub fn failures_told(results: &[TestResult]) -> String {
    let failed = results.iter().filter(|result| result.verdict == Verdict::Fail);
    let lines: Vec<_> =
        failed.map(|result| format!("{} failed{}", result.name, result.words)).collect();
    lines.join("\n")
}

/// An error that tells them, if any did.
pub fn all_well(results: &[TestResult]) -> Result<()> {
    let told = failures_told(results);
    ensure!(told.is_empty(), "{told}");
    Ok(())
}

/// The end of a test's output, where it says why it failed; each line on one of its own.
pub fn last_words(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines[from..].iter().map(|line| format!("\n  | {line}")).collect()
}

/// How many tests run at once: they wait a lot, so more than the machine has processors.
pub fn processes() -> usize {
    thread::available_parallelism().map_or(4, |count| count.get() + 2)
}

/// Tests run with the Python of the build that they test, and under a sanitizer that build has to
/// say what is wrong: stacks long enough to be matched with the lists of what is QEMU's own.
pub fn environment(ctx: &Ctx, build: &Path) -> [(&'static str, String); 5] {
    let known = |list: &str| {
        format!("suppressions={}", ctx.root.join("tests/sanitizers").join(list).display())
    };
    [
        ("PYTHON", build.join("pyvenv/bin/python3").display().to_string()),
        ("ASAN_OPTIONS", ASAN_OPTIONS.into()),
        ("UBSAN_OPTIONS", UBSAN_OPTIONS.into()),
        ("LSAN_OPTIONS", known("lsan.supp")),
        ("TSAN_OPTIONS", format!("die_after_fork=0:{}", known("tsan.supp"))),
    ]
}

fn in_build(ctx: &Ctx, expression: Expression, build: &Path, speed: Speed) -> Expression {
    let expression = match speed {
        Speed::Quick => expression.env_remove("SPEED").env_remove("G_TEST_SLOW"),
        Speed::Slow => expression.env("SPEED", "slow").env("G_TEST_SLOW", "1"),
    };
    let variables = environment(ctx, build).into_iter();
    variables
        .fold(expression, |expression, (name, value)| expression.env(name, value))
        .env_remove("MAKEFLAGS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_run_is_named() {
        let part = ("/p".to_string(), "no KVM".to_string());
        let test = |name, verdict, left_out: &[_]| TestResult {
            left_out: left_out.to_vec(),
            ..TestResult::new(name, verdict)
        };
        let results = [
            test("a", Verdict::Pass, std::slice::from_ref(&part)),
            test("b", Verdict::Skip, &[("(all)".to_string(), "no Xen".to_string())]),
            test("c", Verdict::Skip, &[]),
        ];
        let named = [("b", "no Xen"), ("c", "as it says itself"), ("/p", "no KVM")];
        let named = named.map(|(name, reason)| (name.to_string(), reason.to_string()));
        assert_eq!(skipped(&results), named);
    }

    #[test]
    fn the_last_words_are_the_end_of_the_output() {
        let lines: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let words = last_words(&lines);
        assert!(words.starts_with("\n  | line 9\n") && words.ends_with("line 20"), "{words}");
        assert_eq!(last_words(""), "");
    }
}
