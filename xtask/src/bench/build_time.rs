// SPDX-License-Identifier: GPL-2.0-or-later
//! `build-time`: how long the library takes to build, from nothing and after an edit.
//!
//! From nothing is the very command that QEMU's build runs, with an empty target directory. The
//! edit is made in a copy of the crate that takes its place in the tip's tree meanwhile.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::lab::Lab;
use super::row::{Draft, Goal, Kind, Row};
use crate::build::edited::Edited;
use crate::build::flavor::PROGRAMS;
use crate::build::library::Recipe;
use crate::build::{environment, ninja};
use crate::cmd::read;
use crate::series::Series;
use crate::version::Point;
use crate::worktree;

const COLD_ROUNDS: usize = 1;
const EDIT_ROUNDS: usize = 3;

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
    let edited = Edited::new(&lab.ctx.root, tree, lab.scratch().join("crate"))?;
    build(lab)?;
    let seconds = (0..EDIT_ROUNDS).map(|round| {
        edited.edit(round)?;
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
    drop(edited);
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
