// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest that runs: boot, command, power off. Dropping it ends QEMU.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::machine::Machine;
use crate::qemu::lines::Lines;
use crate::qemu::process::Process;
use crate::qemu::qmp::Qmp;

const COMMAND_LIMIT: Duration = Duration::from_secs(90);
const END_LIMIT: Duration = Duration::from_secs(30);

/// What the guest says first.
#[derive(Debug, Deserialize)]
pub struct Ready {
    /// The kernel's release.
    pub ready: String,
    pub cpus: usize,
}

pub struct Guest {
    pub qmp: Qmp,
    pub ready: Ready,
    control: Lines,
    process: Process,
}

impl Guest {
    pub fn boot(machine: &Machine) -> Result<Guest> {
        let process = Process::start(machine.command(), &machine.dir)?;
        let explained = process.explain();
        Guest::attach(machine, process)
            .map_err(|error| anyhow!("the guest does not boot: {error:#}{}", explained.tails()))
    }

    fn attach(machine: &Machine, process: Process) -> Result<Guest> {
        let deadline = Instant::now() + machine.boot_limit;
        let alive = || process.check_alive();
        let qmp = Qmp::connect(&machine.dir.join("qmp"), deadline, alive)?;
        let mut control = Lines::connect(&machine.dir.join("control"), deadline, alive)?;
        let hello = control.next(deadline)?;
        let ready =
            serde_json::from_str(&hello).with_context(|| format!("the guest says {hello:?}"))?;
        Ok(Guest { qmp, ready, control, process })
    }

    /// One command of guest/init.sh and its answer.
    pub fn command(&mut self, line: &str) -> Result<Value> {
        self.ask(line)
            .map_err(|error| anyhow!("guest, {line}: {error:#}{}", self.process.explain().tails()))
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        self.control.send(line)?;
        let answer = self.control.next(Instant::now() + COMMAND_LIMIT)?;
        let value: Value =
            serde_json::from_str(&answer).with_context(|| format!("not an answer: {answer:?}"))?;
        if let Some(error) = value.get("error") {
            bail!("{error}");
        }
        Ok(value)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// The guest powers itself off, QEMU says so and ends.
    pub fn power_off(mut self) -> Result<()> {
        self.end()
            .map_err(|error| anyhow!("power off: {error:#}{}", self.process.explain().tails()))
    }

    fn end(&mut self) -> Result<()> {
        let deadline = Instant::now() + END_LIMIT;
        self.control.send("off")?;
        let shutdown = self.qmp.wait_for("SHUTDOWN", deadline)?;
        ensure!(
            shutdown["reason"] == "guest-shutdown",
            "QEMU ends for another reason than the guest's: {shutdown}"
        );
        self.process.wait(deadline)
    }
}
