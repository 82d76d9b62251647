// SPDX-License-Identifier: GPL-2.0-or-later
//! Which tests a build has and which of them are run: QEMU's own list and `tests/dual/suites.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::side::Scope;
use crate::ctx::Ctx;
use crate::demo::kvm_failed;
use crate::suites::{iotests, meson};

/// Meson's limits are for an idle machine; a test that hangs costs more time, a busy machine
/// that looks like a hanging test costs more work.
const PATIENCE: u64 = 3;

/// `tests/dual/suites.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    suite: Vec<Suite>,
    iotests: Iotests,
    #[serde(default)]
    special: Vec<Special>,
    /// Whether a trial boot has shown that KVM runs no guest here.
    #[serde(skip)]
    kvm_failed: bool,
}

/// A suite of QEMU's Meson tests, taken whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    name: String,
    /// As Meson names it, without the project.
    meson: String,
    /// Fewer results than these would be a suite that was not run.
    least: usize,
}

/// iotests by image format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Iotests {
    /// Seconds that one may take.
    limit: u64,
    least: usize,
    formats: BTreeMap<String, Vec<String>>,
}

/// What is peculiar to one test.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Special {
    test: String,
    limit: Option<u64>,
    /// Seconds that it may take under `--full`.
    full_limit: Option<u64>,
    /// More arguments unless `--full` is given.
    #[serde(default)]
    default_args: Vec<String>,
    /// What Meson asks for where there is a KVM, and which takes for ever if it runs no guest.
    #[serde(default)]
    kvm_args: Vec<String>,
    /// Only run under `--full`.
    #[serde(default)]
    only_full: bool,
    /// Known to vary on plain C: rates over repeated runs are compared at once.
    #[serde(default)]
    varies: bool,
    reason: String,
}

/// One test program to run.
#[derive(Clone)]
pub struct Test {
    pub suite: String,
    pub name: String,
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub dir: PathBuf,
    pub limit: Duration,
    /// See [`Special::varies`].
    pub varies: bool,
    /// Why it is not run, if so.
    pub skip: Option<String>,
}

impl Test {
    /// The file that keeps the output of one of its runs.
    pub fn log_name(&self, turn: usize) -> String {
        format!("{}.{turn}.log", self.name.replace(['/', ' '], "-"))
    }
}

impl Plan {
    /// The project's own.
    pub fn open(ctx: &Ctx) -> Result<Plan> {
        let path = ctx.root.join("tests/dual/suites.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut plan: Plan = toml::from_str(&text).with_context(|| path.display().to_string())?;
        plan.kvm_failed = kvm_failed(ctx)?;
        Ok(plan)
    }

    /// Whether a test has to be run as it stands here: something is peculiar to it, or it is an
    /// iotest in a format that is not the usual one.
    pub fn is_special(&self, test: &Test) -> bool {
        let format = test.name.split_once(' ').map_or(iotests::FORMAT, |(format, _)| format);
        format != iotests::FORMAT || self.special.iter().any(|special| special.test == test.name)
    }

    /// The names of the suites, in order.
    pub fn suites(&self) -> Vec<&str> {
        let meson = self.suite.iter().map(|suite| suite.name.as_str());
        meson.chain(["iotests"]).collect()
    }

    /// The results that a suite must have at least.
    pub fn least(&self, name: &str) -> usize {
        let suite = self.suite.iter().find(|suite| suite.name == name);
        suite.map_or(self.iotests.least, |suite| suite.least)
    }

    /// The tests that a build has.
    pub fn tests(&self, source: &Path, build: &Path, scope: Scope) -> Result<Vec<Test>> {
        let mut tests = self.meson(build)?;
        for (format, names) in &self.iotests.formats {
            tests.extend(names.iter().map(|name| self.iotest(source, build, format, name)));
        }
        for test in &mut tests {
            for special in self.special.iter().filter(|special| special.test == test.name) {
                test.varies |= special.varies;
                if special.only_full && scope != Scope::Full {
                    test.skip = Some(special.reason.clone());
                }
                let full = special.full_limit.filter(|_| scope == Scope::Full);
                if let Some(limit) = full.or(special.limit) {
                    test.limit = Duration::from_secs(limit);
                }
                if self.kvm_failed {
                    test.argv.retain(|arg| !special.kvm_args.contains(arg));
                }
                if scope != Scope::Full {
                    test.argv.extend(special.default_args.iter().cloned());
                }
            }
        }
        Ok(tests)
    }

    fn meson(&self, build: &Path) -> Result<Vec<Test>> {
        let listed = meson::tests(build)?;
        let mut tests = Vec::new();
        for suite in &self.suite {
            let whole = format!("qemu:{}", suite.meson);
            for test in listed.iter().filter(|test| test.suite.contains(&whole)) {
                tests.push(Test {
                    suite: suite.name.clone(),
                    name: test.name.clone(),
                    argv: test.cmd.clone(),
                    env: test.env.clone(),
                    dir: test.workdir.clone().unwrap_or_else(|| build.into()),
                    limit: Duration::from_secs(PATIENCE * test.timeout),
                    varies: false,
                    skip: None,
                });
            }
        }
        Ok(tests)
    }

    fn iotest(&self, source: &Path, build: &Path, format: &str, name: &str) -> Test {
        let python = build.join("pyvenv/bin/python3").display().to_string();
        let there = source.join("tests/qemu-iotests");
        let built = build.join("tests/qemu-iotests").display().to_string();
        let check = there.join("check").display().to_string();
        let there = there.display().to_string();
        let format_option = format!("-{format}");
        let argv = [
            &python,
            &check,
            "-tap",
            &format_option,
            name,
            "--source-dir",
            &there,
            "--build-dir",
            &built,
        ];
        Test {
            suite: "iotests".into(),
            name: format!("{format} {name}"),
            argv: argv.map(String::from).into(),
            env: BTreeMap::from([("PYTHON".into(), python.clone())]),
            dir: build.into(),
            limit: Duration::from_secs(self.iotests.limit),
            varies: false,
            skip: (!iotests::exists(source, name)).then(|| "this QEMU has no such test".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_rules_of_its_own_is_special() {
        let plan: Plan = toml::from_str(include_str!("../../../tests/dual/suites.toml")).unwrap();
        let dir = Path::new("/");
        let iotest = |format, name| plan.is_special(&plan.iotest(dir, dir, format, name));
        assert!(iotest("raw", "118") && iotest("qcow2", "307") && !iotest("qcow2", "118"));
        let mut test = plan.iotest(dir, dir, "qcow2", "118");
        for (name, special) in [("qtest-x86_64/migration-test", true), ("test-aio", false)] {
            test.name = name.into();
            assert_eq!(plan.is_special(&test), special, "{name}");
        }
    }
}
