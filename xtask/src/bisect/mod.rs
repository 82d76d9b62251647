// SPDX-License-Identifier: GPL-2.0-or-later
//! `bisect`: every commit of the series, one after the other in one work tree, built and tested;
//! or the first commit at which a command fails; or each commit's tests without the commit.

mod alone;
mod batch;
pub mod plain_c;
mod search;
pub mod suite;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};

use self::plain_c::PlainC;
use crate::build::{self, Built, Flavor};
use crate::ctx::Ctx;
use crate::flags;
use crate::host::Host;
use crate::interrupt;
use crate::ledger::Ledger;
use crate::lock::shared;
use crate::series::{self, Series};
use crate::setup::{self, source};
use crate::suites::{self, Tally};
use crate::version::Tree;
use crate::worktree::{self, Worktree};

/// The work trees that walk through the series, each with whichever commit is due next. The tests
/// of one wait a lot; meanwhile the other is built and tested.
const WORKTREES: [&str; 2] = ["bisect", "bisect-2"];

/// How each commit is built. Most link most programs again, and lld is quicker at that; GNU ld links
/// plain C, the switch and the tip in the default build.
const FLAVOR: Flavor = Flavor::Lld;

/// A defect to be found, and the command that finds it.
const PLANTED: &str = "tests/bisect/planted.patch";
const PLANTED_SUBJECT: &str = "qemu-edid: a planted defect";
const FAILS_IF_PLANTED: [&str; 3] = ["build/qemu-edid", "-o", "/dev/null"];

/// What is known of one commit.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    depth: usize,
    subject: String,
    build_seconds: Option<f64>,
    tally: Tally,
    /// What counts as skipped since plain C fails it, too, and how it does.
    excused: Vec<(String, String)>,
    /// Empty if all is well.
    wrong: String,
    /// What that is, at length.
    why: String,
    /// When and at which commit of this project, if an earlier run knew all this.
    #[serde(skip)]
    from: Option<String>,
}

pub fn run(ctx: &Ctx, args: &flags::Bisect) -> Result<()> {
    if let Some(program) = args.command.first().filter(|name| !search::may_be_found(ctx, name)) {
        flags::wrong_usage(format!("there is no command {program:?} to run"));
    }
    let all = series::list(ctx, source::version(&ctx.tree)?)?.len();
    let last = args.to.unwrap_or(all);
    let first = args.from.unwrap_or(1);
    if last > all || first > last {
        flags::wrong_usage(format!("the series has {all} patches, none from {first} to {last}"));
    }
    let series = Series::open(ctx, &ctx.tree)?;
    if args.tests_alone {
        alone::run(ctx, &series, first, last)
    } else if args.command.is_empty() {
        let extent = if args.whole { suite::Extent::Whole } else { suite::Extent::Quick };
        let all = Walk { first, last, extent, until: None, ledger: &Ledger::default() };
        each_commit(ctx, &ctx.tree, &all).map(drop)
    } else {
        search::first_bad(ctx, &series, first, last, &args.command).map(drop)
    }
}

/// Each commit's tests without the commit, all through the series.
pub fn tests_alone(ctx: &Ctx) -> Result<()> {
    let series = Series::open(ctx, &ctx.tree)?;
    alone::run(ctx, &series, 1, series.patches.len())
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
pub struct Walk<'a> {
    pub first: usize,
    pub last: usize,
    pub extent: suite::Extent,
    /// No commit is begun after this.
    pub until: Option<Instant>,
    /// What is known from earlier runs, and of this one from now on.
    pub ledger: &'a Ledger,
}

/// Builds and tests the commits, prints the table, fails if one of them is not well. The first
/// that was not begun in time, if so.
pub fn each_commit(ctx: &Ctx, tree: &Tree, walk: &Walk) -> Result<Option<usize>> {
    let &Walk { first, last, extent, until, ledger } = walk;
    let host = setup::host(ctx)?;
    let series = Series::open(ctx, tree)?;
    let plain = PlainC::new(tree, Flavor::Default);
    // The whole suites run at one commit at a time.
    let turn = (extent == suite::Extent::Whole).then(|| Mutex::new(()));
    let due = Mutex::new(first);
    let walk = |worktree| -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        loop {
            // Held while it builds, so that one does at a time.
            let mut due = shared(&due);
            if *due > last || until.is_some_and(|until| Instant::now() >= until) {
                return Ok(rows);
            }
            let name = format!("commit {} of {}", *due, build::label(&series));
            if let Some((row, from)) = ledger.earlier(&name) {
                rows.push(Row { from: Some(from), ..row });
                *due += 1;
                continue;
            }
            let start = Instant::now();
            let commit = Commit::build(ctx, &host, &series, *due, worktree)?;
            *due += 1;
            drop(due);
            let _turn = turn.as_ref().map(shared);
            interrupt::check()?;
            ctx.ui.say(format!("commit {} of {last}", commit.depth));
            let row = commit.test(ctx, extent, &plain)?;
            ledger.note(ctx, &name, start, row.wrong.is_empty().then_some(&row));
            rows.push(row);
        }
    };
    let walked = thread::scope(|scope| -> Result<Vec<_>> {
        let walkers = WORKTREES.map(|worktree| {
            let to_end = || walk(worktree).inspect_err(|_| *shared(&due) = usize::MAX);
            scope.spawn(to_end)
        });
        let walked = walkers.into_iter().map(|walker| {
            walker.join().map_err(|_| anyhow!("one who walks through the series panicked"))?
        });
        walked.collect()
    });
    let mut rows: Vec<Row> = walked?.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.depth);
    let left_out = Some(first + rows.len()).filter(|depth| *depth <= last);
    if !rows.is_empty() {
        out!("{}\n\n{}", Host::now(&ctx.root)?, table(&rows));
    }
    for row in &rows {
        for (name, excuse) in &row.excused {
            out!("skipped at commit {}: {name}: {excuse}", row.depth);
        }
    }
    let bad = rows.iter().filter(|row| !row.wrong.is_empty());
    let why: Vec<_> =
        bad.map(|row| format!("commit {}, {}: {}", row.depth, row.subject, row.why)).collect();
    ensure!(
        why.is_empty(),
        "{} of {} commits are not well\n{}",
        why.len(),
        rows.len(),
        why.join("\n")
    );
    Ok(left_out)
}

