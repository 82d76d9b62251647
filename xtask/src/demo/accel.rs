// SPDX-License-Identifier: GPL-2.0-or-later
//! KVM or TCG. `/dev/kvm` may be there and still not run a guest, so it has to prove itself in
//! a trial boot; the outcome is remembered for this machine.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::guest::Guest;
use super::kernel::Kernel;
use super::machine::{self, Machine};
use crate::ctx::Ctx;
use crate::interrupt;

const TRIAL_LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    Kvm,
    Tcg,
}

impl Accel {
    pub fn name(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }

    /// What QEMU can use here.
    pub fn choose(ctx: &Ctx, program: &Path, kernel: &Kernel) -> Result<Accel> {
        if !can_open_kvm() {
            return Ok(Accel::Tcg);
        }
        let host = kind_of_host()?;
        let memory = memory(ctx);
        let works = match recall(&memory, &host) {
            Some(works) => works,
            None => {
                ctx.ui.say("trial boot under KVM ...");
                let works = trial(program, kernel)?;
                interrupt::exit_if_interrupted();
                remember(&memory, &Trial { host, works })?;
                works
            }
        };
        if works {
            return Ok(Accel::Kvm);
        }
        ctx.ui.say(format!(
            "KVM is there but boots no guest here (remembered in {}): using TCG",
            ctx.show(&memory)
        ));
        Ok(Accel::Tcg)
    }
}

/// Whether a trial boot under KVM failed on this machine.
pub fn kvm_failed(ctx: &Ctx) -> Result<bool> {
    Ok(recall(&memory(ctx), &kind_of_host()?) == Some(false))
}

#[derive(Serialize, Deserialize)]
struct Trial {
    host: String,
    works: bool,
}

fn can_open_kvm() -> bool {
    OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

/// What decides whether KVM works: the kernel and the processor; and the boot, since a machine
/// that was too busy at one trial need not be at the next.
fn kind_of_host() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(format!("{} on {model}, boot {}", release.trim(), boot.trim()))
}

fn memory(ctx: &Ctx) -> PathBuf {
    ctx.target.join("demo/kvm.json")
}

fn recall(memory: &Path, host: &str) -> Option<bool> {
    let text = fs::read_to_string(memory).ok()?;
    let trial: Trial = serde_json::from_str(&text).ok()?;
    (trial.host == host).then_some(trial.works)
}

fn remember(memory: &Path, trial: &Trial) -> Result<()> {
    if let Some(dir) = memory.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(memory, serde_json::to_string(trial)?)
        .with_context(|| format!("cannot write {}", memory.display()))
}

/// Leaves nothing behind, whatever comes of it.
fn trial(program: &Path, kernel: &Kernel) -> Result<bool> {
    let dir = machine::dir()?;
    let mut machine = Machine::bare(program, kernel, dir.path())?;
    machine.accel = Accel::Kvm;
    machine.boot_limit = TRIAL_LIMIT;
    Ok(Guest::boot(&machine).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_counts_for_its_own_host_only() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("deep/kvm.json");
        assert_eq!(recall(&memory, "here"), None);
        let trial = Trial { host: "here".into(), works: false };
        remember(&memory, &trial).unwrap();
        assert_eq!(recall(&memory, "here"), Some(false));
        assert_eq!(recall(&memory, "there"), None);
    }
}
