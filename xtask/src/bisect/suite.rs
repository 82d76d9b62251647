// SPDX-License-Identifier: GPL-2.0-or-later
//! What each commit of the series is tested with.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;

use anyhow::{Result, anyhow, ensure};

use super::plain_c::PlainC;
use crate::build::Built;
use crate::ctx::Ctx;
use crate::dual::Plan;
use crate::suites::{Asked, Speed, TestResult, Verdict, iotests, meson};

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

/// How often a test must pass that failed once.
const REPEATS: usize = 3;

/// Who is tried again alone waits here until nothing else is tested or built.
static COMPANY: RwLock<()> = RwLock::new(());

/// Held by what others may run beside.
pub fn in_company() -> RwLockReadGuard<'static, ()> {
    COMPANY.read().unwrap_or_else(PoisonError::into_inner)
}

/// How meson calls iotests, which are run by their own script.
const IOTEST: &str = "io-";

const QTESTS: &[&str] = &[
    "qtest-x86_64/device-introspect-test",
    "qtest-x86_64/drive_del-test",
    "qtest-x86_64/qmp-cmd-test",
    "qtest-x86_64/qos-test",
    "qtest-x86_64/test-hmp",
];

/// iotests that reach an IOThread and take five seconds or less.
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
    "nbd-tls-iothread",
    "qcow2-internal-snapshots",
    "qom-set-drive",
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
    let build = &built.build;
    let mut meson = own(&meson::list(build)?, &built.source)?;
    let mut iotests: BTreeSet<String> = own_iotests(&built.source).collect();
    if extent != Extent::Own {
        meson.extend(QTESTS.iter().map(|name| name.to_string()));
        iotests.extend(SHORT_IOTESTS.iter().map(|name| name.to_string()));
    }
    if extent == Extent::Whole {
        let plan = Plan::open(ctx)?;
        for test in plan.plain(&built.source, build)? {
            match test.name.split_once(' ') {
                None => meson.insert(test.name),
                Some((iotests::FORMAT, name)) => iotests.insert(name.to_string()),
                Some(_) => false,
            };
        }
    }
    let (there, missing): (Vec<_>, Vec<_>) =
        iotests.into_iter().partition(|name| iotests::exists(&built.source, name));
    let known = plain.map(PlainC::failing).unwrap_or_default();
    let due = |name: &String| !known.contains(name);
    let (names, mut failing): (Vec<_>, Vec<_>) = meson.into_iter().partition(due);
    let (there, out): (Vec<_>, Vec<_>) = there.into_iter().partition(due);
    failing.extend(out);
    let speed = if extent == Extent::Own { Speed::Slow } else { Speed::Quick };
    let mut results = run_named(ctx, build, label, speed, names, there, plain)?;
    if !missing.is_empty() {
        ctx.ui.say(format!("skipped, this QEMU has no such iotests: {}", missing.join(" ")));
    }
    results.extend(missing.into_iter().map(|name| TestResult::new(name, Verdict::Skip)));
    results.extend(failing.into_iter().map(|name| TestResult {
        excuse: Some("not run, plain C was seen to fail it every time".into()),
        ..TestResult::new(name, Verdict::Skip)
    }));
    Ok(results)
}

/// Runs Meson's tests and iotests of these names.
fn run_named(
    ctx: &Ctx,
    build: &Path,
    label: &str,
    speed: Speed,
    meson: Vec<String>,
    iotests: Vec<String>,
    plain: Option<&PlainC>,
) -> Result<Vec<TestResult>> {
    let tests = Batch { title: format!("tests of {label}"), speed, names: meson, run: meson::run };
    let iotests =
        Batch { title: format!("iotests of {label}"), speed, names: iotests, run: iotests::run };
    if speed == Speed::Slow {
        // One after the other, and nothing beside them: what fails here does not fail by chance.
        let mut results = tests.run(ctx, build)?;
        results.extend(iotests.run(ctx, build)?);
        return Ok(results);
    }
    // Both wait a lot; what fails in company is tried again alone.
    let (first, second) = thread::scope(|scope| {
        let iotests = scope.spawn(|| iotests.run(ctx, build));
        (tests.run(ctx, build), iotests.join())
    });
    let second = second.map_err(|_| anyhow!("the runner of iotests panicked"))?;
    let mut results = tests.steady(ctx, build, first?, plain)?;
    results.extend(iotests.steady(ctx, build, second?, plain)?);
    Ok(results)
}

