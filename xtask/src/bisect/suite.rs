// SPDX-License-Identifier: GPL-2.0-or-later
//! What each commit of the series is tested with.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use super::batch::{self, Batch, Runner};
use super::plain_c::PlainC;
use crate::build::Built;
use crate::ctx::Ctx;
use crate::dual::{Plan, Scope, Test, special};
use crate::suites::{self, Speed, TestResult, Verdict, iotests, meson};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The tests that are about IOThreads, at length.
    Own,
    /// These and what reaches an IOThread in a few seconds.
    Quick,
    /// Also the suites that plain C and the series are compared with.
    Whole,
}

/// The tests that pin down the IOThread, and the files in which the series brings them.
const PINNED: &[(&str, &str)] = &[
    ("qtest-x86_64/iothread-test", "tests/qtest/iothread-test.c"),
    ("test-iothread", "tests/unit/test-iothread.c"),
];

/// Those of the record of holders, which begins later.
const OF_HOLDERS: &[(&str, &str)] = &[
    ("test-iothread-holders", "tests/unit/test-iothread-holders.c"),
    ("qtest-x86_64/iothread-virtio-test", "tests/qtest/iothread-virtio-test.c"),
    ("qtest-x86_64/iothread-block-test", "tests/qtest/iothread-block-test.c"),
    ("qtest-x86_64/iothread-users-test", "tests/qtest/iothread-users-test.c"),
];

/// How meson calls iotests, which are run by their own script.
const IOTEST: &str = "io-";

const QTESTS: &[&str] = &[
    "qtest-x86_64/device-introspect-test",
    "qtest-x86_64/drive_del-test",
    "qtest-x86_64/qmp-cmd-test",
    "qtest-x86_64/qos-test",
    "qtest-x86_64/test-hmp",
];

/// iotests that reach an IOThread and take five seconds or less. Only the whole suites have two that
/// plain C does not always pass: iothreads-create hangs now and then, and 307 fails the oftener the
/// busier the machine, 4 of 80 runs at the tip beside three busy loops and 1 of 80 on plain C.
const SHORT_IOTESTS: &[&str] = &[
    "051",
    "068",
    "127",
    "200",
    "202",
    "203",
    "223",
    "235",
    "238",
    "240",
    "256",
    "262",
    "280",
    "281",
    "export-incoming-iothread",
    "iothreads-commit-active",
    "iothreads-nbd-export",
    "iothreads-resize",
    "iothreads-stream",
    "nbd-tls-iothread",
    "qcow2-internal-snapshots",
    "qom-set-drive",
    "stream-under-throttle",
];

/// Those that the series brings, each from its commit on.
const OWN_IOTESTS: &[&str] = &["iothread-holders", "qsd-iothreads"];

/// Runs what is due at this point of the series. What `plain` fails as often counts as skipped.
pub fn run(
    ctx: &Ctx,
    built: &Built,
    label: &str,
    extent: Extent,
    plain: Option<&PlainC>,
) -> Result<Vec<TestResult>> {
    let mut due = Due::at(built, extent)?;
    let mut results = Vec::new();
    if extent == Extent::Whole {
        let plan = Plan::open(ctx)?;
        let tests = plan.tests(&built.source, &built.build, Scope::Default)?;
        results = due.add_all(tests, |test| plan.is_special(test));
        for (name, reason) in suites::skipped(&results) {
            ctx.ui.say(format!("skipped: {name}: {reason}"));
        }
    }
    let missing = due.leave_out_missing(&built.source);
    if !missing.is_empty() {
        ctx.ui.say(format!("skipped, this QEMU has no such iotests: {}", missing.join(" ")));
    }
    results.extend(missing.into_iter().map(|name| TestResult::new(name, Verdict::Skip)));
    let known = plain.map(PlainC::failing).unwrap_or_default();
    results.extend(due.leave_out(&known).into_iter().map(|name| TestResult {
        excuse: Some("not run, plain C was seen to fail it every time".into()),
        ..TestResult::new(name, Verdict::Skip)
    }));
    let speed = if extent == Extent::Own { Speed::Slow } else { Speed::Quick };
    results.extend(run_named(ctx, &built.build, label, speed, due, plain)?);
    Ok(results)
}

