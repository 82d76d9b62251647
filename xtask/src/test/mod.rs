// SPDX-License-Identifier: GPL-2.0-or-later
//! `test`: everything that must pass, as one list of named checks.

mod cargo;
mod docs;
mod example;
mod flavors;
mod hazards;
mod libvirt;
mod oldrust;
mod secondrust;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::badinput;
use crate::bench::query;
use crate::bisect::suite::{self, Extent};
use crate::bisect::{self, Walk};
use crate::build::{self, Built, Flavor};
use crate::ctx::Ctx;
use crate::demo;
use crate::dual::{self, Scope, Side};
use crate::flags;
use crate::gates;
use crate::host::Host;
use crate::ledger::Ledger;
use crate::patches;
use crate::report::{Outcome, Report};
use crate::series::Series;
use crate::setup::source;
use crate::suites;
use crate::version::{Point, Tree, Version};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Quick,
    Default,
    Full,
}

/// What belongs together; each can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What cargo checks
    Cargo,
    /// Symbols, dependencies, the IOThread's own tests at the tip
    Tip,
    /// A Linux guest on the tip's IOThreads
    Demo,
    /// checkpatch, the trees the series fits, the header
    Patches,
    /// The same suites on plain C and on the series
    Dual,
    /// A client that knows nothing of holders
    Libvirt,
    /// What is built again after a change
    Rebuild,
    /// Machines and trees that lack something
    BadInput,
    /// Each commit of the series
    Commits,
    /// Each commit's tests on the commit before, where one of them has to fail
    Alone,
    /// A defect planted in the series, which bisect must find
    Planted,
    /// What plain C does not survive, also under sanitizers and without the refusal of object-del
    Hazards,
    /// QEMU's documentation at the tip
    Docs,
    /// The other ways to build, the older Rust among them
    Flavors,
}

impl Part {
    fn level(self) -> Level {
        match self {
            Part::Cargo | Part::Tip => Level::Quick,
            Part::Alone | Part::Planted | Part::Hazards | Part::Docs | Part::Flavors => Level::Full,
            _ => Level::Default,
        }
    }

    /// Whether `--resume` takes it over as a whole. Those with long steps record each of them, and
    /// what cargo checks reads the Markdown, too.
    fn is_one(self) -> bool {
        !matches!(self, Part::Cargo | Part::Dual | Part::Commits | Part::Flavors)
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
    }
}

pub fn run(ctx: &Ctx, args: &flags::Test) -> Result<()> {
    let level = match (args.quick, args.full) {
        (true, _) => Level::Quick,
        (_, true) => Level::Full,
        _ => Level::Default,
    };
    if let Some(part) = args.only.filter(|part| args.quick && part.level() > level) {
        flags::wrong_usage(format!("{} is not in --quick", part.name()));
    }
    let minutes = Duration::from_secs(60 * u64::from(args.within));
    let until = (level != Level::Full).then(|| Instant::now() + minutes);
    out!("{}", Host::now(&ctx.root)?);
    let mut report = Report::new();
    if let Some(flavor) = args.flavor {
        flavors::check(ctx, flavor, &mut report);
        return report.finish();
    }
    let tip = built(ctx, &mut report, Point::Tip);
    let ledger = match level {
        Level::Full => Ledger::open(ctx, tip.as_ref(), args.resume),
        _ => Ledger::default(),
    };
    for part in Part::value_variants() {
        if args.only.is_some_and(|only| only != *part) {
            continue;
        }
        if level < part.level() && args.only.is_none() {
            let reason =
                if part.level() == Level::Full { "only in --full" } else { "not in --quick" };
            report.check(&part.name(), || Ok(Outcome::Skipped(reason.into())));
            continue;
        }
        let run = |report: &mut Report| {
            run_part(ctx, *part, level, until, tip.as_ref(), &ledger, report);
        };
        if part.is_one() {
            ledger.checks(ctx, &mut report, &part.name(), run);
        } else {
            run(&mut report);
        }
    }
    report.finish()
}

