// SPDX-License-Identifier: GPL-2.0-or-later
//! The outcome of a list of checks: a line for each as it ends, a summary line at the end.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::interrupt;

/// How one check ended.
pub enum Outcome {
    Passed,
    /// What was not done, and why.
    Skipped(String),
}

#[derive(Serialize, Deserialize)]
pub struct Report {
    #[serde(skip, default = "Instant::now")]
    begun: Instant,
    passed: usize,
    failed: Vec<(String, String)>,
    skipped: Vec<(String, String)>,
}

impl Report {
    pub fn new() -> Report {
        Report { begun: Instant::now(), passed: 0, failed: Vec::new(), skipped: Vec::new() }
    }

    /// Runs one named check and prints its line.
    pub fn check(&mut self, name: &str, check: impl FnOnce() -> Result<Outcome>) {
        let start = Instant::now();
        let outcome = check();
        interrupt::exit_if_interrupted();
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Passed) => {
                self.passed += 1;
                out!("pass  {name} ({seconds:.1} s)");
            }
            Ok(Outcome::Skipped(reason)) => {
                out!("skip  {name}: {reason}");
                self.skipped.push((name.to_string(), reason));
            }
            Err(error) => {
                let error = format!("{error:#}");
                out!("FAIL  {name} ({seconds:.1} s)\n{error}");
                self.failed.push((name.to_string(), error));
            }
        }
    }

    /// The same for a check that passes whenever it returns.
    pub fn pass(&mut self, name: &str, check: impl FnOnce() -> Result<()>) {
        self.check(name, || check().map(|()| Outcome::Passed));
    }

    /// What was checked apart, with its lines printed, counts as checked here.
    pub fn add(&mut self, other: Report) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }

    /// The same for what an earlier run checked.
    pub fn take_over(&mut self, name: &str, earlier: Report, from: &str) {
        for (name, reason) in &earlier.skipped {
            out!("skip  {name}: {reason}");
        }
        let checks = if earlier.passed == 1 { "check" } else { "checks" };
        out!("pass  {name}: {} {checks}, taken over from {from}", earlier.passed);
        self.add(earlier);
    }

    /// Whether something passed and nothing failed.
    pub fn all_well(&self) -> bool {
        self.passed > 0 && self.failed.is_empty()
    }

    /// How many passed, failed and were skipped.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.passed, self.failed.len(), self.skipped.len())
    }

    /// Tells skips and failures once more, as the end may be all that is kept; prints the time and
    /// the summary line, fails if a check did.
    pub fn finish(self) -> Result<()> {
        for (name, reason) in &self.skipped {
            out!("skipped: {name}: {reason}");
        }
        for (name, error) in &self.failed {
            out!("failed: {name}: {error}");
        }
        let seconds = self.begun.elapsed().as_secs();
        out!("in {} min {} s:", seconds / 60, seconds % 60);
        out!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        );
        if !self.failed.is_empty() {
            bail!("{} of the checks failed", self.failed.len());
        }
        ensure!(self.passed + self.skipped.len() > 0, "nothing was checked");
        Ok(())
    }
}
