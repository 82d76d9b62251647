// SPDX-License-Identifier: GPL-2.0-or-later
//! Instructions of a whole process, counted by valgrind, so that neither other work on the machine
//! nor the speed of it matters.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use duct::cmd;
use tempfile::NamedTempFile;

use super::lab::Lab;
use crate::cmd::read;

/// A program under valgrind that takes longer hangs.
const LIMIT_SECONDS: &str = "300";

/// What one repetition costs: the difference of a short and a long run, so that start and end of
/// the program drop out. The program's first argument is the number of repetitions.
pub struct Repeated {
    pub few: u32,
    pub many: u32,
}

impl Repeated {
    pub fn instructions(&self, lab: &Lab, program: &Path, args: &[&str]) -> Result<f64> {
        ensure!(self.few < self.many, "nothing to measure");
        let few = instructions(lab, program, self.few, args)?;
        let many = instructions(lab, program, self.many, args)?;
        Ok((many - few) / f64::from(self.many - self.few))
    }
}

fn instructions(lab: &Lab, program: &Path, count: u32, args: &[&str]) -> Result<f64> {
    let profile = NamedTempFile::new_in(lab.scratch()).context("cannot make a file")?;
    let out = format!("--callgrind-out-file={}", profile.path().display());
    let words = ["--signal=KILL", LIMIT_SECONDS, "valgrind", "--quiet", "--tool=callgrind", &out];
    let count = count.to_string();
    let words = words.iter().map(|word| word.to_string());
    let words = words.chain([program.display().to_string(), count]);
    read(&cmd("timeout", words.chain(args.iter().map(|arg| arg.to_string()))))?;
    total(&fs::read_to_string(profile.path()).context("valgrind left no counts")?)
}

/// The line `totals: N` of a profile.
fn total(profile: &str) -> Result<f64> {
    let line = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = line.context("valgrind's counts have no total")?;
    total.trim().parse().with_context(|| format!("not a count: {total}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        let profile = "version: 1\nevents: Ir\nsummary: 12\n\nfn=main\n3 5\ntotals: 1234567\n";
        assert_eq!(total(profile).unwrap(), 1_234_567.0);
        assert!(total("version: 1\n").is_err());
        assert!(total("totals: x\n").is_err());
    }
}
