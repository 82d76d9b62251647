// SPDX-License-Identifier: GPL-2.0-or-later
//! `query`: how long a client waits for the reply to `query-iothreads`, from few to many holders.
//! Real exports in a real QEMU; a hundred thousand holders in the C harness alone, which is a unit
//! test of the series.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use duct::cmd;
use serde_json::json;

use super::lab::Lab;
use super::row::{Draft, Goal, Kind, Row};
use crate::cmd::read;
use crate::qemu::Bare;

/// What a client is ready to wait, in seconds.
const LIMIT: f64 = 1.0;
const ROUNDS: usize = 11;
const EXPORTS: usize = 100;
/// So many IOThreads without holders, and so many with a hundred exports each: what is printed
/// grows eightfold in both.
const SIZES: [[(usize, usize); 4]; 2] = [
    [(250, 0), (500, 0), (1000, 0), (2000, 0)],
    [(8, EXPORTS), (16, EXPORTS), (32, EXPORTS), (64, EXPORTS)],
];

/// How much more the time may grow than what is printed: long replies leave the processor's caches,
/// most of all on a busy machine. A search for each IOThread's id among all of them, as plain C has
/// it, goes beyond.
const TOLERANCE: f64 = 2.5;

const UNIT_TEST: &str = "tests/unit/test-iothread-holders";
const UNIT_CASE: &str = "/iothread-holders/query-many";

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (iothreads, exports) in SIZES.into_iter().flatten() {
        let seconds = ask(&lab.tip, iothreads, exports)?.seconds;
        let case = format!("{iothreads} IOThreads of {exports} exports each");
        rows.push(draft(case).alone(millis(&seconds))?);
    }
    let seconds = in_harness(&lab.tip)?;
    let case = "C harness: 1000 IOThreads of 100 names each".to_string();
    rows.push(draft(case).alone(millis(&[seconds]))?);
    Ok(rows)
}

fn millis(seconds: &[f64]) -> Vec<f64> {
    seconds.iter().map(|seconds| 1000.0 * seconds).collect()
}

fn draft(case: String) -> Draft {
    let (kind, goal) = (Kind::Time, Goal::AtMost(1000.0 * LIMIT));
    Draft { bench: "query", case, unit: "ms", kind, goal }
}

/// Every reply in time, and the time grows with what is printed, not with its square.
pub fn check(build: &Path) -> Result<()> {
    for [few, .., many] in SIZES {
        let mut busy = [0.0; 2];
        for (busy, (iothreads, exports)) in busy.iter_mut().zip([few, many]) {
            let replies = ask(build, iothreads, exports)?;
            let seconds = replies.seconds.into_iter().fold(0.0, f64::max);
            ensure!(seconds < LIMIT, "{iothreads} IOThreads of {exports} exports: {seconds:.3} s");
            *busy = replies.busy;
        }
        let (more, longer) = (many.0 as f64 / few.0 as f64, busy[1] / busy[0]);
        ensure!(
            longer < TOLERANCE * more,
            "{more} times as many IOThreads of {} exports each take {longer:.1} times as long",
            few.1
        );
    }
    let seconds = in_harness(build)?;
    ensure!(seconds < LIMIT, "100,000 holders in the C harness: {seconds:.3} s");
    Ok(())
}

/// What several replies took, in seconds.
struct Replies {
    /// Each of them, as a client sees it.
    seconds: Vec<f64>,
    /// All of them together, as far as QEMU's main thread ran.
    busy: f64,
}

fn ask(build: &Path, iothreads: usize, exports: usize) -> Result<Replies> {
    let mut qemu = Bare::start(build, &[])?;
    let address = json!({ "type": "unix", "data": { "path": "nbd" } });
    qemu.qmp.execute("nbd-server-start", json!({ "addr": address }))?;
    for thread in 0..iothreads {
        let id = format!("t{thread}");
        qemu.qmp.execute("object-add", json!({ "qom-type": "iothread", "id": id }))?;
        if exports > 0 {
            let node = json!({ "driver": "null-co", "node-name": id, "size": 1 << 20 });
            qemu.qmp.execute("blockdev-add", node)?;
        }
        for export in 0..exports {
            let name = format!("e{thread}-{export}");
            let export = json!({ "type": "nbd", "id": name, "name": name, "node-name": id,
                                 "iothread": id });
            qemu.qmp.execute("block-export-add", export)?;
        }
    }
    let (mut seconds, before) = (Vec::new(), qemu.main_thread_time()?);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let reply = qemu.qmp.execute("query-iothreads", json!({}))?;
        seconds.push(start.elapsed().as_secs_f64());
        let threads = reply.as_array().context("not a list")?;
        let holders = threads.iter().filter_map(|thread| thread["holders"].as_array());
        let holders: usize = holders.map(Vec::len).sum();
        ensure!(threads.len() == iothreads && holders == iothreads * exports, "holders are lost");
    }
    let busy = qemu.main_thread_time()?.saturating_sub(before).as_secs_f64();
    Ok(Replies { seconds, busy })
}

/// What the unit test says that it took.
fn in_harness(build: &Path) -> Result<f64> {
    let test = build.join(UNIT_TEST);
    let text = read(&cmd!(&test, "-p", UNIT_CASE))?;
    seconds(&text).with_context(|| format!("{UNIT_CASE} does not say how long it took: {text}"))
}

fn seconds(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(" holders: "))?;
    line.split_once(" holders: ")?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_is_understood() {
        assert_eq!(seconds("1..1\n# min perf: 100000 holders: 0.016 s\nok 1"), Some(0.016));
        assert_eq!(seconds("1..1\nok 1 # SKIP too few file descriptors"), None);
    }
}
