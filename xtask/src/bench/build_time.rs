// SPDX-License-Identifier: GPL-2.0-or-later
//! `build-time`: how long the library takes to build, from nothing and after an edit.
//!
//! From nothing is the very command that QEMU's build runs, with an empty target directory. The
//! edit is made in a copy of the crate that takes its place in the tip's tree meanwhile, so that
//! nobody's work is touched; it adds a constant to the object, for QEMU does not link again for an
//! object that stayed the same.

use std::fs::{self, OpenOptions, remove_file};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use duct::cmd;

use super::lab::Lab;
use super::row::{Draft, Goal, Kind, Row};
use crate::build::flavor::PROGRAMS;
use crate::build::library::Recipe;
use crate::build::{environment, ninja};
use crate::cmd::read;
use crate::gates::rebuild::touch;
use crate::series::Series;
use crate::version::Point;
use crate::worktree;

const EDITED: &str = "src/lib.rs";
const COLD_ROUNDS: usize = 1;
const EDIT_ROUNDS: usize = 3;
/// What the build has no use for, or what would never end.
const NOT_COPIED: &[&str] = &["target", ".git", "xtask", "patches"];

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let cold = (0..COLD_ROUNDS).map(|_| from_nothing(lab)).collect::<Result<_>>()?;
    let cold = draft("from nothing to the object", Goal::AtMost(30.0)).alone(cold)?;
    let edits = after_edits(lab)?;
    let edit = draft("from an edit to three relinked programs", Goal::AtMost(3.0));
    Ok(vec![cold, edit.alone(edits)?])
}

fn draft(case: &str, goal: Goal) -> Draft {
    Draft { bench: "build-time", case: case.into(), unit: "s", kind: Kind::Time, goal }
}

fn from_nothing(lab: &Lab) -> Result<f64> {
    let target = tempfile::tempdir_in(lab.scratch())?;
    let recipe = Recipe::of(&lab.tip)?.below(target.path())?;
    let command = environment(lab.ctx, recipe.command()?.dir(&lab.tip));
    let start = Instant::now();
    read(&command)?;
    Ok(start.elapsed().as_secs_f64())
}

fn after_edits(lab: &Lab) -> Result<Vec<f64>> {
    // Keeps others from building here until all is as it was.
    let _ours = if lab.given {
        None
    } else {
        let series = Series::open(lab.ctx, &lab.ctx.tree)?;
        Some(worktree::at(lab.ctx, &series, Point::Tip)?)
    };
    let tree = lab.tip.parent().context("a build directory without a tree")?;
    let copy = lab.scratch().join("crate");
    copy_crate(&lab.ctx.root, &copy)?;
    let swapped = Swapped::new(tree.join("subprojects/qemu-iothread"), &copy)?;
    build(lab)?;
    let seconds = (0..EDIT_ROUNDS).map(|round| {
        edit(&copy, round)?;
        let before = modified(lab)?;
        let start = Instant::now();
        build(lab)?;
        let seconds = start.elapsed().as_secs_f64();
        let after = modified(lab)?;
        ensure!(
            before.iter().zip(&after).all(|(before, after)| before < after),
            "not every program was linked again after an edit"
        );
        Ok(seconds)
    });
    let seconds = seconds.collect::<Result<Vec<_>>>();
    drop(swapped);
    build(lab)?;
    seconds
}

fn build(lab: &Lab) -> Result<()> {
    read(&ninja(lab.ctx, &lab.tip, PROGRAMS)).map(drop)
}

fn modified(lab: &Lab) -> Result<Vec<std::time::SystemTime>> {
    let time = |program| Ok(fs::metadata(lab.tip.join(program))?.modified()?);
    PROGRAMS.iter().map(time).collect()
}

fn edit(copy: &Path, round: usize) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(copy.join(EDITED))?;
    writeln!(file, "#[used]\nstatic EDIT_{round}: usize = {round};")?;
    Ok(())
}

/// Times are kept, so that the copy alone makes nobody build.
fn copy_crate(root: &Path, copy: &Path) -> Result<()> {
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

/// A symbolic link that points elsewhere while this lives.
struct Swapped {
    link: PathBuf,
    original: PathBuf,
}

impl Swapped {
    fn new(link: PathBuf, elsewhere: &Path) -> Result<Swapped> {
        let original = fs::read_link(&link).context("the crate is not linked into the tree")?;
        let swapped = Swapped { link, original };
        point(&swapped.link, elsewhere)?;
        Ok(swapped)
    }
}

impl Drop for Swapped {
    fn drop(&mut self) {
        // The next user of the tree would mend it.
        let _ = point(&self.link, &self.original);
        // Ninja and cargo go by times: what they saw last was the edited copy.
        let _ = touch(&self.original.join(EDITED));
    }
}

fn point(link: &Path, target: &Path) -> Result<()> {
    remove_file(link)?;
    symlink(target, link).with_context(|| format!("cannot set {}", link.display()))
}
