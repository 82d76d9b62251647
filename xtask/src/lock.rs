// SPDX-License-Identifier: GPL-2.0-or-later
//! One `cargo xtask` at a time in a tree: a lock that the kernel drops with its holder. And one
//! thread at a time at what they share.

use std::fs::{self, File};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::ctx::Ctx;

pub struct Lock {
    _held: Flock<File>,
}

/// Waits, and says so, while another run holds the lock.
pub fn acquire(ctx: &Ctx, path: &Path) -> Result<Lock> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let open = || File::create(path).with_context(|| format!("cannot write {}", path.display()));
    if let Ok(lock) = Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        return Ok(Lock { _held: lock });
    }
    ctx.ui.say(format!("waiting for another cargo xtask ({})", ctx.show(path)));
    Flock::lock(open()?, FlockArg::LockExclusive)
        .map(|held| Lock { _held: held })
        .map_err(|(_, errno)| anyhow!("cannot lock {}: {errno}", path.display()))
}

/// Whoever panicked with it is told of elsewhere.
pub fn shared<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
