// SPDX-License-Identifier: GPL-2.0-or-later
//! `dual`: the same conversations and the same suites on plain C and on points of the series.
//!
//! A conversation is compared byte for byte but for thread ids and times (`mask`). QEMU's own
//! tests are compared part by part; where one run differs, more decide whether that is chance
//! (`rates`). Differences are failures unless `tests/dual/differences.toml` explains them, and an
//! explained difference that is not there is a failure too (`expected`).

mod cache;
mod compare;
mod conversation;
mod expected;
mod line;
mod mask;
mod mended;
mod plan;
pub mod rates;
mod repeat;
mod runner;
mod schema;
mod script;
mod side;
pub mod special;
mod suites;
mod talk;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::build::{self, Flavor};
use crate::ctx::Ctx;
use crate::flags;
use crate::lock::{self, Lock};
use crate::report::{Outcome, Report};
use crate::series;
use crate::setup::source;
use crate::version::Point;
use compare::{Difference, Schemas};
use conversation::Conversation;
use expected::List;
use mended::{Tests, Tip};
use suites::Suites;

pub use plan::{Plan, Test};
pub use side::{Scope, Side};

/// The scripts in `tests/dual/`, with the numbers of exchanges and of sessions that each must have
/// at least. A session that only runs a program has no exchange.
const SCRIPTS: [(&str, usize, usize); 5] = [
    ("system", 1000, 1),
    ("devices", 180, 1),
    ("storage-daemon", 200, 1),
    ("commandline", 0, 50),
    (HAZARDS, 0, 15),
];

const HAZARDS: &str = "hazards";

/// A reply can be a hundred thousand characters; what differs is shown with so many around it.
const AROUND: usize = 160;

/// So many differences are shown; a person who has seen them looks at the records.
const SHOWN: usize = 12;

pub fn run(ctx: &Ctx, args: &flags::Dual) -> Result<()> {
    if let Some(name) = args.suite.as_deref() {
        let plan = Plan::open(ctx)?;
        let known = names(&plan);
        if !known.contains(&name) {
            flags::wrong_usage(format!(
                "no suite is called {name}; there are {}",
                known.join(", ")
            ));
        }
    }
    if args.at == Point::Base {
        flags::wrong_usage("base is plain C, with which a point of the series is compared");
    }
    let sides = match args.builds.as_deref() {
        Some([base, series]) => [Side::of_build("base", base)?, Side::of_build("series", series)?],
        _ => {
            // Plain C is not built in vain.
            series::expect(ctx, &ctx.tree, args.at)?;
            let base = build::build(ctx, &ctx.tree, Point::Base, Flavor::Default)?;
            let series = build::build(ctx, &ctx.tree, args.at, Flavor::Default)?;
            [Side::new("base", &base)?, Side::new(&args.at.to_string(), &series)?]
        }
    };
    let mut report = Report::new();
    let scope = if args.full { Scope::Full } else { Scope::Default };
    check_only(ctx, &mut report, &sides, scope, args.suite.as_deref())?;
    report.finish()
}

/// Of all suites and conversations.
fn names(plan: &Plan) -> Vec<&str> {
    plan.suites().into_iter().chain(SCRIPTS.map(|(name, ..)| name)).collect()
}

/// Compares every side with the first, which is plain C.
pub fn check(ctx: &Ctx, report: &mut Report, sides: &[Side], scope: Scope) -> Result<()> {
    check_only(ctx, report, sides, scope, None)
}

/// Only what plain C does not survive.
pub fn check_hazards(ctx: &Ctx, report: &mut Report, sides: &[Side]) -> Result<()> {
    check_only(ctx, report, sides, Scope::Default, Some(HAZARDS))
}

fn check_only(
    ctx: &Ctx,
    report: &mut Report,
    sides: &[Side],
    scope: Scope,
    only: Option<&str>,
) -> Result<()> {
    let place = Place::new(ctx, sides)?;
    let plan = Plan::open(ctx)?;
    place.list.is_about_only(&names(&plan))?;
    let scripts = SCRIPTS.iter().filter(|(name, ..)| only.is_none_or(|only| only == *name));
    let scripts: Vec<_> = scripts.collect();
    let wanted = plan.suites().into_iter().any(|name| only.is_none_or(|only| only == name));
    let tip = format!("{}{}", Point::Tip, place.kind);
    if let Some(tip) = sides.iter().find(|side| side.name == tip) {
        report.pass(&format!("dual{}: the list of differences", place.kind), || {
            let Side { source, subjects, pure, .. } = tip;
            let (version, tests) = (source::version_of(source)?, Tests::of(source)?);
            expected::sound(&place.list, &Tip { subjects, pure, version, tests })
        });
    }
    for (name, exchanges, sessions) in scripts {
        place.converse(report, sides, name, (*exchanges, *sessions));
    }
    if wanted {
        place.suites(ctx, report, &plan, sides, scope, only)?;
    }
    Ok(())
}

/// Where scripts and lists lie and where records go.
struct Place {
    /// What follows upon `base` and `tip` in the names of the sides: `-10.0`, `-asan`, or nothing.
    kind: String,
    data: PathBuf,
    records: PathBuf,
    list: List,
    _lock: Lock,
}

