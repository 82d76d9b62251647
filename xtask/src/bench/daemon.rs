// SPDX-License-Identifier: GPL-2.0-or-later
//! A storage daemon that exports a disk by NBD from an IOThread.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use duct::{Handle, cmd};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cmd::in_own_group;
use crate::interrupt::Watched;
use crate::wait::comes_true;

const PATIENCE: Duration = Duration::from_secs(20);
const EXPORT: &str = "disk";

pub struct Daemon {
    handle: Handle,
    pid: u32,
    socket: PathBuf,
    _watched: Watched,
}

impl Daemon {
    /// Returns when it takes connections. `wrapper` are words before the program, `disk` says what
    /// is exported, `socket` must be a short path.
    pub fn start(
        build: &Path,
        wrapper: &[String],
        iothread: &str,
        disk: &str,
        socket: PathBuf,
    ) -> Result<Daemon> {
        let program = build.join("storage-daemon/qemu-storage-daemon");
        let iothread = format!("iothread,id=t0,{iothread}");
        let disk = format!("node-name=disk,read-only=on,{disk}");
        let server = format!("addr.type=unix,addr.path={}", socket.display());
        let export = format!("type=nbd,id=export,node-name=disk,name={EXPORT},iothread=t0");
        let options = ["--object", &iothread, "--blockdev", &disk];
        let options = options.into_iter().chain(["--nbd-server", &server, "--export", &export]);
        // The kernel ends it should we be killed.
        let words = ["--pdeathsig", "KILL", "--"].into_iter().map(String::from);
        let words = words.chain(wrapper.iter().cloned()).chain([program.display().to_string()]);
        let daemon = cmd("setpriv", words.chain(options.map(String::from)));
        let daemon = daemon.stdin_null().stdout_null().stderr_capture().unchecked();
        let handle = in_own_group(&daemon).start().context("cannot start the storage daemon")?;
        let pid = *handle.pids().first().context("the storage daemon has no process id")?;
        let daemon = Daemon { handle, pid, socket, _watched: Watched::new(pid) };
        daemon.wait_until_up()?;
        Ok(daemon)
    }

    /// Asks it to end, and waits until all that it leaves behind is written.
    pub fn end(self) -> Result<()> {
        kill(Pid::from_raw(self.pid as i32), Signal::SIGTERM).context("cannot end the daemon")?;
        let output = self.handle.wait()?;
        ensure!(output.status.success(), "the storage daemon ended with {}", output.status);
        Ok(())
    }

    fn wait_until_up(&self) -> Result<()> {
        let is_up = comes_true(PATIENCE, || {
            if let Some(output) = self.handle.try_wait()? {
                let said = String::from_utf8_lossy(&output.stderr);
                bail!("the storage daemon ended with {}: {}", output.status, said.trim_end());
            }
            Ok(UnixStream::connect(&self.socket).is_ok())
        })?;
        ensure!(is_up, "the storage daemon does not come up");
        Ok(())
    }

    pub fn uri(&self) -> String {
        format!("nbd+unix:///{EXPORT}?socket={}", self.socket.display())
    }

    /// CPU time of its threads so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += on_cpu(&text)?;
        }
        Ok(nanoseconds / 1e9)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.handle.kill();
        let _ = self.handle.wait();
    }
}

/// The first number of a thread's `schedstat`: nanoseconds on a CPU.
fn on_cpu(schedstat: &str) -> Result<f64> {
    let first = schedstat.split_whitespace().next().context("an empty schedstat")?;
    first.parse().with_context(|| format!("not a time: {first}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_on_a_cpu_comes_first() {
        assert_eq!(on_cpu("8250823 32077113 43\n").unwrap(), 8_250_823.0);
        assert!(on_cpu("").is_err());
    }
}
