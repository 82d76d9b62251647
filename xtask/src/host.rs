// SPDX-License-Identifier: GPL-2.0-or-later
//! On what it was measured: without that, numbers mean nothing.

use std::fs;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use duct::cmd;
use serde::Serialize;

use super::lab::{Lab, load};
use crate::cmd::read;
use crate::git::Git;

#[derive(Debug, Serialize)]
pub struct Host {
    pub date: String,
    pub host: String,
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    /// Of the library; `+` if files were changed since.
    pub commit: String,
    pub qemu: String,
    pub rustc: String,
    pub gcc: String,
    pub valgrind: String,
    pub fio: String,
    pub load: f64,
}

impl Host {
    pub fn of(lab: &Lab) -> Result<Host> {
        let proc = |name: &str| {
            let text = fs::read_to_string(format!("/proc/{name}"));
            text.with_context(|| format!("cannot read /proc/{name}"))
        };
        let git = Git::at(&lab.ctx.root);
        let changed = if git.local_changes()?.is_empty() { "" } else { "+" };
        Ok(Host {
            date: read(&cmd!("date", "-u", "+%Y-%m-%dT%H:%M:%SZ"))?,
            host: proc("sys/kernel/hostname")?.trim().into(),
            cpu: model(&proc("cpuinfo")?),
            cpus: available_parallelism()?.get(),
            kernel: proc("sys/kernel/osrelease")?.trim().into(),
            commit: format!("{}{changed}", git.read(["rev-parse", "--short", "HEAD"])?),
            qemu: first_line(&read(&cmd!(lab.base.join("qemu-img"), "--version"))?),
            rustc: first_line(&read(&cmd!("rustc", "--version"))?),
            gcc: first_line(&read(&cmd!("gcc", "--version"))?),
            valgrind: first_line(&read(&cmd!("valgrind", "--version"))?),
            fio: first_line(&read(&cmd!("fio", "--version"))?),
            load: load()?,
        })
    }
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':'])).to_string()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
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
