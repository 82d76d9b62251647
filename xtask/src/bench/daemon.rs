// SPDX-License-Identifier: GPL-2.0-or-later
//! A storage daemon that exports a disk by NBD from an IOThread.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::qemu::cpu;
use crate::qemu::process::Process;
use crate::wait::comes_true;

const PATIENCE: Duration = Duration::from_secs(20);
const EXPORT: &str = "disk";
const SOCKET: &str = "nbd";

pub struct Daemon {
    process: Process,
    socket: PathBuf,
}

impl Daemon {
    /// Returns when it takes connections. `wrapper` are words before the program, `disk` says what
    /// is exported, `dir` is where its socket and its log go.
    pub fn start(
        build: &Path,
        wrapper: &[String],
        iothread: &str,
        disk: &str,
        dir: &Path,
    ) -> Result<Daemon> {
        let program = build.join("storage-daemon/qemu-storage-daemon");
        let socket = dir.join(SOCKET);
        let iothread = format!("iothread,id=t0,{iothread}");
        let disk = format!("node-name=disk,read-only=on,{disk}");
        let server = format!("addr.type=unix,addr.path={}", socket.display());
        let export = format!("type=nbd,id=export,node-name=disk,name={EXPORT},iothread=t0");
        let options = ["--object", &iothread, "--blockdev", &disk];
        let options = options.into_iter().chain(["--nbd-server", &server, "--export", &export]);
        let words = wrapper.iter().map(Into::into).chain([program.into()]);
        let process = Process::start(words.chain(options.map(Into::into)).collect(), dir)?;
        let daemon = Daemon { process, socket };
        let is_up = comes_true(PATIENCE, || {
            daemon.process.check_alive()?;
            Ok(UnixStream::connect(&daemon.socket).is_ok())
        });
        let explain = || format!("the storage daemon{}", daemon.process.explain().tails());
        ensure!(is_up.with_context(explain)?, "the storage daemon does not come up");
        Ok(daemon)
    }

    /// Asks it to end, and waits until all that it leaves behind is written.
    pub fn end(self) -> Result<()> {
        let pid = Pid::from_raw(self.process.pid as i32);
        kill(pid, Signal::SIGTERM).context("cannot end the daemon")?;
        self.process.wait(Instant::now() + PATIENCE)
    }

    pub fn uri(&self) -> String {
        format!("nbd+unix:///{EXPORT}?socket={}", self.socket.display())
    }

    /// CPU time of its threads so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let pid = self.process.pid;
        let mut total = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            total += cpu::time(pid, thread?.file_name().to_string_lossy().parse()?)?;
        }
        Ok(total.as_secs_f64())
    }
}
