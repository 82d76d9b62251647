// SPDX-License-Identifier: GPL-2.0-or-later
//! `bisect`: every commit of the series, one after the other in one work tree, built and tested;
//! or the first commit at which a command fails.

mod search;
pub mod suite;

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use comfy_table::{Table, presets};

use crate::build::{self, Flavor};
use crate::ctx::Ctx;
use crate::flags;
use crate::series::Series;
use crate::setup;
use crate::suites::{self, Tally};
use crate::version::Tree;
use crate::worktree;

/// The work tree that walks through the series.
const WORKTREE: &str = "bisect";

/// A defect to be found, and the command that finds it.
const PLANTED: &str = "tests/bisect/planted.patch";
const PLANTED_SUBJECT: &str = "qemu-edid: a planted defect";
const FAILS_IF_PLANTED: [&str; 3] = ["build/qemu-edid", "-o", "/dev/null"];

/// What is known of one commit.
struct Row {
    depth: usize,
    subject: String,
    build_seconds: Option<f64>,
    tally: Tally,
    /// Empty if all is well.
    wrong: String,
}

pub fn run(ctx: &Ctx, args: &flags::Bisect) -> Result<()> {
    let series = Series::open(ctx, &ctx.tree)?;
    let last = args.to.unwrap_or(series.patches.len());
    let first = args.from.unwrap_or(1);
    if last > series.patches.len() || first > last {
        bail!("the series has {} patches: no commits {first} to {last}", series.patches.len());
    }
    if args.command.is_empty() {
        let extent = if args.whole { suite::Extent::Whole } else { suite::Extent::Quick };
        let all = Walk { first, last, extent, until: None };
        each_commit(ctx, &ctx.tree, &all).map(drop)
    } else {
        search::first_bad(ctx, &series, first, last, &args.command).map(drop)
    }
}

/// A test of the search itself: a defect planted in the middle of the series is found there.
pub fn find_planted(ctx: &Ctx) -> Result<()> {
    let mut series = Series::open(ctx, &ctx.tree)?;
    let middle = series.patches.len() / 2;
    series.patches.insert(middle, ctx.root.join(PLANTED));
    let last = series.patches.len();
    let found = search::first_bad(ctx, &series, 1, last, &FAILS_IF_PLANTED.map(String::from))?;
    ensure!(found == PLANTED_SUBJECT, "the search names {found:?}, the defect is elsewhere");
    Ok(())
}

/// Which commits are built and tested, and with what.
pub struct Walk {
    pub first: usize,
    pub last: usize,
    pub extent: suite::Extent,
    /// No commit is begun after this.
    pub until: Option<Instant>,
}

/// Builds and tests the commits, prints the table, fails if one of them is not well. The first
/// that was not begun in time, if so.
pub fn each_commit(ctx: &Ctx, tree: &Tree, walk: &Walk) -> Result<Option<usize>> {
    let &Walk { first, last, extent, until } = walk;
    let host = setup::host(ctx)?;
    let series = Series::open(ctx, tree)?;
    let mut rows = Vec::new();
    let mut left_out = None;
    for depth in first..=last {
        if until.is_some_and(|until| Instant::now() >= until) {
            left_out = Some(depth);
            break;
        }
        ctx.ui.say(format!("commit {depth} of {last}"));
        let row = one_commit(ctx, &host, &series, depth, extent)?;
        rows.push(row);
    }
    println!("{}", table(&rows));
    let bad: Vec<_> = rows.iter().filter(|row| !row.wrong.is_empty()).collect();
    match bad.first() {
        None => Ok(left_out),
        Some(row) => {
            bail!(
                "{} of {} commits are not well, the first is {}",
                bad.len(),
                rows.len(),
                row.depth
            )
        }
    }
}

fn one_commit(
    ctx: &Ctx,
    host: &setup::Host,
    series: &Series,
    depth: usize,
    extent: suite::Extent,
) -> Result<Row> {
    let commit = series.commit(ctx, depth)?;
    let worktree = worktree::named(ctx, series, WORKTREE, &commit, false)?;
    let subject = worktree
        .git
        .read(["log", "-1", "--format=%s"])
        .context("cannot read the commit's subject")?;
    let label = format!("{} {depth}", build::label(series));
    let mut row =
        Row { depth, subject, build_seconds: None, tally: Tally::default(), wrong: String::new() };
    match build::in_worktree(ctx, host, &worktree, &label, Flavor::Default) {
        Err(error) => {
            ctx.ui.say(format!("{error:#}"));
            row.wrong = "does not build".into();
        }
        Ok(built) => {
            row.build_seconds = Some(built.seconds);
            let results = suite::run(ctx, &built, &label, extent)?;
            row.tally = Tally::of(&results);
            row.wrong = suites::failures(&results).join(" ");
        }
    }
    Ok(row)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["N", "subject", "build s", "passed", "failed", "skipped", "verdict"]);
    for row in rows {
        let verdict = if row.wrong.is_empty() { "good" } else { &row.wrong };
        table.add_row([
            row.depth.to_string(),
            row.subject.clone(),
            row.build_seconds.map_or_else(|| "-".into(), |seconds| format!("{seconds:.0}")),
            row.tally.passed.to_string(),
            row.tally.failed.to_string(),
            row.tally.skipped.to_string(),
            verdict.to_string(),
        ]);
    }
    table
}
