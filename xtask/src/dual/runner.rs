// SPDX-License-Identifier: GPL-2.0-or-later
//! Runs test programs, a few more at once than there are processors, each with a limit of time.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::plan::Test;
use crate::ctx::Ctx;
use crate::interrupt::{self, Watched};
use crate::suites::processes;
use crate::suites::tap::{self, Results};
use crate::wait::comes_true;

/// Freed memory is overwritten, so that a use after free shows; the same byte on both sides.
pub const PERTURB: &str = "165";

/// One test program of one side.
pub struct Job<'a> {
    pub side: usize,
    pub test: &'a Test,
    /// Where its output is kept.
    pub log: PathBuf,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Run {
    pub side: usize,
    pub suite: String,
    pub name: String,
    pub results: Results,
    pub seconds: f64,
}

/// So that none of the long ones is left alone at the end.
pub fn longest_first(jobs: &mut [Job]) {
    jobs.sort_by_key(|job| Reverse(job.test.limit));
}

/// Runs all jobs in order; `progress` hears how many are done.
pub fn run_all(jobs: &[Job], progress: impl Fn(usize) + Sync) -> Result<Vec<Run>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    scope(|threads| {
        for _ in 0..processes() {
            threads.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = interrupt::check().and_then(|()| run(job));
                    if let Ok(mut done) = done.lock() {
                        done.push(run);
                        progress(done.len());
                    }
                }
            });
        }
    });
    // What was cut short is no result.
    interrupt::check()?;
    let done = done.into_inner().map_err(|_| anyhow!("a test runner panicked"))?;
    done.into_iter().collect()
}

/// The same, with the progress on the screen; the outputs are in `logs`.
pub fn run_shown(ctx: &Ctx, title: &str, logs: &Path, jobs: &[Job]) -> Result<Vec<Run>> {
    let gauge = ctx.ui.begin(title, logs);
    let total = jobs.len() as u64;
    let start = Instant::now();
    let runs = run_all(jobs, |done| gauge.at(done as u64, total));
    let seconds = start.elapsed().as_secs_f64();
    match &runs {
        Ok(_) => gauge.done(seconds),
        Err(_) => gauge.failed(seconds),
    }
    runs
}

fn run(job: &Job) -> Result<Run> {
    let test = job.test;
    let start = Instant::now();
    // Sockets lie below it, and their paths must stay short.
    let scratch = tempfile::Builder::new().prefix("dual").tempdir()?;
    let end = end_of(test, &job.log, scratch.path())
        .with_context(|| format!("cannot run {}", test.name))?;
    let mut text = String::from_utf8_lossy(&fs::read(&job.log)?).into_owned();
    if let Some(reason) = not_run(scratch.path()) {
        text = text.replace("# SKIP", &format!("# SKIP {reason}"));
    }
    sweep(scratch);
    Ok(Run {
        side: job.side,
        suite: test.suite.clone(),
        name: test.name.clone(),
        results: tap::results(&text, &end),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// A program that was just killed may still make a file in the directory that goes.
fn sweep(scratch: TempDir) {
    let path = scratch.path().to_path_buf();
    if scratch.close().is_err() {
        sleep(Duration::from_millis(500));
        // What is left even now is no reason to lose a result.
        let _ = fs::remove_dir_all(path);
    }
}

/// Why an iotest did not run: it says so in a file beside its images.
fn not_run(scratch: &Path) -> Option<String> {
    let dirs = fs::read_dir(scratch.join("t")).ok()?.flatten();
    let mut files = dirs.filter_map(|dir| fs::read_dir(dir.path()).ok()).flatten().flatten();
    let file = files.find(|file| file.path().extension().is_some_and(|end| end == "notrun"))?;
    Some(fs::read_to_string(file.path()).ok()?.trim().to_string())
}

/// Runs the program with its output in `log` and says how it ended.
fn end_of(test: &Test, log: &Path, scratch: &Path) -> Result<String> {
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir)?;
    }
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let (program, args) = test.argv.split_first().context("no program")?;
    let mut child = Command::new(program)
        .args(args)
        // Else those who wait for more rounds would get them, against limits that are for few.
        .env_remove("SPEED")
        .env_remove("G_TEST_SLOW")
        .envs(&test.env)
        .env("TMPDIR", scratch)
        .env("TEST_DIR", scratch.join("t"))
        .env("SOCK_DIR", scratch.join("s"))
        .env("MALLOC_PERTURB_", PERTURB)
        .env_remove("MAKEFLAGS")
        .current_dir(&test.dir)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()?;
    let watched = Watched::new(child.id());
    let ended = comes_true(test.limit, || Ok(child.try_wait()?.is_some()))?;
    watched.sweep();
    let status = child.wait()?;
    Ok(if ended { end(status) } else { format!("no end within {} s", test.limit.as_secs()) })
}

/// How a program ended, in words.
pub fn end(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: f64) -> Test {
        Test {
            suite: "s".into(),
            name: "n".into(),
            argv: ["sh", "-c", script].map(String::from).into(),
            env: Default::default(),
            dir: "/".into(),
            limit: Duration::from_secs_f64(limit),
            varies: false,
            skip: None,
        }
    }

    fn results(script: &str, limit: f64) -> Results {
        let dir = tempfile::tempdir().unwrap();
        let test = shell(script, limit);
        let job = Job { side: 0, test: &test, log: dir.path().join("a/log") };
        run_all(&[job], |_| ()).unwrap().remove(0).results
    }

    #[test]
    fn parts_and_end_are_read() {
        let seen = results("echo 'ok 1 a'; echo 'not ok 2 b' >&2; exit 3", 10.0);
        assert_eq!((seen["a"].as_str(), seen["b"].as_str()), ("pass", "FAIL"));
        assert_eq!(seen[tap::END], "exit code 3");
        assert_eq!(results("kill -6 $$", 10.0)[tap::END], "signal 6");
    }

    #[test]
    fn an_iotest_tells_why_it_did_not_run() {
        let script =
            "mkdir -p $TEST_DIR/x; echo no tool > $TEST_DIR/x/1.notrun; echo 'ok q 1 # SKIP'";
        assert_eq!(results(script, 10.0)["q 1"], "SKIP no tool");
    }

    #[test]
    fn a_hanging_test_is_ended_with_its_children() {
        let start = Instant::now();
        let seen = results("echo 'ok 1 a'; sleep 60 & sleep 60", 0.2);
        assert_eq!(seen["a"], "pass");
        assert_eq!(seen[tap::END], "no end within 0 s");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
