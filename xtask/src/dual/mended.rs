// SPDX-License-Identifier: GPL-2.0-or-later
//! What the list says of steps that no conversation shows: what they mend and which test meets it,
//! or that they mend nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::version::Version;

/// A hazard that takes a guest, a peer or a race, or makes plain C hang.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mended {
    /// The subject of the commit that mends it.
    pub commit: String,
    /// What plain C does.
    reason: String,
    /// The test that meets it, as it is registered, or the name of an iotest.
    test: Option<String>,
    /// Why there is none.
    untested: Option<String>,
    /// The version of QEMU whose series has the commit, if not every one has.
    only: Option<String>,
}

/// Steps that mend nothing, and of which the conversations show nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    pub commits: Vec<String>,
    /// As with what is mended.
    only: Option<String>,
}

/// The whole series for one version of QEMU, against which the list is held.
pub struct Tip<'a> {
    pub subjects: &'a [String],
    /// Those that may bring no difference.
    pub pure: &'a [String],
    pub version: Version,
    pub tests: Tests,
}

impl Tip<'_> {
    /// Whether the commit is there and may change anything.
    pub fn may_bring(&self, commit: &String) -> Result<()> {
        ensure!(self.subjects.contains(commit), "the series has no commit {commit:?}");
        ensure!(!self.pure.contains(commit), "{commit:?} may bring no difference");
        Ok(())
    }

    /// Whether a commit that may be of one version only is of this one; then it has to be there.
    fn has(&self, commit: &String, only: Option<&str>) -> Result<bool> {
        match only {
            Some(only) if only != self.version.name() => {
                ensure!(!self.subjects.contains(commit), "{commit:?} is not of {only} only");
                Ok(false)
            }
            _ => self.may_bring(commit).map(|()| true),
        }
    }
}

impl Mended {
    /// Whether it says all that it has to.
    pub fn check(&self) -> Result<()> {
        let Mended { commit, reason, test, untested, only } = self;
        ensure!(!reason.trim().is_empty(), "{commit}: what it mends needs a reason");
        is_version(only.as_deref()).with_context(|| commit.clone())?;
        match (test, untested) {
            (Some(words), None) | (None, Some(words)) if !words.trim().is_empty() => Ok(()),
            _ => bail!("{commit}: what it mends needs either a test or why there is none"),
        }
    }

    pub fn sound(&self, tip: &Tip) -> Result<()> {
        let Mended { commit, test, only, .. } = self;
        if let (true, Some(test)) = (tip.has(commit, only.as_deref())?, test) {
            ensure!(tip.tests.have(test), "{commit}: the series has no test {test:?}");
        }
        Ok(())
    }
}

fn is_version(only: Option<&str>) -> Result<()> {
    let known = |name| Version::ALL.iter().any(|version| version.name() == name);
    ensure!(only.is_none_or(known), "there is no series for {only:?}");
    Ok(())
}

impl Quiet {
    pub fn check(&self) -> Result<()> {
        is_version(self.only.as_deref())
    }

    pub fn sound(&self, tip: &Tip) -> Result<()> {
        self.commits.iter().try_for_each(|commit| tip.has(commit, self.only.as_deref()).map(drop))
    }
}

/// Where tests are registered, in files that have this in their names, and where iotests lie.
const REGISTERED: [&str; 2] = ["tests/qtest", "tests/unit"];
const ABOUT: &str = "iothread";
const IOTESTS: &str = "tests/qemu-iotests/tests";

/// The names of tests in a source tree of QEMU.
pub struct Tests {
    sources: String,
    iotests: BTreeSet<String>,
}

impl Tests {
    pub fn of(tree: &Path) -> Result<Tests> {
        let mut iotests = names(&tree.join(IOTESTS))?;
        iotests.retain(|name| !name.ends_with(".out"));
        let mut sources = String::new();
        for dir in REGISTERED.map(|dir| tree.join(dir)) {
            let files = names(&dir)?;
            for file in files.iter().filter(|name| name.contains(ABOUT) && name.ends_with(".c")) {
                let path = dir.join(file);
                let text = fs::read_to_string(&path);
                sources += &text.with_context(|| format!("cannot read {}", path.display()))?;
            }
        }
        Ok(Tests { sources, iotests })
    }

    /// The whole name counts, as the first argument that it is in C.
    fn have(&self, name: &str) -> bool {
        self.sources.contains(&format!("(\"{name}\",")) || self.iotests.contains(name)
    }
}

fn names(dir: &Path) -> Result<BTreeSet<String>> {
    let files = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let name =
        |file: std::io::Result<fs::DirEntry>| Ok(file?.file_name().to_string_lossy().into_owned());
    files.map(name).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A tree with one test of each kind, and one of another file.
    pub fn tests() -> Tests {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("tests/qtest/iothread-a-test.c", "add(\"/a/busy\", test);\n"),
            ("tests/unit/test-iothread.c", "add(\"/unit/stop\", test);\n"),
            ("tests/unit/test-other.c", "add(\"/other\", test);\n"),
            ("tests/qemu-iotests/tests/holders", ""),
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Tests::of(dir.path()).unwrap()
    }

    #[test]
    fn a_test_is_found_by_its_whole_name() {
        let found = |name: &&str| tests().have(name);
        assert!(["/a/busy", "/unit/stop", "holders"].iter().all(found));
        assert!(!["/a/bus", "/busy", "/other", "holder", "", "test"].iter().any(found));
    }

    #[test]
    fn a_tree_without_tests_is_no_tree() {
        assert!(Tests::of(tempfile::tempdir().unwrap().path()).is_err());
    }
}
