// SPDX-License-Identifier: GPL-2.0-or-later
//! `nbd`: random reads, by fio, of a disk that the storage daemon exports from an IOThread.

use std::fs::{self, File};
use std::io::{Read, copy};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use duct::cmd;
use serde::Deserialize;

use super::callgrind::{Profile, Repeated};
use super::daemon::Daemon;
use super::lab::{Lab, interleave};
use super::row::{Draft, Goal, Kind, Rival, Row};
use crate::cmd::read;

const DEPTHS: [u32; 2] = [1, 32];
const ROUNDS: usize = 25;
const A_WHILE: [&str; 2] = ["--time_based", "--runtime=600ms"];
const COUNTED: Repeated = Repeated { few: 500, many: 3000 };
const COUNTED_ROUNDS: usize = 5;
const LIMIT_SECONDS: &str = "120";
/// QEMU's default; a thread that polls executes as many instructions as there is time.
const POLLING: &str = "poll-max-ns=32768";
const NO_POLLING: &str = "poll-max-ns=0";
/// Small enough to stay in memory: the event loop is measured, not the disk.
const DISK_BYTES: u64 = 64 << 20;

/// What one run of fio gives.
struct Reads {
    per_second: f64,
    cpu_micros_each: f64,
}

#[derive(Deserialize)]
struct Output {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    error: i32,
    read: JobReads,
}

#[derive(Deserialize)]
struct JobReads {
    iops: f64,
    total_ios: f64,
}

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let disk = lab.scratch().join("disk");
    copy(&mut File::open("/dev/urandom")?.take(DISK_BYTES), &mut File::create(&disk)?)
        .context("cannot make a disk to read from")?;
    let disk = format!("driver=file,filename={}", disk.display());
    let mut rows = Vec::new();
    for depth in DEPTHS {
        rows.extend(timed(lab, depth, &disk)?);
    }
    for depth in DEPTHS {
        rows.push(counted(lab, depth)?);
    }
    Ok(rows)
}

/// A daemon for each round, since where things lie in its memory is part of its speed, and each
/// side on a processor of its own, since the scheduler's choice is another.
fn timed(lab: &Lab, depth: u32, disk: &str) -> Result<[Row; 2]> {
    let [ours, theirs] = cpus()?;
    let reads = |build: &Path| {
        let daemon = Daemon::start(build, &pinned(&theirs), POLLING, disk, lab.scratch())?;
        let reads = read_randomly(lab, depth, &daemon, &pinned(&ours), &A_WHILE.map(String::from))?;
        daemon.end()?;
        Ok(reads)
    };
    let (c, rust) = interleave(ROUNDS, || reads(&lab.base), || reads(&lab.tip))?;
    let column = |reads: &[Reads], of: fn(&Reads) -> f64| reads.iter().map(of).collect();
    let row = |what: &str, unit, goal, of: fn(&Reads) -> f64| {
        let case = format!("{what}, depth {depth}");
        Draft { bench: "nbd", case, unit, kind: Kind::Time, goal }.against(
            Rival::PlainC,
            column(&c, of),
            column(&rust, of),
        )
    };
    Ok([
        row("random reads", "1/s", Goal::RatioAtLeast(0.98), |reads| reads.per_second)?,
        row("CPU of the daemon per read", "µs", Goal::None, |reads| reads.cpu_micros_each)?,
    ])
}

