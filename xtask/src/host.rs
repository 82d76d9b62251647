// SPDX-License-Identifier: GPL-2.0-or-later
//! When, of what and on what something was tested or measured: without that, results mean nothing.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use duct::cmd;
use serde::Serialize;

use crate::cmd::read;
use crate::git::Git;

#[derive(Debug, Serialize)]
pub struct Host {
    pub date: String,
    /// Of this project; `+` if files were changed since.
    pub commit: String,
    pub host: String,
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    /// How many threads wanted to run during the minute before.
    pub load: f64,
}

impl Host {
    /// This machine now, with the project at `root`.
    pub fn now(root: &Path) -> Result<Host> {
        Ok(Host {
            date: read(&cmd!("date", "-u", "+%Y-%m-%dT%H:%M:%SZ"))?,
            commit: commit(root).unwrap_or_else(|_| "not in git".into()),
            host: proc("sys/kernel/hostname")?.trim().into(),
            cpu: model(&proc("cpuinfo")?),
            cpus: available_parallelism()?.get(),
            kernel: proc("sys/kernel/osrelease")?.trim().into(),
            load: load()?,
        })
    }

    /// What stays the same from run to run.
    pub fn machine(&self) -> String {
        let Host { cpu, cpus, kernel, .. } = self;
        format!("{cpus} x {cpu}, Linux {kernel}")
    }
}

impl Display for Host {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Host { date, commit, load, .. } = self;
        write!(f, "{date}, commit {commit}, {}, load {load}", self.machine())
    }
}

fn load() -> Result<f64> {
    let text = proc("loadavg")?;
    text.split(' ').next().and_then(|first| first.parse().ok()).context("/proc/loadavg is odd")
}

fn commit(root: &Path) -> Result<String> {
    let git = Git::at(root);
    let changed = if git.local_changes()?.is_empty() { "" } else { "+" };
    Ok(format!("{}{changed}", git.read(["rev-parse", "--short", "HEAD"])?))
}

fn proc(name: &str) -> Result<String> {
    fs::read_to_string(format!("/proc/{name}")).with_context(|| format!("cannot read /proc/{name}"))
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':'])).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_has_a_name() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"), "Some CPU @ 2 GHz");
        assert_eq!(model(""), "unknown");
    }
}