/// Tests that one runner runs.
struct Batch<R> {
    title: String,
    speed: Speed,
    names: Vec<String>,
    run: R,
}

impl<R: Fn(&Ctx, &Asked) -> Result<Vec<TestResult>>> Batch<R> {
    fn run(&self, ctx: &Ctx, build: &Path) -> Result<Vec<TestResult>> {
        let _company = in_company();
        let asked = Asked { build, title: &self.title, speed: self.speed, names: &self.names };
        (self.run)(ctx, &asked)
    }

    /// How it failed, if it did, with nothing beside it.
    fn alone(&self, ctx: &Ctx, build: &Path, name: &String) -> Result<Option<TestResult>> {
        let _alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
        let title = &format!("{} again, {name}", self.title);
        let asked = Asked { build, title, speed: self.speed, names: std::slice::from_ref(name) };
        let once = (self.run)(ctx, &asked)?;
        Ok(once.into_iter().find(|result| result.verdict != Verdict::Pass))
    }

    /// A test that failed is run again on its own: on a busy machine plain C, too, fails now and
    /// then. It counts as passed if it then passes every time, and as skipped if it fails no more
    /// often than on plain C; it is named.
    fn steady(
        &self,
        ctx: &Ctx,
        build: &Path,
        mut results: Vec<TestResult>,
        plain: Option<&PlainC>,
    ) -> Result<Vec<TestResult>> {
        for result in results.iter_mut().filter(|result| result.verdict == Verdict::Fail) {
            let name = &result.name;
            let again: Vec<_> =
                (0..REPEATS).map(|_| self.alone(ctx, build, name)).collect::<Result<_>>()?;
            let Some(failed) = again.into_iter().flatten().last() else {
                let words = &result.words;
                ctx.ui.say(format!(
                    "unsteady: {name} passed {REPEATS} times alone, but first failed{words}"
                ));
                result.verdict = Verdict::Pass;
                continue;
            };
            let fails = |build: &Path| {
                let ended = self.alone(ctx, build, name)?;
                Ok(ended.is_some_and(|result| result.verdict == Verdict::Fail))
            };
            let excuse = match plain {
                Some(plain) => plain.fails_too(ctx, name, build, fails)?,
                None => None,
            };
            match excuse {
                Some(often) => {
                    let excuse = format!("failed alone {often}");
                    ctx.ui.say(format!("unsteady: {name} {excuse}"));
                    result.excuse = Some(excuse);
                    result.verdict = Verdict::Skip;
                }
                None => result.words = failed.words,
            }
        }
        Ok(results)
    }
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

    fn result(verdict: Verdict) -> Vec<TestResult> {
        vec![TestResult::new("t", verdict)]
    }

    #[test]
    fn once_is_chance_twice_is_not() {
        let cli = clap::Parser::parse_from(["xtask", "test"]);
        let ctx = Ctx::new(&cli).unwrap();
        let names = ["t".to_string()];
        let verdict = |failures: usize| {
            let runs = std::cell::Cell::new(0);
            let run = |_: &Ctx, _: &Asked| {
                runs.set(runs.get() + 1);
                let failed = runs.get() <= failures;
                Ok(result(if failed { Verdict::Fail } else { Verdict::Pass }))
            };
            let batch =
                Batch { title: "t".into(), speed: Speed::Quick, names: names.to_vec(), run };
            let first = batch.run(&ctx, Path::new("")).unwrap();
            batch.steady(&ctx, Path::new(""), first, None).unwrap()[0].verdict
        };
        assert_eq!(verdict(0), Verdict::Pass);
        assert_eq!(verdict(1), Verdict::Pass);
        assert_eq!(verdict(2), Verdict::Fail);
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
