// SPDX-License-Identifier: GPL-2.0-or-later
//! What the demo prints: the IOThreads, and the disks that ran on them.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::judge::Evidence;
use super::pool::Scene;
use super::threads::IoThread;

fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// `query-iothreads`, with the CPU time that each used while each disk was at work.
pub fn of_threads(threads: &[IoThread], evidence: &[Evidence]) -> Table {
    let knows_holders = threads.iter().any(|thread| thread.holders().is_some());
    let mut header: Vec<String> = ["IOThread", "thread-id", "poll-max-ns"].map(Into::into).into();
    header.extend(evidence.iter().map(|seen| format!("CPU while\n{} works", seen.disk.name)));
    if knows_holders {
        header.push("holders".into());
    }
    let mut table = table(header);
    for thread in threads {
        let mut row =
            vec![thread.id.clone(), thread.thread_id.to_string(), thread.poll_max_ns.to_string()];
        row.extend(evidence.iter().map(|seen| cpu(seen, &thread.id)));
        row.extend(thread.holders());
        table.add_row(row);
    }
    align_right(&mut table, 1..3 + evidence.len());
    table
}

/// Marked where the thread serves the disk.
fn cpu(seen: &Evidence, id: &str) -> String {
    let time = seen.used.get(id).copied().unwrap_or_default();
    let mark = if seen.disk.threads.contains(&id) { "* " } else { "" };
    format!("{mark}{}", millis(time))
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// The disks, once everything about them was found right.
pub fn of_disks(evidence: &[Evidence]) -> Table {
    let header = ["disk", "in the guest", "is", "IOThreads", "written", "read", "SHA-256"];
    let mut table = table(header.map(Into::into).into());
    for seen in evidence {
        table.add_row([
            seen.disk.name.to_string(),
            seen.checked.device.clone(),
            seen.disk.title.to_string(),
            seen.disk.threads.join(", "),
            mib(seen.moved.written),
            mib(seen.moved.read),
            "same in guest and image".to_string(),
        ]);
    }
    align_right(&mut table, 4..6);
    table
}

/// What happened to an IOThread, and who held it afterwards.
pub fn of_scenes(scenes: &[Scene]) -> Table {
    let mut table = table(["", "QMP command", "its holders then"].map(Into::into).into());
    for (number, scene) in (1..).zip(scenes) {
        let holders = match scene.holders.as_deref() {
            None => "-",
            Some("") => "nobody",
            Some(names) => names,
        };
        table.add_row([&number.to_string(), &scene.what, holders]);
    }
    table
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holders_get_a_column_only_where_qemu_knows_them() {
        let thread = json!({ "id": "t0", "thread-id": 7, "poll-max-ns": 32768 });
        let mut held = thread.clone();
        held["holders"] = json!([{ "type": "qom-object", "qom-path": "/machine/peripheral/d" }]);
        let draw = |thread| {
            let thread: IoThread = serde_json::from_value(thread).unwrap();
            of_threads(&[thread], &[]).to_string()
        };
        assert!(!draw(thread).contains("holders"));
        assert!(draw(held).contains("/machine/peripheral/d"));
    }
}
