// SPDX-License-Identifier: GPL-2.0-or-later
//! Ctrl-C: every child runs in a process group of its own, and all of them are ended before we are.

use std::collections::BTreeSet;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::lock::shared;

/// The exit code of whoever was interrupted, as shells have it.
pub const INTERRUPTED: i32 = 130;

static SEEN: AtomicBool = AtomicBool::new(false);
static AGAIN: OnceLock<&str> = OnceLock::new();
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// From now on SIGINT, SIGTERM and SIGHUP end the children; a second one ends us at once. `again`
/// is what the user is told to do then.
pub fn install(again: &'static str) -> Result<()> {
    AGAIN.get_or_init(|| again);
    ctrlc::set_handler(|| {
        if SEEN.swap(true, Ordering::SeqCst) {
            exit(INTERRUPTED);
        }
        let groups = shared(&GROUPS);
        for group in groups.iter() {
            // A group that has just ended is no news.
            let _ = killpg(Pid::from_raw(*group), Signal::SIGTERM);
        }
        if groups.is_empty() {
            exit_if_interrupted();
        }
    })
    .context("cannot watch for Ctrl-C")
}

/// Fails after an interrupt, so that nothing new is begun and temporary files are swept.
pub fn check() -> Result<()> {
    ensure!(!seen(), "interrupted");
    Ok(())
}

pub fn seen() -> bool {
    SEEN.load(Ordering::SeqCst)
}

/// Ends with code 130 if an interrupt is what made the last step fail.
pub fn exit_if_interrupted() {
    if seen() {
        say!("interrupted; {}", AGAIN.get().unwrap_or(&"run it again"));
        exit(INTERRUPTED);
    }
}

/// While it lives, an interrupt ends the process group of this child.
pub struct Watched(i32);

impl Watched {
    pub fn new(pid: u32) -> Watched {
        let pid = pid as i32;
        shared(&GROUPS).insert(pid);
        Watched(pid)
    }

    /// Ends what the child has left running; most often nothing is there any more.
    pub fn sweep(&self) {
        let _ = killpg(Pid::from_raw(self.0), Signal::SIGKILL);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        shared(&GROUPS).remove(&self.0);
    }
}
