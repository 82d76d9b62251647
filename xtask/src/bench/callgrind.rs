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
        self.of(|count| {
            let profile = Profile::new(lab)?;
            let mut words = vec!["--signal=KILL".to_string(), LIMIT_SECONDS.into()];
            words.extend(profile.wrapper());
            words.extend([program.display().to_string(), count.to_string()]);
            words.extend(args.iter().map(|arg| arg.to_string()));
            read(&cmd("timeout", words))?;
            profile.total()
        })
    }

    /// The same of whatever `run` counts when told to repeat so often.
    pub fn of(&self, mut run: impl FnMut(u32) -> Result<f64>) -> Result<f64> {
        ensure!(self.few < self.many, "nothing to measure");
        let (few, many) = (run(self.few)?, run(self.many)?);
        Ok((many - few) / f64::from(self.many - self.few))
    }
}

/// What valgrind leaves when the program that it wraps has ended.
pub struct Profile(NamedTempFile);

impl Profile {
    pub fn new(lab: &Lab) -> Result<Profile> {
        NamedTempFile::new_in(lab.scratch()).map(Profile).context("cannot make a file")
    }

    /// The words before a program to have it counted.
    pub fn wrapper(&self) -> Vec<String> {
        let out = format!("--callgrind-out-file={}", self.0.path().display());
        vec!["valgrind".into(), "--quiet".into(), "--tool=callgrind".into(), out]
    }

    pub fn total(&self) -> Result<f64> {
        total(&fs::read_to_string(self.0.path()).context("valgrind left no counts")?)
    }
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