/// The names of what is run, by who runs it.
#[derive(Default)]
struct Due {
    meson: BTreeSet<String>,
    iotests: BTreeSet<String>,
    special: BTreeSet<String>,
}

impl Due {
    /// What is told by name here.
    fn at(built: &Built, extent: Extent) -> Result<Due> {
        let mut due = Due {
            meson: own(&meson::list(&built.build)?, &built.source)?,
            iotests: own_iotests(&built.source).collect(),
            special: BTreeSet::new(),
        };
        if extent != Extent::Own {
            due.meson.extend(QTESTS.iter().map(|name| name.to_string()));
            due.iotests.extend(SHORT_IOTESTS.iter().map(|name| name.to_string()));
        }
        Ok(due)
    }

    /// What a plan tells. Special tests have limits and arguments of their own there, and some of
    /// them are skipped: the results of those.
    fn add_all(&mut self, tests: Vec<Test>, is_special: impl Fn(&Test) -> bool) -> Vec<TestResult> {
        let mut skipped = Vec::new();
        for test in tests {
            let special = is_special(&test);
            match (test.skip, test.name.split_once(' ')) {
                (Some(reason), _) if special => skipped.push(TestResult {
                    left_out: vec![(test.name.clone(), reason)],
                    ..TestResult::new(test.name, Verdict::Skip)
                }),
                _ if special => drop(self.special.insert(test.name)),
                (_, Some((_, iotest))) => drop(self.iotests.insert(iotest.to_string())),
                (_, None) => drop(self.meson.insert(test.name)),
            }
        }
        skipped
    }

    /// Takes away the iotests that this source lacks, and names them.
    fn leave_out_missing(&mut self, source: &Path) -> Vec<String> {
        let there = |name: &String| iotests::exists(source, name);
        let missing = self.iotests.iter().filter(|name| !there(name)).cloned().collect();
        self.iotests.retain(there);
        missing
    }

    /// Takes away whatever is known to fail, and names it.
    fn leave_out(&mut self, known: &BTreeSet<String>) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for names in [&mut self.meson, &mut self.iotests, &mut self.special] {
            out.extend(names.intersection(known).cloned());
            names.retain(|name| !known.contains(name));
        }
        out
    }
}

/// Runs the tests of these names, each by its runner.
fn run_named(
    ctx: &Ctx,
    build: &Path,
    label: &str,
    speed: Speed,
    due: Due,
    plain: Option<&PlainC>,
) -> Result<Vec<TestResult>> {
    let batches: [(&str, BTreeSet<String>, Runner); 3] = [
        ("tests", due.meson, meson::run),
        ("iotests", due.iotests, iotests::run),
        ("special tests", due.special, special::run),
    ];
    let batches = batches.map(|(what, names, run)| {
        let names = names.into_iter().collect();
        Batch { title: format!("{what} of {label}"), speed, names, run }
    });
    batch::run_all(ctx, build, &batches, plain)
}

/// True for the tests that the series brings: plain C has none of them.
pub fn is_brought(name: &str) -> bool {
    let tests = PINNED.iter().chain(OF_HOLDERS).map(|(name, _)| name);
    tests.chain(OWN_IOTESTS).any(|brought| *brought == name)
}

/// The iotests that the series brings, as far as this source has them.
pub fn own_iotests(source: &Path) -> impl Iterator<Item = String> {
    OWN_IOTESTS.iter().filter(|name| iotests::exists(source, name)).map(|name| name.to_string())
}

/// True if a test, by its name, is about IOThreads.
fn is_own(name: &str) -> bool {
    name.contains("iothread") && !name.starts_with(IOTEST)
}

/// True if each commit is tested with it.
pub fn is_quick(name: &str) -> bool {
    is_own(name) || QTESTS.contains(&name)
}

