// SPDX-License-Identifier: GPL-2.0-or-later
//! The IOThreads as QEMU reports them, and the CPU time that the kernel charges to each.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::qemu::cpu;
use crate::qemu::qmp::Qmp;

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
        let time = cpu::time(pid, thread.thread_id)
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

#[cfg(test)]
mod tests {
    use super::*;

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
