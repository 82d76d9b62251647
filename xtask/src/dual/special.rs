// SPDX-License-Identifier: GPL-2.0-or-later
//! Tests of one build, with nothing to compare, run with the limits and arguments that the plan has
//! for them.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::plan::{Plan, Test};
use super::runner::{self, Job, Run};
use super::side::Scope;
use crate::ctx::Ctx;
use crate::suites::{self, Asked, TestResult, Verdict, last_words, tap};

/// Runs tests by the names that they have in the plan; one that fails is a result, not an error.
pub fn run(ctx: &Ctx, asked: &Asked) -> Result<Vec<TestResult>> {
    if asked.names.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = asked.lock(ctx)?;
    let tests = asked_for(ctx, asked)?;
    let logs = ctx.ui.log_path(&asked.log_name()).with_extension("");
    let job = |test| Job { side: 0, test, log: logs.join(test.log_name(0)) };
    let mut jobs: Vec<Job> = tests.iter().map(job).collect();
    runner::longest_first(&mut jobs);
    let runs = runner::run_shown(ctx, asked.title, &logs, &jobs)?;
    let result = |run: &Run| {
        let log = jobs.iter().find(|job| job.test.name == run.name).map(|job| &job.log);
        let output = log.and_then(|log| fs::read(log).ok()).unwrap_or_default();
        result(run, &String::from_utf8_lossy(&output))
    };
    let results: Vec<_> = runs.iter().map(result).collect();
    let told = suites::failures_told(&results);
    if !told.is_empty() {
        ctx.ui.say(told);
    }
    Ok(results)
}

fn asked_for(ctx: &Ctx, asked: &Asked) -> Result<Vec<Test>> {
    let source = asked.build.parent().context("a build directory has a source tree around it")?;
    let mut tests = Plan::open(ctx)?.tests(source, asked.build, Scope::Default)?;
    tests.retain(|test| asked.names.contains(&test.name));
    let (wanted, found) = (asked.names.len(), tests.len());
    ensure!(found == wanted, "{}: {wanted} tests asked for, {found} are there", asked.title);
    for test in &mut tests {
        for (name, value) in suites::environment(ctx, asked.build) {
            test.env.entry(name.into()).or_insert(value);
        }
    }
    Ok(tests)
}

fn result(run: &Run, output: &str) -> TestResult {
    let left_out = tap::skipped(&run.results);
    let failed = match tap::failures(&run.results) {
        None if tap::ran(&run.results) == 0 && left_out.is_empty() => Some("no result".into()),
        failed => failed,
    };
    let verdict = match &failed {
        Some(_) => Verdict::Fail,
        None if tap::ran(&run.results) == 0 => Verdict::Skip,
        None => Verdict::Pass,
    };
    let words = failed.map(|failed| format!(": {failed}{}", last_words(output)));
    TestResult {
        left_out,
        words: words.unwrap_or_default(),
        ..TestResult::new(run.name.clone(), verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(output: &str, end: &str) -> TestResult {
        let run = Run {
            side: 0,
            suite: "s".into(),
            name: "raw 118".into(),
            results: tap::results(output, end),
            seconds: 1.0,
        };
        result(&run, output)
    }

    #[test]
    fn every_ending_is_told_apart() {
        let verdict = |output, end| ended(output, end).verdict;
        assert_eq!(verdict("ok 1 a\nok 2 b # SKIP no KVM", "exit code 0"), Verdict::Pass);
        assert_eq!(verdict("ok raw 118 # SKIP no KVM", "exit code 0"), Verdict::Skip);
        assert_eq!(verdict("", "exit code 77"), Verdict::Skip);
        assert_eq!(verdict("ok 1 a", "no end within 60 s"), Verdict::Fail);
        assert_eq!(verdict("not ok 1 a", "exit code 0"), Verdict::Fail);
        assert_eq!(verdict("", "exit code 0"), Verdict::Fail);
    }

    #[test]
    fn why_it_failed_or_was_skipped_is_kept() {
        let failed = ended("not ok raw 118\n--- 118.out", "exit code 1");
        let words = ": exit code 1 raw 118\n  | not ok raw 118\n  | --- 118.out";
        assert_eq!((failed.name.as_str(), failed.words.as_str()), ("raw 118", words));
        let skipped = ended("ok raw 118 # SKIP no KVM", "exit code 0").left_out;
        assert_eq!(skipped, [("raw 118".to_string(), "no KVM".to_string())]);
    }
}