fn run_part(
    ctx: &Ctx,
    part: Part,
    level: Level,
    until: Option<Instant>,
    tip: Option<&Built>,
    ledger: &Ledger,
    report: &mut Report,
) {
    match (part, tip) {
        (Part::Cargo, _) => cargo::checks(ctx, level, tip, report),
        (Part::Patches, _) => patches::check_all(ctx, report),
        (Part::Commits, _) => {
            each_commit(ctx, &ctx.tree, level, until, ledger, report);
            for tree in other_releases(&ctx.tree) {
                if level == Level::Full {
                    each_commit(ctx, &tree, level, until, ledger, report);
                } else {
                    let reason = || Ok(Outcome::Skipped("only in --full".into()));
                    report.check(&format!("each commit of {}", series_of(&tree)), reason);
                }
            }
        }
        (Part::Alone, _) => {
            report.pass("each commit's tests without the commit", || bisect::tests_alone(ctx));
        }
        (Part::Planted, _) => {
            report.pass("a planted defect is found", || bisect::find_planted(ctx));
        }
        (_, None) => {
            report.check(&part.name(), || Ok(Outcome::Skipped("the tip does not build".into())));
        }
        (Part::Tip, Some(tip)) => at_tip(ctx, tip, report),
        (Part::Demo, Some(_)) => {
            report.pass("demo", || demo::run(ctx, &flags::Demo { at: Point::Tip }));
        }
        (Part::Dual, Some(tip)) => compare_all(ctx, level, tip, ledger, report),
        (Part::Libvirt, Some(tip)) => {
            if let Some(base) = built(ctx, report, Point::Base) {
                report.check("libvirt", || libvirt::check(ctx, &base, tip));
            }
        }
        (Part::Hazards, Some(_)) => hazards::checks(ctx, report),
        (Part::Docs, Some(tip)) => report.pass("documentation", || docs::check(ctx, tip)),
        (Part::Rebuild, Some(tip)) => gates::slow(ctx, tip, report),
        (Part::BadInput, Some(tip)) => badinput::checks(ctx, tip, report),
        (Part::Flavors, Some(tip)) => {
            ledger.checks(ctx, report, "older Rust", |report| oldrust::check(ctx, tip, report));
            report.pass("link beside another Rust library with its own std", || {
                secondrust::check(ctx, tip)
            });
            flavors::checks(ctx, ledger, report);
        }
    }
}

fn at_tip(ctx: &Ctx, tip: &Built, report: &mut Report) {
    report.pass("the tip's work tree is what patches/ says", || is_exact(tip));
    gates::quick(ctx, tip, report);
    report.pass("the example in QEMU's schema", || example::check(tip));
    report.pass("query-iothreads with thousands of IOThreads and of holders", || {
        query::check(&tip.build)
    });
    own_tests(ctx, report, "tests of the IOThread at the tip", "tip", tip);
}

fn is_exact(tip: &Built) -> Result<()> {
    let dir = tip.source.display();
    ensure!(tip.exact, "{dir} has more: cargo xtask patches refresh, or undo it there");
    Ok(())
}

/// A build as a check; what stands on it is left out if it fails.
fn built(ctx: &Ctx, report: &mut Report, at: Point) -> Option<Built> {
    built_of(ctx, &ctx.tree, report, at)
}

fn built_of(ctx: &Ctx, tree: &Tree, report: &mut Report, at: Point) -> Option<Built> {
    let mut built = None;
    report.pass(&format!("build at {at}{}", kind(ctx, tree)), || {
        built = Some(of_point(ctx, tree, at)?);
        Ok(())
    });
    built
}

/// The library's own tests use what is built of the tree of this run, not of another release.
fn of_point(ctx: &Ctx, tree: &Tree, at: Point) -> Result<Built> {
    let build = if *tree == ctx.tree { build::build } else { build::aside };
    build(ctx, tree, at, Flavor::Default)
}

/// What tells the names of another release's points, and of checks of them, from those of this run.
fn kind(ctx: &Ctx, tree: &Tree) -> String {
    if *tree == ctx.tree { String::new() } else { format!("-{tree}") }
}

/// The series' own tests, at length; what they leave out is named.
fn own_tests(ctx: &Ctx, report: &mut Report, title: &str, label: &str, built: &Built) {
    let mut skipped = Vec::new();
    report.pass(title, || {
        let results = suite::run(ctx, built, label, Extent::Own, None)?;
        skipped = suites::skipped(&results);
        suites::all_well(&results)
    });
    for (name, reason) in skipped {
        report.check(&format!("{label}: {name}"), || Ok(Outcome::Skipped(reason)));
    }
}

