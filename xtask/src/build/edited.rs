// SPDX-License-Identifier: GPL-2.0-or-later
//! A copy of the crate in its place in a tree of QEMU's, to be edited there: nobody's work is
//! touched, whatever ends the run.

use std::fs::{self, OpenOptions, remove_file};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::cmd;

use crate::cmd::read;
use crate::gates::rebuild::touch;

const EDITED: &str = "src/lib.rs";
/// What the build has no use for, or what would never end.
const NOT_COPIED: &[&str] = &["target", ".git", "xtask", "patches"];

/// The tree has its own crate again when this ends.
pub struct Edited {
    copy: PathBuf,
    link: PathBuf,
    original: PathBuf,
}

impl Edited {
    /// The crate in `root`, copied to `copy`, takes its own place in `tree`. Whoever calls holds
    /// the tree's lock.
    pub fn new(root: &Path, tree: &Path, copy: PathBuf) -> Result<Edited> {
        copy_crate(root, &copy)?;
        let link = tree.join("subprojects/qemu-iothread");
        let original = fs::read_link(&link).context("the crate is not linked into the tree")?;
        let edited = Edited { copy, link, original };
        point(&edited.link, &edited.copy)?;
        Ok(edited)
    }

    /// Adds a constant of this number to the object: QEMU does not link again for one that stayed
    /// the same.
    pub fn edit(&self, number: usize) -> Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.copy.join(EDITED))?;
        writeln!(file, "#[used]\nstatic EDIT_{number}: usize = {number};")?;
        Ok(())
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        // The next user of the tree would mend it.
        let _ = point(&self.link, &self.original);
        // Ninja and cargo go by times: what they saw last was the edited copy.
        let _ = touch(&self.original.join(EDITED));
    }
}

/// Times are kept, so that the copy alone makes nobody build.
pub fn copy_crate(root: &Path, copy: &Path) -> Result<()> {
    fs::create_dir(copy)?;
    let mut words = vec!["-a".to_string(), "-t".into(), copy.display().to_string()];
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if !NOT_COPIED.contains(&entry.file_name().to_string_lossy().as_ref()) {
            words.push(entry.path().display().to_string());
        }
    }
    read(&cmd("cp", words)).map(drop)
}

fn point(link: &Path, target: &Path) -> Result<()> {
    remove_file(link)?;
    symlink(target, link).with_context(|| format!("cannot set {}", link.display()))
}
