// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest that runs: boot, command, power off. Dropping it ends QEMU.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use duct::{Handle, cmd};
use serde::Deserialize;
use serde_json::Value;

use super::accel::Accel;
use super::lines::Lines;
use super::qmp::Qmp;
use crate::cmd::in_own_group;
use crate::interrupt::Watched;

/// Everything but kernel, disks and accelerator; two CPUs, so that a disk has two virtqueues.
const BARE: &str = "-nodefaults -M pc -cpu max -smp 2 -m 256M -nic none -vga none \
    -display none -no-reboot \
    -chardev file,id=console,path=console -serial chardev:console \
    -chardev socket,id=control,path=control,server=on,wait=off -serial chardev:control \
    -qmp unix:qmp,server=on,wait=off";
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1";
const COMMAND_LIMIT: Duration = Duration::from_secs(90);
const END_LIMIT: Duration = Duration::from_secs(30);
const EXIT_POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 25;
/// What a unix socket's address holds, without its final zero.
const LONGEST_SOCKET_PATH: usize = 107;

#[derive(Clone)]
pub struct Machine {
    pub program: PathBuf,
    pub accel: Accel,
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// Sockets and logs go here.
    pub dir: PathBuf,
    pub boot_limit: Duration,
    /// Objects and devices beyond the bare machine.
    pub extra: Vec<String>,
}

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
        let process = Process::start(machine)?;
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

/// QEMU itself: in a process group that Ctrl-C reaches, never outliving us.
struct Process {
    handle: Handle,
    pid: u32,
    dir: PathBuf,
    _watched: Watched,
}

impl Process {
    fn start(machine: &Machine) -> Result<Process> {
        let longest = machine.dir.join("control");
        ensure!(
            longest.as_os_str().len() <= LONGEST_SOCKET_PATH,
            "{} is too long for a socket: set TMPDIR to a shorter path",
            longest.display()
        );
        for socket in ["qmp", "control"] {
            // Left by the trial boot.
            let _ = fs::remove_file(machine.dir.join(socket));
        }
        let arguments = arguments(machine);
        let log = machine.dir.join("qemu.log");
        let qemu = cmd("setpriv", arguments)
            .dir(&machine.dir)
            .stdin_null()
            .stderr_to_stdout()
            .stdout_path(log)
            .unchecked();
        let handle = in_own_group(&qemu).start().context("cannot start QEMU")?;
        let pid = *handle.pids().first().context("QEMU has no process id")?;
        Ok(Process { handle, pid, dir: machine.dir.clone(), _watched: Watched::new(pid) })
    }

    fn check_alive(&self) -> Result<()> {
        match self.handle.try_wait()? {
            None => Ok(()),
            Some(output) => Err(anyhow!("QEMU ended with {}", output.status)),
        }
    }

    fn wait(&self, deadline: Instant) -> Result<()> {
        loop {
            if let Some(output) = self.handle.try_wait()? {
                ensure!(output.status.success(), "QEMU ended with {}", output.status);
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "QEMU does not end");
            sleep(EXIT_POLL);
        }
    }

    fn explain(&self) -> Explain {
        Explain(self.dir.clone())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.handle.kill();
    }
}

/// What to show when something went wrong, read at that time.
struct Explain(PathBuf);

impl Explain {
    fn tails(&self) -> String {
        let mut text = String::new();
        for (title, file) in [("guest's console", "console"), ("QEMU", "qemu.log")] {
            let lines = tail(&self.0.join(file));
            if !lines.is_empty() {
                text.push_str(&format!("\n--- {title}, last lines ---\n{lines}\n---"));
            }
        }
        text
    }
}

fn tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// `setpriv` becomes QEMU and lets the kernel end it should we be killed.
fn arguments(machine: &Machine) -> Vec<OsString> {
    let mut all: Vec<OsString> = ["--pdeathsig", "KILL", "--"].map(Into::into).into();
    all.push(machine.program.clone().into());
    all.extend(["-accel", machine.accel.name()].map(Into::into));
    all.extend(BARE.split_whitespace().map(Into::into));
    all.extend(["-append", KERNEL_ARGUMENTS].map(Into::into));
    all.push("-kernel".into());
    all.push(machine.kernel.clone().into());
    all.push("-initrd".into());
    all.push(machine.initramfs.clone().into());
    all.extend(machine.extra.iter().map(Into::into));
    all
}