/// Under valgrind, of a disk that answers by itself: what is counted is the daemon's own work. How
/// much of a request has come when the daemon looks depends on the moment, and so does the count:
/// it serves to see a change for the worse, not to prove a goal.
fn counted(lab: &Lab, depth: u32) -> Result<Row> {
    let preload = preload(lab)?;
    let instructions = |build: &Path| {
        COUNTED.of(|reads| {
            let profile = Profile::new(lab)?;
            let mut wrapper = vec!["env".to_string(), preload.clone()];
            wrapper.extend(profile.wrapper());
            let disk = format!("driver=null-co,read-zeroes=on,size={DISK_BYTES}");
            let daemon = Daemon::start(build, &wrapper, NO_POLLING, &disk, lab.scratch())?;
            read_randomly(lab, depth, &daemon, &[], &[format!("--number_ios={reads}")])?;
            daemon.end()?;
            profile.total()
        })
    };
    let measured =
        interleave(COUNTED_ROUNDS, || instructions(&lab.base), || instructions(&lab.tip))?;
    let draft = Draft {
        bench: "nbd",
        case: format!("the daemon's work for a read, depth {depth}"),
        unit: "instructions",
        kind: Kind::Count,
        goal: Goal::None,
    };
    draft.against(Rival::PlainC, measured.0, measured.1)
}

/// What makes the daemon do without io_uring, as valgrind needs it.
fn preload(lab: &Lab) -> Result<String> {
    let source = lab.sources().join("without_io_uring.c");
    let library = lab.scratch().join("without_io_uring.so");
    read(&cmd!("gcc", "-shared", "-fPIC", "-o", &library, source))?;
    Ok(format!("LD_PRELOAD={}", library.display()))
}

/// The first and the last processor that we may run on.
fn cpus() -> Result<[String; 2]> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mut numbers = list.context("no list of processors")?.trim().split([',', '-']);
    let first = numbers.next().unwrap_or_default();
    Ok([first, numbers.next_back().unwrap_or(first)].map(String::from))
}

fn pinned(cpu: &str) -> [String; 3] {
    ["taskset", "-c", cpu].map(String::from)
}

fn read_randomly(
    lab: &Lab,
    depth: u32,
    daemon: &Daemon,
    wrapper: &[String],
    until: &[String],
) -> Result<Reads> {
    let out = lab.scratch().join("fio.json");
    let before = daemon.cpu_seconds()?;
    let words = [
        "--name=read",
        "--ioengine=nbd",
        &format!("--uri={}", daemon.uri()),
        "--rw=randread",
        "--bs=4k",
        &format!("--iodepth={depth}"),
        "--output-format=json",
        &format!("--output={}", out.display()),
    ];
    let words = words.iter().map(|word| word.to_string()).chain(until.iter().cloned());
    let limit = ["--signal=KILL", LIMIT_SECONDS].map(String::from).into_iter();
    let fio = limit.chain(wrapper.iter().cloned()).chain(["fio".into()]).chain(words);
    read(&cmd("timeout", fio).dir(lab.scratch()))?;
    let cpu = daemon.cpu_seconds()? - before;
    let reads = parse(&out)?;
    Ok(Reads { per_second: reads.iops, cpu_micros_each: cpu * 1e6 / reads.total_ios })
}

fn parse(path: &Path) -> Result<JobReads> {
    let text = fs::read_to_string(path).context("fio left no result")?;
    reads_of(&text)
}

fn reads_of(text: &str) -> Result<JobReads> {
    let output: Output = serde_json::from_str(text).context("fio's result")?;
    let job = output.jobs.into_iter().next().context("fio ran no job")?;
    ensure!(job.error == 0 && job.read.total_ios > 0.0, "fio could not read ({})", job.error);
    Ok(job.read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(error: i32, ios: u32) -> String {
        format!(
            r#"{{"jobs": [{{"error": {error}, "read": {{"iops": 4500.25, "total_ios": {ios}}}}}]}}"#
        )
    }

    #[test]
    fn reads_are_taken_from_the_job() {
        let reads = reads_of(&result(0, 9005)).unwrap();
        assert_eq!((reads.iops, reads.total_ios), (4500.25, 9005.0));
    }

    #[test]
    fn a_job_that_read_nothing_is_no_result() {
        assert!(reads_of(&result(5, 9005)).is_err());
        assert!(reads_of(&result(0, 0)).is_err());
        assert!(reads_of("{}").is_err());
    }
}
