// SPDX-License-Identifier: GPL-2.0-or-later
//! Results of plain C, kept for as long as its programs are the same files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::plan::Test;
use super::runner::Run;
use super::talk::program;

/// What tests run beside themselves.
const PROGRAMS: [&str; 5] =
    ["qemu-system-x86_64", "qemu-storage-daemon", "qemu-nbd", "qemu-img", "qemu-io"];

/// So many digits tell builds apart.
const BUILD: usize = 8;

#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    runs: Vec<Run>,
}

/// One file for each suite of a build.
pub struct Cache {
    dir: PathBuf,
    /// Two versions of QEMU are compared by turns: neither takes the place of the other.
    build: String,
    keys: BTreeMap<String, String>,
}

impl Cache {
    /// The cache for these tests of this build.
    pub fn new(dir: PathBuf, build: &Path, tests: &BTreeMap<String, Test>) -> Result<Cache> {
        let mut digests = BTreeMap::<String, Sha256>::new();
        for test in tests.values() {
            let digest = digests.entry(test.suite.clone()).or_insert_with(|| {
                let mut digest = Sha256::new();
                for name in PROGRAMS {
                    digest.update(stamp(&program(build, name)));
                }
                digest
            });
            digest.update(format!("{} {:?} {:?} {:?}", test.name, test.argv, test.env, test.limit));
            for word in test.argv.iter().filter(|word| word.starts_with('/')) {
                digest.update(stamp(Path::new(word)));
            }
        }
        let hex = |digest: Sha256| format!("{:x}", digest.finalize());
        let keys = digests.into_iter().map(|(suite, digest)| (suite, hex(digest))).collect();
        let mut build = hex(Sha256::new().chain_update(build.as_os_str().as_bytes()));
        build.truncate(BUILD);
        Ok(Cache { dir, build, keys })
    }

    /// All results that still hold.
    pub fn load(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for (suite, key) in &self.keys {
            let kept = fs::read(self.path(suite)).ok();
            match kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok()) {
                Some(kept) if kept.key == *key => runs.extend(kept.runs),
                _ => (),
            }
        }
        runs
    }

    pub fn save<'a>(&self, runs: impl Iterator<Item = &'a Run>) -> Result<()> {
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot create {}", self.dir.display()))?;
        let mut suites = BTreeMap::<&str, Vec<Run>>::new();
        for run in runs {
            suites.entry(&run.suite).or_default().push(run.clone());
        }
        for (suite, runs) in suites {
            let path = self.path(suite);
            let key = self.keys.get(suite).context("a suite without a key")?.clone();
            let text = serde_json::to_vec(&Kept { key, runs })?;
            let half = path.with_extension("new");
            fs::write(&half, text).with_context(|| format!("cannot write {}", half.display()))?;
            fs::rename(&half, &path)?;
        }
        Ok(())
    }

    fn path(&self, suite: &str) -> PathBuf {
        self.dir.join(format!("{suite}-{}.json", self.build))
    }
}

/// Changes whenever the file is written anew.
fn stamp(path: &Path) -> String {
    let about = fs::metadata(path).ok();
    let written = about.as_ref().and_then(|about| about.modified().ok());
    let since = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{} {:?} {:?}", path.display(), about.map(|about| about.len()), since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(program: &Path) -> BTreeMap<String, Test> {
        let test = Test {
            suite: "s".into(),
            name: "n".into(),
            argv: vec![program.display().to_string()],
            env: BTreeMap::new(),
            dir: "/".into(),
            limit: std::time::Duration::from_secs(1),
            varies: false,
            skip: None,
        };
        BTreeMap::from([("n".to_string(), test)])
    }

    fn run() -> Run {
        Run {
            side: 0,
            suite: "s".into(),
            name: "n".into(),
            results: BTreeMap::from([("x".to_string(), "pass".to_string())]),
            seconds: 1.5,
        }
    }

    #[test]
    fn results_hold_until_a_program_changes() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        fs::write(&program, "one").unwrap();
        let cache = || Cache::new(dir.path().join("cache"), dir.path(), &tests(&program)).unwrap();
        assert!(cache().load().is_empty());
        cache().save([run()].iter()).unwrap();
        assert_eq!(cache().load()[0].results, run().results);
        fs::write(&program, "another").unwrap();
        assert!(cache().load().is_empty());
    }

    #[test]
    fn each_build_has_results_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let builds = ["10.0", "10.2"].map(|name| dir.path().join(name));
        let cache = |build: &PathBuf| {
            Cache::new(dir.path().join("cache"), build, &tests(&build.join("program"))).unwrap()
        };
        for (build, seconds) in builds.iter().zip([1.0, 2.0]) {
            assert!(cache(build).load().is_empty());
            cache(build).save([Run { seconds, ..run() }].iter()).unwrap();
        }
        assert_eq!(builds.each_ref().map(|build| cache(build).load()[0].seconds), [1.0, 2.0]);
    }
}
