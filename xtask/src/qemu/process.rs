// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU as a process: started, watched, ended, and what it left to say.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use duct::{Handle, cmd};

use crate::cmd::in_own_group;
use crate::interrupt::Watched;

const EXIT_POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 25;
/// What a unix socket's address holds, without its final zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// In a process group that Ctrl-C reaches; `setpriv` lets the kernel end it should we be killed.
pub struct Process {
    handle: Handle,
    pub pid: u32,
    dir: PathBuf,
    _watched: Watched,
}

impl Process {
    /// Starts a program, given with its arguments, in `dir`, where its sockets and logs go.
    pub fn start(program: Vec<OsString>, dir: &Path) -> Result<Process> {
        let longest = dir.join("control");
        ensure!(
            longest.as_os_str().len() <= LONGEST_SOCKET_PATH,
            "{} is too long for a socket: set TMPDIR to a shorter path",
            longest.display()
        );
        let mut words: Vec<OsString> = ["--pdeathsig", "KILL", "--"].map(Into::into).into();
        words.extend(program);
        let log = dir.join("qemu.log");
        let qemu = cmd("setpriv", words)
            .dir(dir)
            .stdin_null()
            .stderr_to_stdout()
            .stdout_path(log)
            .unchecked();
        let handle = in_own_group(&qemu).start().context("cannot start QEMU")?;
        let pid = *handle.pids().first().context("QEMU has no process id")?;
        Ok(Process { handle, pid, dir: dir.to_path_buf(), _watched: Watched::new(pid) })
    }

    pub fn check_alive(&self) -> Result<()> {
        match self.handle.try_wait()? {
            None => Ok(()),
            Some(output) => Err(anyhow!("QEMU ended with {}", output.status)),
        }
    }

    pub fn wait(&self, deadline: Instant) -> Result<()> {
        loop {
            if let Some(output) = self.handle.try_wait()? {
                ensure!(output.status.success(), "QEMU ended with {}", output.status);
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "QEMU does not end");
            sleep(EXIT_POLL);
        }
    }

    pub fn explain(&self) -> Explain {
        Explain(self.dir.clone())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.handle.kill();
        let _ = self.handle.wait();
    }
}

/// What to show when something went wrong, read at that time.
pub struct Explain(PathBuf);

impl Explain {
    pub fn tails(&self) -> String {
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
