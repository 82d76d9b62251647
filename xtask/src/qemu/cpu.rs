// SPDX-License-Identifier: GPL-2.0-or-later
//! How long a thread ran, which says the same on a busy machine and on an idle one.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of times in /proc on Linux, whatever the kernel's own tick.
const TICKS_PER_SECOND: u64 = 100;

/// To the nanosecond where the kernel offers it, else in ticks of 10 ms.
pub fn time(pid: u32, tid: u32) -> Result<Duration> {
    let task = format!("/proc/{pid}/task/{tid}");
    if let Ok(text) = fs::read_to_string(format!("{task}/schedstat")) {
        return from_schedstat(&text).context("unexpected schedstat");
    }
    from_stat(&fs::read_to_string(format!("{task}/stat"))?).context("unexpected stat")
}

/// The first number is the time on a CPU in nanoseconds.
fn from_schedstat(text: &str) -> Option<Duration> {
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// User and system time, the 12th and 13th field after a name that may hold anything.
fn from_stat(text: &str) -> Option<Duration> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_of_cpu_time_are_read() {
        let stat = "42 (IO t) 0) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 1 2 3\n";
        assert_eq!(from_stat(stat), Some(Duration::from_secs(2)));
        assert_eq!(from_stat("garbage"), None);
        let schedstat = "123456789 22 33\n";
        assert_eq!(from_schedstat(schedstat), Some(Duration::from_nanos(123_456_789)));
        assert_eq!(from_schedstat(""), None);
    }

    #[test]
    fn our_own_thread_uses_time() {
        let pid = std::process::id();
        let before = time(pid, pid).unwrap();
        assert!(before > Duration::ZERO);
        assert!(time(pid, u32::MAX).is_err());
    }
}