/// A commit that is ready to be tested.
struct Commit {
    depth: usize,
    label: String,
    subject: String,
    built: Result<Built>,
    /// Nobody moves it until the tests have ended.
    _worktree: Worktree,
}

impl Commit {
    fn build(
        ctx: &Ctx,
        host: &setup::Host,
        series: &Series,
        depth: usize,
        worktree: &str,
    ) -> Result<Commit> {
        let commit = series.commit(ctx, depth)?;
        let worktree = worktree::named(ctx, series, worktree, &commit, false)?;
        let subject = worktree
            .git
            .read(["log", "-1", "--format=%s"])
            .context("cannot read the commit's subject")?;
        let label = format!("{} {depth}", build::label(series));
        let company = batch::in_company();
        let built = build::in_worktree(ctx, host, &worktree, &label, FLAVOR);
        drop(company);
        let log = ctx.ui.log_path(&build::log_name(&label, FLAVOR));
        let built = built.and_then(|built| no_warning(&log).map(|()| built));
        Ok(Commit { depth, label, subject, built, _worktree: worktree })
    }

    fn test(&self, ctx: &Ctx, extent: suite::Extent, plain: &PlainC) -> Result<Row> {
        let mut row = Row {
            depth: self.depth,
            subject: self.subject.clone(),
            build_seconds: None,
            tally: Tally::default(),
            excused: Vec::new(),
            wrong: String::new(),
            why: String::new(),
            from: None,
        };
        match &self.built {
            Err(error) => {
                interrupt::check()?;
                row.wrong = "does not build".into();
                row.why = format!("{error:#}");
                ctx.ui.say(&row.why);
            }
            Ok(built) => {
                row.build_seconds = Some(built.seconds);
                let results = suite::run(ctx, built, &self.label, extent, Some(plain))?;
                row.tally = Tally::of(&results);
                row.excused = suites::excused(&results);
                row.wrong = suites::failures(&results).join(" ");
                row.why = suites::failures_told(&results);
            }
        }
        Ok(row)
    }
}

/// `-Werror` is for C; rustc's warnings are told by the place that comes below them.
fn no_warning(log: &Path) -> Result<()> {
    let text = fs::read_to_string(log).with_context(|| format!("no {}", log.display()))?;
    let lines = || text.lines().map(str::trim_start);
    let mut pairs = lines().zip(lines().skip(1));
    match pairs.find(|(said, place)| said.starts_with("warning") && place.starts_with("--> ")) {
        Some((said, place)) => bail!("rustc warns: {said} {place}"),
        None => Ok(()),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["N", "subject", "build s", "passed", "failed", "skipped", "verdict"]);
    for row in rows {
        let verdict = match &row.from {
            Some(from) => format!("good, taken over from {from}"),
            None if row.wrong.is_empty() => "good".into(),
            None => row.wrong.clone(),
        };
        table.add_row([
            row.depth.to_string(),
            row.subject.clone(),
            row.build_seconds.map_or_else(|| "-".into(), |seconds| format!("{seconds:.0}")),
            row.tally.passed.to_string(),
            row.tally.failed.to_string(),
            row.tally.skipped.to_string(),
            verdict,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_of_rustc_is_told_from_others() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let says = |text: &str| {
            fs::write(log.path(), text).unwrap();
            no_warning(log.path()).map_err(|error| error.to_string())
        };
        assert_eq!(says("warning: spurious network error\nwarning: unused key\n"), Ok(()));
        let said = says("a\nwarning: unused variable: `x`\n  --> src/class.rs:3:9\n");
        assert_eq!(
            said,
            Err("rustc warns: warning: unused variable: `x` --> src/class.rs:3:9".into())
        );
    }

    #[test]
    fn a_row_is_recorded_as_it_is_and_shown_with_its_origin() {
        let row = Row {
            depth: 7,
            subject: "virtio: \"mend\"\n".into(),
            build_seconds: Some(1.25),
            tally: Tally { passed: 3, failed: 0, skipped: 2 },
            excused: vec![("051".into(), "failed alone 5 of 5 times, on plain C 5".into())],
            wrong: String::new(),
            why: String::new(),
            from: None,
        };
        let text = serde_json::to_string(&row).unwrap();
        let read: Row = serde_json::from_str(&text).unwrap();
        assert_eq!(read, row);
        let taken = Row { from: Some("today at abc".into()), ..read };
        let table = table(&[row, taken]).to_string();
        let verdicts = ["| good ", "| good, taken over from today at abc "];
        assert!(verdicts.iter().all(|verdict| table.contains(verdict)), "{table}");
    }
}
