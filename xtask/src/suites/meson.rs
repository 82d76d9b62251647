// SPDX-License-Identifier: GPL-2.0-or-later
//! Unit tests and qtests: `meson test` of the build, its log read line by line.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::cmd;
use serde::Deserialize;

use super::{Asked, TestResult, Verdict, last_words, processes, tap};
use crate::ctx::Ctx;
use crate::interrupt;

/// One entry of Meson's list of a build's tests.
#[derive(Deserialize)]
pub struct Listed {
    pub name: String,
    pub cmd: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub workdir: Option<PathBuf>,
    /// In seconds.
    pub timeout: u64,
    pub suite: Vec<String>,
}

#[derive(Deserialize)]
struct Logged {
    name: String,
    result: String,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
}

impl Logged {
    fn result(&self) -> TestResult {
        let name = self.name.rsplit([':', ' ']).next().unwrap_or_default().to_string();
        let verdict = match self.result.as_str() {
            "OK" | "EXPECTEDFAIL" => Verdict::Pass,
            "SKIP" => Verdict::Skip,
            _ => Verdict::Fail,
        };
        let words = match verdict {
            Verdict::Fail => {
                format!(": {}{}{}", self.result, last_words(&self.stdout), last_words(&self.stderr))
            }
            _ => String::new(),
        };
        let left_out = left_out(&self.stdout);
        TestResult { name, verdict, left_out, words, excuse: None }
    }
}

fn left_out(output: &str) -> Vec<(String, String)> {
    tap::skipped(&tap::results(output, ""))
}

/// The names of all tests that a build has.
pub fn list(build: &Path) -> Result<Vec<String>> {
    Ok(tests(build)?.into_iter().map(|test| test.name).collect())
}

/// The programs of the tests whose names are wanted, as ninja calls them.
pub fn targets(build: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let tests = tests(build)?.into_iter().filter(|test| wanted(&test.name));
    let programs = tests.filter_map(|test| test.cmd.into_iter().next());
    let inside =
        programs.filter_map(|path| Some(Path::new(&path).strip_prefix(build).ok()?.to_path_buf()));
    Ok(inside.map(|path| path.to_string_lossy().to_string()).collect())
}

/// Meson's list of all tests that a build has, as it was when that was last configured.
pub fn tests(build: &Path) -> Result<Vec<Listed>> {
    let path = build.join("meson-info/intro-tests.json");
    let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_reader(BufReader::new(file)).with_context(|| path.display().to_string())
}

/// Runs the named tests; a test that fails is a result, not an error.
pub fn run(ctx: &Ctx, asked: &Asked) -> Result<Vec<TestResult>> {
    let &Asked { build, names, .. } = asked;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = asked.lock(ctx)?;
    let base = asked.log_name();
    let log = build.join("meson-logs").join(format!("{base}.json"));
    let _ = fs::remove_file(&log);
    // The longest of those that each commit is tested with is the fourth in Meson's order, and
    // nothing else takes as long.
    let processes = processes().to_string();
    let options = ["test", "--no-rebuild", "--timeout-multiplier", "3", "--logbase", &base];
    let options = options.into_iter().chain(["--num-processes", &processes]);
    let words = options.map(str::to_string).chain(names.iter().cloned());
    let meson = cmd(build.join("pyvenv/bin/meson"), words).dir(build);
    let outcome = asked.step(ctx, meson).counted().run(ctx);
    interrupt::check()?;
    let logged = parse(&fs::read_to_string(&log).unwrap_or_default())?;
    asked.settle(ctx, outcome, logged.iter().map(Logged::result).collect())
}

fn parse(log: &str) -> Result<Vec<Logged>> {
    log.lines().map(|line| serde_json::from_str(line).context("meson's test log")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_leaves_out_is_known_with_its_reason() {
        let tap = "1..2\nok 1 /x/users/xen-block # SKIP no Xen here\nok 2 /x/users/monitor\n";
        assert_eq!(left_out(tap), [("/x/users/xen-block".into(), "no Xen here".into())]);
    }

    #[test]
    fn every_ending_is_told_apart() {
        let log = r#"{"name": "unit - qemu:a", "result": "OK"}
{"name": "qtest+x - qemu:q/b", "result": "TIMEOUT"}
{"name": "c", "result": "SKIP"}"#;
        let results: Vec<_> = parse(log).unwrap().iter().map(Logged::result).collect();
        let seen: Vec<_> = results.iter().map(|r| (r.name.as_str(), r.verdict)).collect();
        assert_eq!(seen, [("a", Verdict::Pass), ("q/b", Verdict::Fail), ("c", Verdict::Skip)]);
    }
}
