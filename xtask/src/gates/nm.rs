// SPDX-License-Identifier: GPL-2.0-or-later
//! Symbols, as nm tells them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use duct::cmd;

use crate::cmd::read;

/// The names that nm prints with these options, without symbol versions.
pub fn names(file: &Path, options: &[&str]) -> Result<BTreeSet<String>> {
    let words = [&["--format=just-symbols"], options].concat();
    let words = words.iter().map(|word| word.to_string()).chain([file.display().to_string()]);
    let text = read(&cmd("nm", words)).with_context(|| format!("nm {}", file.display()))?;
    Ok(text.lines().filter_map(|line| line.split('@').next()).map(str::to_string).collect())
}

/// What an object or a program defines, static functions too.
pub fn defined(file: &Path) -> Result<BTreeSet<String>> {
    names(file, &["--defined-only"])
}

/// What a shared library offers.
pub fn offered(file: &Path) -> Result<BTreeSet<String>> {
    names(file, &["--dynamic", "--defined-only"])
}
