// SPDX-License-Identifier: GPL-2.0-or-later
//! The other ways to build QEMU: each builds and passes what each commit is tested with.

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::bisect::plain_c::PlainC;
use crate::bisect::suite::{self, Extent, is_own_unit_test};
use crate::build::{self, Built, Flavor};
use crate::ctx::Ctx;
use crate::gates;
use crate::ledger::Ledger;
use crate::report::{Outcome, Report};
use crate::suites::{self, Asked, Speed, meson};
use crate::version::Point;

pub fn checks(ctx: &Ctx, ledger: &Ledger, report: &mut Report) {
    for flavor in Flavor::value_variants() {
        if !in_test(*flavor) {
            let name = format!("flavour {}", flavor.name());
            ledger.checks(ctx, report, &name, |report| check(ctx, *flavor, report));
        }
    }
}

/// True for what all levels of `test` build: the tip, and each commit.
fn in_test(flavor: Flavor) -> bool {
    matches!(flavor, Flavor::Default | Flavor::Lld)
}

pub fn check(ctx: &Ctx, flavor: Flavor, report: &mut Report) {
    let plain = PlainC::new(&ctx.tree, flavor);
    let mut skipped = Vec::new();
    report.pass(&format!("flavour {}", flavor.name()), || {
        let built = build::build(ctx, &ctx.tree, Point::Tip, flavor)?;
        gates::watched(&built, flavor)?;
        if flavor.is_for_unit_tests() {
            return unit_tests(ctx, &built);
        }
        let label = format!("tip-{}", flavor.name());
        let results = suite::run(ctx, &built, &label, Extent::Quick, Some(&plain))?;
        skipped = suites::skipped(&results);
        suites::all_well(&results)
    });
    for (name, reason) in skipped {
        let name = format!("flavour {}: {name}", flavor.name());
        report.check(&name, || Ok(Outcome::Skipped(reason)));
    }
}

fn unit_tests(ctx: &Ctx, built: &Built) -> Result<()> {
    let mut names = meson::list(&built.build)?;
    names.retain(|name| is_own_unit_test(name));
    ensure!(!names.is_empty(), "the build has no unit test of the library");
    let title = "unit tests of tip";
    let asked = Asked { build: &built.build, title, speed: Speed::Quick, names: &names };
    suites::all_well(&meson::run(ctx, &asked)?)
}
