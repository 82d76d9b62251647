// SPDX-License-Identifier: GPL-2.0-or-later
//! The IOThreads as QEMU reports them, and the CPU time that the kernel charges to each.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::qemu::qmp::Qmp;

/// The unit of times in /proc on Linux, whatever the kernel's own tick.
const TICKS_PER_SECOND: u64 = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IoThread {
    pub id: String,
    pub thread_id: u32,
    pub poll_max_ns: u64,
    /// None from a QEMU that does not know holders.
    holders: Option<Vec<Value>>,
}

impl IoThread {
    /// In the order of their start, as far as thread ids tell.
    pub fn query(qmp: &mut Qmp) -> Result<Vec<IoThread>> {
        let reply = qmp.execute("query-iothreads", json!({}))?;
        let mut threads: Vec<IoThread> =
            serde_json::from_value(reply).context("unexpected reply to query-iothreads")?;
        threads.sort_by_key(|thread| thread.thread_id);
        Ok(threads)
    }

    /// One line for each holder; None from a QEMU that does not know them.
    pub fn holders(&self) -> Option<String> {
        let lines: Vec<String> = self.holders.as_ref()?.iter().map(holder).collect();
        Some(lines.join("\n"))
    }
}

/// The kind of a holder, and what it is called.
fn holder(value: &Value) -> String {
    let Some(members) = value.as_object() else {
        return value.to_string();
    };
    let kind = members.get_key_value("type");
    let names = members.iter().filter(|(member, _)| *member != "type");
    let words: Vec<&str> =
        kind.into_iter().chain(names).filter_map(|(_, word)| word.as_str()).collect();
    words.join(" ")
}

/// CPU time used so far, by IOThread id.
pub type CpuTimes = BTreeMap<String, Duration>;

pub fn cpu_times(pid: u32, threads: &[IoThread]) -> Result<CpuTimes> {
    let time_of = |thread: &IoThread| {
        let time = cpu_time(pid, thread.thread_id)
            .with_context(|| format!("cannot read the CPU time of IOThread {}", thread.id))?;
        Ok((thread.id.clone(), time))
    };
    threads.iter().map(time_of).collect()
}

/// What was used between two samples.
pub fn used(before: &CpuTimes, after: &CpuTimes) -> CpuTimes {
    let since = |(id, end): (&String, &Duration)| {
        let start = before.get(id).copied().unwrap_or_default();
        (id.clone(), end.saturating_sub(start))
    };
    after.iter().map(since).collect()
}

/// To the nanosecond where the kernel offers it, else in ticks of 10 ms.
fn cpu_time(pid: u32, tid: u32) -> Result<Duration> {
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
        let before = cpu_time(pid, pid).unwrap();
        assert!(before > Duration::ZERO);
        assert!(cpu_time(pid, u32::MAX).is_err());
    }

    #[test]
    fn holders_of_any_kind_are_named() {
        let reply = json!([
            { "id": "a", "thread-id": 7, "poll-max-ns": 32768, "poll-grow": 0 },
            { "id": "b", "thread-id": 8, "poll-max-ns": 0, "holders": [
                { "type": "qom-object", "qom-path": "/machine/peripheral/d" },
                { "type": "block-export", "export-id": "e" } ] }
        ]);
        let threads: Vec<IoThread> = serde_json::from_value(reply).unwrap();
        assert_eq!(threads[0].holders(), None);
        assert_eq!(
            threads[1].holders().unwrap(),
            "qom-object /machine/peripheral/d\nblock-export e"
        );
    }

    #[test]
    fn a_thread_that_is_new_used_all_of_its_time() {
        let before = CpuTimes::from([("a".into(), Duration::from_millis(5))]);
        let after = CpuTimes::from([
            ("a".into(), Duration::from_millis(7)),
            ("b".into(), Duration::from_millis(3)),
        ]);
        let used = used(&before, &after);
        assert_eq!(used["a"], Duration::from_millis(2));
        assert_eq!(used["b"], Duration::from_millis(3));
    }
}
