// SPDX-License-Identifier: GPL-2.0-or-later
//! iotests: QEMU's `check` script, its TAP read line by line.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use duct::cmd;

use super::{TestResult, Verdict, with_build_python};
use crate::cmd::Step;
use crate::ctx::Ctx;

/// Runs the named iotests on qcow2; a test that fails is a result, not an error.
pub fn run(ctx: &Ctx, build: &Path, title: &str, names: &[String]) -> Result<Vec<TestResult>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // Images of their own, so that two runs from one build do not meet.
    let images = tempfile::tempdir().context("cannot make a directory for the images")?;
    let sockets = tempfile::tempdir().context("cannot make a directory for the sockets")?;
    let python = build.join("pyvenv/bin/python3");
    let jobs = std::thread::available_parallelism().map_or(1, |jobs| jobs.get()).to_string();
    let options = ["./check", "-tap", "-j", &jobs, "-qcow2"];
    let words = options.into_iter().chain(names.iter().map(String::as_str));
    let check = cmd(&python, words)
        .dir(build.join("tests/qemu-iotests"))
        .env("TEST_DIR", images.path())
        .env("SOCK_DIR", sockets.path());
    let log_name = format!("xtask-{}", title.replace([' ', '/'], "-"));
    let outcome = Step::new(title, &log_name, with_build_python(check, build)).run(ctx);
    let log = fs::read_to_string(ctx.ui.log_path(&log_name)).unwrap_or_default();
    let results = parse(&log);
    match outcome {
        Err(error) if results.iter().all(|result| result.verdict != Verdict::Fail) => Err(error),
        _ if results.len() < names.len() => {
            bail!("{title}: {} tests asked for, {} ran", names.len(), results.len())
        }
        _ => Ok(results),
    }
}

/// `ok qcow2 051`, `not ok qcow2 307`, `ok qcow2 118 # SKIP reason`.
fn parse(log: &str) -> Vec<TestResult> {
    log.lines()
        .filter_map(|line| {
            let (rest, good) = match line.strip_prefix("not ok ") {
                Some(rest) => (rest, false),
                None => (line.strip_prefix("ok ")?, true),
            };
            let name = rest.split_whitespace().nth(1)?.to_string();
            let verdict = match (good, rest.contains("# SKIP")) {
                (_, true) => Verdict::Skip,
                (true, false) => Verdict::Pass,
                (false, false) => Verdict::Fail,
            };
            Some(TestResult { name, verdict })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_is_told_apart() {
        let log = "TAP version 13\n1..3\nok qcow2 051\nnot ok qcow2 307\nok qcow2 iothreads-create # SKIP no io_uring\n";
        let seen: Vec<_> = parse(log).into_iter().map(|r| (r.name, r.verdict)).collect();
        let expected =
            [("051", Verdict::Pass), ("307", Verdict::Fail), ("iothreads-create", Verdict::Skip)];
        assert_eq!(seen, expected.map(|(name, verdict)| (name.to_string(), verdict)));
    }
}
