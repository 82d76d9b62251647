// SPDX-License-Identifier: GPL-2.0-or-later
//! The builds that are compared: plain C first, then points of the series.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::Built;
use crate::git::Git;

/// How much is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The conversations: seconds.
    Quick,
    /// All suites, without the longest tests.
    Default,
    /// All suites.
    Full,
}

pub struct Side {
    /// `base`, `switch`, `tip`.
    pub name: String,
    pub source: PathBuf,
    pub build: PathBuf,
    /// The subjects of the commits that it has and plain C has not.
    pub subjects: Vec<String>,
}

impl Side {
    pub fn new(name: &str, built: &Built) -> Result<Side> {
        Ok(Side {
            name: name.into(),
            source: built.source.clone(),
            build: built.build.clone(),
            subjects: subjects(&built.source)?,
        })
    }

    /// A build directory inside its source tree, as QEMU's own are.
    pub fn of_build(name: &str, build: &Path) -> Result<Side> {
        let build = build
            .canonicalize()
            .with_context(|| format!("no build directory {}", build.display()))?;
        let source = build.parent().context("a build directory has a source tree around it")?;
        Ok(Side { name: name.into(), source: source.into(), subjects: subjects(source)?, build })
    }
}

fn subjects(source: &Path) -> Result<Vec<String>> {
    let log = Git::at(source).read(["log", "--format=%s", "base..HEAD"])?;
    Ok(log.lines().map(String::from).collect())
}
