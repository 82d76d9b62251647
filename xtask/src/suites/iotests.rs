// SPDX-License-Identifier: GPL-2.0-or-later
//! iotests: QEMU's `check` script, its TAP read line by line.

use std::cmp::Reverse;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use duct::cmd;
use regex_lite::{Captures, Regex};

use super::{Asked, TestResult, Verdict, last_words, processes};
use crate::ctx::Ctx;
use crate::interrupt;

/// The image format of those that each commit runs.
pub const FORMAT: &str = "qcow2";

/// The script has no limit of its own. This one is far from what they take, and ends what hangs.
const SECONDS_EACH: usize = 60;
const LEAST_SECONDS: usize = 480;

/// `307` of `raw 307`, as tests are called that may be run in several formats.
pub fn bare(name: &str) -> &str {
    name.rsplit_once(' ').map_or(name, |(_, name)| name)
}

/// Whether a QEMU has that iotest: older ones lack some.
pub fn exists(source: &Path, name: &str) -> bool {
    let dir = source.join("tests/qemu-iotests");
    dir.join(name).is_file() || dir.join("tests").join(name).is_file()
}

/// Runs the named iotests on qcow2; a test that fails is a result, not an error.
pub fn run(ctx: &Ctx, asked: &Asked) -> Result<Vec<TestResult>> {
    let &Asked { build, names, .. } = asked;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = asked.lock(ctx)?;
    // Images of their own, so that two runs from one build do not meet.
    let images = tempfile::tempdir().context("cannot make a directory for the images")?;
    let sockets = tempfile::tempdir().context("cannot make a directory for the sockets")?;
    let python = build.join("pyvenv/bin/python3");
    let jobs = processes().to_string();
    let format = format!("-{FORMAT}");
    let python = python.to_string_lossy();
    let limit = (SECONDS_EACH * names.len()).max(LEAST_SECONDS).to_string();
    let options = [&limit, &*python, "./check", "-tap", "-j", &jobs, &format];
    let words = options.into_iter().chain(names.iter().map(String::as_str));
    let check = cmd("timeout", words)
        .dir(build.join("tests/qemu-iotests"))
        .env("TEST_DIR", images.path())
        .env("SOCK_DIR", sockets.path());
    let outcome = asked.step(ctx, check).run(ctx);
    interrupt::check()?;
    let log = fs::read_to_string(ctx.ui.log_path(&asked.log_name())).unwrap_or_default();
    asked.settle(ctx, outcome, parse(&log, names)?)
}

/// `ok qcow2 051`, `not ok qcow2 307`, `ok qcow2 118 # SKIP`: found wherever they stand. The
/// processes of `check -j` write a line and its end apart, so that lines run together now and then.
fn parse(log: &str, names: &[String]) -> Result<Vec<TestResult>> {
    // Of two names that both fit, the longer one is meant.
    let mut longest_first: Vec<_> = names.iter().map(|name| regex_lite::escape(name)).collect();
    longest_first.sort_by_key(|name| Reverse(name.len()));
    let pattern = format!(r"(not )?ok {FORMAT} ({})( # SKIP)?", longest_first.join("|"));
    let ending = |found: Captures| {
        let verdict = match (found.get(1), found.get(3)) {
            (_, Some(_)) => Verdict::Skip,
            (Some(_), None) => Verdict::Fail,
            (None, None) => Verdict::Pass,
        };
        let mut result = TestResult::new(&found[2], verdict);
        if verdict == Verdict::Fail {
            let rest = found.get(0).map_or("", |line| &log[line.end()..]);
            result.words = last_words(&difference(rest));
        }
        result
    };
    Ok(Regex::new(&pattern)?.captures_iter(log).map(ending).collect())
}

/// What `check` prints after a line that tells of a failure.
fn difference(rest: &str) -> String {
    let another = |line: &&str| ["ok ", "not ok ", "# "].iter().any(|word| line.starts_with(word));
    let lines: Vec<_> = rest.lines().skip(1).take_while(|line| !another(line)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_own_difference() {
        let log = "# running qcow2 051\nnot ok qcow2 307\n--- 307.out\n-a\n+b\nok qcow2 051\n+c\n";
        let words = parse(log, &["307".into(), "051".into()]).unwrap().remove(0).words;
        assert_eq!(words, "\n  | --- 307.out\n  | -a\n  | +b");
    }

    fn seen(log: &str) -> Vec<(String, Verdict)> {
        let names = ["051", "307", "iothreads-create", "iothreads"].map(String::from);
        parse(log, &names).unwrap().into_iter().map(|r| (r.name, r.verdict)).collect()
    }

    #[test]
    fn every_ending_is_told_apart() {
        let log = "TAP version 13\n1..3\n# running qcow2 051\nok qcow2 051\nnot ok qcow2 307\n\
                   ok qcow2 iothreads-create # SKIP no io_uring\n";
        let expected =
            [("051", Verdict::Pass), ("307", Verdict::Fail), ("iothreads-create", Verdict::Skip)];
        assert_eq!(seen(log), expected.map(|(name, verdict)| (name.to_string(), verdict)));
    }

    #[test]
    fn lines_that_ran_together_are_all_read() {
        let log = "# running qcow2 051# running qcow2 307\n\nok qcow2 051# running qcow2 iothreads\n\n\
                   # running qcow2 iothreads-createnot ok qcow2 307\n\n\
                   ok qcow2 iothreads-createok qcow2 iothreads\n\n";
        let expected = [
            ("051", Verdict::Pass),
            ("307", Verdict::Fail),
            ("iothreads-create", Verdict::Pass),
            ("iothreads", Verdict::Pass),
        ];
        assert_eq!(seen(log), expected.map(|(name, verdict)| (name.to_string(), verdict)));
    }
}