/// True for the tests of the library itself, without a program around it.
pub fn is_own_unit_test(name: &str) -> bool {
    name.starts_with("test-iothread")
}

/// Every test about IOThreads that the build has. Those of the series must be among them as soon as
/// their source is there, and those that pin it down at the latest when `iothread.c` goes.
fn own(there: &[String], source: &Path) -> Result<BTreeSet<String>> {
    let found: BTreeSet<String> = there.iter().filter(|name| is_own(name)).cloned().collect();
    let replaced = !source.join("iothread.c").exists();
    let brought = |(_, file): &&(&str, &str)| source.join(file).exists();
    let due = PINNED.iter().filter(|test| replaced || brought(test));
    let due = due.chain(OF_HOLDERS.iter().filter(brought));
    let missing: Vec<_> = due.filter(|(name, _)| !found.contains(*name)).collect();
    ensure!(missing.is_empty(), "the build lacks tests: {missing:?}");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, skip: Option<&str>) -> Test {
        Test {
            suite: "s".into(),
            name: name.into(),
            argv: Vec::new(),
            env: Default::default(),
            dir: "/".into(),
            limit: std::time::Duration::from_secs(1),
            varies: false,
            skip: skip.map(String::from),
        }
    }

    #[test]
    fn each_test_of_a_plan_is_run_or_named() {
        let source = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(source.path().join("tests/qemu-iotests")).unwrap();
        std::fs::write(source.path().join("tests/qemu-iotests/118"), "").unwrap();
        let names = ["test-aio", "q/migration-test", "qcow2 118", "qcow2 307", "raw 118"];
        let mut tests: Vec<_> = names.iter().map(|name| planned(name, None)).collect();
        tests.extend(["q/pxe-test", "qcow2 new", "raw new"].map(|name| planned(name, Some("why"))));
        let is_special =
            |test: &Test| !["test-aio", "qcow2 118", "qcow2 new"].contains(&&*test.name);
        let mut due = Due::default();
        let skipped = suites::skipped(&due.add_all(tests, is_special));
        let named = ["q/pxe-test", "raw new"].map(|name| (name.to_string(), "why".to_string()));
        assert_eq!(skipped, named);
        assert_eq!(due.leave_out_missing(source.path()), ["new"]);
        let all = |due: &Due| {
            let names = [&due.meson, &due.iotests, &due.special].into_iter().flatten();
            names.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(all(&due), "test-aio, 118, q/migration-test, qcow2 307, raw 118");
        let known = BTreeSet::from(["test-aio", "raw 118", "another"].map(String::from));
        let out: Vec<_> = due.leave_out(&known).into_iter().collect();
        assert_eq!(out, ["raw 118", "test-aio"]);
        assert_eq!(all(&due), "118, q/migration-test, qcow2 307");
    }

    #[test]
    fn the_series_cannot_lose_its_tests() {
        let source = tempfile::tempdir().unwrap();
        let there = ["test-iothread", "io-raw-iothreads-create", "test-hmp"].map(String::from);
        std::fs::write(source.path().join("iothread.c"), "").unwrap();
        assert_eq!(own(&there, source.path()).unwrap().len(), 1);
        std::fs::remove_file(source.path().join("iothread.c")).unwrap();
        let error = own(&there, source.path()).unwrap_err().to_string();
        assert!(error.contains("qtest-x86_64/iothread-test"), "{error}");

        let pinned = PINNED.iter().map(|(name, _)| name.to_string());
        let there: Vec<String> = pinned.chain(there).collect();
        own(&there, source.path()).unwrap();
        std::fs::create_dir_all(source.path().join("tests/qtest")).unwrap();
        std::fs::write(source.path().join("tests/qtest/iothread-block-test.c"), "").unwrap();
        let error = own(&there, source.path()).unwrap_err().to_string();
        assert!(error.contains("qtest-x86_64/iothread-block-test"), "{error}");
    }
}
