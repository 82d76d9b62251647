// SPDX-License-Identifier: GPL-2.0-or-later
//! The builds that are compared: plain C first, then points of the series.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::{self, Built};
use crate::git::Git;

/// How much of the suites is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Without the longest tests.
    Default,
    /// All of them.
    Full,
}

pub struct Side {
    /// `base`, `switch`, `tip`.
    pub name: String,
    pub source: PathBuf,
    pub build: PathBuf,
    /// The subjects of the commits that it has and plain C has not.
    pub subjects: Vec<String>,
    /// Those up to the one that puts Rust in the place of C: they may bring no difference.
    pub pure: Vec<String>,
}

impl Side {
    pub fn new(name: &str, built: &Built) -> Result<Side> {
        Side::in_tree(name, &built.source, &built.build)
    }

    /// A build directory inside its source tree, as QEMU's own are.
    pub fn of_build(name: &str, build: &Path) -> Result<Side> {
        let build = build::existing(build)?;
        let source = build.parent().context("a build directory has a source tree around it")?;
        Side::in_tree(name, source, &build)
    }

    fn in_tree(name: &str, source: &Path, build: &Path) -> Result<Side> {
        let subjects = subjects(source)?;
        let switch = switch(source)?;
        let from = subjects.iter().position(|subject| Some(subject) == switch.as_ref());
        let pure = subjects.get(from.unwrap_or(0)..).unwrap_or_default().to_vec();
        Ok(Side { name: name.into(), source: source.into(), build: build.into(), subjects, pure })
    }
}

/// Newest first.
fn subjects(source: &Path) -> Result<Vec<String>> {
    let log = Git::at(source).read(["log", "--format=%s", "base..HEAD"])?;
    Ok(log.lines().map(String::from).collect())
}

/// The subject of the commit that takes `iothread.c` away, if the side has it.
fn switch(source: &Path) -> Result<Option<String>> {
    let wanted = ["log", "--diff-filter=D", "--format=%s", "base..HEAD", "--", "iothread.c"];
    Ok(Git::at(source).read(wanted)?.lines().next().map(String::from))
}