/// The same suites and conversations on the series of the tree and, at length, of the other release.
fn compare_all(ctx: &Ctx, level: Level, tip: &Built, ledger: &Ledger, report: &mut Report) {
    let name = Part::Dual.name();
    let scope = if level == Level::Full { Scope::Full } else { Scope::Default };
    ledger.checks(ctx, report, &name, |report| compare(ctx, &ctx.tree, scope, tip, report));
    for tree in other_releases(&ctx.tree) {
        let name = format!("{name} of {}", series_of(&tree));
        if level < Level::Full {
            report.check(&name, || Ok(Outcome::Skipped("only in --full".into())));
            continue;
        }
        ledger.checks(ctx, report, &name, |report| {
            let Some(tip) = built_of(ctx, &tree, report, Point::Tip) else { return };
            let title = format!("the tip{}'s work tree is what patches/ says", kind(ctx, &tree));
            report.pass(&title, || is_exact(&tip));
            compare(ctx, &tree, scope, &tip, report);
        });
    }
}

/// The same suites on plain C, at the commit that links the library, and at the tip.
fn compare(ctx: &Ctx, tree: &Tree, scope: Scope, tip: &Built, report: &mut Report) {
    let Some(base) = built_of(ctx, tree, report, Point::Base) else {
        return;
    };
    let kind = kind(ctx, tree);
    let title = format!("gate: plain C{kind} contains iothread.c");
    report.pass(&title, || gates::programs::plain_c(&base.build));
    let compared =
        sides(ctx, tree, &base, tip).and_then(|sides| dual::check(ctx, report, &sides, scope));
    if let Err(error) = compared {
        report.pass(&format!("both sides compared{kind}"), || Err(error));
    }
}

fn sides(ctx: &Ctx, tree: &Tree, base: &Built, tip: &Built) -> Result<Vec<Side>> {
    let name = |point: &str| format!("{point}{}", kind(ctx, tree));
    let series = Series::open(ctx, tree)?;
    let switch = series.switch(ctx)?;
    let mut sides = vec![Side::new(&name("base"), base)?];
    if switch < series.patches.len() {
        let built = of_point(ctx, tree, Point::At(switch)).context("the commit that links")?;
        sides.push(Side::new(&name("switch"), &built)?);
    }
    sides.push(Side::new(&name("tip"), tip)?);
    Ok(sides)
}

/// The releases whose series is another than that of the tree.
fn other_releases(tree: &Tree) -> impl Iterator<Item = Tree> {
    let own = source::version(tree).ok();
    Version::ALL.into_iter().filter(move |version| Some(*version) != own).map(Tree::Release)
}

fn series_of(tree: &Tree) -> String {
    match tree {
        Tree::Release(version) => format!("v{version}"),
        Tree::Dir(dir) => format!("the series on {}", dir.display()),
    }
}

fn each_commit(
    ctx: &Ctx,
    tree: &Tree,
    level: Level,
    until: Option<Instant>,
    ledger: &Ledger,
    report: &mut Report,
) {
    let extent = if level == Level::Full { Extent::Whole } else { Extent::Quick };
    let series = series_of(tree);
    report.pass(&format!("each commit of {series}"), || {
        let last = Series::open(ctx, tree)?.patches.len();
        let walk = Walk { first: 1, last, extent, until, ledger };
        match bisect::each_commit(ctx, tree, &walk)? {
            None => Ok(()),
            Some(first) => bail!(
                "no time was left for commits {first} to {last}; cargo xtask --qemu {tree} bisect \
                 --from {first} runs them"
            ),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_is_told_in_each_name() {
        let cli = clap::Parser::parse_from(["xtask", "--qemu", "10.0", "test"]);
        let ctx = Ctx::new(&cli).unwrap();
        let kinds = [Version::V10_0, Version::V10_2].map(|v| kind(&ctx, &Tree::Release(v)));
        assert_eq!(kinds, ["", "-10.2"]);
    }

    #[test]
    fn the_series_of_each_release_is_walked_once() {
        let others = |tree| other_releases(&tree).map(|tree| tree.to_string()).collect::<Vec<_>>();
        assert_eq!(others(Tree::Release(Version::V10_2)), ["10.0"]);
        assert_eq!(others(Tree::Release(Version::V10_0)), ["10.2"]);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("VERSION"), "10.0.5\n").unwrap();
        assert_eq!(others(Tree::Dir(dir.path().into())), ["10.2"]);
    }
}
