// SPDX-License-Identifier: GPL-2.0-or-later
//! `test`: everything that must pass, as one list of named checks.

mod cargo;
mod flavors;

use anyhow::{Context, Result, ensure};

use crate::badinput;
use crate::bisect::{self, suite::Extent};
use crate::build::{self, Built, Flavor};
use crate::ctx::Ctx;
use crate::dual::{self, Scope, Side};
use crate::flags;
use crate::gates;
use crate::patches;
use crate::report::{Outcome, Report};
use crate::series::Series;
use crate::suites;
use crate::version::{Point, Tree, Version};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Quick,
    Default,
    Full,
}

pub fn run(ctx: &Ctx, args: &flags::Test) -> Result<()> {
    let level = match (args.quick, args.full) {
        (true, _) => Level::Quick,
        (_, true) => Level::Full,
        _ => Level::Default,
    };
    let mut report = Report::new();
    let tip = built(ctx, &mut report, Point::Tip);
    cargo::checks(ctx, level, tip.as_ref(), &mut report);
    if let Some(tip) = &tip {
        report.pass("the tip's work tree is what patches/ says", || {
            let dir = tip.source.display();
            ensure!(tip.exact, "{dir} has more: cargo xtask patches refresh, or undo it there");
            Ok(())
        });
        gates::quick(ctx, tip, &mut report);
        report.pass("tests of the IOThread at the tip", || characterisation(ctx, tip));
    }
    if level == Level::Quick {
        for name in
            ["each commit", "both sides compared", "patches", "gates that rebuild", "bad input"]
        {
            report.check(name, || Ok(Outcome::Skipped("not in --quick".into())));
        }
        return report.finish();
    }
    for version in Version::ALL {
        patches::check(ctx, version, &mut report);
    }
    compare(ctx, level, tip.as_ref(), &mut report);
    each_commit(ctx, Version::V10_2, level, &mut report);
    if let Some(tip) = &tip {
        gates::slow(ctx, tip, &mut report);
        badinput::checks(ctx, tip, &mut report);
    }
    if level == Level::Full {
        each_commit(ctx, Version::V10_0, level, &mut report);
        flavors::checks(ctx, &mut report);
    } else {
        let reason = || Ok(Outcome::Skipped("only in --full".into()));
        report.check("each commit of v10.0", reason);
        report.check("build flavours", reason);
    }
    report.finish()
}

/// A build as a check; what stands on it is left out if it fails.
fn built(ctx: &Ctx, report: &mut Report, at: Point) -> Option<Built> {
    let mut built = None;
    report.pass(&format!("build at {at}"), || {
        built = Some(build::build(ctx, &ctx.tree, at, Flavor::Default)?);
        Ok(())
    });
    built
}

fn characterisation(ctx: &Ctx, built: &Built) -> Result<()> {
    suites::all_well(&bisect::suite::run(ctx, built, "tip", Extent::Characterisation)?)
}

/// The same suites on plain C, at the commit that links the library, and at the tip.
fn compare(ctx: &Ctx, level: Level, tip: Option<&Built>, report: &mut Report) {
    let (Some(tip), Some(base)) = (tip, built(ctx, report, Point::Base)) else {
        return;
    };
    let mut sides = Ok(());
    let outcome = (|| -> Result<Vec<Side>> {
        let series = Series::open(ctx, &ctx.tree)?;
        let switch = series.switch(ctx)?.context("no commit of the series links the library")?;
        let mut sides = vec![Side::new("base", &base)?];
        if switch < series.patches.len() {
            let at = Point::At(switch);
            let built = build::build(ctx, &ctx.tree, at, Flavor::Default)?;
            sides.push(Side::new("switch", &built)?);
        }
        sides.push(Side::new("tip", tip)?);
        Ok(sides)
    })();
    let scope = if level == Level::Full { Scope::Full } else { Scope::Default };
    match outcome {
        Ok(list) => sides = dual::check(ctx, report, &list, scope),
        Err(error) => report.pass("builds to compare", || Err(error)),
    }
    if let Err(error) = sides {
        report.pass("both sides compared", || Err(error));
    }
}

fn each_commit(ctx: &Ctx, version: Version, level: Level, report: &mut Report) {
    let extent = if level == Level::Full { Extent::Whole } else { Extent::Quick };
    let tree = Tree::Release(version);
    report.pass(&format!("each commit of v{version}"), || {
        let last = Series::open(ctx, &tree)?.patches.len();
        bisect::each_commit(ctx, &tree, 1, last, extent)
    });
}
