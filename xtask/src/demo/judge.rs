// SPDX-License-Identifier: GPL-2.0-or-later
//! Whether the I/O of a disk really ran on the disk's IOThreads.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::disks::{Checked, Disk};
use super::threads::CpuTimes;
use crate::qemu::qmp::Qmp;

/// All that was seen of one disk's check.
pub struct Evidence {
    pub disk: &'static Disk,
    pub checked: Checked,
    /// CPU time of every IOThread while this disk, and no other, was at work.
    pub used: CpuTimes,
    pub moved: Moved,
}

/// What QEMU's block layer counted for a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub written: u64,
    pub read: u64,
}

impl Moved {
    /// So far.
    pub fn by(disk: &Disk, qmp: &mut Qmp) -> Result<Moved> {
        let all = qmp.execute("query-blockstats", json!({}))?;
        find(&all, disk.name).with_context(|| format!("no block statistics of {}", disk.name))
    }

    pub fn since(self, start: Moved) -> Moved {
        Moved {
            written: self.written.saturating_sub(start.written),
            read: self.read.saturating_sub(start.read),
        }
    }
}

fn find(all: &Value, node: &str) -> Option<Moved> {
    let entry = all.as_array()?.iter().find(|entry| entry["node-name"] == node)?;
    Some(Moved {
        written: entry["stats"]["wr_bytes"].as_u64()?,
        read: entry["stats"]["rd_bytes"].as_u64()?,
    })
}

impl Evidence {
    /// Every thread that serves the disk worked, more than any that does not, and all the
    /// data went through QEMU in both directions.
    pub fn judge(&self) -> Result<()> {
        let Evidence { disk, moved, .. } = self;
        let expected = disk.checked_bytes();
        ensure!(
            moved.written >= expected && moved.read >= expected,
            "{}: of {expected} bytes, {} were written and {} read",
            disk.name,
            moved.written,
            moved.read
        );
        let is_bystander = |id: &str| !disk.threads.contains(&id);
        let bystanders = self.used.iter().filter(|(id, _)| is_bystander(id));
        let noise = bystanders.map(|(_, time)| *time).max().unwrap_or_default();
        for id in disk.threads {
            let time = self.used.get(*id).copied().unwrap_or(Duration::ZERO);
            ensure!(
                time > noise,
                "{}: its I/O did not run on IOThread {id}: that used {time:?} of CPU, no more than \
                 one that does not serve the disk ({noise:?})",
                disk.name
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::disks::DISKS;

    const DISK: &Disk = &DISKS[1];

    fn evidence(times: [(&str, u64); 3], read: u64) -> Evidence {
        let checked = json!({ "device": "/dev/vdb", "regions": [] });
        Evidence {
            disk: DISK,
            checked: serde_json::from_value(checked).unwrap(),
            used: times.map(|(id, millis)| (id.to_string(), Duration::from_millis(millis))).into(),
            moved: Moved { written: DISK.checked_bytes(), read },
        }
    }

    #[test]
    fn work_on_both_threads_of_a_mapping_is_what_is_wanted() {
        let all = DISK.checked_bytes();
        evidence([("vq0", 30), ("vq1", 40), ("idle", 0)], all).judge().unwrap();
    }

    #[test]
    fn a_thread_that_did_nothing_is_found() {
        let all = DISK.checked_bytes();
        for times in [
            [("vq0", 30), ("vq1", 0), ("idle", 0)],
            [("vq0", 30), ("vq1", 40), ("idle", 50)],
            [("vq0", 30), ("blk0", 0), ("idle", 0)],
        ] {
            let error = evidence(times, all).judge().unwrap_err();
            assert!(error.to_string().contains("did not run"), "{error}");
        }
    }

    #[test]
    fn data_that_never_reached_the_host_is_found() {
        let times = [("vq0", 30), ("vq1", 40), ("idle", 0)];
        let error = evidence(times, 4096).judge().unwrap_err();
        assert!(error.to_string().contains("4096 read"), "{error}");
    }

    #[test]
    fn statistics_are_found_by_node() {
        let all = json!([
            { "node-name": "blk", "stats": { "wr_bytes": 1, "rd_bytes": 2 } },
            { "node-name": "vq", "stats": { "wr_bytes": 30, "rd_bytes": 40 } }
        ]);
        let moved = find(&all, "vq").unwrap();
        let start = Moved { written: 10, read: 15 };
        assert_eq!(moved.since(start), Moved { written: 20, read: 25 });
        assert_eq!(find(&all, "gone"), None);
    }
}
