// SPDX-License-Identifier: GPL-2.0-or-later
//! A QEMU without a machine: objects, nodes and exports, spoken to by QMP.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use super::cpu;
use super::process::Process;
use super::qmp::Qmp;

const START_LIMIT: Duration = Duration::from_secs(30);

/// As many files as the machine allows: each IOThread takes three.
const ALL_FILES: [&str; 4] = ["sh", "-c", r#"ulimit -n "$(ulimit -H -n)" && exec "$@""#, "sh"];

const ARGUMENTS: &str = "-machine none -nodefaults -display none -qmp unix:qmp,server=on,wait=off";

pub struct Bare {
    pub qmp: Qmp,
    process: Process,
    _dir: TempDir,
}

impl Bare {
    /// Starts the program of a build with more arguments, in a directory of its own.
    pub fn start(build: &Path, more: &[String]) -> Result<Bare> {
        let dir = tempfile::tempdir().context("cannot make a directory")?;
        let program = build.join("qemu-system-x86_64").display().to_string();
        let words = ALL_FILES.into_iter().map(String::from).chain([program]);
        let words = words.chain(ARGUMENTS.split_whitespace().map(String::from));
        let words = words.chain(more.iter().cloned()).map(Into::into).collect();
        let process = Process::start(words, dir.path())?;
        let deadline = Instant::now() + START_LIMIT;
        let qmp = Qmp::connect(&dir.path().join("qmp"), deadline, || process.check_alive())
            .map_err(|error| anyhow!("{error:#}{}", process.explain().tails()))?;
        Ok(Bare { qmp, process, _dir: dir })
    }

    /// How long the main thread ran so far.
    pub fn main_thread_time(&self) -> Result<Duration> {
        cpu::time(self.process.pid, self.process.pid)
    }
}