impl Place {
    fn new(ctx: &Ctx, sides: &[Side]) -> Result<Place> {
        let base = sides.first().context("nothing to compare with")?;
        let kind = base.name.strip_prefix("base").unwrap_or_default().to_string();
        let data = ctx.root.join("tests/dual");
        let path = data.join("differences.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let records = ctx.target.join("dual");
        let lock = lock::acquire(ctx, &records.join("lock"))?;
        Ok(Place { kind, list: expected::parse(&text)?, data, records, _lock: lock })
    }

    fn converse(&self, report: &mut Report, sides: &[Side], name: &str, least: (usize, usize)) {
        let Some((base, series)) = sides.split_first() else { return };
        let series: Vec<&Side> = series.iter().filter(|side| self.is_due(name, side)).collect();
        if series.is_empty() {
            let reason = "the commits that mend what plain C does not survive come later";
            let title = format!("dual{}: conversation {name}", self.kind);
            return report.check(&title, || Ok(Outcome::Skipped(reason.into())));
        }
        let path = self.data.join(format!("{name}.talk"));
        let conversation = Conversation::new(&path, base, &self.records);
        for side in series {
            let said = conversation.as_ref().map_or(0, Conversation::exchanges);
            let sessions = conversation.as_ref().map_or(0, Conversation::sessions);
            let title = format!(
                "dual {}: conversation {name} ({said} exchanges, {sessions} sessions)",
                side.name
            );
            report.pass(&title, || {
                let conversation =
                    conversation.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                ensure!(
                    said >= least.0 && sessions >= least.1,
                    "{said} exchanges in {sessions} sessions, at least {} in {} were meant",
                    least.0,
                    least.1
                );
                let changes = self.list.entries.iter().any(|entry| entry.is_due(&side.subjects));
                let schemas = if changes { Schemas::ByStructure } else { Schemas::AsTheyStand };
                let found = conversation.differences(side, schemas, &self.records)?;
                self.settle(name, side, found)
            });
        }
    }

    /// Hazards are there until the last commit that mends one; all else holds at each.
    fn is_due(&self, name: &str, side: &Side) -> bool {
        let entries = self.list.entries.iter().filter(|entry| entry.is_about(name));
        name != HAZARDS || entries.into_iter().all(|entry| entry.is_due(&side.subjects))
    }

    fn suites(
        &self,
        ctx: &Ctx,
        report: &mut Report,
        plan: &Plan,
        sides: &[Side],
        scope: Scope,
        only: Option<&str>,
    ) -> Result<()> {
        let suites = Suites::run(ctx, plan, sides, scope, only, &self.records)?;
        let skipped = suites.skipped.iter().map(|(test, reason)| (test, reason.clone()));
        for (test, reason) in skipped.chain(suites.left_out()) {
            let title = format!("dual{}: {test}", self.kind);
            report.check(&title, || Ok(Outcome::Skipped(reason)));
        }
        for (name, seconds) in suites.seconds().iter().take(10) {
            ctx.ui.say(format!("{seconds:7.1} s  {name}"));
        }
        for (index, side) in sides.iter().enumerate().skip(1) {
            let mut all = suites.compare(index)?;
            let wanted = plan.suites().into_iter();
            for name in wanted.filter(|name| only.is_none_or(|only| only == *name)) {
                let compared = all.remove(name).unwrap_or_default();
                let title = format!(
                    "dual {}: suite {name} ({} programs, {} results)",
                    side.name, compared.programs, compared.results
                );
                for note in &compared.notes {
                    ctx.ui.say(format!("note: {}: {note}", side.name));
                }
                report.pass(&title, || {
                    let (had, least) = (compared.results, plan.least(name));
                    ensure!(had >= least, "{had} results, at least {least} were meant");
                    self.settle(name, side, compared.differences)
                });
                for (test, failed) in compared.alike {
                    let reason = format!("fails on plain C alike: {failed}");
                    report.check(&format!("dual {}: {test}", side.name), || {
                        Ok(Outcome::Skipped(reason))
                    });
                }
            }
        }
        Ok(())
    }

    /// Fails on what the list does not explain, and on what it explains in vain.
    fn settle(&self, check: &str, side: &Side, found: Vec<Difference>) -> Result<()> {
        let verdict = expected::settle(check, &side.subjects, &self.list.entries, found);
        let mut lines: Vec<String> = Vec::new();
        for difference in verdict.unexplained.iter().take(SHOWN) {
            let (base, series) = compare::excerpt(&difference.base, &difference.series, AROUND);
            lines.push(format!(
                "differs: {}\n  plain C: {base}\n  series:  {series}",
                difference.item.chars().take(2 * AROUND).collect::<String>()
            ));
        }
        if let Some(more) = verdict.unexplained.len().checked_sub(SHOWN + 1) {
            lines.push(format!("and {} more differences", more + 1));
        }
        for entry in &verdict.vanished {
            lines.push(format!(
                "listed in tests/dual/differences.toml, but no longer there: {entry}"
            ));
        }
        if !lines.is_empty() {
            bail!("{}\nrecords: {}", lines.join("\n"), self.records.display());
        }
        Ok(())
    }
}
